"""Builds the editions of one resource from its raw table; the SQL comes from the policies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb

from catalog.lake import ServedColumn, StagedTable
from ingest.building import Built, Secret, build
from ingest.changes import Snapshot, changes
from ingest.zones import zones_of
from policies.document import line_of
from policies.editions import Source, alike, definition, fingerprint, literal, made_with, scope_of
from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from catalog.lake import Lake, Served
    from policies.editions import EditionTable
    from policies.model import Policy
    from policies.settings import ZoneTable


@dataclass(frozen=True, kw_only=True)
class Raw:
    """The raw table of one resource that editions are made from: its files, columns and rows.

    `identity` names its content: the same bytes, read in the same way.
    """

    dataset: str
    resource: str
    files: list[Path]
    columns: tuple[ServedColumn, ...]
    rows: int
    identity: str


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What building takes: the policy that holds for this ingest and where it was read, the key of the pseudonyms, the
    tables of zones, memory, where to spill.
    """

    policy: Policy | None
    path: Path
    key: Callable[[], bytes]
    zones: Mapping[str, ZoneTable]
    memory_mb: int
    spill: Path


@dataclass(frozen=True, kw_only=True)
class StagedEdition:
    """One edition of one resource, written and not yet committed."""

    edition: str
    staged: StagedTable
    columns: tuple[ServedColumn, ...]
    receipt: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What one edition's table is made of, and what its receipt says of that."""

    edition: str
    table: EditionTable
    source: Source
    files: tuple[Path, ...]
    secret: Secret | None
    receipt: dict[str, Any]


def stage_editions(lake: Lake, raw: Raw, workshop: Workshop) -> list[StagedEdition]:
    """Write every edition of the resource that is not served, whole, as the policy says it and from this raw table.

    Raises DocumentError naming the policy's file and line if one cannot be built, or fails its disclosure check; then
    none is left staged.
    """
    staged: list[StagedEdition] = []
    try:
        for edition, tables in ({} if workshop.policy is None else workshop.policy.editions).items():
            if raw.resource not in tables:
                continue
            plan = _planned(lake, raw, edition, tables[raw.resource], workshop)
            served = lake.sound(raw.dataset, edition, raw.resource)
            if served is None or served.receipt.get("fingerprint") != plan.receipt["fingerprint"]:
                made = _stage(lake, raw, plan, workshop.spill)
                staged.append(made)
                told = _changes(lake, raw, made, served, workshop)
                staged[-1] = replace(made, receipt={**made.receipt, "changes": told})
    except BaseException:
        for made in staged:
            made.staged.discard()
        raise
    return staged


def commit_editions(lake: Lake, raw: Raw, staged: list[StagedEdition], raw_version: int) -> dict[str, Served]:
    """Commit what was staged, now that the raw table counts; returns what is served, by edition.

    Raises as `Lake.commit`.
    """
    built = {}
    for made in staged:
        receipt = {**made.receipt, "raw_version": raw_version}
        served = lake.commit(raw.dataset, made.edition, {raw.resource: (made.staged, made.columns, receipt)})
        built[made.edition] = served[raw.resource]
    return built


def _place(path: Path, raw: Raw, edition: str, *keys: str | int) -> str:
    """Where the policy says something of an edition's table, as messages begin; without a line if it is gone by now."""
    try:
        line = f":{line_of(path, 'editions', edition, raw.resource, *keys)}"
    except Exception:  # noqa: BLE001  a file that was changed meanwhile hides no error
        line = ""
    return f"policies/{raw.dataset}.yaml{line}: edition {edition!r}, resource {raw.resource!r}"


def _planned(lake: Lake, raw: Raw, edition: str, table: EditionTable, workshop: Workshop) -> _Plan:
    """What one edition's table is to be made of, as it is now; raises DocumentError if that is not there."""
    place = partial(_place, workshop.path, raw, edition)
    zones = zones_of(lake, table, workshop.zones, place)
    secret = Secret(key=workshop.key(), scope=scope_of(table, raw.dataset, edition)) if table.pseudonymise else None
    declared = {name: str(workshop.zones[name]) for name in zones}
    made = made_with(table, b"" if secret is None else secret.key, declared)
    contents = {name: zone.content for name, zone in zones.items()}
    source = Source(
        item=f"read_parquet([{', '.join(map(literal, raw.files))}])",
        columns={column.name: column.type for column in raw.columns},
        place=place,
        zones={name: zone.item for name, zone in zones.items()},
    )
    receipt: dict[str, Any] = {
        "fingerprint": fingerprint(definition(table), made, raw.identity, contents),
        "definition": definition(table),
        "rows_in": raw.rows,
    }
    return _Plan(
        edition=edition,
        table=table,
        source=source,
        files=(*raw.files, *(file for zone in zones.values() for file in zone.files)),
        secret=secret,
        receipt={**receipt, "made_with": made} if made else receipt,
    )


def _stage(lake: Lake, raw: Raw, plan: _Plan, spill: Path) -> StagedEdition:
    built: list[Built] = []

    def write(path: Path) -> None:
        built.append(build(plan.table, plan.source, plan.files, path, spill, plan.secret))

    try:
        staged = lake.stage(raw.dataset, plan.edition, raw.resource, write)
    except duckdb.Error as error:
        said = f"the edition cannot be built: {str(error).splitlines()[0]}"
        raise DocumentError(f"{plan.source.place()}: {said}") from None
    (made,) = built
    shapes = {column.name for column in raw.columns if column.type == "GEOMETRY"}
    columns = tuple(
        ServedColumn(name=name, type="GEOMETRY" if plan.table.sources[name] in shapes else sql_type)
        for name, sql_type in made.columns
    )
    receipt = {**plan.receipt, "rows_out": staged.rows, **made.counts}
    return StagedEdition(edition=plan.edition, staged=staged, columns=columns, receipt=receipt)


def _changes(
    lake: Lake, raw: Raw, made: StagedEdition, served: Served | None, workshop: Workshop
) -> dict[str, Any] | None:
    """What the edition has that the one before had not; None where that one was made otherwise."""
    if served is None or not alike(served.receipt, made.receipt):
        return None
    before = Snapshot(files=lake.files(raw.dataset, made.edition, raw.resource, served), columns=served.columns)
    after = Snapshot(files=(made.staged.path,), columns=made.columns)
    return changes(before, after, workshop.spill, workshop.memory_mb).model_dump(mode="json")
