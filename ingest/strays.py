"""Rows with a sign too many: a delimiter at the end, or a quote within a cell. Readers take them in different ways."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ingest.kinds import shape_of
from ingest.markers import is_marker
from ingest.marks import LINE_END
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.header import Row
    from ingest.marks import Marks

_MOST = 0.9


@dataclass(frozen=True)
class Ends:
    """How the first rows of a table end.

    `delimited` says that most end in a delimiter that is no cell, `some` that a row does and another does not, and
    `filled` that the last column says something in every row.
    """

    delimited: bool = False
    some: bool = False
    filled: bool = False


def ends_of(rows: Sequence[Row], width: int) -> Ends:
    """The ends of a table's first rows, its names left out."""
    wide = [row.cells for row in rows if len(row.cells) >= width]
    over = sum(len(cells) == width + 1 and not cells[-1] for cells in wide)
    filled = all(cells[width - 1].strip() for cells in wide)
    return Ends(over > _MOST * len(wide), 0 < over < len(wide), filled)


def has_strays(head: str, marks: Marks, ends: Ends, width: int, *, cut: bool) -> bool:
    """Whether rows of a text have a sign too many: quotes within cells, or a delimiter at the end as others have not.

    Of a text that is cut only the first rows are known: small files are looked at whole.
    """
    if ends.some or cut or marks.escape is not None:
        return ends.some
    left, astray = outside(head, marks)
    return astray or any(
        line.endswith(marks.delimiter) and line.count(marks.delimiter) == width
        for line in ([] if ends.delimited else LINE_END.split(left))
    )


def outside(text: str, marks: Marks) -> tuple[str, bool]:
    """What stands outside of the cells within quotes, and whether it has quotes though there are such cells."""
    if not marks.quote or marks.quote not in text:
        return text, False
    left, wraps = _wrapped_cells(marks).subn("", text)
    return left, wraps > 0 and marks.quote in left


def refuse_open_names(head: str, rows: Sequence[Row], first: int, ends: Ends, marks: Marks) -> None:
    """Raise ReadingError where a quote too many in the names above line `first` hides rows, or makes one of two names.

    It hides rows where the lines it makes one record of are each as wide as a row.
    """
    lines = LINE_END.split(head)
    for row in rows:
        if row.start >= first:
            return
        said = lines[row.start - 1 : row.end]
        # Of names alone, their first line says how wide a row is
        least = max(1, said[0].count(marks.delimiter) if row is rows[-1] else len(rows[-1].cells) - 1)
        whole = len(said) > 1 and all(line.count(marks.delimiter) >= least for line in said[:2])
        if whole or (ends.delimited and outside("\n".join(said), marks)[1]):
            raise ReadingError(
                f"line {row.start}: a quote too many among the names; mend it in the source, or declare header_row: 0 "
                'and quote: "" under read:'
            )


def why_shifted(row: Sequence[str], text: str, marks: Marks, kinds: Sequence[str | None]) -> str | None:
    """Why a row of the right width may have its cells in the wrong columns, for quotes astray in its `text`.

    A quote within one cell is text, if the others are written as their columns' values are. Between two such cells, a
    delimiter may have been within quotes.
    """
    if not marks.stray or not marks.quote or marks.quote not in text:
        return None
    left = _wrapped_cells(marks).sub("", text)
    if sum(marks.quote in cell for cell in left.split(marks.delimiter)) > 1:
        return "quotes within several cells: what stands between them may be one cell or more"
    if marks.quote not in left or fits_but_quotes(row, marks, kinds):
        return None
    return "a quote within a cell, and other cells out of place"


def cells_of(line: str, marks: Marks) -> list[str]:
    """The cells of one line in which quotes within quoted cells are not doubled; none where that is not sure.

    A quote closes a cell where a delimiter or the line's end follows it. One that stands first or last in a cell may
    as well be one too many.
    """
    if not replace(marks, stray=False).plain:
        return []
    text, quote, cells, at = line.rstrip("\r\n"), marks.quote, list[str](), -1
    closing = re.compile(rf"{re.escape(quote)}(?={re.escape(marks.delimiter)}|\Z)")
    while at < len(text):
        at += 1
        if text.startswith(quote, at):
            found = closing.search(text, at + 1)
            inner = "" if found is None else text[at + 1 : found.start()]
            edges = (len(inner) - len(inner.lstrip(quote)), len(inner) - len(inner.rstrip(quote)))
            if found is None or any(count % 2 for count in edges):
                return []
            cells.append(inner.replace(quote * 2, quote))
            at = found.end()
        else:
            stop = text.find(marks.delimiter, at)
            stop = len(text) if stop < 0 else stop
            cells.append(text[at:stop])
            at = stop
    return cells


def fits_but_quotes(row: Sequence[str], marks: Marks, kinds: Sequence[str | None]) -> bool:
    """Whether the cells that have no quote within are written as their columns' values are."""
    return fits(["" if marks.quote in cell else cell for cell in row], kinds)


def fits(row: Sequence[str], kinds: Sequence[str | None]) -> bool:
    """Whether every cell that says something is written as its column's values are, where these have a way to be."""
    return all(
        shape_of(text) == kind
        for cell, kind in zip(row, kinds, strict=False)
        if kind is not None and (text := cell.strip()) and not is_marker(text, None)
    )


def _wrapped_cells(marks: Marks) -> re.Pattern[str]:
    """Cells within quotes, of one line or several."""
    quote, delimiter = re.escape(marks.quote), re.escape(marks.delimiter)
    cell = rf"{quote}(?:[^{quote}]|{quote}{quote})*+{quote}"
    # A look behind has one length
    before = "|".join(rf"(?<={delimiter}{blanks})" for blanks in ("", "[ \t]", "[ \t]{2}", "[ \t]{3}", "[ \t]{4}"))
    pattern = rf"(?:^[ \t]*|{before}){cell}(?=[ \t]*(?:{delimiter}|\r|\n|\Z))"
    return re.compile(pattern, re.MULTILINE)
