"""The granted data in a notebook, after `import lab`.

    lab.datasets()                                  # what there is
    lab.table("irve.bornes")                        # the most detailed edition that you were granted
    lab.table("irve@open.bornes")                   # another one
    lab.sql("SELECT commune, count(*) FROM irve.bornes GROUP BY ALL")
    lab.cog.convert(lab.table("irve.bornes"), "commune", 2019, 2026)    # codes of 2019 → of 2026

Each gives a DuckDB relation: `.df()` makes it a pandas frame, `.pl()` a Polars frame, `.arrow()` Arrow data.
What you see is what was served when this sandbox was started; start another to see later snapshots.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any, cast

import duckdb

__all__ = ["cog", "datasets", "sql", "table"]

_DATA = Path(os.environ.get("DATALAB_DATA", "/data"))
_MACROS = _DATA / "macros.sql"


def sql(query: str, params: object = None) -> duckdb.DuckDBPyRelation:
    """The answer to one query. Tables are `dataset.resource`; another edition's are `"dataset@edition".resource`."""
    return _connection.sql(query, params=params)


def table(name: str) -> duckdb.DuckDBPyRelation:
    """All of `dataset.resource` or `dataset@edition.resource`. Raises LookupError listing what exists."""
    if name not in _views:
        near = difflib.get_close_matches(name, _views, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        message = f"there is no table {name!r}; {hint}You were granted: {', '.join(_views) or 'nothing'}"
        raise LookupError(message)
    return _connection.sql(f"FROM {_views[name]}")


def datasets() -> duckdb.DuckDBPyRelation:
    """Every table you were granted: dataset, edition, resource, title, rows, columns, licence, version, is_default."""
    return _connection.sql("FROM main.datasets ORDER BY ALL")


class cog:  # noqa: N801  it is read as a module: lab.cog.convert
    """Commune codes between years, where you were granted INSEE's table of events."""

    @staticmethod
    def convert(
        relation: duckdb.DuckDBPyRelation, column: str, from_year: int, to_year: int
    ) -> duckdb.DuckDBPyRelation:
        """The rows of `relation`, its commune codes in `column` moved from those of one 1 January to another's.

        Every row comes back once: `<column>_<from_year>` keeps the code, `<column>_<from_year>_state` says what became
        of it, and `column` is NULL where that is `split` (its land lies in several communes then), `outside` (in none)
        or `unknown` (no code of `from_year`). `FROM cog_crosswalk(2019, 2026)` lists every code, with the communes in
        which its land lies. Raises LookupError where you were not granted the events.
        """
        if not _MACROS.exists():
            message = "you were not granted INSEE's events on communes (MOD, DATE_EFF, COM_AV, COM_AP …)"
            raise LookupError(message)
        ask = f"SELECT cog_sql('cog_relation', {_literal(column)}, {int(from_year)}, {int(to_year)})"
        ((moved,),) = _connection.execute(ask).fetchall()
        return cast("duckdb.DuckDBPyRelation", relation.query("cog_relation", moved))


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _select(folder: Path, served: dict[str, Any]) -> str:
    """The statement that reads one snapshot; geometry lies in the file as WKB."""
    columns = ", ".join(
        f"st_geomfromwkb({_quoted(column['name'])}) AS {_quoted(column['name'])}"
        if column["type"].startswith("GEOMETRY")
        else _quoted(column["name"])
        for column in served["columns"]
    )
    files = ", ".join(_literal(str(folder / name)) for name in served["files"])
    return f"SELECT {columns} FROM read_parquet([{files}])"  # noqa: S608  quoted above


def _connect() -> duckdb.DuckDBPyConnection:
    """An engine that keeps within the sandbox: its share of memory and processors, and spills into the home."""
    connection = duckdb.connect()
    memory = int(os.environ.get("DATALAB_MEMORY_BYTES", "2147483648"))
    connection.execute(f"SET memory_limit = '{memory * 6 // 10}B'")
    connection.execute(f"SET threads = {int(os.environ.get('DATALAB_THREADS', '1'))}")
    connection.execute(f"SET temp_directory = {_literal(str(Path.home() / '.cache' / 'duckdb'))}")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute(
        "CREATE TABLE main.datasets (dataset VARCHAR, edition VARCHAR, resource VARCHAR, title VARCHAR, rows BIGINT, "
        "columns VARCHAR[], licence VARCHAR, version BIGINT, is_default BOOLEAN)"
    )
    return connection


def _view(connection: duckdb.DuckDBPyConnection, schema: str, resource: str, select: str) -> tuple[str, str]:
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
    connection.execute(f"CREATE VIEW {_quoted(schema, resource)} AS {select}")
    return f"{schema}.{resource}", _quoted(schema, resource)


def _open(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Make a view of every granted table, and the list of them; returns name → quoted name."""
    views = []
    for entry in json.loads((_DATA / "datasets.json").read_text(encoding="utf-8")):
        dataset, edition = entry["dataset"], entry["edition"]
        folder = _DATA / dataset / edition
        resources = json.loads((folder / "current.json").read_text(encoding="utf-8"))["resources"]
        for resource, served in resources.items():
            select = _select(folder / resource, served)
            views.append(_view(connection, f"{dataset}@{edition}", resource, select))
            if entry["default"]:
                views.append(_view(connection, dataset, resource, select))
            names = [column["name"] for column in served["columns"]]
            numbers = (served["rows"], names, entry["licence"], served["version"], entry["default"])
            row = (dataset, edition, resource, entry["title"], *numbers)
            connection.execute("INSERT INTO main.datasets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return dict(views)


_connection = _connect()
_views = _open(_connection)
if _MACROS.exists():
    _connection.execute(_MACROS.read_text(encoding="utf-8"))
