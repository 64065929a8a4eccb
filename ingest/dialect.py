"""Bytes → encoding, delimiter, quote and header row. What a steward declares is taken; the rest is detected."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.model import Reading

_CHUNK = 1 << 22
_HEAD = 1 << 18
_HEAD_ROWS = 200
_FIRST_ROWS = 20
_DELIMITERS = ";,\t|"
_LEGACY = ("cp1252", "mac_roman", "cp850", "iso8859_15")
_FRENCH = frozenset("éèêëàâäîïôöùûüçœæÉÈÊËÀÂÎÏÔÙÛÜÇŒÆ«»’‘“”–—…€°²³·½")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


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
    encoding = reading.encoding or detect_encoding(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            head = file.read(_HEAD)
    except (UnicodeDecodeError, LookupError) as error:
        message = f"{path}: cannot be read as {encoding}: {error}; declare another encoding under read:"
        raise ReadingError(message) from None
    if not head.strip():
        message = f"{path}: the file is empty"
        raise ReadingError(message)
    _refuse_markup(path, head)
    quote = reading.quote or '"'
    delimiter = reading.delimiter or _detect_delimiter(head, quote)
    header, row, end = _header(path, head, delimiter, quote, reading.header_row)
    return Dialect(encoding, delimiter, quote, tuple(header), row, end + 1)


def detect_encoding(path: Path) -> str:
    """The encoding that decodes the whole file: by its mark, else UTF-8 if it holds, else the likeliest legacy one.

    Among the legacy encodings, in which nearly any byte is a letter, the likeliest is the one that gives the most
    letters and signs of French. Raises ReadingError on NUL bytes: those are no text.
    """
    seen: Counter[int] = Counter()
    decoder, is_utf8 = codecs.getincrementaldecoder("utf-8")(), True
    with path.open("rb") as file:
        start = file.read(4)
        for mark, encoding in _MARKS:
            if start.startswith(mark):
                return encoding
        file.seek(0)
        offset = 0
        while chunk := file.read(_CHUNK):
            if b"\0" in chunk:
                message = f"{path}: a NUL byte at offset {offset + chunk.index(0)}: this is no text file"
                raise ReadingError(message)
            offset += len(chunk)
            if is_utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    is_utf8 = False
            if not is_utf8 or not seen:
                seen.update(byte for byte in chunk[:_HEAD] if byte > 0x7F)  # noqa: PLR2004  past ASCII
    if is_utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_utf8 = False
    return "utf-8" if is_utf8 else max(_LEGACY, key=lambda encoding: _french(seen, encoding))


def _french(seen: Counter[int], encoding: str) -> int:
    score = 0
    for byte, count in seen.items():
        letter = bytes([byte]).decode(encoding, errors="replace")
        score += count if letter in _FRENCH else -count
    return score


def _refuse_markup(path: Path, head: str) -> None:
    start = head[:1024].lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<head", "<body")):
        message = f"{path}: this is an HTML or XML page, not a delimited text file; check the source's address"
        raise ReadingError(message)
    if start.startswith(("pk\x03\x04", "%pdf-")):
        message = f"{path}: this is an archive or a PDF, not a delimited text file; declare its format under read:"
        raise ReadingError(message)


def _detect_delimiter(head: str, quote: str) -> str:
    """The delimiter under which the most rows have the same width; of two as good, the one with the widest rows."""

    def worth(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(row) for _, row in _rows(head, delimiter, quote) if row)
        width, rows = max(widths.items(), key=lambda item: (item[1] if item[0] > 1 else 0, item[0]))
        return (rows / widths.total() if width > 1 else 0, width)

    return max(_DELIMITERS, key=worth)


def _header(path: Path, head: str, delimiter: str, quote: str, declared: int | None) -> tuple[list[str], int, int]:
    """The header's cells, the line it starts on and the line it ends on.

    Not declared, it is the first row that is as wide as most rows and nearly as full as the fullest of the first ones.
    """
    rows = [(start, end, row) for (start, end), row in _rows(head, delimiter, quote) if row]
    if declared is not None:
        for start, end, row in rows:
            if start == declared:
                return row, start, end
        message = f"{path}: no row starts on line {declared}, the declared header_row"
        raise ReadingError(message)
    width = Counter(len(row) for *_, row in rows).most_common(1)[0][0]
    wide = [(row, start, end) for start, end, row in rows if len(row) == width]
    filled = [sum(bool(cell.strip()) for cell in row) for row, *_ in wide[:_FIRST_ROWS]]
    return wide[next(place for place, count in enumerate(filled) if count * 5 >= max(filled) * 4)]


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
