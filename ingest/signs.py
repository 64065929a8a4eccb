"""Which signs part a text into cells: as declared, or as the first rows show them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from ingest.kinds import kind_of
from ingest.marks import BLANKS, Marks, read_rows, rows_of
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.model import Reading
    from ingest.header import Row

_DELIMITERS = ";,\t|"
_RARE = ("::", " ", ":", "~", "^", "#", "&", "\x01", "\x1f")
_IN_PROSE = {" ", ":"}
"""These part words as often as cells."""
_ALIKE = 0.95
"""A rare delimiter parts at least so many of the rows alike."""
_SEPARATOR_HINT = re.compile(r"\A\ufeff?sep=(.{1,4}?) *\r?\n")
"""The first line by which Excel is told the delimiter."""
_EDGE = r"[;,\t|~^:]"
_DOUBLED = "'(?:[^']|''){0,500}?''(?:[^']|''){0,500}?'"
"""A cell within apostrophes, which has one doubled."""


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
        longer = marks.delimiter * 2 if _is_doubled(rows) else _longer(rows, marks.delimiter)
        marks = marks if longer is None else _with(head, longer, marks, cut=cut)[0]
    elif delimiter == quote or set(delimiter) & set("\r\n"):
        raise ReadingError(f"{delimiter!r} cannot be the delimiter; declare another under read:")
    else:
        marks, _ = _with(head, delimiter, Marks("", quote, escape, newline=newline), cut=cut)
    if marks.quote and reading.delimiter is None:
        marks = _wrapping(head, marks, cut=cut)
    if reading.quote is None and _is_unquoted(head, marks, cut=cut):
        return replace(marks, quote="", escape=None)
    return marks


def _wrapping(head: str, marks: Marks, *, cut: bool) -> Marks:
    """The marks, `wrapped` where every row is one cell within quotes, and these cells make rows of three or more."""
    if not head.lstrip("\ufeff \t\r\n").startswith(marks.quote):
        return marks
    rows = read_rows(head, marks, cut=cut)
    if len(rows) <= 2 or any(len(row.cells) != 1 for row in rows):  # noqa: PLR2004
        return marks
    inside, within = _found("\n".join(row.cells[0] for row in rows), marks, cut=False)
    width, alike = _alike(within)
    whole = width > 2 and alike[0] is within[0] and len(alike) >= _ALIKE * len(within)  # noqa: PLR2004
    return replace(inside, wrapped=True) if whole else marks


def wrapped(quote: str, delimiter: str = _EDGE) -> str:
    """The pattern of a cell that begins and ends with a quote, has only doubled ones within, and stands on one line."""
    cell = rf"{quote}(?:[^{quote}\r\n]|{quote}{quote})*{quote}"
    return rf"(?:^|(?<={delimiter})|(?<={delimiter} )){cell}(?= ?(?:{delimiter}|\r|\n|\Z))"


def _quote(head: str) -> str:
    """The apostrophe or the backquote where cells begin and end with it, and hardly any with the usual quote."""
    others = [rare for rare in "'`" if rare in head]
    quotes = len(re.findall(wrapped('"'), head, re.MULTILINE)) if others and '"' in head else 0
    for rare in others:
        wraps = len(re.findall(wrapped(rare), head, re.MULTILINE))
        cell = _DOUBLED.replace("'", rare)
        doubled = quotes == 0 and re.search(rf"(?:^|(?<={_EDGE})){cell}(?={_EDGE}|\r|\n|\Z)", head, re.MULTILINE)
        begun = len(re.findall(rf"(?:^|{_EDGE} ?){rare}", head, re.MULTILINE))
        if doubled or (wraps > max(1, 2 * quotes) and wraps * 2 > begun):
            return rare
    return '"'


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
    spaced, padded = _blanks_beside(head, delimiter, known)
    marks = replace(known, delimiter=delimiter, spaced=spaced, padded=padded)
    return marks, read_rows(head, marks, cut=cut)


def _found(head: str, known: Marks, *, cut: bool) -> tuple[Marks, list[Row]]:
    """The marks with the delimiter under which the most rows have the same width and the cells look whole.

    Of two as good, the one with the widest rows. A rare one is it only if it parts nearly every row alike, the first
    among them, something shows that it is no sign of a text, and no usual one stands in every line or does as well but
    by decimal commas.
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
            if wide > 1 and most and alike[0] is rows[0] and (_typed(alike) or _shown(head, marks, wide)):
                return marks, rows
    return _with(head, ";", known, cut=cut) if best is None else best


def _shown(head: str, marks: Marks, width: int) -> bool:
    """Whether a rare delimiter makes three columns without being one of prose, or stands within cells in quotes."""
    if width > 2 and marks.delimiter not in _IN_PROSE:  # noqa: PLR2004
        return True
    sign, quote = re.escape(marks.delimiter), re.escape(marks.quote)
    within = rf"{quote}[^{quote}\r\n]*{sign}[^{quote}\r\n]*{quote}"
    return bool(quote) and re.search(rf"(?:^|{sign}){within}(?={sign}|\r|\n|\Z)", head, re.MULTILINE) is not None


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


def _longer(rows: Sequence[Row], delimiter: str) -> str | None:
    """The delimiter with the usual one that stands before or after it everywhere, if one does."""
    width, alike = _alike(rows)
    if width < 3 or len(alike) < max(3, len(rows) / 2):  # noqa: PLR2004
        return None
    before = {cell[-1:] for row in alike for cell in row.cells[:-1]}
    after = {cell[:1] for row in alike for cell in row.cells[1:]}
    for signs, longer in ((before, "{0}{1}"), (after, "{1}{0}")):
        if len(signs) == 1 and (sign := signs.pop()) in _DELIMITERS and sign:
            return longer.format(sign, delimiter)
    return None


def _blanks_beside(head: str, delimiter: str, known: Marks) -> tuple[bool, bool]:
    """Whether every delimiter that is not within quotes has blanks, or nothing, after it, and before it."""
    blanks = "" if delimiter in BLANKS else BLANKS
    if not blanks or not any(f"{delimiter}{blank}" in head or f"{blank}{delimiter}" in head for blank in blanks):
        return False, False
    sign, quote = re.escape(delimiter), re.escape(known.quote)
    if quote and known.quote in head:
        cell = rf"(?:^|(?<={sign})|(?<=[{blanks}])){quote}(?:[^{quote}\r\n]|{quote}{quote})*+{quote}"
        head = re.sub(rf"{cell}(?=[{blanks}]*(?:{sign}|\r|\n|\Z))", "x", head, flags=re.MULTILINE)
    after = re.search(rf"{sign}(?![{blanks}\r\n]|\Z)", head) is None
    before = known.escape is None and re.search(rf"(?<![{blanks}\r\n]){sign}", head) is None
    return (
        after and len(re.findall(rf"{sign}[{blanks}]+(?![{blanks}\r\n]|{sign})", head)) > 2,  # noqa: PLR2004
        before and len(re.findall(rf"[^{blanks}\r\n][{blanks}]+{sign}", head)) > 2,  # noqa: PLR2004
    )
