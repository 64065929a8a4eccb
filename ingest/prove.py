"""The pass that types and writes a table, and the proof that nothing was lost or changed on the way."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.lake import ROW_GROUP, ServedColumn, StagedTable
from catalog.model import ProvenColumn, Reject
from ingest.columns import WORDS, Declared, Typing, choose_all, typed_sql
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ingest.table import Table

_OF_THE_ROW = ("_broken", "_why", "_text")


class Stage(Protocol):
    """Writes batches into a new file of the raw table; see `Lake.stage`."""

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> StagedTable:
        """The file, staged."""


@dataclass(frozen=True, kw_only=True)
class Proven:
    """A table on disk, typed, with `rows_in == rows_out + len(rejects)`."""

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
    try:
        proven = _pass(table, choose_all(table, declared), stage)
        if proven is None:
            proven = _pass(table, choose_all(table, declared, sample=None), stage)
    except duckdb.Error as error:
        if table.careful is None:
            message = f"the engine cannot read it: {str(error).splitlines()[0]}"
            raise ReadingError(message) from None
        return prove(table.careful(), declared, stage)
    if proven is None:
        message = "a column changed its type between two passes over the same file"
        raise ReadingError(message)
    lost = table.rows_in - proven.staged.rows - len(proven.rejects)
    if lost != 0:
        proven.staged.discard()
        if table.careful is not None:
            return prove(table.careful(), declared, stage)
        message = (
            f"{table.rows_in} records stand in the file, {proven.staged.rows} were read, {lost} are unaccounted for"
        )
        raise ReadingError(message)
    _refuse_ruin(proven)
    return proven


def _refuse_ruin(proven: Proven) -> None:
    """Raise ReadingError if what is left is no table worth serving."""
    kept, rejected = proven.staged.rows, len(proven.rejects)
    if rejected > kept:
        proven.staged.discard()
        first = proven.rejects[0]
        message = (
            f"{rejected} of {proven.rows_in} rows were rejected, more than were kept; the first on line {first.line}: "
            f"{first.reason}. Declare the dialect or the types as they are"
        )
        raise ReadingError(message)
    if kept == 0:
        proven.staged.discard()
        message = "no row of data stands below the header"
        raise ReadingError(message)


class _BrokenError(Exception):
    """A guessed type did not hold."""


def _pass(table: Table, typings: list[Typing], stage: Stage) -> Proven | None:
    """One pass over all rows; None if a guessed type did not hold."""
    nulls = np.zeros(len(typings), dtype=np.int64)
    refused: list[tuple[int, str, str]] = []
    reader = table.con.sql(typed_sql(table, typings)).to_arrow_reader(ROW_GROUP)
    try:
        staged = stage(_checked(reader, typings, nulls, refused))
    except _BrokenError:
        return None
    lines = table.line_of([number for number, _, _ in refused]) if refused else []
    rejects = table.rejects()
    rejects += [Reject(line=line, reason=why, text=text) for line, (_, why, text) in zip(lines, refused, strict=True)]
    return Proven(
        staged=staged,
        served=tuple(ServedColumn(name=typing.column.name, type=typing.sql_type) for typing in typings),
        columns=tuple(
            ProvenColumn(
                name=typing.column.name,
                source_name=typing.column.source_name,
                type=_word(typing.sql_type),
                nulls=int(count),
                why=typing.why,
            )
            for typing, count in zip(typings, nulls, strict=True)
        ),
        rows_in=table.rows_in,
        rejects=tuple(sorted(rejects, key=lambda reject: reject.line)),
        format=table.format,
        dialect=table.dialect,
    )


def _checked(
    reader: pa.RecordBatchReader, typings: list[Typing], nulls: np.ndarray, refused: list[tuple[int, str, str]]
) -> Iterator[pa.RecordBatch]:
    """The rows to keep, without the columns that speak of the row; raises _BrokenError at the first broken guess."""
    names = [typing.column.name for typing in typings]
    start = 0
    empty = pa.RecordBatch.from_pylist([], schema=reader.schema)
    for batch in itertools.chain(reader, [empty]):
        if pc.any(batch.column("_broken")).as_py():
            raise _BrokenError
        why = batch.column("_why")
        if why.null_count < len(why):
            rows = np.flatnonzero(why.is_valid().to_numpy(zero_copy_only=False))
            text = batch.column("_text")
            refused += [(start + int(row), why[row].as_py(), text[row].as_py()) for row in rows]
        start += batch.num_rows
        kept = batch.filter(why.is_null()).select(names) if why.null_count < len(why) else batch.select(names)
        nulls += [column.null_count for column in kept.columns]
        yield kept


def _word(sql_type: str) -> str:
    """`DECIMAL(18,2)` → `decimal(18,2)`; every other type is one word of the model."""
    return sql_type.lower() if sql_type.startswith("DECIMAL") else WORDS.get(sql_type, "text")
