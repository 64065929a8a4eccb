"""What new rows do to the rows before: `append` puts them below, `merge` lets them replace those of the same key.

A table is always written whole again, as one file, so that a version is complete in itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import duckdb

from catalog.lake import ServedColumn
from catalog.receipt import Reject
from ingest.prove import copy_sql
from ingest.totals import told_totals
from ingest.typed import refused_sql
from policies.document import suggest
from policies.editions import literal, quoted
from policies.errors import DocumentError, ReadingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from catalog.lake import StagedTable
    from catalog.receipt import Receipt
    from ingest.prove import Proven, Stage

_SHOWN = 10_000


@dataclass(frozen=True, kw_only=True)
class Side:
    """Rows to be joined: Parquet files, what their columns are, and how many rows they hold."""

    files: tuple[Path, ...]
    columns: tuple[ServedColumn, ...]
    rows: int

    @property
    def source(self) -> str:
        """The FROM item."""
        return f"read_parquet([{', '.join(map(literal, self.files))}])"


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The whole table: `rows before + rows added - replaced` rows, as was proven."""

    staged: StagedTable
    columns: tuple[ServedColumn, ...]
    replaced: int


def content(before: str, receipt: Receipt) -> str:
    """Names what is in a table after rows were added to what `before` names."""
    return hashlib.sha256(f"{before}|{receipt.mode}|{receipt.sha256}:{receipt.reading}".encode()).hexdigest()


def join(old: Side, new: Side, *, key: tuple[str, ...], stage: Stage, spill: Path) -> Joined:
    """Write the rows of `old` and `new` as one table; with a `key`, without the old rows whose key stands in `new`.

    Columns go by their names; one that a side lacks is NULL in its rows. Raises ReadingError if a column's two types
    have no common one that keeps every value, or if the rows do not add up.
    """
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET temp_directory = ?", [str(spill)])
        matched = " AND ".join(f"o.{quoted(column)} = n.{quoted(column)}" for column in key)
        replaced, left = 0, f"SELECT * FROM {old.source}"  # noqa: S608
        if key:
            left = f"SELECT * FROM {old.source} o WHERE NOT EXISTS (SELECT 1 FROM {new.source} n WHERE {matched})"  # noqa: S608
            (replaced,) = con.execute(
                f"SELECT count(*) FROM {old.source} o WHERE EXISTS (SELECT 1 FROM {new.source} n WHERE {matched})"  # noqa: S608
            ).fetchall()[0]
        statement = f"{left} UNION ALL BY NAME SELECT * FROM {new.source}"  # noqa: S608
        try:
            columns = _columns(con, statement, old, new)
            staged = stage(lambda path: con.execute(copy_sql(statement, path)))
        except duckdb.Error as error:
            raise ReadingError(f"the rows before and the new ones are no one table: {_first(error)}") from None
    expected = old.rows + new.rows - replaced
    if staged.rows != expected:
        staged.discard()
        raise ReadingError(f"{old.rows} rows before, {new.rows} new, {replaced} replaced: {staged.rows} were written")
    return Joined(staged=staged, columns=columns, replaced=replaced)


def _columns(con: duckdb.DuckDBPyConnection, statement: str, old: Side, new: Side) -> tuple[ServedColumn, ...]:
    made = {row[0]: row[1] for row in con.execute(f"DESCRIBE {statement}").fetchall()}
    types = [{column.name.casefold(): column.type for column in side.columns} for side in (old, new)]
    columns = []
    for name, sql_type in made.items():
        had, has = (one.get(name.casefold()) for one in types)
        if had is not None and has is not None and had != has:
            for side, own in ((old, had), (new, has)):
                _refuse_change(con, side, name, own, sql_type)
        columns.append(ServedColumn(name=name, type="GEOMETRY" if "GEOMETRY" in {had, has} else sql_type))
    return tuple(columns)


def _refuse_change(con: duckdb.DuckDBPyConnection, side: Side, name: str, own: str, common: str) -> None:
    """Raise ReadingError if a value of the column changes when it takes the common type."""
    kept = f"CAST(CAST({quoted(name)} AS {common}) AS {own})"
    (changed,) = (
        (side.rows,)
        if own == "GEOMETRY"
        else con.execute(
            f"SELECT count(*) FROM {side.source} WHERE {kept} IS DISTINCT FROM {quoted(name)}"  # noqa: S608
        ).fetchall()[0]
    )
    if changed > 0:
        raise ReadingError(f"column {name!r}: {changed} values would change from {own} to {common}; declare its type")


def with_keys(proven: Proven, key: tuple[str, ...], stage: Stage, place: str) -> Proven:
    """The same table without the rows that have no key of their own, which are rejected: to merge needs one.

    `place` starts the DocumentError that is raised when a column of the key is not there. Raises ReadingError when more
    rows are rejected than kept. When it raises, nothing is left staged.
    """
    try:
        found = _without_key(proven, key, place)
        if not found:
            return proven
        kept = _keyed(proven, len(found), found[0], stage)
    except BaseException:
        proven.staged.discard()
        raise
    proven.staged.discard()
    nulls = kept.nulls()
    columns = tuple(column.model_copy(update={"nulls": nulls[column.name]}) for column in proven.columns)
    rejects = tuple(sorted([*proven.rejects, *found], key=lambda reject: reject.line))
    notes = told_totals(kept, proven.typings)
    return replace(proven, staged=kept, columns=columns, rejects=rejects, notes=notes)


def _numbered(proven: Proven) -> str:
    return f"read_parquet({literal(proven.staged.path)}, file_row_number=true)"


def _keyed(proven: Proven, without: int, first: Reject, stage: Stage) -> StagedTable:
    """The rows that are not `keyless`."""
    rows = proven.staged.rows
    if without + len(proven.rejects) > rows - without:
        raise ReadingError(
            f"{without} of {rows} rows have no key of their own; the first on line {first.line}: {first.reason}. Name "
            "a key that every row has once"
        )
    statement = (
        f"SELECT * EXCLUDE (file_row_number) FROM {_numbered(proven)} "  # noqa: S608
        "WHERE file_row_number NOT IN (SELECT number FROM keyless)"
    )
    try:
        return stage(lambda path: proven.table.con.execute(copy_sql(statement, path)))
    except duckdb.Error as error:
        raise ReadingError(f"the rows without a key cannot be set apart: {_first(error)}") from None


def _without_key(proven: Proven, key: tuple[str, ...], place: str) -> list[Reject]:
    """The rows whose key is missing or stands more than once; `keyless` holds their numbers in the staged file."""
    con = proven.table.con
    names = [column.name for column in proven.served]
    for column in key:
        if column not in names:
            raise DocumentError(f"{place}: the key {column!r} is not in the source; {suggest(column, names)}")
    listed = ", ".join(quoted(column) for column in key)
    missing = " OR ".join(f"{quoted(column)} IS NULL" for column in key)
    shown = ", ".join(f"CAST({quoted(one.name)} AS VARCHAR)" for one in proven.served if one.type != "GEOMETRY")
    said = literal(", ".join(key))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE keyless AS SELECT file_row_number AS number, "  # noqa: S608
        f"CASE WHEN {missing} THEN {said} || ': the key is missing' "
        f"ELSE {said} || ': the key stands on ' || often || ' rows, expected one' END AS why, "
        f"left(concat_ws(' | ', {shown}), {_SHOWN}) AS text "
        f"FROM {_numbered(proven)} LEFT JOIN "
        f"(SELECT {listed}, count(*) AS often FROM {_numbered(proven)} GROUP BY {listed} HAVING count(*) > 1) "
        f"USING ({listed}) WHERE {missing} OR often IS NOT NULL"
    )
    rows = con.execute("SELECT number, why, text FROM keyless ORDER BY number").fetchall()
    if not rows:
        return []
    statement = refused_sql(proven.table, proven.typings)
    refused = [] if statement is None else sorted(row[0] for row in con.execute(statement).fetchall())
    lines = proven.table.line_of(source_numbers([number for number, _, _ in rows], refused))
    return [Reject(line=line, reason=why, text=text) for line, (_, why, text) in zip(lines, rows, strict=True)]


def source_numbers(kept: Sequence[int], refused: Sequence[int]) -> list[int]:
    """The numbers that rows have in the source, of those that have the numbers `kept` once the `refused` are left out.

    All count from 0 and ascend: with 1 refused, the kept 0, 1, 2 are the source's 0, 2, 3.
    """
    found, before = [], 0
    for number in kept:
        while before < len(refused) and refused[before] <= number + before:
            before += 1
        found.append(number + before)
    return found


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]
