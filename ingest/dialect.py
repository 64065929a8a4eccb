"""Bytes → encoding, delimiter, quote and header row. What a steward declares is taken; the rest is detected."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.encoding import detect_encoding
from ingest.header import Header, Row, find_header
from policies.errors import ReadingError

if TYPE_CHECKING:
    from _csv import Reader as CsvReader
    from collections.abc import Iterable
    from pathlib import Path

    from catalog.model import Reading

_HEAD = 1 << 18
_START = 2048
_HEAD_ROWS = 200
_DELIMITERS = ";,\t|"
_RARE = " :~^"
_SEPARATOR_HINT = re.compile(r"\A\ufeff?sep=(.)\r?\n")
"""The first line by which Excel is told the delimiter."""
_WRAPPED = r"(?:^|[;,\t|]) ?{q}[^{q}\r\n]*{q} ?(?=[;,\t|\r\n]|$)"


@dataclass(frozen=True)
class Marks:
    """The signs that part a text into cells.

    `quote` is empty where there are no quotes; `escape` is what stands before a quote in a cell, None where that is
    another quote. `spaced` says that a space stands after each delimiter, which is none of the cell's.
    """

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    spaced: bool = False


@dataclass(frozen=True)
class Dialect:
    """How a delimited text file is written.

    The data start on line `first_line` (1 is the first of the file).
    """

    encoding: str
    marks: Marks
    header: Header

    @property
    def first_line(self) -> int:
        """The line on which the data start."""
        return self.header.first


def detect(path: Path, reading: Reading, *, sure: bool = True) -> Dialect:
    """The dialect of the file at `path`. Raises ReadingError when it is empty, binary, or has no table in it.

    Not `sure`, the encoding of a large file is found in parts of it.
    """
    encoding = _with_mark(path, reading.encoding) if reading.encoding else detect_encoding(path, sure=sure)
    try:
        # Broken sequences are the reader's to reject, row by row
        with path.open(encoding=encoding, errors="replace" if encoding == "utf-8" else "strict", newline="") as file:
            head = file.read(_HEAD)
    except (UnicodeError, LookupError) as error:
        raise ReadingError(
            f"{path}: cannot be read as {encoding}: {error}; declare another encoding under read:"
        ) from None
    if not head.strip():
        message = f"{path}: the file is empty"
        raise ReadingError(message)
    _refuse_markup(path, head)
    marks = _marks(path, head, reading)
    rows = read_rows(head, marks)
    if not rows:
        raise ReadingError(f"{path}: line 1: no row can be read; a quote may be opened there and never closed")
    hint = _SEPARATOR_HINT.match(head)
    if hint is not None and reading.delimiter is None:
        rows = rows[1:]
    try:
        header = find_header(rows, reading.header_row, reading.header_rows)
    except ReadingError as error:
        raise ReadingError(f"{path}: {error}") from None
    return Dialect(encoding, marks, header)


def _with_mark(path: Path, encoding: str) -> str:
    """The declared encoding, in the form that takes away the mark the file starts with."""
    with path.open("rb") as file:
        start = file.read(3)
    plain = encoding.lower().replace("_", "-")
    if plain in {"utf-8", "utf8"}:
        return "utf-8-sig" if start == codecs.BOM_UTF8 else "utf-8"
    marked = start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    return "utf-16" if marked and plain in {"utf-16-le", "utf-16-be", "utf-16le", "utf-16be"} else encoding


def _refuse_markup(path: Path, head: str) -> None:
    start = head[:_START].lstrip("\ufeff \t\r\n").lower()
    if start.startswith("<") and re.search(r"<(!doctype|html|head|body|\?xml)\b", start):
        raise ReadingError(
            f"{path}: this is an HTML or XML page, not a delimited text file; check the source's address"
        )
    if start.startswith(("pk\x03\x04", "%pdf-")):
        raise ReadingError(f"{path}: this is an archive or a PDF, not a delimited text file; unpack it first")


def read_rows(head: str, marks: Marks) -> list[Row]:
    """The first rows of the text that are not blank; the last, perhaps cut, is left out."""
    reader = reader_of(io.StringIO(head, newline=""), marks)
    found: list[Row] = []
    line = 0
    try:
        for cells in reader:
            found.append(Row(line + 1, reader.line_num, tuple(cells)))
            line = reader.line_num
            if len(found) > _HEAD_ROWS:
                break
    except csv.Error:  # a field longer than the head: what was read before it is enough
        pass
    if len(found) > 1 and len(head) >= _HEAD:
        found.pop()
    return [row for row in found if row.cells]


def reader_of(lines: Iterable[str], marks: Marks, *, strict: bool = False) -> CsvReader:
    """Python's CSV reader for these marks."""
    if not marks.quote:
        return csv.reader(lines, delimiter=marks.delimiter, quoting=csv.QUOTE_NONE, quotechar=None)
    return csv.reader(
        lines,
        delimiter=marks.delimiter,
        quotechar=marks.quote,
        escapechar=marks.escape,
        doublequote=marks.escape is None,
        skipinitialspace=marks.spaced,
        strict=strict,
    )


def _marks(path: Path, head: str, reading: Reading) -> Marks:
    quote = _quote(head) if reading.quote is None else reading.quote
    escape = reading.escape or (_escape(head, quote) if reading.escape is None else None)
    if reading.delimiter is not None:
        if reading.delimiter in {quote, "\r", "\n"}:
            raise ReadingError(f"{path}: {reading.delimiter!r} cannot be the delimiter; declare another under read:")
        delimiter = reading.delimiter
    elif hint := _SEPARATOR_HINT.match(head):
        delimiter = hint[1]
    else:
        delimiter = _delimiter(head, quote, escape)
    return Marks(delimiter, quote, escape, _is_spaced(head, Marks(delimiter, quote, escape)))


def _quote(head: str) -> str:
    """The apostrophe where cells begin and end with it and hardly any with the usual quote."""
    wrapped = {quote: len(re.findall(_WRAPPED.format(q=quote), head, re.MULTILINE)) for quote in "\"'"}
    return "'" if wrapped["'"] > 1 and wrapped["'"] > 2 * wrapped['"'] else '"'


def _escape(head: str, quote: str) -> str | None:
    """The backslash where it stands before quotes within cells, and none is doubled."""
    escaped = len(re.findall(rf"(?<!\\)\\{quote}(?![;,\t|\r\n]|$)", head))
    doubled = len(re.findall(rf"(?<![;,\t|\r\n]){quote}{quote}(?![;,\t|\r\n]|$)", head))
    return "\\" if escaped > doubled else None


def _delimiter(head: str, quote: str, escape: str | None) -> str:
    """The delimiter under which the most rows have the same width and the cells look whole.

    Of two as good, the one with the widest rows. A space or a colon is one only if it parts every row alike and
    nothing else does.
    """
    worth = {
        delimiter: _worth(read_rows(head, Marks(delimiter, quote, escape)), delimiter) for delimiter in _DELIMITERS
    }
    best = max(_DELIMITERS, key=lambda delimiter: worth[delimiter])
    if worth[best][0] == 0:
        for rare in _RARE:
            rows = read_rows(head, Marks(rare, quote, escape))
            width = len(rows[0].cells) if rows else 0
            if len(rows) > 2 and width > 1 and all(len(row.cells) == width for row in rows) and _typed(rows):  # noqa: PLR2004
                return rare
    return best


def _worth(rows: list[Row], delimiter: str) -> tuple[float, int]:
    widths = Counter(len(row.cells) for row in rows)
    if not widths:
        return (0, 0)
    width, count = max(widths.items(), key=lambda item: (item[1] if item[0] > 1 else 0, item[0]))
    if width == 1:
        return (0, width)
    if delimiter == "," and width == 2 and all(_is_decimal(row.cells) for row in rows if len(row.cells) == width):  # noqa: PLR2004
        return (0, 0)
    others = [other for other in ";\t|" if other != delimiter]
    cells = [cell for row in rows if len(row.cells) == width for cell in row.cells if cell]
    torn = sum(any(other in cell for other in others) for cell in cells)
    return (count / widths.total() * (1 - torn / max(len(cells), 1) / 2), width)


def _is_decimal(cells: tuple[str, ...]) -> bool:
    """Whether what a comma parts is one number with a decimal comma."""
    whole, fraction = cells
    return fraction.isdigit() and whole.replace(" ", "").replace("\u202f", "").replace("\xa0", "").lstrip("-").isdigit()


def _typed(rows: list[Row]) -> bool:
    """Whether some column has the same shape, with digits in it, all the way below the first row."""
    columns = zip(*(row.cells for row in rows[1:]), strict=True)
    return any(
        len({re.sub("[0-9]+", "0", cell) for cell in column}) == 1 and any(map(str.isdigit, column[0]))
        for column in columns
    )


def _is_spaced(head: str, marks: Marks) -> bool:
    """Whether every delimiter has a space after it, and some cell is quoted or all are so written."""
    cells = [cell for row in read_rows(head, marks) for cell in row.cells[1:] if cell]
    return len(cells) > 2 and marks.delimiter not in " \t" and all(cell[0] == " " and cell.strip() for cell in cells)  # noqa: PLR2004
