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
from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.model import Reading

_HEAD = 1 << 18
_START = 2048
_HEAD_ROWS = 200
_FIRST_ROWS = 20
_DELIMITERS = ";,\t|"


@dataclass(frozen=True)
class Dialect:
    """How a delimited text file is written.

    `header` is the header's cells; `header_row` the line it stands on (1 is the first) and `first_line` the line on
    which the data start.
    """

    encoding: str
    delimiter: str
    quote: str
    header: tuple[str, ...]
    header_row: int
    first_line: int


def detect(path: Path, reading: Reading) -> Dialect:
    """The dialect of the file at `path`. Raises ReadingError when it is empty, binary, or has no table in it."""
    encoding = _with_mark(path, reading.encoding) if reading.encoding else detect_encoding(path)
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
    quote = reading.quote or '"'
    if reading.delimiter is not None and reading.delimiter in {quote, "\r", "\n"}:
        raise ReadingError(f"{path}: {reading.delimiter!r} cannot be the delimiter; declare another under read:")
    delimiter = reading.delimiter or _detect_delimiter(head, quote)
    header, row, end = _header(path, head, delimiter, quote, reading.header_row)
    return Dialect(encoding, delimiter, quote, tuple(header), row, end + 1)


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


def _detect_delimiter(head: str, quote: str) -> str:
    """The delimiter under which the most rows have the same width; of two as good, the one with the widest rows."""

    def worth(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(row) for _, row in _rows(head, delimiter, quote) if row)
        if not widths:
            return (0, 0)
        width, rows = max(widths.items(), key=lambda item: (item[1] if item[0] > 1 else 0, item[0]))
        return (rows / widths.total() if width > 1 else 0, width)

    return max(_DELIMITERS, key=worth)


def _header(path: Path, head: str, delimiter: str, quote: str, declared: int | None) -> tuple[list[str], int, int]:
    """The header's cells, the line it starts on and the line it ends on.

    Not declared, it is the first row that is as wide as most rows and nearly as full as the fullest of the first ones.
    A delimiter at the end of every row of data makes them no wider. Raises ReadingError where a row that would be
    passed over may be the header.
    """
    rows = [(start, end, row) for (start, end), row in _rows(head, delimiter, quote) if row]
    if not rows:
        raise ReadingError(f"{path}: line 1: no row can be read; a quote may be opened there and never closed")
    if declared is not None:
        for start, end, row in rows:
            if start == declared:
                return row, start, end
        raise ReadingError(f"{path}: no row starts on line {declared}, the declared header_row")
    width = Counter(len(row) for *_, row in rows).most_common(1)[0][0]
    if width > 1 and all(not row[-1] for *_, row in rows if len(row) == width) and len(rows) > 1:
        width -= 1
    wide = [(start, end, row[:width]) for start, end, row in rows if len(row) == width or not any(row[width:])]
    wide = [(start, end, row) for start, end, row in wide if len(row) == width]
    filled = [_filled(row) for *_, row in wide[:_FIRST_ROWS]]
    start, end, header = wide[next(place for place, count in enumerate(filled) if count * 5 >= max(filled) * 4)]
    above = [(line, _filled(row)) for line, _, row in rows if line < start]
    if width == 2 and above == [(start - 1, 1)]:  # noqa: PLR2004  a name and one value, or one value with a comma
        raise ReadingError(
            f"{path}: line {start - 1} has one cell and the rows below have two: a title, or a file of one column "
            f"whose values hold {delimiter!r}? declare header_row: {start} under read:, or another delimiter"
        )
    for line, count in above:
        # A title has one cell; two right above the table, or half of its width, may well be names of columns
        if count > 1 and (count >= width / 2 or line == above[-1][0]):
            raise ReadingError(
                f"{path}: line {line} has {count} cells and may be the header, but the rows below have {width}; "
                f"declare header_row under read: ({line}, or {start} if the table starts there)"
            )
    return header, start, end


def _filled(row: list[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _rows(head: str, delimiter: str, quote: str) -> list[tuple[tuple[int, int], list[str]]]:
    """The first rows of the text, each with the lines it starts and ends on; the last, perhaps cut, is left out."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, quotechar=quote)
    found: list[tuple[tuple[int, int], list[str]]] = []
    line = 0
    try:
        for row in reader:
            found.append(((line + 1, reader.line_num), row))
            line = reader.line_num
            if len(found) > _HEAD_ROWS:
                break
    except csv.Error:  # a field longer than the head: what was read before it is enough
        pass
    if len(found) > 1 and len(head) >= _HEAD:
        found.pop()
    return found
