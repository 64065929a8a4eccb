"""The granted data in a notebook, after `import lab`.

    lab.datasets()                                  # what there is
    lab.table("irve.bornes")                        # the most detailed edition that you were granted
    lab.table("irve@open.bornes")                   # another one
    lab.sql("SELECT commune, count(*) FROM irve.bornes GROUP BY ALL")
    lab.table("irve.bornes", as_of="2026-03-01")    # as it was at the end of that day; or a version: as_of=3
    lab.versions("irve.bornes")                     # which snapshots there are
    told = lab.cite("SELECT … FROM irve.bornes")    # what to write under a figure; print(told), told.save("fig1.json")
    lab.replay(told)                                # the same rows again, also next year: lab.replay("fig1.json")
    lab.release("table.csv", why="for report 7")    # asks a steward to let the file out; told in ~/outbox/answers.jsonl
    lab.cog.convert(lab.table("irve.bornes"), "commune", 2019, 2026)    # codes of 2019 → of 2026

Tables come as DuckDB relations: `.df()` makes a pandas frame, `.pl()` a Polars frame, `.arrow()` Arrow data.
What you see is what was served when this sandbox was started; start another to see later snapshots. An edition that is
granted to you while it runs appears, and one whose grant ends is gone at once.

Outside a sandbox, `lab.connect("https://…", token)` comes first; `sql`, `table` and `datasets` then ask the lab's SQL
service.
"""

from __future__ import annotations

import datetime as dt
import difflib
import os
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import duckdb

from .citation import Citation, sha256_of
from .engine import DATA, Opened, Table, add_macros, engine, literal, revoked, select, view
from .query import fingerprint, quoted, read_by
from .release import answer, release, withdraw

if TYPE_CHECKING:
    from pathlib import Path

    from .outside import Outside

__all__ = [
    "Citation",
    "answer",
    "cite",
    "cog",
    "connect",
    "datasets",
    "release",
    "replay",
    "sql",
    "table",
    "versions",
    "withdraw",
]

_outside: Outside | None = None


def connect(url: str, token: str | None = None, *, purpose: str | None = None) -> Outside:
    """Ask the lab at `url` from here on, for the purpose stated; `token` None is the one in $DATALAB_TOKEN.

    Raises ValueError for an address that would carry the token unprotected, ConnectionError if it does not answer,
    PermissionError if it does not know the token.
    """
    global _outside  # noqa: PLW0603  a notebook has one lab
    from .outside import Outside  # noqa: PLC0415  pyarrow, which a sandbox's first cell need not wait for

    _outside = Outside(url, os.environ.get("DATALAB_TOKEN", "") if token is None else token, purpose)
    return _outside


def sql(query: str, params: object = None) -> duckdb.DuckDBPyRelation:
    """The answer to one query. Tables are `dataset.resource`; another edition's are `"dataset@edition".resource`."""
    if _outside is not None:
        return _outside.sql(query, params)
    connection, _ = _inside()
    try:
        return connection.sql(query, params=params)
    except duckdb.CatalogException as error:
        for name, when in revoked().items():
            dataset, edition = name.split("/")
            if any(f"{schema}" in query for schema in (f'"{dataset}@{edition}"', f"{dataset}.", f'"{dataset}".')):
                raise LookupError(_taken(name, when)) from error
        raise


def table(name: str, as_of: int | str | None = None) -> duckdb.DuckDBPyRelation:
    """All of `dataset.resource` or `dataset@edition.resource`, now or as it was.

    `as_of` is a version, a day (`2026-03-01`: at its end) or a moment in ISO 8601; without a zone it is UTC. Raises
    LookupError listing what exists.
    """
    if _outside is not None and as_of is None:
        return _outside.table(name)
    shown = _shown(name)
    if as_of is None:
        return _inside()[0].sql(f"FROM {quoted(*name.split('.', 1))}")
    return _inside()[0].sql(select(*_snapshot(name, shown, as_of)))


def versions(name: str) -> duckdb.DuckDBPyRelation:
    """The snapshots of a table that can be read here, newest first: version, committed (UTC), rows, columns."""
    told = [
        (served["version"], served["committed"], served["rows"], [column["name"] for column in served["columns"]])
        for _, served in _shown(name).snapshots()
    ]
    rows = ", ".join(
        f"({version}, TIMESTAMPTZ {literal(when)}, {rows}, [{', '.join(map(literal, columns))}])"
        for version, when, rows, columns in told
    )
    return _inside()[0].sql(f"FROM (VALUES {rows}) AS versions(version, committed, rows, columns)")


def cite(query: str) -> Citation:
    """What to write under a figure made of this query: the snapshots it reads, their licences, and a hash of its rows.

    Raises ValueError for what is not one SELECT on the lab's tables, or would not give the same rows again.
    """
    query = query.strip().removesuffix(";")
    connection, there = _inside()
    names = [name for name in read_by(connection, query) if name in there]
    if not names:
        message = f"the query reads no table of the lab; there are {', '.join(there) or 'none'}"
        raise ValueError(message)
    rows, digest = fingerprint(connection, query)
    tables = tuple(there[name].cited(name) for name in names)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return Citation(query=query, tables=tables, rows=rows, sha256=digest, cited=today, engine=duckdb.__version__)


def replay(citation: Citation | str | os.PathLike[str]) -> duckdb.DuckDBPyRelation:
    """The rows that were cited, again; `citation` is one, or the file that one was saved to.

    Raises LookupError where a snapshot cannot be read here any more, ValueError where the rows are not the same.
    """
    told = citation if isinstance(citation, Citation) else Citation.read(citation)
    connection = engine()
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
        view(connection, schema, resource, select(folder, served))
    add_macros(connection)
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
    return sql("FROM main.datasets ORDER BY ALL")


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
        ask = f"SELECT cog_sql('cog_relation', {literal(column)}, {int(from_year)}, {int(to_year)})"
        try:
            ((moved,),) = _inside()[0].execute(ask).fetchall()
        except duckdb.CatalogException:
            message = "you were not granted INSEE's events on communes (MOD, DATE_EFF, COM_AV, COM_AP …)"
            raise LookupError(message) from None
        return cast("duckdb.DuckDBPyRelation", relation.query("cog_relation", moved))


def _shown(name: str) -> Table:
    _, there = _inside()
    if name not in there:
        for edition, when in revoked().items():
            if name.split(".", 1)[0] in (edition.replace("/", "@"), edition.split("/")[0]):
                raise LookupError(_taken(edition, when))
        near = difflib.get_close_matches(name, there, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        message = f"there is no table {name!r}; {hint}You were granted: {', '.join(there) or 'nothing'}"
        raise LookupError(message)
    return there[name]


def _snapshot(name: str, shown: Table, as_of: int | str) -> tuple[Path, dict[str, Any]]:
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


def _taken(edition: str, when: str) -> str:
    return (
        f"{edition} is no longer granted to you: it was taken out of this sandbox at {when}. Its grant ended or was "
        "revoked, or the edition is being made anew; ask the dataset's steward, or datalab request"
    )


def _inside() -> tuple[duckdb.DuckDBPyConnection, dict[str, Table]]:
    """The sandbox's engine, and the tables that it shows."""
    if _outside is not None:
        message = (
            "this needs the snapshots themselves, so it works in a sandbox; here there are sql, table and datasets"
        )
        raise LookupError(message)
    if not DATA.is_dir():
        message = "this is no sandbox; outside of one, lab.connect(url, token) comes first"
        raise LookupError(message)
    there = _there()
    there.refresh()
    return there.connection, there.tables


@cache
def _there() -> Opened:
    return Opened(engine(), {})
