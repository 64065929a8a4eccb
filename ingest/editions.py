"""Builds the editions of one resource from its raw table; the SQL comes from the policies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from catalog.lake import ServedColumn, StagedTable
from ingest.changes import Snapshot, changes
from ingest.parquetfile import write_parquet
from policies.editions import PSEUDONYM, definition, edition_sql, fingerprint, literal, pseudonymiser
from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.lake import Lake, Served
    from policies.editions import EditionTable
    from policies.model import Policy


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
    """What building takes: the policy that holds for this ingest, the key of the pseudonyms, memory, where to spill."""

    policy: Policy | None
    key: Callable[[], bytes]
    memory_mb: int
    spill: Path


@dataclass(frozen=True, kw_only=True)
class StagedEdition:
    """One edition of one resource, written and not yet committed."""

    edition: str
    staged: StagedTable
    columns: tuple[ServedColumn, ...]
    receipt: dict[str, Any]


def stage_editions(lake: Lake, raw: Raw, workshop: Workshop) -> list[StagedEdition]:
    """Write every edition of the resource that is not served, whole, as the policy says it and from this raw table.

    Raises DocumentError naming the policy's file if one cannot be built; then none is left staged.
    """
    staged: list[StagedEdition] = []
    try:
        for edition, tables in ({} if workshop.policy is None else workshop.policy.editions).items():
            if raw.resource not in tables:
                continue
            table = tables[raw.resource]
            secret = workshop.key() if table.pseudonymise else b"-"
            name = fingerprint(table, raw.identity, secret)
            served = lake.sound(raw.dataset, edition, raw.resource)
            if served is None or served.receipt.get("fingerprint") != name:
                made = _stage(lake, raw, edition, table, secret, name, workshop.spill)
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


def _stage(
    lake: Lake, raw: Raw, edition: str, table: EditionTable, secret: bytes, name: str, spill: Path
) -> StagedEdition:
    place = f"policies/{raw.dataset}.yaml: edition {edition!r}, resource {raw.resource!r}"
    types = {column.name: column.type for column in raw.columns}
    files = ", ".join(literal(path) for path in raw.files)
    statement = edition_sql(table, types, f"read_parquet([{files}])", place)
    described: list[tuple[str, str]] = []

    def write(path: Path) -> None:
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")  # a year, a month and a condition on times are the same on every host
            con.execute("SET temp_directory = ?", [str(spill)])
            # A steward's condition may name files: it opens none but these
            con.execute("SET allowed_paths = ?", [[str(one) for one in (*raw.files, path)]])
            con.execute("SET enable_external_access = false")
            if table.pseudonymise:
                _register(con, secret, raw.dataset, edition)
            if len(con.extract_statements(statement)) != 1:
                raise DocumentError(f"{place}: 'where' must be one condition")
            described.extend((row[0], row[1]) for row in con.execute(f"DESCRIBE {statement}").fetchall())
            write_parquet(con, statement, path)

    try:
        staged = lake.stage(raw.dataset, edition, raw.resource, write)
    except duckdb.Error as error:
        raise DocumentError(f"{place}: the edition cannot be built: {str(error).splitlines()[0]}") from None
    columns = tuple(
        ServedColumn(name=name, type="GEOMETRY" if types[name] == "GEOMETRY" else made) for name, made in described
    )
    receipt = {
        "fingerprint": name,
        "definition": definition(table),
        "rows_in": raw.rows,
        "rows_out": staged.rows,
    }
    return StagedEdition(edition=edition, staged=staged, columns=columns, receipt=receipt)


def _changes(
    lake: Lake, raw: Raw, made: StagedEdition, served: Served | None, workshop: Workshop
) -> dict[str, Any] | None:
    """What the edition has that the one before had not; None where that one was made by another policy."""
    if served is None or served.receipt.get("definition") != made.receipt["definition"]:
        return None
    before = Snapshot(files=lake.files(raw.dataset, made.edition, raw.resource, served), columns=served.columns)
    after = Snapshot(files=(made.staged.path,), columns=made.columns)
    return changes(before, after, workshop.spill, workshop.memory_mb).model_dump(mode="json")


def _register(con: duckdb.DuckDBPyConnection, secret: bytes, slug: str, edition: str) -> None:
    hasher = pseudonymiser(secret, slug, edition)

    def digest(value: str | None) -> str | None:
        if value is None:
            return None
        copy = hasher.copy()
        copy.update(value.encode())
        return copy.hexdigest()

    def pseudonym(values: pa.ChunkedArray | pa.Array) -> pa.Array:
        return pa.array([digest(value) for value in values.to_pylist()], pa.string())

    con.create_function(
        PSEUDONYM,
        pseudonym,
        ["VARCHAR"],
        "VARCHAR",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
