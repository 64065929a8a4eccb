"""The granted data in a notebook, after `import lab`.

    lab.datasets()                                  # what there is
    lab.table("irve.bornes")                        # the most detailed edition that you were granted
    lab.table("irve@open.bornes")                   # another one
    lab.sql("SELECT commune, count(*) FROM irve.bornes GROUP BY ALL")
    lab.table("irve.bornes", as_of="2026-03-01")    # as it was at the end of that day; or a version: as_of=3
    lab.versions("irve.bornes")                     # which snapshots there are
    told = lab.cite("SELECT … FROM irve.bornes")    # what to write under a figure; print(told), told.save("fig1.json")
    lab.replay(told)                                # the same rows again, also next year: lab.replay("fig1.json")
    lab.cog.convert(lab.table("irve.bornes"), "commune", 2019, 2026)    # codes of 2019 → of 2026

Tables come as DuckDB relations: `.df()` makes a pandas frame, `.pl()` a Polars frame, `.arrow()` Arrow data.
What you see is what was served when this sandbox was started; start another to see later snapshots.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb

from .citation import Citation, sha256_of
from .query import fingerprint, quoted, read_by

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Citation", "cite", "cog", "datasets", "replay", "sql", "table", "versions"]

_DATA = Path(os.environ.get("DATALAB_DATA", "/data"))
_MACROS = _DATA / "macros.sql"


def sql(query: str, params: object = None) -> duckdb.DuckDBPyRelation:
    """The answer to one query. Tables are `dataset.resource`; another edition's are `"dataset@edition".resource`."""
    return _connection.sql(query, params=params)


def table(name: str, as_of: int | str | None = None) -> duckdb.DuckDBPyRelation:
    """All of `dataset.resource` or `dataset@edition.resource`, now or as it was.

    `as_of` is a version, a day (`2026-03-01`: at its end) or a moment in ISO 8601; without a zone it is UTC. Raises
    LookupError listing what exists.
    """
    shown = _shown(name)
    if as_of is None:
        return _connection.sql(f"FROM {quoted(*name.split('.', 1))}")
    return _connection.sql(_select(*_snapshot(name, shown, as_of)))


def versions(name: str) -> duckdb.DuckDBPyRelation:
    """The snapshots of a table that can be read here, newest first: version, committed (UTC), rows, columns."""
    told = [
        (served["version"], served["committed"], served["rows"], [column["name"] for column in served["columns"]])
        for _, served in _shown(name).snapshots()
    ]
    rows = ", ".join(
        f"({version}, TIMESTAMPTZ {_literal(when)}, {rows}, [{', '.join(map(_literal, columns))}])"
        for version, when, rows, columns in told
    )
    return _connection.sql(f"FROM (VALUES {rows}) AS versions(version, committed, rows, columns)")


def cite(query: str) -> Citation:
    """What to write under a figure made of this query: the snapshots it reads, their licences, and a hash of its rows.

    Raises ValueError for what is not one SELECT on the lab's tables, or would not give the same rows again.
    """
    query = query.strip().removesuffix(";")
    names = [name for name in read_by(_connection, query) if name in _tables]
    if not names:
        message = f"the query reads no table of the lab; there are {', '.join(_tables) or 'none'}"
        raise ValueError(message)
    rows, digest = fingerprint(_connection, query)
    tables = tuple(_tables[name].cited(name) for name in names)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return Citation(query=query, tables=tables, rows=rows, sha256=digest, cited=today, engine=duckdb.__version__)


def replay(citation: Citation | str | os.PathLike[str]) -> duckdb.DuckDBPyRelation:
    """The rows that were cited, again; `citation` is one, or the file that one was saved to.

    Raises LookupError where a snapshot cannot be read here any more, ValueError where the rows are not the same.
    """
    told = citation if isinstance(citation, Citation) else Citation.read(citation)
    connection = _connect()
    for cited in told.tables:
        folder, served = _snapshot(
            cited["name"], _shown(f"{cited['dataset']}@{cited['edition']}.{cited['resource']}"), cited["version"]
        )
        if sha256_of(folder, served) != cited["sha256"]:
            message = (
                f"{cited['name']}: version {cited['version']} is another one than was cited; was the table made anew?"
            )
            raise LookupError(message)
        schema, resource = cited["name"].split(".", 1)
        _view(connection, schema, resource, _select(folder, served))
    if _MACROS.exists():
        connection.execute(_MACROS.read_text(encoding="utf-8"))
    rows, digest = fingerprint(connection, told.query)
    if (rows, digest) != (told.rows, told.sha256):
        message = (
            f"not the same rows: {told.rows} with hash {told.sha256[:12]} were cited, {rows} with {digest[:12]} come "
            f"now; the engine was {told.engine}, and is {duckdb.__version__}"
        )
        raise ValueError(message)
    return connection.sql(told.query)


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


@dataclass(frozen=True)
class _Table:
    """A table that was granted: what is said of its dataset, and the snapshot that stands at /data."""

    entry: dict[str, Any]
    resource: str
    served: dict[str, Any]

    @property
    def where(self) -> tuple[str, str]:
        return self.entry["dataset"], self.entry["edition"]

    def snapshots(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The folder and what is known of each snapshot, newest first."""
        yield _DATA.joinpath(*self.where, self.resource), self.served
        history = _DATA.joinpath(*self.where, "history.json")
        older = json.loads(history.read_text(encoding="utf-8")) if history.exists() else {}
        for served in older.get(self.resource, ()):
            yield _DATA.joinpath(".past", *self.where, self.resource, str(served["version"])), served

    def cited(self, name: str) -> dict[str, Any]:
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


def _shown(name: str) -> _Table:
    if name not in _tables:
        near = difflib.get_close_matches(name, _tables, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        message = f"there is no table {name!r}; {hint}You were granted: {', '.join(_tables) or 'nothing'}"
        raise LookupError(message)
    return _tables[name]


def _snapshot(name: str, shown: _Table, as_of: int | str) -> tuple[Path, dict[str, Any]]:
    """The snapshot of that version, or the one served at that moment."""
    found = list(shown.snapshots())
    for folder, served in found:
        if isinstance(as_of, int):
            if served["version"] == as_of:
                return folder, served
        elif dt.datetime.fromisoformat(served["committed"]) <= _moment(as_of):
            return folder, served
    there = ", ".join(f"version {served['version']} ({served['committed'][:16]})" for _, served in found)
    message = f"{name}: no snapshot of {as_of} can be read here; what can be: {there}"
    raise LookupError(message)


def _moment(said: str) -> dt.datetime:
    """A moment, or the end of a day, in UTC where nothing else is said."""
    try:
        moment = dt.datetime.fromisoformat(said)
    except ValueError:
        message = f"{said!r} is no moment; expected a version (3), a day ('2026-03-01') or a moment of ISO 8601"
        raise ValueError(message) from None
    if len(said) <= len("2026-03-01"):
        moment = dt.datetime.combine(moment, dt.time.max)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _select(folder: Path, served: dict[str, Any]) -> str:
    """The statement that reads one snapshot; geometry lies in the file as WKB."""
    columns = ", ".join(
        f"st_geomfromwkb({quoted(column['name'])}) AS {quoted(column['name'])}"
        if column["type"].startswith("GEOMETRY")
        else quoted(column["name"])
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


def _view(connection: duckdb.DuckDBPyConnection, schema: str, resource: str, select: str) -> None:
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
    connection.execute(f"CREATE VIEW {quoted(schema, resource)} AS {select}")


def _open(connection: duckdb.DuckDBPyConnection) -> dict[str, _Table]:
    """Make a view of every granted table, and the list of them; returns the tables by name."""
    tables: dict[str, _Table] = {}
    for entry in json.loads((_DATA / "datasets.json").read_text(encoding="utf-8")):
        dataset, edition = entry["dataset"], entry["edition"]
        folder = _DATA / dataset / edition
        resources = json.loads((folder / "current.json").read_text(encoding="utf-8"))["resources"]
        for resource, served in resources.items():
            for schema in (f"{dataset}@{edition}", *([dataset] if entry["default"] else [])):
                _view(connection, schema, resource, _select(folder / resource, served))
                tables[f"{schema}.{resource}"] = _Table(entry, resource, served)
            names = [column["name"] for column in served["columns"]]
            numbers = (served["rows"], names, entry["licence"], served["version"], entry["default"])
            row = (dataset, edition, resource, entry["title"], *numbers)
            connection.execute("INSERT INTO main.datasets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return tables


_connection = _connect()
_tables = _open(_connection)
if _MACROS.exists():
    _connection.execute(_MACROS.read_text(encoding="utf-8"))
