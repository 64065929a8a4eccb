"""How well each served edition of a dataset hides its persons. Classes are counted in the engine: no row leaves it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import duckdb

from policies.document import suggest
from policies.editions import definition, literal
from policies.editions.disclosure import Classes, classes_sql
from policies.errors import QueryError, UsageError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from catalog.lab import Lab
    from catalog.lake import Served
    from policies.editions import EditionTable


@dataclass(frozen=True, kw_only=True)
class Disclosure:
    """One table of an edition as it is served.

    `over` are its quasi-identifiers, by their names in the edition; without any, `classes` is None and `note` says why.
    `of` is the column of l, `person` that of the persons whom the classes count, None where they count rows.
    `suppressed` counts the rows that were left out for `k`, `cells` those that are NULL.
    """

    edition: str
    resource: str
    rows: int
    over: tuple[str, ...] = ()
    of: str | None = None
    person: str | None = None
    classes: Classes | None = None
    suppressed: int | None = None
    cells: int | None = None
    note: str | None = None


def disclosure(lab: Lab, slug: str, over: Sequence[str] = ()) -> Iterator[Disclosure]:
    """Each edition's tables, from the least to the most detailed; `raw` only where quasi-identifiers are asked for.

    Without `over`, those are taken that the policy declares. Of a table that has not all of `over`, those that it has.
    Raises UsageError for an unknown dataset or a column that no table has, LakeError for a damaged table.
    """
    lab.dataset(slug)
    policy = lab.policy(slug)
    editions = {} if policy is None else policy.editions
    found: list[tuple[str, str, Served, EditionTable | None]] = []
    for edition in (*editions, *((RAW,) if over else ())):
        current = lab.lake.current(slug, edition)
        for resource, served in ({} if current is None else current.resources).items():
            if edition != RAW or not resource.endswith("_rejects"):
                found.append((edition, resource, served, editions.get(edition, {}).get(resource)))
    known = sorted({column.name for _, _, served, _ in found for column in served.columns})
    for column in over:
        if column not in known:
            raise UsageError(f"--over: no table of {slug} has a column {column!r}; {suggest(column, known)}")
    for edition, resource, served, table in found:
        yield _of(lab, slug, edition, resource, served, table, over)


def _of(
    lab: Lab, slug: str, edition: str, resource: str, served: Served, table: EditionTable | None, over: Sequence[str]
) -> Disclosure:
    told = Disclosure(
        edition=edition,
        resource=resource,
        rows=served.rows,
        suppressed=served.receipt.get("suppressed"),
        cells=sum(hidden.values()) if isinstance(hidden := served.receipt.get("cells"), dict) else None,
    )
    if edition != RAW and (table is None or served.receipt.get("definition") != definition(table)):
        return replace(told, note=f"was built by another policy, and is not served: run `datalab ingest {slug}`")
    there = {column.name for column in served.columns}
    declared = () if table is None or table.anonymity is None else table.anonymity.over
    keys = tuple(one for one in over if one in there) or (
        () if table is None or over else tuple(table.published(one) for one in declared)
    )
    if not keys:
        return replace(
            told, note="has none of these columns" if over else "declares no quasi-identifiers: name some by --over"
        )
    of = None if table is None or table.diversity is None else table.published(table.diversity.of)
    of = None if of in keys else of
    person = None if table is None or table.anonymity is None else table.anonymity.of
    if table is not None and person is not None and person not in table.keep:
        counted = served.receipt.get("classes")
        if not over and isinstance(counted, dict):
            return replace(told, over=keys, of=of, person=person, classes=Classes(**counted))
        told = replace(told, note=f"counts rows: {person!r}, which tells persons apart, is not in it")
        person = None
    elif table is not None and person is not None:
        person = table.published(person)
        person = None if person in keys else person
    files = lab.lake.files(slug, edition, resource, served)
    try:
        with duckdb.connect() as con:
            source = f"read_parquet([{', '.join(literal(path) for path in files)}])"
            row = con.execute(classes_sql(source, keys, of, person=person)).fetchone() or ()
    except duckdb.Error as error:
        raise QueryError(f"{slug}@{edition}.{resource}: {str(error).splitlines()[0]}") from None
    return replace(told, over=keys, of=of, person=person, classes=Classes(*row))
