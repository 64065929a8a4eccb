"""Where a delimited text's table ends: below stand sources and footnotes, which are no rows."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ingest.kinds import kind_of, shape_of
from ingest.markers import is_marker
from ingest.marks import rows_of
from policies.errors import ReadingError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.marks import Marks

_TAIL = 1 << 16
_LEAST = 20
"""So many rows above show how full rows are."""
_FULL = 0.8
_WORDS = 3
_ANY_END = r"\r\n|\r|\n"
_NOTE = re.compile(
    r"(sources?|notes?|nota|n\.?b\.?|champ|lecture|légende|avertissement|remarques?|précisions?|mise à jour|"
    r"données|unités?|définitions?|©)\b\s*[:.\-–(]|\([0-9a-z]{1,2}\)\s|\[[0-9a-z]{1,2}\]\s|[*†]|(source|note)s?\b",
    re.IGNORECASE,
)
"""How notes begin in French tables."""


@dataclass(frozen=True)
class _Line:
    """A line near the end of the text, and the byte it starts at."""

    start: int
    cells: tuple[str, ...]
    quoted: bool

    @property
    def blank(self) -> bool:
        """Whether it is no row: what has been put in quotes was written as one, though it says nothing."""
        return not self.filled and not self.quoted

    @property
    def filled(self) -> list[str]:
        return [cell.strip() for cell in self.cells if cell.strip()]


def notes_below(path: Path, marks: Marks, width: int, encoding: str, footer_rows: int | None = None) -> int | None:
    """The byte at which the notes below the table start, to the file's end; None if there are none.

    A note has one cell that says something, or is narrower than the table and begins as notes do. What fills the first
    of all columns is one if it begins so, follows a blank line, or, below codes or numbers, is a sentence or a word.
    Declared, notes are the last `footer_rows` that say something.
    """
    if footer_rows is not None:
        return _footer([*_upwards(path, marks, encoding)][::-1], footer_rows) if footer_rows else None
    upwards = _upwards(path, marks, encoding) if width > 1 else iter(())
    below: list[_Line] = []
    last: list[_Line] = []
    for line in upwards:
        if not _may_be_note(line, width):
            last = [line, *islice(upwards, _LEAST - 1)]
            break
        below.append(line)
    above = [line for line in reversed(last) if line.filled]
    if not above or sum(len(line.filled) > 1 for line in above) < _FULL * len(above):
        return None
    kind = kind_of([line.cells[0] for line in above[len(above) // 2 :]])  # the first may be the names
    blank = False
    for line in reversed(below):
        if line.filled and (blank or _is_note(line, kind)):
            return line.start
        blank |= line.blank
    return None


def _footer(lines: list[_Line], rows: int) -> int:
    said = [line.start for line in lines if line.filled]
    if rows >= len(said):
        raise ReadingError(
            f"footer_rows is {rows}, but only {count_of(len(said), 'line')} at the end can be rows below a table"
        )
    return said[-rows]


def _may_be_note(line: _Line, width: int) -> bool:
    filled = line.filled
    if not filled or (len(filled) == 1 and line.cells[0].strip()):
        return True
    if len(filled) == 1:
        return _NOTE.match(filled[0]) is not None and len(filled[0].split()) >= _WORDS
    return len(line.cells) < width and _NOTE.match(filled[0]) is not None


def _is_note(line: _Line, kind: str | None) -> bool:
    first = line.filled[0]
    if len(line.cells) == 1 or _NOTE.match(first):
        return True
    if kind is None or shape_of(first) == kind or is_marker(first, None):
        return False
    return len(first.split()) >= _WORDS or ("0" in kind and shape_of(first) == "a")


def _upwards(path: Path, marks: Marks, encoding: str) -> Iterator[_Line]:
    """The lines of the file from its last one, as far up as each has whole quotes: none is in a cell of several."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _TAIL, 0))
        tail = file.read()
    pattern = rf"(?s:.*?)(?:{re.escape(marks.newline) or _ANY_END}|\Z)".encode()
    found = [line for line in re.finditer(pattern, tail) if line[0]]
    for line in reversed(found if size <= _TAIL else found[1:]):
        text = line[0].decode(encoding, errors="replace")
        if marks.quote and text.count(marks.quote) % 2 == 1:
            return
        try:
            cells = next(rows_of([text], marks), [])
        except csv.Error:
            return
        yield _Line(size - len(tail) + line.start(), tuple(cells), bool(marks.quote) and marks.quote in text)
