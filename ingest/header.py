"""Where a table's names stand: below titles, above units, or nowhere."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest import forms
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_ROWS = 20
_TYPICAL = 0.9
_YEAR = re.compile(r"(18|19|20|21)[0-9]{2}")
_NUMBER = re.compile(rf"[-+]?[0-9][0-9 \u00a0\u202f]*([.,][0-9]+)?([eE][-+]?[0-9]+)?|{forms.COMMA_NUMBER}")
_UNIT = re.compile(
    r"\(?((en )?(k|m|m[dr]d?s?|milli\w+ d.)? ?(€|euros?|eur)|%|‰|en %|n(b|bre|ombre)\.?|hab(itants?)?\.?|"
    r"[kcm]?m[²³23]?|ha|hectares?|[kmg]?wh?|[kmg]?wc|kva|°c?|[kcm]?l|[kmµ]?g(/[a-zµ³3²]+)?|tonnes?|t|an(née)?s?|mois|"
    r"jours?|heures?|h|min(utes?)?|s|db|unités?|u\.?|sans unité|-)\)?(/[\w²³]+)?",
    re.IGNORECASE,
)
_DBASE = re.compile(r"(.+),[CNFDLMIB],[0-9]{1,3}(,[0-9]{1,2})?")


@dataclass(frozen=True)
class Row:
    """A row of a table's first ones: the lines it starts and ends on (1 is the first), and its cells."""

    start: int
    end: int
    cells: tuple[str, ...]

    @property
    def filled(self) -> int:
        """How many cells say something."""
        return sum(bool(cell.strip()) for cell in self.cells)


@dataclass(frozen=True)
class Header:
    """The names of a table's columns; `row` is the line of the first of them, None where there are none.

    The data start on line `first`. `units` are what a row of units between says, by place.
    """

    names: tuple[str, ...]
    row: int | None
    first: int
    units: tuple[str, ...] = ()


def find_header(rows: Sequence[Row], declared: int | None, depth: int = 1) -> Header:
    """The header among a table's first rows. `declared` is its line, 0 for none; `depth` how many rows it takes.

    Not declared, it is the first row that is as wide as most rows and nearly as full as the fullest of the first ones,
    unless it looks like the rows below it: then there is none. Raises ReadingError where a row that would be passed
    over may be the header.
    """
    width = _width(rows)
    if declared == 0:
        wide = next((row for row in rows if len(row.cells) >= width), rows[0])
        return Header(_numbered(width), None, wide.start)
    if declared is not None:
        at = next((place for place, row in enumerate(rows) if row.start == declared), None)
        if at is None:
            raise ReadingError(f"no row starts on line {declared}, the declared header_row")
        return _below(rows, at, depth, len(rows[at].cells))
    at = _first_full(rows, width)
    headless = _is_data(rows[at].cells, [row.cells for row in rows[at + 1 :] if len(row.cells) >= width])
    _refuse_passed_over(rows[:at], rows[at], width, headless=headless)
    if depth == 1 and headless:
        return Header(_numbered(width), None, rows[at].start)
    return _below(rows, at, depth, width)


def _width(rows: Sequence[Row]) -> int:
    """How many columns most rows have; a delimiter at the end of every row of data makes none."""
    width = Counter(len(row.cells) for row in rows).most_common(1)[0][0]
    typical = [row.cells for row in rows if len(row.cells) == width]
    return width - (width > 1 and len(rows) > 1 and all(not cells[-1] for cells in typical))


def _first_full(rows: Sequence[Row], width: int) -> int:
    wide = [
        place
        for place, row in enumerate(rows)
        if len(row.cells) >= width and not any(map(str.strip, row.cells[width:]))
    ]
    fullest = max(rows[place].filled for place in wide[:_FIRST_ROWS])
    return next(place for place in wide if rows[place].filled * 5 >= fullest * 4)


def _refuse_passed_over(above: Sequence[Row], header: Row, width: int, *, headless: bool) -> None:
    if width == 2 and [(row.end + 1, row.filled) for row in above] == [(header.start, 1)]:  # noqa: PLR2004  see below
        raise ReadingError(
            f"line {above[0].start} has one cell and the rows below have two: a title, or a file of one column whose "
            f"values hold a delimiter? declare header_row: {header.start} under read:, or another delimiter"
        )
    doubled = len({cell.strip().casefold() for cell in header.cells}) < len(header.cells)
    for row in above:
        # A title has one cell; half of the width may be the names, and so may be few of them right above data, or
        # groups above names that stand twice
        if row.filled > 1 and (row.filled * 2 >= width or ((doubled or headless) and row is above[-1])):
            raise ReadingError(
                f"line {row.start} has {row.filled} cells and may be the header, or its upper row, but the rows below "
                f"have {width}; declare header_row under read: ({row.start} with header_rows: 2, or {header.start} if "
                "the table starts there)"
            )


def _below(rows: Sequence[Row], at: int, depth: int, width: int) -> Header:
    """The header of `depth` rows from the place `at`, with the units below it."""
    if at + depth > len(rows):
        raise ReadingError(
            f"header_rows is {depth}, but only {len(rows) - at} rows stand from line {rows[at].start} on"
        )
    named = rows[at : at + depth]
    names = _joined([row.cells[:width] for row in named])
    dbase = [_DBASE.fullmatch(name.strip()) for name in names]
    if all(dbase):
        names = tuple(found[1] for found in dbase if found is not None)
    after = named[-1].end + 1
    below = rows[at + depth :]
    if below and _is_units(below[0].cells, [row.cells for row in below[1:]]):
        return Header(names, named[0].start, below[0].end + 1, below[0].cells[:width])
    return Header(names, named[0].start, after)


def _joined(rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The names of several rows joined from top to bottom; an upper one holds for the empty cells to its right."""
    if len(rows) == 1:
        return rows[0]
    width = max(len(cells) for cells in rows)
    filled: list[list[str]] = []
    for cells in rows[:-1]:
        carried, line = "", []
        for cell in (*cells, *[""] * (width - len(cells))):
            carried = cell.strip() or carried
            line.append(carried)
        filled.append(line)
    filled.append([cell.strip() for cell in (*rows[-1], *[""] * (width - len(rows[-1])))])
    return tuple(" ".join(dict.fromkeys(part for part in parts if part)) for parts in zip(*filled, strict=True))


def _numbered(width: int) -> tuple[str, ...]:
    return tuple(f"column_{number}" for number in range(1, width + 1))


def _is_data(cells: tuple[str, ...], below: Sequence[tuple[str, ...]]) -> bool:
    """Whether the first row is one of data: each of its cells looks like those below it, where these look alike.

    Years and 1, 2, 3 … above numbers are names.
    """
    found = same = 0
    alike: list[str] = []
    for place, cell in enumerate(cells):
        values = [value for row in below if place < len(row) and (value := row[place].strip())]
        kind = _kind(values)
        if kind is None:
            continue
        if not cell.strip():
            return False
        if _shape(cell.strip()) != kind:
            return False
        found += 1
        same += 1
        alike.append(cell.strip())
    if found == 0 or len(below) < 2:  # noqa: PLR2004  one row is no pattern
        return False
    numbered = (
        [str(number) for number in range(int(alike[0]), int(alike[0]) + len(alike))] if alike[0].isdigit() else []
    )
    return not (alike == numbered and len(alike) > 1) and not all(_YEAR.fullmatch(cell) for cell in alike)


def _kind(values: Sequence[str]) -> str | None:
    """The shape that nearly all values of a column have, if it has one that a name would not have."""
    if len(values) < 2:  # noqa: PLR2004  one value is no pattern
        return None
    shape, count = Counter(map(_shape, values)).most_common(1)[0]
    return shape if count >= _TYPICAL * len(values) and any(sign in shape for sign in "0@") else None


def _shape(value: str) -> str:
    """`number` for numbers; else the text with letters as `a` and digits as `0`, each run as one."""
    if _NUMBER.fullmatch(value):
        return "number 0"
    return re.sub(r"0+", "0", re.sub(r"a+", "a", re.sub(r"[0-9]", "0", re.sub(r"[^\W\d_]", "a", value))))


def _is_units(cells: tuple[str, ...], below: Sequence[tuple[str, ...]]) -> bool:
    """Whether a row says units above numbers: all that it says are units, and some stands above numbers alone."""
    said = [(place, cell.strip()) for place, cell in enumerate(cells) if cell.strip()]
    if not said or len(below) < 2 or not all(_UNIT.fullmatch(cell) for _, cell in said):  # noqa: PLR2004
        return False
    if all(cell == "-" for _, cell in said):
        return False
    return any(_kind([row[place].strip() for row in below if place < len(row)]) == "number 0" for place, _ in said)
