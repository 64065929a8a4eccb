"""What a change of a table's columns would break: editions, saved queries, dashboards and notebooks, by name.

A text counts as broken where the engine takes it as SQL on the lab's tables as they are, and no longer on them as they
would be: both are made without a row, and nothing is run. A notebook that names the table in one place and a column
that goes in another may break, too; it is said so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from catalog.cog.macros import macros
from catalog.lab import Granted
from catalog.lake import Current
from catalog.saved import saved
from policies.editions import quoted
from policies.errors import DatalabError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from catalog.lab import Lab
    from catalog.lake import ServedColumn
    from catalog.saved import Saved
    from policies.editions import EditionTable

Columns = tuple["ServedColumn", ...]
_ASKS = re.compile(
    r"(\s|--[^\n]*\n|/\*.*?\*/)*(\(|(select|from|with|summarize|describe|pivot|unpivot|values)\b)",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True)
class Broken:
    """What would break: a file of the lab, the place in it, and why."""

    file: str
    place: str
    why: str

    def __str__(self) -> str:
        """`notebooks/x.ipynb, cell 3: why`."""
        return f"{self.file}{f', {self.place}' if self.place else ''}: {self.why}"


def broken(lab: Lab, slug: str, resource: str, before: Columns, after: Columns) -> tuple[Broken, ...]:
    """What breaks when the raw table of `slug.resource`, which has the columns `before`, has those of `after`."""
    gone = [column.name for column in before if column.name not in {one.name for one in after}]
    if set(before) <= set(after):
        return ()
    found = list(_editions(lab, slug, resource, gone))
    texts = list(saved(lab))
    with _tables(lab, {}) as now, _tables(lab, {(slug, resource): after}) as then:
        for one in texts:
            why = _no_longer(one.text, now, then)
            if why is not None:
                found.append(Broken(file=one.file, place=one.place, why=why))
    told = {(one.file, one.place) for one in found}
    found += [one for one in _mentions(texts, f"{slug}.{resource}", gone) if (one.file, one.place) not in told]
    return tuple(dict.fromkeys(found))


def _editions(lab: Lab, slug: str, resource: str, gone: Sequence[str]) -> Iterator[Broken]:
    policy = lab.policy(slug)
    for edition, tables in ({} if policy is None else policy.editions).items():
        for verb in ("keep", "drop"):
            named = getattr(tables[resource], verb) if resource in tables else ()
            lost = [column for column in gone if column in named]
            if lost:
                why = f"edition {edition!r} {verb}s {', '.join(lost)}, which would be gone"
                yield Broken(file=f"policies/{slug}.yaml", place="", why=why)


def _tables(lab: Lab, changed: Mapping[tuple[str, str], Columns]) -> duckdb.DuckDBPyConnection:
    """The lab's tables without a row: the raw ones as `dataset.resource`, each edition's at `dataset@edition`.

    A table that is `changed` has these columns; an edition of it has what it kept of them.
    """
    con = duckdb.connect()
    con.execute("SET enable_external_access = false")  # planning a query opens the files that it names
    raw: list[Granted] = []
    for slug in lab.slugs:
        for edition in lab.lake.editions(slug):
            try:
                current = lab.lake.current(slug, edition)
            except DatalabError:
                continue
            for resource, served in ({} if current is None else current.resources).items():
                columns = served.columns
                if (slug, resource) in changed:
                    after = changed[slug, resource]
                    columns = after if edition == RAW else _left(columns, after, _table(lab, slug, edition, resource))
                if edition == RAW:
                    only = Current(resources={resource: served.model_copy(update={"columns": columns})})
                    raw.append(Granted(slug, edition, lab.lake.edition_path(slug, edition), only))
                schemas = (slug, f"{slug}@{edition}") if edition == RAW else (f"{slug}@{edition}",)
                for schema in schemas:
                    _create(con, schema, resource, columns)
    codes = macros(raw)
    if codes is not None:
        con.execute(codes)
    return con


def _table(lab: Lab, slug: str, edition: str, resource: str) -> EditionTable | None:
    try:
        policy = lab.policy(slug)
    except DatalabError:
        return None
    return None if policy is None else policy.editions.get(edition, {}).get(resource)


def _left(columns: Columns, after: Columns, table: EditionTable | None) -> Columns:
    """What an edition has left of its columns: with the new types, but for those that it makes of other values."""
    types, sources = {column.name: column.type for column in after}, {} if table is None else table.sources
    altered = frozenset[str]() if table is None else table.altered
    left = []
    for column in columns:
        source = sources.get(column.name, column.name)
        if source in types:
            left.append(column if source in altered else column.model_copy(update={"type": types[source]}))
    return tuple(left)


def _create(con: duckdb.DuckDBPyConnection, schema: str, resource: str, columns: Columns) -> None:
    fields = ", ".join(f"NULL::{column.type} AS {quoted(column.name)}" for column in columns) or "NULL AS nothing"
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
    con.execute(f"CREATE TABLE {quoted(schema)}.{quoted(resource)} AS SELECT {fields} LIMIT 0")


def _no_longer(text: str, now: duckdb.DuckDBPyConnection, then: duckdb.DuckDBPyConnection) -> str | None:
    """Why the tables no longer answer this text, or None if they still do, or never did."""
    if _ASKS.match(text) is None or _refused(now, text) is not None:
        return None
    return _refused(then, text)


def _refused(con: duckdb.DuckDBPyConnection, text: str) -> str | None:
    """Why the engine cannot plan this text as SELECTs on its tables; None if it can."""
    try:
        for statement in con.extract_statements(text):
            if statement.type != duckdb.StatementType.SELECT:
                return "is no SELECT"
            con.execute(f"EXPLAIN {statement.query}").fetchall()
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return None


def _mentions(texts: Sequence[Saved], table: str, gone: Sequence[str]) -> Iterator[Broken]:
    """The notebooks that name the table, and then a column that goes."""
    naming = {one.file for one in texts if table in one.text.replace('"', "")}
    for one in texts:
        if one.file in naming and one.file.endswith(".ipynb"):
            named = sorted(set(gone) & set(_WORD.findall(one.text)) | ({one.text} & set(gone)))
            if named:
                why = f"may break: names {', '.join(named)}, which would be gone"
                yield Broken(file=one.file, place=one.place, why=why)
