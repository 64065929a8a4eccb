"""The signs that part a text into cells, and the rows that they make of it."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ingest.header import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_HEAD_ROWS = 200
BLANKS = " \t"
_STAND_IN = "\x1f"
"""What stands for a delimiter of several characters while Python's reader, which takes one, reads."""
_IN_CELLS = str.maketrans("\r\n", "\x1d\x1e")
_BACK = str.maketrans("\x1d\x1e", "\r\n")
"""What stands for line ends that end no row, meanwhile."""
NEWLINES = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
"""The line ends by their names."""
LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class Marks:
    """The signs that part a text into cells.

    `quote` is empty where there are no quotes; `escape` is what stands before a quote in a cell, None where that is
    another quote. `spaced` says that blanks stand after each delimiter, which are none of the cell's, and `padded` that
    some stand before each. `wrapped` says that each row stands within quotes as one cell, as a program leaves it that
    took the file for one of another delimiter. `stray` says that some of the first rows have quotes within cells, or a
    delimiter too many, and others have not (`strays.py`), or are the names again. `newline` is what alone ends a row,
    though the file has other line ends; empty, all do.
    """

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    spaced: bool = False
    padded: bool = False
    wrapped: bool = False
    stray: bool = False
    newline: str = ""

    @property
    def plain(self) -> bool:
        """Whether every reader takes these marks, and in the same way."""
        odd = self.spaced or self.padded or self.wrapped or self.stray or self.newline
        return len(self.delimiter) == 1 and self.escape is None and not odd

    def lines_of(self, text: str) -> Iterator[str]:
        """The lines of a text, with their ends, as a file opened with this `newline` gives them."""
        if not self.newline:
            yield from io.StringIO(text, newline="")
            return
        *lines, last = text.split(self.newline)
        yield from (f"{line}{self.newline}" for line in lines)
        if last:
            yield last

    def height(self, lines: Sequence[str]) -> int:
        """How many lines these are in the file, where every line end counts."""
        return len(lines) if not self.newline else sum(max(1, len(LINE_END.findall(line))) for line in lines)


def rows_of(lines: Iterable[str], marks: Marks, *, strict: bool = False) -> Iterator[list[str]]:
    """The records that Python's CSV reader finds in the lines, which keep their ends; a blank line is an empty one.

    An escape before any sign but a quote and itself is text, and blanks beside the quotes of a cell are none of it.
    Raises csv.Error as that reader does.
    """
    delimiter = marks.delimiter
    if marks.newline:
        lines = (_ended(line, marks.newline) for line in lines)
    if marks.padded or marks.spaced:
        lines = _unpadded(lines, marks)
    if marks.quote:
        lines = _tight(lines, marks)
    if len(delimiter) > 1:
        lines = (line.replace(delimiter, _STAND_IN) for line in lines)
    if marks.escape is not None:
        doubled = marks.escape * 2
        pairs = re.compile(rf"{re.escape(marks.escape)}(.?)", re.DOTALL)
        kept = {marks.escape, marks.quote}
        lines = (pairs.sub(lambda found: found[0] if found[1] in kept else doubled + found[1], line) for line in lines)
    reader = csv.reader(
        lines,
        delimiter=delimiter if len(delimiter) == 1 else _STAND_IN,
        quotechar=marks.quote or None,
        quoting=csv.QUOTE_MINIMAL if marks.quote else csv.QUOTE_NONE,
        escapechar=marks.escape,
        doublequote=marks.escape is None,
        skipinitialspace=marks.spaced,
        strict=strict,
    )
    rows = reader if len(delimiter) == 1 else ([cell.replace(_STAND_IN, delimiter) for cell in row] for row in reader)
    if marks.wrapped:
        rows = (_unwrapped(row, marks) for row in rows)
    return ([cell.translate(_BACK) for cell in row] for row in rows) if marks.newline else rows


def _unwrapped(row: list[str], marks: Marks) -> list[str]:
    """The cells of a row that stands within quotes as one cell; another row as it is."""
    if len(row) != 1 or marks.delimiter not in row[0]:
        return row
    inside = replace(marks, wrapped=False)
    return next(rows_of(inside.lines_of(row[0]), inside), [])


def _tight(lines: Iterable[str], marks: Marks) -> Iterator[str]:
    """The lines without the blanks between delimiters and cells within quotes, as DuckDB's reader takes them too."""
    blanks, sign, quote = BLANKS.replace(marks.delimiter, ""), re.escape(marks.delimiter), re.escape(marks.quote)
    escaped = "" if marks.escape is None else rf"|{re.escape(marks.escape)}{quote}"
    cell = rf"{quote}(?:[^{quote}]|{quote}{quote}{escaped})*+{quote}"
    pattern = re.compile(rf"(^|{sign})[{blanks}]*({cell})[{blanks}]*(?={sign}|[\r\n]|\Z)")
    pairs = [pair for blank in blanks for pair in (f"{marks.quote}{blank}", f"{blank}{marks.quote}")]
    for line in lines:
        yield pattern.sub(r"\1\2", line) if any(pair in line for pair in pairs) else line


def _unpadded(lines: Iterable[str], marks: Marks) -> Iterator[str]:
    """The lines without the blanks beside delimiters, and at line ends, that are not within quotes."""
    blanks, sign = BLANKS.replace(marks.delimiter, ""), re.escape(marks.delimiter)
    beside = [rf"[{blanks}]+(?={sign}|\r|\n)"] * marks.padded + [rf"(?<={sign})[{blanks}]+"] * marks.spaced
    pattern = re.compile("|".join(beside))
    quoted = False
    for line in lines:
        parts = line.split(marks.quote) if marks.quote else [line]
        for place, part in enumerate(parts):
            quoted ^= place > 0
            if not quoted:
                parts[place] = pattern.sub("", part)
        text = marks.quote.join(parts)
        yield text.rstrip(blanks) if marks.padded and not quoted else text


def _ended(line: str, newline: str) -> str:
    """The line, in which nothing but its end is a line end to Python's reader."""
    body = line.removesuffix(newline)
    return body.translate(_IN_CELLS) + line[len(body) :]


def read_rows(head: str, marks: Marks, *, cut: bool) -> list[Row]:
    """The first rows of the text that are not blank; the last is left out if the text is `cut` there."""
    found: list[Row] = []
    ends = 0

    def counted() -> Iterator[str]:
        nonlocal ends
        for line in marks.lines_of(head):
            ends += marks.height([line])
            yield line

    start = 1
    try:
        for cells in rows_of(counted(), marks):
            found.append(Row(start, ends, tuple(cells)))
            start = ends + 1
            if len(found) > _HEAD_ROWS:
                return [row for row in found if row.cells]
    except csv.Error:  # a field longer than the head: what was read before it is enough
        return [row for row in found if row.cells]
    if len(found) > 1 and cut:
        found.pop()
    return [row for row in found if row.cells]
