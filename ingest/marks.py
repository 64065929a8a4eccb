"""The signs that part a text into cells: as declared, or as the first rows show them."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ingest.header import Row
from ingest.kinds import kind_of
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from catalog.model import Reading

_HEAD_ROWS = 200
_DELIMITERS = ";,\t|"
_RARE = " :~^"
_ALIKE = 0.95
"""A rare delimiter parts at least so many of the rows alike."""
_STAND_IN = "\x1f"
"""What stands for a delimiter of several characters while Python's reader, which takes one, reads."""
_IN_CELLS = str.maketrans("\r\n", "\x1d\x1e")
_BACK = str.maketrans("\x1d\x1e", "\r\n")
"""What stands for line ends that end no row, meanwhile."""
NEWLINES = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
"""The line ends by their names."""
LINE_END = re.compile("\r\n|\r|\n")
_SEPARATOR_HINT = re.compile(r"\A\ufeff?sep=(.{1,4}?) *\r?\n")
"""The first line by which Excel is told the delimiter."""
_EDGE = r"[;,\t|~^:]"
_DOUBLED = "'(?:[^']|''){0,500}?''(?:[^']|''){0,500}?'"
"""A cell within apostrophes, which has one doubled."""


@dataclass(frozen=True)
class Marks:
    """The signs that part a text into cells.

    `quote` is empty where there are no quotes; `escape` is what stands before a quote in a cell, None where that is
    another quote. `spaced` says that a space stands after each delimiter, which is none of the cell's. `stray` says
    that some of the first rows have quotes within cells, or a delimiter too many, and others have not (`strays.py`),
    or are the names again. `newline` is what alone ends a row, though the file has other line ends; empty, all do.
    """

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    spaced: bool = False
    stray: bool = False
    newline: str = ""

    @property
    def plain(self) -> bool:
        """Whether every reader takes these marks, and in the same way."""
        return len(self.delimiter) == 1 and self.escape is None and not (self.spaced or self.stray or self.newline)

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

    An escape before any sign but a quote and itself is text. Raises csv.Error as that reader does.
    """
    delimiter = marks.delimiter
    if marks.newline:
        lines = (_ended(line, marks.newline) for line in lines)
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
    return ([cell.translate(_BACK) for cell in row] for row in rows) if marks.newline else rows


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


def hinted(head: str) -> str | None:
    """The delimiter that a first line `sep=;` tells Excel."""
    hint = _SEPARATOR_HINT.match(head)
    return None if hint is None else hint[1]


def find_marks(head: str, reading: Reading, *, cut: bool, newline: str = "") -> Marks:
    """What is declared, and for the rest what the first rows show. Raises ReadingError if it cannot be so."""
    quote = _quote(head) if reading.quote is None else reading.quote
    escape = reading.escape or (_escape(head, quote) if reading.escape is None else None)
    escape = None if escape == quote else escape
    delimiter = reading.delimiter or hinted(head)
    if delimiter is None:
        marks, rows = _found(head, Marks("", quote, escape, newline=newline), cut=cut)
        marks = replace(marks, delimiter=marks.delimiter * 2) if _is_doubled(rows) else marks
    elif delimiter == quote or set(delimiter) & set("\r\n"):
        raise ReadingError(f"{delimiter!r} cannot be the delimiter; declare another under read:")
    else:
        marks, _ = _with(head, delimiter, Marks("", quote, escape, newline=newline), cut=cut)
    if reading.quote is None and _is_unquoted(head, marks, cut=cut):
        return replace(marks, quote="", escape=None)
    return marks


def wrapped(quote: str, delimiter: str = _EDGE) -> str:
    """The pattern of a cell that begins and ends with a quote, has only doubled ones within, and stands on one line."""
    cell = rf"{quote}(?:[^{quote}\r\n]|{quote}{quote})*{quote}"
    return rf"(?:^|(?<={delimiter})|(?<={delimiter} )){cell}(?= ?(?:{delimiter}|\r|\n|\Z))"


def _quote(head: str) -> str:
    """The apostrophe where cells begin and end with it, and hardly any with the usual quote."""
    if "'" not in head:
        return '"'
    apostrophes = len(re.findall(wrapped("'"), head, re.MULTILINE))
    quotes = len(re.findall(wrapped('"'), head, re.MULTILINE)) if '"' in head else 0
    doubled = quotes == 0 and re.search(rf"(?:^|(?<={_EDGE})){_DOUBLED}(?={_EDGE}|\r|\n|\Z)", head, re.MULTILINE)
    begun = len(re.findall(rf"(?:^|{_EDGE} ?)'", head, re.MULTILINE))
    return "'" if doubled or (apostrophes > max(1, 2 * quotes) and apostrophes * 2 > begun) else '"'


def _escape(head: str, quote: str) -> str | None:
    """The backslash where it stands before quotes within cells, and none is doubled."""
    if f"\\{quote}" not in head:
        return None
    escaped = len(re.findall(rf"(?<!\\)\\{quote}(?![;,\t|\r\n]|$)", head))
    doubled = len(re.findall(rf"(?<![;,\t|\r\n]){quote}{quote}(?![;,\t|\r\n]|$)", head))
    return "\\" if escaped > doubled else None


def _is_unquoted(head: str, marks: Marks, *, cut: bool) -> bool:
    """Whether quotes are only text: cells begin with them, none is wrapped, and without them all rows are as wide."""
    if not marks.quote or marks.quote not in head:
        return False
    delimiter = re.escape(marks.delimiter)
    if re.search(rf"(?:^|{delimiter}){marks.quote}", head, re.MULTILINE) is None:
        return False
    if re.search(wrapped(marks.quote, delimiter), head, re.MULTILINE) is not None or _closes(head, marks, cut=cut):
        return False
    widths = {len(row.cells) for row in read_rows(head, replace(marks, quote="", escape=None), cut=cut)}
    return len(widths) == 1 and widths != {1}


def _closes(head: str, marks: Marks, *, cut: bool) -> bool:
    """Whether every quote that opens a cell closes it, and all rows are as wide so."""
    widths: set[int] = set()
    try:
        for cells in rows_of(marks.lines_of(head), marks, strict=True):
            widths.add(len(cells) or max(widths, default=0))
    except csv.Error as error:
        if not (cut and "unexpected end" in str(error)):
            return False
    return len(widths - {0}) == 1 and widths != {1}


def _with(head: str, delimiter: str, known: Marks, *, cut: bool) -> tuple[Marks, list[Row]]:
    """The marks with this delimiter, and the rows they make."""
    marks = replace(known, delimiter=delimiter, spaced=_is_spaced(head, delimiter, known.quote))
    return marks, read_rows(head, marks, cut=cut)


def _found(head: str, known: Marks, *, cut: bool) -> tuple[Marks, list[Row]]:
    """The marks with the delimiter under which the most rows have the same width and the cells look whole.

    Of two as good, the one with the widest rows. A rare one is it only if it parts nearly every row alike, the first
    among them, a column of numbers or codes comes of it, and no usual one stands in every line or does as well but by
    decimal commas.
    """
    tried = [_with(head, delimiter, known, cut=cut) for delimiter in _DELIMITERS if delimiter in head]
    worth = [_worth(rows, marks.delimiter) for marks, rows in tried]
    share, width = max(worth, default=(0.0, 0))
    best = None if width <= 1 else tried[worth.index((share, width))]
    decimal = best is not None and best[0].delimiter == "," and re.search(r"[^0-9],|,[^0-9]", head) is None
    lines = [line for line in head.splitlines() if line.strip()]
    everywhere = any(all(usual in line for line in lines) for usual in _DELIMITERS)
    if (share < _ALIKE and not everywhere) or decimal:
        for rare in filter(head.__contains__, _RARE):
            marks, rows = _with(head, rare, known, cut=cut)
            wide, alike = _alike(rows)
            most = len(alike) > max(2, (not decimal) * share * len(rows)) and len(alike) >= _ALIKE * len(rows)
            if wide > 1 and most and alike[0] is rows[0] and _typed(alike):
                return marks, rows
    return _with(head, ";", known, cut=cut) if best is None else best


def _alike(rows: Sequence[Row]) -> tuple[int, list[Row]]:
    """The width that the most rows have, wider ones first, and these rows."""
    widths = Counter(len(row.cells) for row in rows)
    width = max(widths, key=lambda one: (widths[one] if one > 1 else 0, one), default=0)
    return width, [row for row in rows if len(row.cells) == width]


def _worth(rows: list[Row], delimiter: str) -> tuple[float, int]:
    width, alike = _alike(rows)
    if width <= 1 or (delimiter == "," and width == 2 and all(_is_decimal(row.cells) for row in alike)):  # noqa: PLR2004
        return (0, 0)
    others = [other for other in ";\t|" if other != delimiter]
    cells = [cell for row in alike for cell in row.cells if cell]
    torn = sum(any(other in cell for other in others) for cell in cells)
    return (len(alike) / len(rows) * (1 - torn / max(len(cells), 1) / 2), width)


def _is_decimal(cells: tuple[str, ...]) -> bool:
    """Whether what a comma parts is one number with a decimal comma."""
    whole, fraction = cells
    return fraction.isdigit() and whole.replace(" ", "").replace("\u202f", "").replace("\xa0", "").lstrip("-").isdigit()


def _typed(rows: Sequence[Row]) -> bool:
    """Whether some column has the same shape, with digits in it, all the way below the first row."""
    return any(kind_of(column) is not None for column in zip(*(row.cells for row in rows[1:]), strict=True))


def _is_doubled(rows: Sequence[Row]) -> bool:
    """Whether every second cell is empty in all rows: what parts them is two of the delimiter."""
    width, alike = _alike(rows)
    if width < 3 or width % 2 == 0 or len(alike) < 2 or len(alike) < _ALIKE * len(rows):  # noqa: PLR2004
        return False
    columns = list(zip(*(row.cells for row in alike), strict=True))
    return not any(map(any, columns[1::2])) and all(map(any, columns[0::2]))


def _is_spaced(head: str, delimiter: str, quote: str) -> bool:
    """Whether every delimiter that is not within quotes has a space, or nothing, after it."""
    if delimiter in " \t" or f"{delimiter} " not in head:
        return False
    sign = re.escape(delimiter)
    text = re.sub(wrapped(quote, sign), "", head, flags=re.MULTILINE) if quote and quote in head else head
    spaces, tight = text.count(f"{delimiter} "), re.search(rf"{sign}(?! |\r|\n|\Z)", text)
    return spaces > 2 and tight is None and re.search(rf"{sign} +[^\s{sign}]", text) is not None  # noqa: PLR2004
