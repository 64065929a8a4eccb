"""Delimited text, all of it as text, its records counted apart from the reading.

DuckDB's reader is the fast one. Python's `csv`, another implementation, is the careful one: it is taken when the fast
one fails, or when its rows and rejects are not the records that `count_records` finds in the bytes.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from catalog.receipt import Reject
from ingest.dialect import detect
from ingest.encoding import LARGE, may_break, nul_line
from ingest.latin import is_latin
from ingest.notes import notes_below
from ingest.readers.careful import MAX_RECORD, SHOWN, Body, columns_of, lines_of, read_carefully, told, unknown_byte
from ingest.readers.records import count_records
from ingest.table import Table, UnsureError
from ingest.wide import MOST_COLUMNS
from policies.editions import literal
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.dialect import Dialect
    from ingest.table import Tables

_CHUNK = 1 << 18
"""More at once is slower: it is more than the processor keeps near."""
_BUFFER = MAX_RECORD + 2**20  # by default the engine takes 16 times the longest line, for each thread
_WIDE = 1000
"""The engine takes 32 KiB a column at each step: a table of more columns is written by the careful reader first."""


def read_csv(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The one table of the file at `path`. Raises ReadingError when it is opened and cannot be read."""
    return {"": lambda: _open(path, reading, desk, sure=False)}


def _open(path: Path, reading: Reading, desk: Desk, *, sure: bool) -> Table:
    """The fast reading if there is one; where it is in doubt, `careful` has a surer one."""
    dialect = detect(path, reading, sure=sure)
    if dialect.width > MOST_COLUMNS:
        raise ReadingError(
            f"{path}: a table of {dialect.width} columns; at most {MOST_COLUMNS} are read: "
            "write columns that mean the same as rows"
        )
    body = _without_notes(_body(path, dialect, desk, native=not sure), desk)
    # In a file of one column DuckDB takes blank lines for rows: there the careful reader is the only one
    if dialect.width == 1 or dialect.width > _WIDE or not dialect.marks.plain:
        return read_carefully(body, desk) if sure else _open(path, reading, desk, sure=True)
    large = path.stat().st_size > LARGE
    records = desk.meanwhile(partial(_count, body)) if large else partial(_count, body)
    doubtful = not sure and (body.latin or large)
    careful = (lambda: _open(path, reading, desk, sure=True)) if doubtful else (lambda: read_carefully(body, desk))
    return _fast(body, records, desk, careful, doubtful=doubtful)


def _count(body: Body) -> int:
    dialect = body.dialect
    found = count_records(
        body.path,
        body.skip,
        dialect.marks.quote,
        dialect.marks.delimiter,
        None if dialect.trusted else dialect.width,
        over=dialect.width + dialect.ends.delimited,
    )
    if found is None:
        raise UnsureError
    return found + len(body.notes)


def _without_notes(body: Body, desk: Desk) -> Body:
    """The body, or where notes stand below its table, a copy of the table and the notes as rejects."""
    dialect = body.dialect
    encoding = dialect.encoding if body.latin else "utf-8"
    end = notes_below(body.path, dialect.marks, dialect.width, encoding, dialect.footer_rows)
    if end is None:
        return body
    (line,) = _lines_at(body, [end])
    copy = desk.path("table.csv")
    with body.path.open("rb") as source, copy.open("wb") as target:
        while (left := end - target.tell()) > 0 and (chunk := source.read(min(_CHUNK, left))):
            target.write(chunk)
        below = source.read().decode(encoding, errors="replace")
    notes = tuple(
        Reject(line=line + number, reason="a note below the table", text=text[:SHOWN])
        for number, text in enumerate(re.split("\r\n|\r|\n", below))
        if text.strip()
    )
    return replace(body, path=copy, notes=notes)


def _body(path: Path, dialect: Dialect, desk: Desk, *, native: bool) -> Body:
    """The file itself when the engine can read it (or a copy, where not `native`), else a copy of its data in UTF-8."""
    if _ends_in_lf(path) and not dialect.marks.newline:
        skip = dialect.first_line - 1
        if dialect.encoding == "utf-8" or (dialect.encoding == "utf-8-sig" and skip > 0):
            return Body(path, skip, 1, dialect)
        if native and is_latin(path, dialect.encoding):
            return Body(path, skip, 1, dialect, latin=True)
    copy = desk.path("utf-8.csv")
    # A byte that the encoding does not know stands as it is in the copy, where it is no UTF-8: its row is rejected
    errors = "surrogateescape" if may_break(dialect.encoding) else "strict"
    decoder = codecs.getincrementaldecoder(dialect.encoding)(errors)
    left = dialect.first_line - 1
    try:
        with path.open("rb") as source, copy.open("wb") as target:
            for chunk in iter(lambda: source.read(_CHUNK), b""):
                text = decoder.decode(chunk)
                while left > 0 and (found := re.search(r"\r\n|\r(?!$)|\n", text)):
                    text, left = text[found.end() :], left - 1
                written = text.encode(errors=errors)
                if b"\0" in written:
                    line = nul_line(path, dialect.encoding)
                    raise ReadingError(
                        f"{path}: a NUL byte on line {line}: this is no text file, or in no such encoding"
                    )
                if left == 0:
                    target.write(written)
            target.write(decoder.decode(b"", final=True).encode(errors=errors))
    except UnicodeError as error:
        raise ReadingError(f"{path}: cannot be read as {dialect.encoding}: {error}; declare another encoding") from None
    return Body(copy, 0, dialect.first_line, dialect)


def _ends_in_lf(path: Path) -> bool:
    """Whether the first line, and so presumably all, end in LF or CR LF, not in CR alone."""
    with path.open("rb") as file:
        return b"\r" not in file.readline(MAX_RECORD).rstrip(b"\r\n")


def _fast(body: Body, records: Callable[[], int], desk: Desk, careful: Callable[[], Table], *, doubtful: bool) -> Table:
    columns = columns_of(body.dialect)
    types = ", ".join(f"{literal(column.name)}: 'VARCHAR'" for column in columns)
    quote = literal(body.dialect.marks.quote)
    options = (
        f"{literal(str(body.path))}, auto_detect=false, header=false, skip={body.skip}, nullstr='', "
        f"encoding='{'latin-1' if body.latin else 'utf-8'}', strict_mode=true, "
        f"delim={literal(body.dialect.marks.delimiter)}, "
        f"quote={quote}, escape={quote}, "
        f"max_line_size={MAX_RECORD}, buffer_size={_BUFFER}, columns={{{types}}}"
    )
    return Table(
        con=desk.con,
        source=f"read_csv({options}, store_rejects=true, rejects_limit=0)",
        format="csv",
        columns=columns,
        rows_in=records,
        rejects=lambda: _stored_rejects(body, desk.con, doubtful=doubtful),
        dialect=told(body, "duckdb"),
        line_of=lambda rows: lines_of(body, rows),
        careful=careful,
    )


def _stored_rejects(body: Body, con: duckdb.DuckDBPyConnection, *, doubtful: bool) -> list[Reject]:
    """The rows that DuckDB's last scan could not read.

    Raises UnsureError when one is for its quotes: where the engine loses its way among quotes and line ends, it also
    rejects rows that are right. In a `doubtful` reading any row is one too many.
    """
    if not con.execute("SELECT 1 FROM reject_errors LIMIT 1").fetchall():
        return [*body.notes]  # what is asked below takes longer than a small file's whole proof
    stored = con.execute(
        "SELECT line_byte_position, min(error_message), any_value(csv_line), "
        "bool_or(error_type = 'INVALID ENCODING'), bool_or(error_type = 'UNQUOTED VALUE') "
        "FROM reject_errors JOIN (SELECT max(scan_id) AS scan_id, max_by(file_id, scan_id) AS file_id "
        "FROM reject_scans WHERE file_path = ?) USING (scan_id, file_id) GROUP BY 1 ORDER BY 1",
        [str(body.path)],
    ).fetchall()
    if any(quotes for *_, quotes in stored) or (doubtful and stored):
        raise UnsureError
    lines = _lines_at(body, [position - 1 for position, *_ in stored])
    rejects = [
        _broken(body, line, position - 1)
        if broken
        else Reject(line=line, reason=reason.split("\n", 1)[0], text=text.strip("\r\n")[:SHOWN])
        for line, (position, reason, text, broken, _) in zip(lines, stored, strict=True)
    ]
    return [*rejects, *body.notes]


def _broken(body: Body, number: int, offset: int) -> Reject:
    """The row that starts at this byte and has one that is none of the encoding.

    Its text is read anew: that of the engine lacks signs beside such a byte.
    """
    with body.path.open("rb") as file:
        file.seek(offset)
        for line in file:
            try:
                line.decode()
            except UnicodeDecodeError as error:
                why = unknown_byte(line[error.start], body.dialect)
                return Reject(
                    line=number, reason=why, text=line.decode(errors="backslashreplace").strip("\r\n")[:SHOWN]
                )
    raise UnsureError


def _lines_at(body: Body, offsets: list[int]) -> list[int]:
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
