"""What `datalab check` says of a policy's editions: what cannot be built, and what deserves a look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from catalog.conditions import try_condition
from policies.document import line_of, suggest
from policies.editions import Source, definition, edition_sql, literal, quoted, unspoken
from policies.editions.generalisation import ZONES
from policies.errors import DocumentError, LakeError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog.lab import Lab
    from catalog.lake import Served
    from catalog.model import Dataset
    from policies.editions import EditionTable
    from policies.model import Policy


def unbuildable(lab: Lab, slug: str, dataset: Dataset, policy: Policy) -> Iterator[str]:
    """What no edition can keep or be built of, by the raw tables as they are served."""
    try:
        current = lab.lake.current(slug, RAW)
    except LakeError as error:
        yield str(error)
        return
    served = {} if current is None else current.resources
    for edition, tables in policy.editions.items():
        for name, table in tables.items():
            if name not in dataset.resources:
                hint = suggest(name, list(dataset.resources))
                yield f"policies/{slug}.yaml: edition {edition!r} keeps columns of {name!r}; {hint}"
            else:
                yield from _of_table(lab, slug, edition, name, table, served.get(name))


def _of_table(
    lab: Lab, slug: str, edition: str, name: str, table: EditionTable, served: Served | None
) -> Iterator[str]:
    """What the raw table as it is served has not, or has of a type that the edition cannot make of it what it says."""
    place = _places(lab, slug, edition, name)
    columns = {} if served is None else {column.name: column.type for column in served.columns}
    missing = served is None
    for key, named in (("keep", table.keep), ("drop", table.drop)) if served is not None else ():
        for at, column in enumerate(named):
            if column not in columns:
                missing = True
                hint = suggest(column, sorted(columns))
                yield f"{place(key, at)} {key}s {name}.{column}, which is not there; {hint}"

    def told(*keys: str | int) -> str:
        return f"{place(*keys)}, resource {name!r}"

    try:
        files = [] if served is None else lab.lake.files(slug, RAW, name, served)
        item = f"read_parquet([{', '.join(map(literal, files))}])"
        source = Source(item=item, columns=columns, place=told, zones=dict.fromkeys(ZONES, quoted(name)))
        if not missing:
            edition_sql(table, source)
        with duckdb.connect() as con:
            con.execute("SET allowed_paths = ?", [[str(one) for one in files]])
            con.execute("SET enable_external_access = false")
            try_condition(con, table, source)
    except (DocumentError, LakeError) as error:
        yield str(error)


def silent(lab: Lab, slug: str, policy: Policy) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What the served raw tables have that no edition keeps or drops: it may have come with a refresh."""
    try:
        current = lab.lake.current(slug, RAW)
    except LakeError:
        return  # it is told among the errors
    for name, served in ({} if current is None else current.resources).items():
        tables = [made[name] for made in policy.editions.values() if name in made]
        columns = unspoken(tables, [column.name for column in served.columns])
        if columns:
            yield name, columns


def repeated(lab: Lab, slug: str, policy: Policy) -> Iterator[str]:
    """Each `k` that counts rows of an edition whose pseudonyms come several times: they seem to be of persons."""
    for edition, tables in policy.editions.items():
        asked = {
            name: table
            for name, table in tables.items()
            if table.anonymity is not None and table.anonymity.of is None and table.pseudonymise
        }
        try:
            current = lab.lake.current(slug, edition) if asked else None
            for name, table in asked.items():
                served = None if current is None else current.resources.get(name)
                if served is not None and served.receipt.get("definition") == definition(table):
                    columns = _coming_again(lab, slug, edition, name, table, served)
                    place = _places(lab, slug, edition, name)("k")
                    yield from (
                        f"{place}, resource {name!r}: 'k' counts rows, and {one!r} repeats: say `of: {one}`"
                        for one in columns
                    )
        except (LakeError, duckdb.Error) as error:
            yield f"{slug}@{edition}: {str(error).splitlines()[0]}"


def _coming_again(lab: Lab, slug: str, edition: str, name: str, table: EditionTable, served: Served) -> list[str]:
    files = lab.lake.files(slug, edition, name, served)
    columns = list(table.pseudonymise)
    counts = (f"count({one}) > count(DISTINCT {one})" for one in map(quoted, map(table.published, columns)))
    with duckdb.connect() as con:
        statement = f"SELECT {', '.join(counts)} FROM read_parquet([{', '.join(map(literal, files))}])"  # noqa: S608
        found = con.execute(statement).fetchone() or ()
    return [column for column, again in zip(columns, found, strict=True) if again]


def _places(lab: Lab, slug: str, edition: str, name: str) -> Callable[..., str]:
    path = lab.root / "policies" / f"{slug}.yaml"

    def place(*keys: str | int) -> str:
        return f"policies/{slug}.yaml:{line_of(path, 'editions', edition, name, *keys)}: edition {edition!r}"

    return place
