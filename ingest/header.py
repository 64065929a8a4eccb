"""Where a table's names stand: below titles, above units, or nowhere."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ingest.above import refuse_otherwise_parted, refuse_passed_over
from ingest.kinds import NUMBERS, kind_of, kinds_of, shape_of
from ingest.markers import is_marker
from policies.errors import ReadingError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.model import Reading

_FIRST_ROWS = 20
_MOSTLY = 0.75
_SHOWN = 200
_LOOKED_AT = 500
"""So many columns are enough to tell names from values."""
_YEAR = re.compile(r"(18|19|20|21)[0-9]{2}")
_UNIT = re.compile(
    r"\(?((en )?(k|m|m[dr]d?s?|milli\w+ d.)? ?(€|euros?|eur)|%|‰|en %|n(b|bre|ombre)\.?|hab(itants?)?\.?|"
    r"[kcm]?m[²³23]?|ha|hectares?|[kmg]?wh?|[kmg]?wc|kva|°c?|[kcm]?l|[kmµ]?g(/[a-zµ³3²]+)?|tonnes?|t|an(née)?s?|mois|"
    r"jours?|heures?|h|min(utes?)?|s|db|unités?|u\.?|sans unité|-)\)?(/[\w²³]+)?",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"[-+]?[0-9][0-9\W_]*")
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

    The data start on line `first`. `units` are what a row of units between says, by place; `above` are the texts of
    the rows that were passed over. `written` is what the file has for names, where they are others.
    """

    names: tuple[str, ...]
    row: int | None
    first: int
    units: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    written: tuple[str, ...] = ()

    def stands_in(self, cells: Sequence[str]) -> bool:
        """Whether a row is the names again: that of a file which was put together of several."""
        names = self.written or self.names
        return self.row is not None and (cells[0].lstrip("\ufeff"), *cells[1 : len(names)]) == names


def find_header(rows: Sequence[Row], reading: Reading) -> Header:
    """The header among a table's first rows, as it is declared, or as the rows show it.

    Not declared, it is the first row that is as wide as most rows and nearly as full as the fullest of the first ones,
    unless it looks like the rows below it: then the row right above is it if it lacks but one name, or there is none.
    Raises ReadingError where a row that would be passed over may be the header, or what is declared cannot be so.
    """
    if not rows:
        raise ReadingError("line 1: no row can be read; a quote may be opened there and never closed")
    if not any(row.filled for row in rows):
        raise ReadingError("the file is empty: no cell says anything")
    names = reading.names
    if names is not None:
        _refuse_unlike(len(names), f"{count_of(len(names), 'name is', 'names are')} declared", rows)
    found = _found(rows, reading.header_row, reading.header_rows, None if names is None else len(names))
    if reading.data_row is not None:
        found = _starting(found, rows, reading.data_row, reading.header_rows)
    if names is None:
        return found
    return replace(found, names=names, written=() if found.row is None else found.written or found.names)


def _found(rows: Sequence[Row], declared: int | None, depth: int, known: int | None) -> Header:
    """The header; `known` is the width of the table, where names are declared."""
    width = known or _width(rows)
    if declared == 0:
        first = next((place for place, row in enumerate(rows) if len(row.cells) >= width), 0)
        return replace(Header(_numbered(width), None, rows[first].start), above=_texts(rows[:first]))
    if declared is not None:
        found = next((place for place, row in enumerate(rows) if row.start == declared), None)
        if found is None:
            raise ReadingError(f"no row starts on line {declared}, the declared header_row")
        width = known or len(rows[found].cells)
        _refuse_unlike(
            width, f"line {declared}: the declared header has {count_of(width, 'cell')}", rows[found + depth :]
        )
        return replace(_below(rows, found, depth, width), above=_texts(rows[:found]))
    at = _below_comments(rows, _first_full(rows, width), width)
    below = [row.cells for row in rows[at + 1 :] if len(row.cells) >= width]
    headless = depth == 1 and _is_data(rows[at], below, width)
    while headless and at > 0 and _continues(rows[at - 1], rows[at], below, width):
        at -= 1
    if headless and at > 0 and _names_but_one(rows[at - 1], rows[at], width):
        at, headless = at - 1, False
    refuse_passed_over(rows[:at], rows[at], below, width, headless=headless)
    refuse_otherwise_parted(rows[:at], rows[at], below, width, headless=headless)
    if headless:
        return Header(_numbered(width), None, rows[at].start, above=_texts(rows[:at]))
    return replace(_below(rows, at, depth, width), above=_texts(rows[:at]))


def _texts(rows: Sequence[Row]) -> tuple[str, ...]:
    """What rows say, for people."""
    return tuple(" | ".join(cell.strip() for cell in row.cells if cell.strip())[:_SHOWN] for row in rows if row.filled)


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


def _below_comments(rows: Sequence[Row], at: int, width: int) -> int:
    """The place of the names, where `at` may be that of a comment as wide as they are."""
    while rows[at].cells[0].startswith("#") and at + 2 < len(rows) and len(rows[at + 1].cells) >= width:
        kinds = kinds_of([row.cells for row in rows[at + 2 :]], min(width, _LOOKED_AT))
        named = [cell for cell, kind in zip(rows[at + 1].cells, kinds, strict=False) if kind is not None]
        if not named or any(shape_of(cell.strip()) in kinds for cell in named):
            return at
        at += 1
    return at


def _refuse_unlike(width: int, what: str, rows: Sequence[Row]) -> None:
    """Raise ReadingError where no row is as wide as `what` is declared, but for a delimiter at the end."""
    widths = Counter(len(row.cells) - (len(row.cells) == width + 1 and not row.cells[-1]) for row in rows)
    if widths and width not in widths:
        raise ReadingError(
            f"{what}, the rows below {widths.most_common(1)[0][0]}; mend it in the source, or declare under read: "
            "header_row: 0 to read the rows without names, or other names"
        )


def _starting(header: Header, rows: Sequence[Row], declared: int, depth: int) -> Header:
    """The header with the data from the declared line on: what stands between is passed over."""
    starts = [row.start for row in rows]
    if declared not in starts:
        raise ReadingError(f"no row starts on line {declared}, the declared data_row")
    at, first = starts.index(declared), 0 if header.row is None else starts.index(header.row) + depth
    if at < first:
        raise ReadingError(f"line {declared}, the declared data_row, is not below the names on line {header.row}")
    above = _texts(rows[:at]) if header.row is None else (*header.above, *_texts(rows[first:at]))
    return replace(header, first=declared, units=(), above=above)


def _below(rows: Sequence[Row], at: int, depth: int, width: int) -> Header:
    """The header of `depth` rows from the place `at`, with the units below it.

    Names that stand again right below are no row, if columns of numbers or codes show that they are names.
    """
    if at + depth > len(rows):
        raise ReadingError(
            f"header_rows is {depth}, but only {count_of(len(rows) - at, 'row stands', 'rows stand')} "
            f"from line {rows[at].start} on"
        )
    named = rows[at : at + depth]
    names, written = _joined([row.cells[:width] for row in named]), tuple[str, ...]()
    dbase = [_DBASE.fullmatch(name.strip()) for name in names]
    if all(dbase):
        names, written = tuple(found[1] for found in dbase if found is not None), names
    below = rows[at + depth :]
    after = named[-1].end + 1
    again = next((place for place, row in enumerate(below) if row.cells != named[-1].cells), 0)
    if again > 0 and any(kind is not None for kind in kinds_of([row.cells for row in below[again:]], width)):
        after, below = below[again - 1].end + 1, below[again:]
    if below and _is_units(below[0].cells, [row.cells for row in below[1:]]):
        return Header(names, named[0].start, below[0].end + 1, below[0].cells[:width], written=written)
    return Header(names, named[0].start, after, written=written)


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


def _is_data(row: Row, below: Sequence[tuple[str, ...]], width: int) -> bool:
    """Whether the first row is one of data, by how its cells look beside those below.

    Where columns look alike all the way down, its cells do too; where none does, one of its texts stands again in its
    column. Years and 1, 2, 3 … above numbers are names. Raises ReadingError where some cells look so and some not.
    """
    width = min(width, _LOOKED_AT)
    cells = [cell.strip() for cell in row.cells[:width]]
    if not below:
        return _is_single(row)
    kinds = kinds_of(below, width)
    typed = [(cell, kind) for cell, kind in zip(cells, kinds, strict=False) if kind is not None]
    said = [(cell, kind) for cell, kind in typed if cell and not is_marker(cell, None)]
    alike = [cell for cell, kind in said if shape_of(cell) == kind]
    if not typed:
        # A file put together of several has its header, and the mark before it, again
        others = [{one[place].strip("\ufeff \t") for one in below} for place in range(len(cells))]
        again = [bool(cell) and cell in others[place] for place, cell in enumerate(cells)]
        return any(again) and not all(again) and len(below) > 1
    if not alike or _are_names(alike):
        return False
    if len(alike) < max(3, _MOSTLY * len(said)) and len(alike) < len(said):
        odd = next(cell for cell, kind in said if shape_of(cell) != kind)
        raise ReadingError(
            f"line {row.start} may be the names or the first row: {alike[0]!r} looks like the values below it, "
            f"{odd!r} does not; declare header_row: {row.start} under read:, or header_row: 0 if there are no names"
        )
    return len(below) > 1 or len(alike) == len(cells)


def _is_single(row: Row) -> bool:
    """False where the only row may be names. Raises ReadingError where a figure in it may be a value."""
    figures = [cell.strip() for cell in row.cells if _FIGURE.fullmatch(cell.strip())]
    if figures and not _are_names(figures):
        raise ReadingError(
            f"line {row.start} may be the names or the only row, as {figures[0]!r} looks like a value; declare "
            f"header_row: {row.start} under read:, or header_row: 0 if there are no names"
        )
    return False


def _continues(row: Row, after: Row, below: Sequence[tuple[str, ...]], width: int) -> bool:
    """Whether the row right above data is a less full one of them."""
    return row.end + 1 == after.start and len(row.cells) >= width and row.filled > 1 and _is_data(row, below, width)


def _names_but_one(row: Row, after: Row, width: int) -> bool:
    """Whether the row right above data names all columns but one, as where a program numbers the rows it writes."""
    said = {name for cell in row.cells if (name := cell.strip())}
    title = row.filled == 1 and row.cells[0].strip() != ""
    return row.end + 1 == after.start and len(row.cells) == width == len(said) + 1 and not title


def _are_names(values: Sequence[str]) -> bool:
    """Whether numbers in a first row are names: years, or numbers in equal steps, as 1, 2, 3 or 0, 5, 10."""
    if all(_YEAR.fullmatch(value) for value in values):
        return True
    if len(values) < 2 or not all(value.isdecimal() for value in values):  # noqa: PLR2004
        return False
    numbers = [int(value) for value in values]
    step = numbers[1] - numbers[0]
    even = all(after - before == step for before, after in itertools.pairwise(numbers))
    return even and step > 0 and (len(values) > 3 or (numbers[0] <= 1 and (step == 1 or len(values) > 2)))  # noqa: PLR2004


def _is_units(cells: tuple[str, ...], below: Sequence[tuple[str, ...]]) -> bool:
    """Whether a row says units above numbers: all that it says are units, and some stands above numbers alone."""
    said = [(place, cell.strip()) for place, cell in enumerate(cells) if cell.strip()]
    if not said or len(below) < 2 or not all(_UNIT.fullmatch(cell) for _, cell in said):  # noqa: PLR2004
        return False
    if all(cell == "-" for _, cell in said):
        return False
    return any(kind_of([row[place] for row in below if place < len(row)]) == NUMBERS for place, _ in said)
