"""Delimited text read by Python's `csv`, slowly: what is no row is rejected alone, with its line."""

from __future__ import annotations

import csv
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.receipt import Reject
from ingest.kinds import shape_of
from ingest.marks import rows_of
from ingest.strays import cells_of, fits, fits_but_quotes, why_shifted
from ingest.table import SourceColumn, Table, lake_names
from policies.editions import literal
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from ingest.desk import Desk
    from ingest.dialect import Dialect

MAX_RECORD = 16 * 2**20
"""A record has no more bytes."""
SHOWN = 10_000
"""So much of a reject is kept."""
_BATCH_ROWS = 50_000
_BATCH_CELLS = 4_000_000
_READ_ANEW = 256 * 2**20
"""So many characters may be read again because of quotes that close nothing."""
_AHEAD = 20
_ROWS_PROVE = 3
_ROWS_ALIKE = 0.8
_BROKEN = re.compile("[\ud800-\udfff]")
_UNCLOSED = "a quote is opened here and never closed"


@dataclass(frozen=True)
class Body:
    """A text whose data start after `skip` lines; its line 1 is line `first` of the source.

    It is UTF-8, or, where `latin`, its bytes mean in its encoding what they mean in ISO 8859-1. `notes` stood below it.
    """

    path: Path
    skip: int
    first: int
    dialect: Dialect
    latin: bool = False
    notes: tuple[Reject, ...] = ()


def read_carefully(body: Body, desk: Desk) -> Table:
    """The table, its rows written to Parquet. Raises ReadingError where the text has no rows that can be told apart."""
    columns = columns_of(body.dialect)
    copy = desk.path("careful.parquet")
    rejects: list[Reject] = []
    schema = pa.schema([(column.name, pa.string()) for column in columns])
    size = max(1, min(_BATCH_ROWS, _BATCH_CELLS // len(columns)))
    rows = blank = 0
    with pq.ParquetWriter(copy, schema, compression="zstd", use_dictionary=False) as writer:
        batch: list[list[str]] = []
        for _, row in records(body):
            if isinstance(row, Reject):
                rejects.append(row)
                continue
            if row is None:
                blank += 1
                continue
            batch.append(row)
            if len(batch) == size:
                writer.write_batch(_arrow(batch, schema))
                rows += len(batch)
                batch = []
        writer.write_batch(_arrow(batch, schema))
        rows += len(batch)
    rejects.extend(body.notes)
    # Of one column, a blank line may have been meant as a value that is missing
    dropped = {"blank_lines": blank} if len(columns) == 1 and blank > 0 else {}
    return Table(
        con=desk.con,
        source=f"read_parquet({literal(str(copy))})",
        format="csv",
        columns=columns,
        rows_in=rows + len(rejects),
        rejects=lambda: rejects,
        dialect={**told(body, "python"), **dropped},
        line_of=lambda numbers: lines_of(body, numbers),
    )


def columns_of(dialect: Dialect) -> tuple[SourceColumn, ...]:
    """The columns of the table, all of texts."""
    names = dialect.header.names
    return tuple(SourceColumn(name, source) for name, source in zip(lake_names(names), names, strict=True))


def told(body: Body, reader: str) -> dict[str, str | int | None]:
    """The dialect, for the receipt, by the words of `read:`, and what was passed over."""
    header, marks = body.dialect.header, body.dialect.marks
    return {
        "encoding": body.dialect.encoding,
        "delimiter": f"{' ' * marks.padded}{marks.delimiter}{' ' * marks.spaced}",
        "quote": marks.quote or None,
        "escape": marks.escape,
        "newline": body.dialect.newline,
        "header_row": header.row,
        "data_row": header.first,
        **({"footer_rows": len(body.notes)} if body.notes else {}),
        **({"header": " | ".join(header.written)} if header.written else {}),
        **({"row_ends": "a delimiter that is no cell"} if body.dialect.ends.delimited else {}),
        **({"units": " | ".join(header.units)} if header.units else {}),
        **({"above": "\n".join(header.above)} if header.above else {}),
        "reader": reader,
    }


def lines_of(body: Body, rows: Sequence[int]) -> list[int]:
    """The source's lines of the rows with these numbers (ascending), rows that are no records left out."""
    wanted, found, number = iter(rows), [], -1
    target = next(wanted, None)
    for line, row in records(body):
        if not isinstance(row, list):
            continue
        number += 1
        if number == target:
            found.append(line)
            target = next(wanted, None)
            if target is None:
                break
    return found


def records(body: Body) -> Iterator[tuple[int, list[str] | Reject | None]]:
    """Each record and the source's line it starts on, as wide as the table or a Reject; None for a blank line.

    Where quotes make no record of lines, only the first of these is rejected, and the next are read anew. Raises
    ReadingError where a quote is opened and never closed, and what follows are no rows either.
    """
    csv.field_size_limit(MAX_RECORD)
    marks = body.dialect.marks
    line, read_anew = body.first + body.skip, 0
    encoding = body.dialect.encoding if body.latin else "utf-8"
    with body.path.open(encoding=encoding, errors="surrogateescape", newline=marks.newline) as file:
        for _ in range(body.skip):
            file.readline()
        again: deque[str] = deque()
        broken: str | None = ""
        while broken is not None:
            said: list[str] = []
            broken = None
            for row in _rows(file, again, said, body):
                if isinstance(row, str):
                    broken = row
                    break
                yield line, _judged(line, row, said, body) if row else None
                line += marks.height(said)
                said.clear()
            if broken is not None:
                read_anew += sum(map(len, said))
                if read_anew > _READ_ANEW or (broken == _UNCLOSED and not _may_follow(said, body)):
                    raise ReadingError(f"line {line}: {_UNCLOSED}, or the line has more than {MAX_RECORD:,} signs")
                yield line, Reject(line=line, reason=broken, text=_text(said[:1]))
                again.extendleft(reversed(said[1:]))
                line += marks.height(said[:1])


def _rows(file: TextIO, again: deque[str], said: list[str], body: Body) -> Iterator[list[str] | str]:
    """The cells of each record, at last why there are none; `said` gets its lines, first those to be read `again`."""

    def lines() -> Iterator[str]:
        size = 0
        while line := again.popleft() if again else file.readline(MAX_RECORD + 1):
            size = len(line) if not said else size + len(line)
            said.append(line)
            if size > MAX_RECORD:
                raise csv.Error(_UNCLOSED)
            yield line

    while True:
        try:
            for row in rows_of(lines(), body.dialect.marks, strict=True):
                if len(said) > 1 and _are_rows(said, body):
                    yield "a cell that holds whole rows, so a quote too many? declare quote under read: if it is right"
                    return
                yield row
        except csv.Error as error:
            said_so = str(error)
            endless = said_so == _UNCLOSED or "unexpected end" in said_so or "larger than field limit" in said_so
            row = [] if endless or len(said) > 1 else cells_of(said[0], body.dialect.marks)
            if len(row) == body.dialect.width > 1 and fits_but_quotes(row, body.dialect.marks, body.dialect.kinds):
                yield row
                continue
            yield _UNCLOSED if endless else f"not CSV: {error}"
        return


def _judged(line: int, row: list[str], said: list[str], body: Body) -> list[str] | Reject:
    """The row if it is one. Raises ReadingError on a NUL byte."""
    width = body.dialect.width
    for number, one in enumerate(said, start=line):
        if "\0" in one:
            raise ReadingError(f"line {number}: a NUL byte: this is no text file")
    if len(row) == width + 1 and not row[-1] and _ends_well(row, body.dialect):
        row.pop()
    if len(row) != width:
        return Reject(line=line, reason=f"Expected Number of Columns: {width} Found: {len(row)}", text=_text(said))
    if any(body.dialect.kinds) and body.dialect.header.stands_in(row):
        return Reject(line=line, reason="the names again, as above the table", text=_text(said))
    why = None if body.dialect.trusted else why_shifted(row, "".join(said), body.dialect.marks, body.dialect.kinds)
    if why is not None:
        return Reject(line=line, reason=why, text=_text(said))
    for broken in filter(None, map(_BROKEN.search, row)):
        return Reject(line=line, reason=unknown_byte(ord(broken[0]) & 0xFF, body.dialect), text=_text(said))
    return row


def _ends_well(row: list[str], dialect: Dialect) -> bool:
    """Whether the delimiter too many of a row is the one at its end, which is no cell.

    It is where rows end so. Elsewhere, it may be one within the row whose last cell is empty: then that cell says
    nothing though it does in all rows, or another one is empty, or the cells are not written as those of their columns
    are.
    """
    ends = dialect.ends
    return ends.delimited or (ends.filled and all(map(str.strip, row[:-1])) and fits(row, dialect.kinds))


def unknown_byte(byte: int, dialect: Dialect) -> str:
    """Why a row is rejected that has a byte which is none of the encoding."""
    return f"the byte 0x{byte:02X} is none of {dialect.encoding.removesuffix('-sig')}"


def _are_rows(said: Sequence[str], body: Body) -> bool:
    """Whether the lines of one record look each like a row: then a quote stands where none should.

    Two lines prove nothing: the quote that opens on the one and closes on the other makes a good record of them. Lines
    between the first and the last that have nothing which their columns' values look like are no rows.
    """
    if body.dialect.trusted or body.dialect.width == 1 or len(said) < _ROWS_PROVE:
        return False
    whole = [line.count(body.dialect.marks.delimiter) == body.dialect.width - 1 for line in said]
    alike = whole[0] and whole[-1] and sum(whole) >= _ROWS_ALIKE * len(whole)
    return alike and any(_is_of_kind(line, body.dialect) for line in said[1:-1])


def _is_of_kind(line: str, dialect: Dialect) -> bool:
    """Whether most cells of a line are written as the values of their columns are, or no column has its way to be."""
    cells = [cell.strip(dialect.marks.quote + " \t\r\n") for cell in line.split(dialect.marks.delimiter)]
    said = [
        shape_of(cell) == kind for cell, kind in zip(cells, dialect.kinds, strict=False) if cell and kind is not None
    ]
    return sum(said) * 2 > len(said) or not said


def _may_follow(said: Sequence[str], body: Body) -> bool:
    """Whether the lines after a quote that nothing closes are rows by themselves, or there are none.

    Where the record is only too long, its quote may be closed later: then rows are known by what their columns hold.
    """
    dialect = body.dialect
    if len(said[-1]) > MAX_RECORD or (sum(map(len, said)) > MAX_RECORD and not any(dialect.kinds)):
        return False
    ahead = [line for line in said[1 : _AHEAD + 1] if line.strip()]
    whole = [line.count(dialect.marks.delimiter) >= dialect.width - 1 and _is_of_kind(line, dialect) for line in ahead]
    return not ahead or (dialect.width > 1 and sum(whole) >= _ROWS_ALIKE * len(whole))


def _text(said: Sequence[str]) -> str:
    text = "".join(line[:SHOWN] for line in said[:SHOWN])[:SHOWN]
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace").rstrip("\r\n")


def _arrow(rows: list[list[str]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array([cell or None for cell in column], pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
