"""What a spreadsheet's own bytes say of its sheets, apart from the reader that gives their cells (calamine).

Calamine gives no cell for an error (`#N/A`) or for a formula that was saved without its value, drops the zeros that a
number format shows (`00000` makes 1001 read 01001), and makes times of the numbers that are no dates: `xlsx.py`,
`xls.py` and `ods.py` find these, and count the values of each row.
"""

from __future__ import annotations

import math
import re
from array import array
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from policies.errors import ReadingError

MAX_ROWS, MAX_COLUMNS = 1 << 20, 1 << 14
MAX_TEXT = 1 << 25
_MAX_CODE = 1000
_MAX_SAME = 1 << 14
_MAX_MERGES = 1_000_000
_MAX_CELLS = 100_000_000
_SPARE_CELLS = 20_000_000
_CELLS_A_VALUE = 8
_MAX_SIGNS = 1 << 29
_DIGITS = 15
"""More significant digits than a float is sure to keep."""
_FIRST_DAY = -1e11
"""Days before which calamine breaks off: their milliseconds are no 64-bit number."""
_LAST_BEFORE_LEAP = 60
"""The serial number of the 29th of February 1900, which Excel has and the calendar has not."""

Place: TypeAlias = tuple[int, int]
"""The row and the column of a cell, both from 0."""
Mark: TypeAlias = "tuple[int, int | str | None]"
"""A column and what its cell is, whatever the reader says: a text, so many digits, or (None) a formula unsaved."""
Kind: TypeAlias = int | str | None
"""What a number format shows: so many digits; "date", "time", "duration" or "percent"; or the number itself."""

_BUILTIN: dict[int, Kind] = {
    **dict.fromkeys((9, 10), "percent"),
    **dict.fromkeys((*range(14, 18), 22, *range(27, 37), *range(50, 59)), "date"),
    **dict.fromkeys((18, 19, 20, 21, 45, 47), "time"),
    46: "duration",
}
"""The formats that have no code in the file (ECMA-376, 18.8.30)."""
_SHOWN: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"general|standard"), None),
    (re.compile(r"\["), "duration"),
    (re.compile(r"[dy]|m{3,}|^m+$"), "date"),
    (re.compile(r"[hms]"), "time"),
    (re.compile("%"), "percent"),
)
"""What the letters of a format show, the first that are found."""
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.')


@dataclass
class Sheet:
    """What is known of one sheet: how many values each row has, and which cells are not what the reader gives.

    `clocks` are the columns in which some date has a time of day, `percent` those of numbers shown as percentages,
    `merges` the cells that stand for several: first row, first column, last row, last column. `signs` counts those of
    texts that the file has once and the sheet many times, as often as they stand in it.
    """

    counts: array[int] = field(default_factory=lambda: array("I"))
    marks: dict[int, tuple[Mark, ...]] = field(default_factory=dict)
    clocks: set[int] = field(default_factory=set)
    percent: set[int] = field(default_factory=set)
    merges: list[tuple[int, int, int, int]] = field(default_factory=list)
    width: int = 0
    values: int = 0
    signs: int = 0
    _same: dict[tuple[Mark, ...], tuple[Mark, ...]] = field(default_factory=dict, repr=False)

    def add(self, row: int, values: int, width: int, marks: tuple[Mark, ...] = (), repeated: int = 1) -> None:
        """Count `values` in a row, or in as many rows from there on, whose cells end before the column `width`."""
        if row + repeated > MAX_ROWS or width > MAX_COLUMNS:
            raise ValueError(f"row {row + repeated}, column {width}: more than {MAX_ROWS} by {MAX_COLUMNS}")
        missing = row + repeated - len(self.counts)
        if missing > 0:
            self.counts.frombytes(bytes(self.counts.itemsize * missing))
        if repeated > 1:
            self.counts[row : row + repeated] = array("I", [values]) * repeated
        else:
            self.counts[row] += values
        for one in range(row, row + repeated) if marks else ():
            # Most marks are like others: a million equal ones are one
            both = self.marks.get(one, ()) + marks
            self.marks[one] = self._same.setdefault(both, both) if len(self._same) < _MAX_SAME else both
        self.width = max(self.width, width)
        self.values += values * repeated

    def merge(self, place: Place, last: Place) -> None:
        """Note that the cell at `place` stands for all to `last`."""
        if len(self.merges) == _MAX_MERGES:
            raise ValueError(f"more than {_MAX_MERGES} merged cells")
        if last != place:
            self.merges.append((*place, *last))

    @property
    def single(self) -> bool:
        """Whether all that it says stands in one cell: a note, and no table."""
        return self.values == 1 and not any(map(self.unsaved, self.marks))

    def unsaved(self, row: int) -> bool:
        """Whether some formula of the row was saved without its value."""
        return any(said is None for _, said in self.marks.get(row, ()))

    def number(self, column: int, kind: Kind, said: str) -> tuple[Mark, ...]:
        """The mark of a number, if it needs one; `said` is how it is written."""
        value = float(said)
        if kind == "percent":
            self.percent.add(column)
        elif isinstance(kind, int):
            return ((column, kind),)
        elif value < _FIRST_DAY and kind in {"date", "time", "duration"}:
            raise ValueError(f"{said} is shown as a {kind}, and is none")
        elif kind in {"date", "time"}:
            leap = _LAST_BEFORE_LEAP <= value < _LAST_BEFORE_LEAP + 1
            if value < 0 or leap or (kind == "date" and value < 1):
                return ((column, plain(said)),)  # no day of the calendar: it stays the number that it is
            if value >= 1 and not value.is_integer():
                self.clocks.add(column)
            return ()
        elif kind == "duration":
            return ()
        return ((column, plain(said)),) if _is_longer(said, value) else ()


def plain(said: str) -> str:
    """A number's text, `45292.0` without its zero."""
    return said.removesuffix(".0")


def _is_longer(said: str, value: float) -> bool:
    """Whether the text of a number says more than the float: its shortest text is then not the number's."""
    if sum(one.isdigit() for one in said) <= _DIGITS and math.isfinite(value):
        return False
    if not math.isfinite(value) or said.strip("-").isdigit():
        return True
    # Excel writes a float with 17 digits, of which the last are noise
    return Decimal(said) not in {Decimal(repr(value)), Decimal(f"{value:.17g}"), Decimal(f"{value:.16g}")}


def kind_of(number: int, codes: dict[int, str]) -> Kind:
    """What the number format shows; `codes` are the formats that the file has itself."""
    if number not in codes:
        return _BUILTIN.get(number)
    code = _QUOTED.sub("", codes[number][:_MAX_CODE].split(";")[0]).lower()
    code = re.sub(r"\[(?!h+\]|m+\]|s+\])[^\]]*\]|\s", "", code)
    if re.fullmatch(r"#*0[0#]+", code):  # `0# ## ## ## ##`, Excel's own for French telephone numbers, shows ten digits
        return len(code.lstrip("#"))
    return next((kind for pattern, kind in _SHOWN if pattern.search(code)), None)


def refuse_large(sheets: list[Sheet]) -> None:
    """Raise ReadingError if the sheets, as large as cells and texts make them, would fill the memory."""
    if sum(sheet.signs for sheet in sheets) > _MAX_SIGNS:
        raise ReadingError(
            f"the sheet's cells repeat long texts, to more than {_MAX_SIGNS:,} signs, too many to be read; save the "
            "table as CSV"
        )
    area = sum(len(sheet.counts) * sheet.width for sheet in sheets)
    if area > min(_MAX_CELLS, _SPARE_CELLS + _CELLS_A_VALUE * sum(sheet.values for sheet in sheets)):
        largest = max(sheets, key=lambda sheet: len(sheet.counts) * sheet.width)
        raise ReadingError(
            f"the sheet's last cell makes it {len(largest.counts)} rows by {largest.width} columns, too large "
            "to be read; delete what stands far from the table, and save it again"
        )
