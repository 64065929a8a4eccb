"""Builds the editions of one resource from its raw table; the SQL comes from the policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from catalog.lake import ServedColumn, StagedTable
from ingest.prove import copy_sql
from policies.editions import PSEUDONYM, definition, edition_sql, fingerprint, pseudonymiser
from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.lake import Lake
    from policies.model import EditionTable, Policy


@dataclass(frozen=True, kw_only=True)
class Raw:
    """The raw table that editions are made from: its files, columns and rows, and what names its content."""

    files: list[Path]
    columns: tuple[ServedColumn, ...]
    rows: int
    identity: str


@dataclass(frozen=True, kw_only=True)
class StagedEdition:
    """One edition of one resource, written and not yet committed."""

    edition: str
    staged: StagedTable
    columns: tuple[ServedColumn, ...]
    receipt: dict[str, Any]


def stage_editions(
    lake: Lake, slug: str, resource: str, raw: Raw, policy: Policy | None, key: Callable[[], bytes]
) -> list[StagedEdition]:
    """Write every edition of the resource that is not what is served already.

    Raises DocumentError naming the policy's file if one cannot be built; then none is left staged.
    """
    staged: list[StagedEdition] = []
    try:
        for edition, tables in ({} if policy is None else policy.editions).items():
            if resource not in tables:
                continue
            table = tables[resource]
            secret = key() if table.pseudonymise else b"-"
            name = fingerprint(table, raw.identity, secret)
            current = lake.current(slug, edition)
            if current is not None and resource in current.resources:
                served = current.resources[resource]
                if served.receipt.get("fingerprint") == name and served.columns:
                    continue
            staged.append(_stage(lake, slug, edition, resource, raw, table, secret, name))
    except BaseException:
        for made in staged:
            made.staged.discard()
        raise
    return staged


def _stage(
    lake: Lake, slug: str, edition: str, resource: str, raw: Raw, table: EditionTable, secret: bytes, name: str
) -> StagedEdition:
    place = f"policies/{slug}.yaml: edition {edition!r}, resource {resource!r}"
    files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in raw.files)
    types = {column.name: column.type for column in raw.columns}
    statement = edition_sql(table, types, f"read_parquet([{files}])", place)
    described: list[tuple[str, str]] = []

    def write(path: Path) -> None:
        with duckdb.connect() as con:
            # A steward's condition may name files: it opens none but these
            con.execute("SET allowed_paths = ?", [[str(one) for one in (*raw.files, path)]])
            con.execute("SET enable_external_access = false")
            if table.pseudonymise:
                _register(con, secret, slug, edition)
            if len(con.extract_statements(statement)) != 1:
                raise DocumentError(f"{place}: 'where' must be one condition")
            described.extend((row[0], row[1]) for row in con.execute(f"DESCRIBE {statement}").fetchall())
            con.execute(copy_sql(statement, path))

    try:
        staged = lake.stage(slug, edition, resource, write)
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
