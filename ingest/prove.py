"""The pass that types and writes a table, and the proof that nothing was lost or changed on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from catalog.lake import ServedColumn, StagedTable
from catalog.model import ProvenColumn, Reject
from ingest.columns import WORDS, Declared, Typing, choose_all
from ingest.table import UnsureError
from ingest.typed import UNPROVEN, refused_sql, typed_sql
from policies.editions import literal
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ingest.table import Table

    Stage = Callable[[Callable[[Path], object]], StagedTable]
    """`Lake.stage` for the raw table."""


@dataclass(frozen=True, kw_only=True)
class Proven:
    """A table on disk, typed, with `rows_in == rows_out + len(rejects)`; `table` and `typings` are what proved it."""

    table: Table
    typings: list[Typing]
    staged: StagedTable
    served: tuple[ServedColumn, ...]
    columns: tuple[ProvenColumn, ...]
    rows_in: int
    rejects: tuple[Reject, ...]
    format: str
    dialect: dict[str, str | int | None]


def prove(table: Table, declared: Mapping[str, Declared], stage: Stage) -> Proven:
    """Type and write `table`, at most twice: as guessed, and, where a guess broke, as all rows demand.

    Raises ReadingError when records are lost, or when more rows are rejected than kept; nothing is staged then.
    """
    staged = None
    try:
        typings = choose_all(table, declared)
        staged = _pass(table, typings, stage)
        if staged is None:
            typings = choose_all(table, declared, sample=None)
            staged = _pass(table, typings, stage)
        rejects = [] if staged is None else _rejects(table, typings)
    except (duckdb.Error, UnsureError) as error:
        if staged is not None:
            staged.discard()
        if table.careful is None:
            raise ReadingError(f"the engine cannot read it: {str(error).splitlines()[0]}") from None
        return prove(table.careful(), declared, stage)
    if staged is None:
        raise ReadingError("a column changed its type between two passes over the same file")
    if len(rejects) > staged.rows and table.careful is not None:
        staged.discard()
        return prove(table.careful(), declared, stage)
    lost = table.rows_in - staged.rows - len(rejects)
    if lost != 0:
        staged.discard()
        if table.careful is not None:
            return prove(table.careful(), declared, stage)
        raise ReadingError(
            f"{table.rows_in} records stand in the file, {staged.rows} were read and {len(rejects)} rejected: "
            f"{lost} are unaccounted for"
        )
    _refuse_ruin(table, staged, rejects)
    return _proven(table, typings, staged, rejects)


def _pass(table: Table, typings: list[Typing], stage: Stage) -> StagedTable | None:
    """One pass over all rows; None if a guessed type did not hold."""
    statement = typed_sql(table, typings)
    try:
        return stage(lambda path: table.con.execute(copy_sql(statement, path)))
    except duckdb.InvalidInputException as error:
        if UNPROVEN in str(error):
            return None
        raise


def copy_sql(statement: str, path: Path) -> str:
    """The rows of `statement`, in their order, into a Parquet file."""
    return f"COPY ({statement}) TO {literal(path)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"


def _rejects(table: Table, typings: list[Typing]) -> list[Reject]:
    """What could not be read as a row, and what was left out because it breaks what is declared, by line."""
    unread = table.rejects()  # of the pass just made: any other scan comes after
    statement = refused_sql(table, typings)
    refused = [] if statement is None else table.con.execute(statement).fetchall()
    lines = table.line_of([number for number, _, _ in refused]) if refused else []
    left_out = [Reject(line=line, reason=why, text=text) for line, (_, why, text) in zip(lines, refused, strict=True)]
    return sorted([*unread, *left_out], key=lambda reject: reject.line)


def _refuse_ruin(table: Table, staged: StagedTable, rejects: list[Reject]) -> None:
    """Raise ReadingError if what is left is no table worth serving."""
    if len(rejects) > staged.rows:
        staged.discard()
        first = rejects[0]
        raise ReadingError(
            f"{len(rejects)} of {table.rows_in} rows were rejected, more than were kept; the first on line "
            f"{first.line}: {first.reason}. Declare the dialect or the types as they are"
        )
    if staged.rows == 0:
        staged.discard()
        raise ReadingError("no row of data stands below the header")


def _proven(table: Table, typings: list[Typing], staged: StagedTable, rejects: list[Reject]) -> Proven:
    nulls = staged.nulls()
    return Proven(
        table=table,
        typings=typings,
        staged=staged,
        served=tuple(ServedColumn(name=typing.column.name, type=typing.sql_type) for typing in typings),
        columns=tuple(
            ProvenColumn(
                name=typing.column.name,
                source_name=typing.column.source_name,
                type=_word(typing.sql_type),
                nulls=nulls[typing.column.name],
                why=typing.why,
            )
            for typing in typings
        ),
        rows_in=table.rows_in,
        rejects=tuple(rejects),
        format=table.format,
        dialect=table.dialect,
    )


def _word(sql_type: str) -> str:
    """`DECIMAL(18,2)` → `decimal(18,2)`; every other type is one word of the model."""
    return sql_type.lower() if sql_type.startswith("DECIMAL") else WORDS.get(sql_type, "text")
