"""The engine under `import lab`, and under a query from outside: a view of every granted table, within bounds."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from .citation import sha256_of
from .query import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DATA = Path(os.environ.get("DATALAB_DATA", "/data"))
_MACROS = DATA / "macros.sql"
_LIST, _REVOKED = DATA / "datasets.json", DATA / "revoked.json"


@dataclass(frozen=True)
class Table:
    """A table that was granted: what is said of its dataset, and the snapshot that stands at /data."""

    entry: dict[str, Any]
    resource: str
    served: dict[str, Any]

    @property
    def where(self) -> tuple[str, str]:
        """Its dataset and edition."""
        return self.entry["dataset"], self.entry["edition"]

    def snapshots(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The folder and what is known of each snapshot, newest first."""
        yield DATA.joinpath(*self.where, self.resource), self.served
        history = DATA.joinpath(*self.where, "history.json")
        older = json.loads(history.read_text(encoding="utf-8")) if history.exists() else {}
        for served in older.get(self.resource, ()):
            yield DATA.joinpath(".past", *self.where, self.resource, str(served["version"])), served

    def cited(self, name: str) -> dict[str, Any]:
        """What a citation says of it, as it is now."""
        folder, served = next(self.snapshots())
        said = ("dataset", "edition", "title", "publisher", "licence", "share_alike", "page")
        return {
            "name": name,
            "resource": self.resource,
            "version": served["version"],
            "committed": served["committed"],
            "sha256": sha256_of(folder, served),
            **{key: self.entry[key] for key in said},
        }


@dataclass
class Opened:
    """An engine that shows what is granted; `refresh` it before each use, since grants come and go."""

    connection: duckdb.DuckDBPyConnection
    tables: dict[str, Table]
    _listed: tuple[int, int] = (0, 0)

    def refresh(self) -> None:
        """Look whether the list of what is granted was replaced, and if so show that; all else stays in the engine."""
        state = _LIST.stat()
        now = (state.st_ino, state.st_mtime_ns)
        if now != self._listed:
            self.tables = show(self.connection, self.tables)
            self._listed = now


def opened() -> tuple[duckdb.DuckDBPyConnection, dict[str, Table]]:
    """An engine with a view of every granted table and the list `main.datasets`; and the tables by their names."""
    connection = engine()
    return connection, show(connection, {})


def revoked() -> dict[str, str]:
    """The editions `dataset/edition` that were taken out while this sandbox ran, and when."""
    told: dict[str, str] = json.loads(_REVOKED.read_text(encoding="utf-8")) if _REVOKED.exists() else {}
    return told


def show(connection: duckdb.DuckDBPyConnection, before: Iterable[str]) -> dict[str, Table]:
    """Make views of what is granted, in the place of those for the tables `before`; returns the tables by name."""
    for name in before:
        connection.execute(f"DROP VIEW IF EXISTS {quoted(*name.split('.', 1))}")
    connection.execute(
        "CREATE OR REPLACE TABLE main.datasets (dataset VARCHAR, edition VARCHAR, resource VARCHAR, title VARCHAR, "
        "rows BIGINT, columns VARCHAR[], licence VARCHAR, version BIGINT, is_default BOOLEAN)"
    )
    tables: dict[str, Table] = {}
    for entry in json.loads(_LIST.read_text(encoding="utf-8")):
        dataset, edition = entry["dataset"], entry["edition"]
        folder = DATA / dataset / edition
        resources = json.loads((folder / "current.json").read_text(encoding="utf-8"))["resources"]
        for resource, served in resources.items():
            for schema in (f"{dataset}@{edition}", *([dataset] if entry["default"] else [])):
                view(connection, schema, resource, select(folder / resource, served))
                tables[f"{schema}.{resource}"] = Table(entry, resource, served)
            names = [column["name"] for column in served["columns"]]
            numbers = (served["rows"], names, entry["licence"], served["version"], entry["default"])
            row = (dataset, edition, resource, entry["title"], *numbers)
            connection.execute("INSERT INTO main.datasets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    add_macros(connection)
    return tables


def engine() -> duckdb.DuckDBPyConnection:
    """An engine that keeps within the sandbox: its share of memory and processors, and spills into the home."""
    connection = duckdb.connect()
    memory = int(os.environ.get("DATALAB_MEMORY_BYTES", "2147483648"))
    connection.execute(f"SET memory_limit = '{memory * 6 // 10}B'")
    connection.execute(f"SET threads = {int(os.environ.get('DATALAB_THREADS', '1'))}")
    spill = Path.home() / ".cache" / "duckdb"
    with contextlib.suppress(OSError):  # a full home: what fits into memory is still answered
        spill.mkdir(parents=True, exist_ok=True)  # the engine itself makes no folders above
    connection.execute(f"SET temp_directory = {literal(str(spill))}")
    connection.execute("SET autoinstall_known_extensions = false")
    return connection


def add_macros(connection: duckdb.DuckDBPyConnection) -> bool:
    """Give SQL what stands beside the data: commune codes between years. Says whether there is any."""
    there = _MACROS.exists()
    if there:
        connection.execute(_MACROS.read_text(encoding="utf-8"))
    return there


def behind_macros(tables: Iterable[str]) -> list[str]:
    """Those of the tables that the macros read."""
    text = _MACROS.read_text(encoding="utf-8") if _MACROS.exists() else ""
    return [name for name in tables if quoted(*name.split(".", 1)) in text]


def view(connection: duckdb.DuckDBPyConnection, schema: str, resource: str, statement: str) -> None:
    """Make the view `schema.resource` of a statement."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
    connection.execute(f"CREATE VIEW {quoted(schema, resource)} AS {statement}")


def select(folder: Path, served: dict[str, Any]) -> str:
    """The statement that reads one snapshot; geometry lies in the file as WKB."""
    columns = ", ".join(
        f"st_geomfromwkb({quoted(column['name'])}) AS {quoted(column['name'])}"
        if column["type"].startswith("GEOMETRY")
        else quoted(column["name"])
        for column in served["columns"]
    )
    files = ", ".join(literal(str(folder / name)) for name in served["files"])
    return f"SELECT {columns} FROM read_parquet([{files}])"  # noqa: S608  quoted above


def literal(text: str) -> str:
    """The text as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"
