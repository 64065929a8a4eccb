"""Delimited text, all of it as text, its records counted apart from the reading.

DuckDB's reader is the fast one. Python's `csv`, another implementation, is the careful one: it is taken when the fast
one fails, or when its rows and rejects are not the records that `count_records` finds in the bytes.
"""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.model import Reject
from ingest.dialect import Dialect, detect, reader_of
from ingest.encoding import LARGE, high_bytes
from ingest.readers.records import count_records
from ingest.table import SourceColumn, Table, UnsureError, lake_names
from policies.editions import literal
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import duckdb

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Tables

_CHUNK = 1 << 20
_BATCH = 50_000
_MAX_FIELD = 16 * 2**20
_BUFFER = _MAX_FIELD + 2**20  # by default the engine takes 16 times the longest line, for each thread
_SHOWN = 10_000
_BROKEN = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class _Body:
    """A text whose data start after `skip` lines; its line 1 is line `first` of the source.

    It is UTF-8, or, where `latin`, its bytes mean in its encoding what they mean in ISO 8859-1.
    """

    path: Path
    skip: int
    first: int
    dialect: Dialect
    latin: bool = False

    @property
    def width(self) -> int:
        return len(self.dialect.header.names)


def read_csv(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The one table of the file at `path`. Raises ReadingError when it is opened and cannot be read."""
    return {"": lambda: _open(path, reading, desk, sure=False)}


def _open(path: Path, reading: Reading, desk: Desk, *, sure: bool) -> Table:
    """The fast reading if there is one; where it is in doubt, `careful` has a surer one."""
    dialect = detect(path, reading, sure=sure)
    body = _body(path, dialect, desk, native=not sure)
    # In a file of one column DuckDB takes blank lines for rows: there the careful reader is the only one
    if body.width == 1 or dialect.marks.spaced:
        return _careful(body, desk) if sure else _open(path, reading, desk, sure=True)
    large = path.stat().st_size > LARGE
    records = desk.meanwhile(partial(_count, body)) if large else partial(_count, body)
    doubtful = not sure and (body.latin or large)
    careful = (lambda: _open(path, reading, desk, sure=True)) if doubtful else (lambda: _careful(body, desk))
    return _fast(body, records, desk, careful, doubtful=doubtful)


def _count(body: _Body) -> int:
    marks = body.dialect.marks
    found = count_records(body.path, body.skip, marks.quote, marks.delimiter, marks.escape)
    if found is None:
        raise UnsureError
    return found


def _body(path: Path, dialect: Dialect, desk: Desk, *, native: bool) -> _Body:
    """The file itself when the engine can read it (or a copy, where not `native`), else a copy of its data in UTF-8."""
    if _ends_in_lf(path):
        skip = dialect.first_line - 1
        if dialect.encoding == "utf-8" or (dialect.encoding == "utf-8-sig" and skip > 0):
            return _Body(path, skip, 1, dialect)
        if native and _is_latin(path, dialect.encoding):
            return _Body(path, skip, 1, dialect, latin=True)
    copy = desk.path("utf-8.csv")
    decoder = codecs.getincrementaldecoder(dialect.encoding)()
    left = dialect.first_line - 1
    try:
        with path.open("rb") as source, copy.open("wb") as target:
            for chunk in iter(lambda: source.read(_CHUNK), b""):
                text = decoder.decode(chunk)
                while left > 0 and (found := re.search(r"\r\n|\r(?!$)|\n", text)):
                    text, left = text[found.end() :], left - 1
                if left == 0:
                    target.write(text.encode())
            target.write(decoder.decode(b"", final=True).encode())
    except UnicodeError as error:
        raise ReadingError(f"{path}: cannot be read as {dialect.encoding}: {error}; declare another encoding") from None
    return _Body(copy, 0, dialect.first_line, dialect)


def _ends_in_lf(path: Path) -> bool:
    """Whether the first line, and so presumably all, end in LF or CR LF, not in CR alone."""
    with path.open("rb") as file:
        return b"\r" not in file.readline(_CHUNK).rstrip(b"\r\n")


def _is_latin(path: Path, encoding: str) -> bool:
    """Whether the file's bytes mean in its encoding what they mean in ISO 8859-1, which the engine reads by itself.

    Windows-1252 has other signs from 0x80 to 0x9F, and few files have those.
    """
    high = bytes(high_bytes(path))
    try:
        text = high.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return text == high.decode("latin-1") and not any(0x80 <= sign < 0xA0 for sign in high)  # noqa: PLR2004


def _said(dialect: Dialect, reader: str) -> dict[str, str | int | None]:
    return {
        "encoding": dialect.encoding,
        "delimiter": dialect.marks.delimiter,
        "quote": dialect.marks.quote or None,
        "escape": dialect.marks.escape,
        "header_row": dialect.header.row,
        "data_line": dialect.first_line,
        **({"units": " | ".join(dialect.header.units)} if dialect.header.units else {}),
        "reader": reader,
    }


def _columns(dialect: Dialect) -> tuple[SourceColumn, ...]:
    return tuple(
        SourceColumn(name, source)
        for name, source in zip(lake_names(dialect.header.names), dialect.header.names, strict=True)
    )


def _fast(
    body: _Body, records: Callable[[], int], desk: Desk, careful: Callable[[], Table], *, doubtful: bool
) -> Table:
    columns = _columns(body.dialect)
    types = ", ".join(f"{literal(column.name)}: 'VARCHAR'" for column in columns)
    quote = literal(body.dialect.marks.quote)
    options = (
        f"{literal(str(body.path))}, auto_detect=false, header=false, skip={body.skip}, nullstr='', "
        f"encoding='{'latin-1' if body.latin else 'utf-8'}', strict_mode=true, "
        f"delim={literal(body.dialect.marks.delimiter)}, "
        f"quote={quote}, escape={literal(body.dialect.marks.escape or body.dialect.marks.quote)}, "
        f"max_line_size={_MAX_FIELD}, buffer_size={_BUFFER}, columns={{{types}}}"
    )
    return Table(
        con=desk.con,
        source=f"read_csv({options}, store_rejects=true, rejects_limit=0)",
        format="csv",
        columns=columns,
        rows_in=records,
        rejects=lambda: _stored_rejects(body, desk.con, doubtful=doubtful),
        dialect=_said(body.dialect, "duckdb"),
        line_of=lambda rows: _lines(body, rows),
        careful=careful,
    )


def _stored_rejects(body: _Body, con: duckdb.DuckDBPyConnection, *, doubtful: bool) -> list[Reject]:
    """The rows that DuckDB's last scan could not read.

    Raises UnsureError when one is for its quotes: where the engine loses its way among quotes and line ends, it also
    rejects rows that are right. In a `doubtful` reading any row is one too many.
    """
    stored = con.execute(
        "SELECT line_byte_position, min(error_message), any_value(csv_line), bool_or(error_type = 'UNQUOTED VALUE') "
        "FROM reject_errors JOIN (SELECT max(scan_id) AS scan_id, max_by(file_id, scan_id) AS file_id "
        "FROM reject_scans WHERE file_path = ?) USING (scan_id, file_id) GROUP BY 1 ORDER BY 1",
        [str(body.path)],
    ).fetchall()
    if any(quotes for *_, quotes in stored) or (doubtful and stored):
        raise UnsureError
    lines = _lines_at(body, [position - 1 for position, *_ in stored])
    return [
        Reject(line=line, reason=reason.split("\n", 1)[0], text=text.strip("\r\n")[:_SHOWN])
        for line, (_, reason, text, _) in zip(lines, stored, strict=True)
    ]


def _lines_at(body: _Body, offsets: list[int]) -> list[int]:
    """The source's lines of the records that start at these byte offsets (ascending), or after line ends there."""
    lines, line, at, before = [], body.first, 0, b""
    with body.path.open("rb") as file:
        for offset in offsets:
            while at < offset and (chunk := file.read(min(_CHUNK, offset - at))):
                at += len(chunk)
                line += _line_ends(before, chunk)
                before = chunk[-1:]
            # The engine's offset may be that of the end of the line before, or of blank lines
            while (sign := file.read(1)) in {b"\r", b"\n"}:
                at += 1
                line += _line_ends(before, sign)
                before = sign
            at += len(sign)
            before = sign
            lines.append(line)
    return lines


def _line_ends(before: bytes, chunk: bytes) -> int:
    """How many lines end in `chunk`, a CR and an LF after it being one end; `before` is the byte before it."""
    both = chunk.count(b"\r\n") + (before == b"\r" and chunk.startswith(b"\n"))
    return chunk.count(b"\n") + chunk.count(b"\r") - both


def _careful(body: _Body, desk: Desk) -> Table:
    columns = _columns(body.dialect)
    copy = desk.path("careful.parquet")
    rejects: list[Reject] = []
    schema = pa.schema([(column.name, pa.string()) for column in columns])
    count = 0
    with pq.ParquetWriter(copy, schema, compression="zstd") as writer:
        batch: list[list[str | None]] = []
        for line, row in _records(body):
            count += 1
            if isinstance(row, Reject):
                rejects.append(row)
                continue
            if len(row) != body.width:
                reason = f"Expected Number of Columns: {body.width} Found: {len(row)}"
                text = body.dialect.marks.delimiter.join(row)[:_SHOWN]
                rejects.append(Reject(line=line, reason=reason, text=text))
                continue
            batch.append([cell or None for cell in row])
            if len(batch) == _BATCH:
                writer.write_batch(_arrow(batch, schema))
                batch = []
        writer.write_batch(_arrow(batch, schema))
    source = f"read_parquet({literal(str(copy))})"
    return Table(
        con=desk.con,
        source=source,
        format="csv",
        columns=columns,
        rows_in=count,
        rejects=lambda: rejects,
        dialect=_said(body.dialect, "python"),
        line_of=lambda rows: _lines(body, rows),
    )


def _arrow(rows: list[list[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array([row[number] for row in rows], pa.string()) for number in range(len(schema))]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _lines(body: _Body, rows: Sequence[int]) -> list[int]:
    """The source's lines of the rows with these numbers (ascending), rows that are no records left out."""
    wanted, found, number = iter(rows), [], -1
    target = next(wanted, None)
    for line, row in _records(body):
        if isinstance(row, Reject) or len(row) != body.width:
            continue
        number += 1
        if number == target:
            found.append(line)
            target = next(wanted, None)
            if target is None:
                break
    return found


def _records(body: _Body) -> Iterator[tuple[int, list[str] | Reject]]:
    """Each record and the source's line it starts on; a record that is no CSV is a Reject. Blank lines are none.

    Raises ReadingError where a quote is opened and never closed: all that follows would be one field.
    """
    csv.field_size_limit(_MAX_FIELD)
    with body.path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        for _ in range(body.skip):
            file.readline()
        said: list[str] = []
        reader = reader_of(_remembered(file, said), body.dialect.marks, strict=True)
        before = 0
        while True:
            line = body.first + body.skip + before
            said.clear()
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise ReadingError(f"line {line}: a quote is opened here and never closed") from None
                before = reader.line_num
                text = "".join(said).encode(errors="surrogateescape").decode(errors="replace")
                yield line, Reject(line=line, reason=f"not CSV: {error}", text=text.rstrip("\r\n")[:_SHOWN])
                continue
            before = reader.line_num
            # A trailing delimiter is no field: DuckDB reads it so too
            if len(row) == body.width + 1 and not row[-1]:
                row.pop()
            if not row:
                continue
            if any(_BROKEN.search(cell) for cell in row):
                text = "".join(said).encode(errors="surrogateescape").decode(errors="replace")
                yield line, Reject(line=line, reason="not UTF-8", text=text.rstrip("\r\n")[:_SHOWN])
                continue
            yield line, row


def _remembered(lines: Iterable[str], said: list[str]) -> Iterator[str]:
    """The lines, each also put into `said`."""
    for line in lines:
        said.append(line)
        yield line
