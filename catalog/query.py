"""A DuckDB connection with one view a resource, of the editions that some principals may see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb

from catalog.cog.macros import macros
from catalog.history import snapshot
from catalog.lake import Current
from policies.editions import literal, quoted
from policies.errors import QueryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from catalog.history import At
    from catalog.lab import Granted, Lab
    from catalog.lake import Served


def connect(
    lab: Lab,
    principals: frozenset[str],
    *,
    purpose: str | None = None,
    as_of: At | None = None,
    absent: Callable[[UsageError], None] = lambda _: None,
) -> duckdb.DuckDBPyConnection:
    """An in-memory database with the schema `<dataset>` and in it a view `<resource>`, for each granted edition.

    With `as_of`, the views are of the snapshots of that version or moment; `absent` is told of each table without one.

    Where several editions of a dataset are granted, `<dataset>` is the most detailed and each one also stands at
    `"<dataset>@<edition>"`. The connection opens the granted files and no others, and its settings are locked; but
    what opens a file may write it (COPY), so it is for code of the lab's own, `select` is for SQL that a person gives,
    and who may not read the lab's folder anyway gets a sandbox. Where INSEE's events are granted, there are the macros
    of `catalog/cog/macros.py`. Raises LakeError if a granted file is damaged.
    """
    con = duckdb.connect()
    granted = lab.granted(principals, purpose=purpose)
    if as_of is not None:
        granted = tuple(_as_of(lab, edition, as_of, absent) for edition in granted)
    files: list[str] = []
    for edition in granted:
        for resource, served in edition.current.resources.items():
            paths = lab.lake.files(edition.dataset, edition.edition, resource, served)
            files += [str(path) for path in paths]
    con.execute("SET allowed_paths = ?", [files])
    con.execute("SET enable_external_access = false")
    for edition in granted:
        _create_views(con, lab, edition)
    codes = macros(granted)
    if codes is not None:
        con.execute(codes)
    con.execute("SET lock_configuration = true")
    return con


def _as_of(lab: Lab, edition: Granted, when: At, absent: Callable[[UsageError], None]) -> Granted:
    found = {}
    for resource in edition.current.resources:
        try:
            found[resource] = snapshot(lab, edition, resource, when)
        except UsageError as error:
            absent(error)
    return replace(edition, current=Current(resources=found))


def select(con: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    """The one SELECT of `sql`, as a relation. Raises QueryError for anything else, or when the engine refuses it."""
    try:
        statements = con.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            message = "expected one SELECT; the lab's data are changed by ingest alone"
            raise QueryError(message)
        return con.sql(sql)
    except duckdb.CatalogException as error:
        raise QueryError(f"{str(error).splitlines()[0]}\n{_readable(con)}") from None
    except duckdb.Error as error:
        raise QueryError(str(error)) from None


def _readable(con: duckdb.DuckDBPyConnection) -> str:
    """What may be read here, for who asked for something else."""
    found = con.execute(
        "SELECT schema_name || '.' || view_name FROM duckdb_views() "
        "WHERE NOT internal AND NOT contains(schema_name, '@') ORDER BY 1"
    ).fetchall()
    names = ", ".join(name for (name,) in found)
    return f"granted here: {names}" if names else "nothing is granted here; ask as another principal: --as NAME"


def view_sql(files: Sequence[Path], served: Served) -> str:
    """The SELECT that reads a served snapshot's files, its geometry columns as GEOMETRY."""
    listed = ", ".join(literal(path) for path in files)
    columns = ", ".join(
        f"st_geomfromwkb({quoted(column.name)}) AS {quoted(column.name)}"
        if column.type == "GEOMETRY"
        else quoted(column.name)
        for column in served.columns
    )
    return f"SELECT {columns} FROM read_parquet([{listed}])"  # noqa: S608  names and paths are quoted


def _create_views(con: duckdb.DuckDBPyConnection, lab: Lab, edition: Granted) -> None:
    for schema in (edition.dataset, f"{edition.dataset}@{edition.edition}"):
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        for resource, served in edition.current.resources.items():
            files = lab.lake.files(edition.dataset, edition.edition, resource, served)
            # Editions come from the least to the most detailed: the last one stays
            con.execute(f"CREATE OR REPLACE VIEW {quoted(schema)}.{quoted(resource)} AS {view_sql(files, served)}")
