"""The cells of one sheet of an .xlsx, as its XML says them (ECMA-376, part 18.3).

Most rows are written plainly: a pattern takes these whole. All else is parsed by expat. If the pattern takes what is no
row, the count of its values is not the reader's, and the sheet is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ingest.readers.sheet import MAX_COLUMNS, MAX_TEXT, Kind, Mark, Place, Sheet

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping

_PLAIN_DIGITS = 15
_ZERO = ord("0")
_PLACE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_FORMULA = rb"(?:<f>[^<>&]*</f>|<f [^<>]*(?:/>|>[^<>&]*</f>))?"
TEXT = rb'(?: xml:space="preserve")?>'
"""What stands between `<t` or `<v` and its text."""
ROWS = re.compile(
    rb'<row (?:[^<>\']{0,300} )?r="(?P<row>[1-9][0-9]{0,6})"(?: [^<>\']{0,300})?(?<!/)>'
    rb'(?:<c r="[A-Z]{1,3}(?P=row)"(?: s="[0-9]+")?(?>/>|(?: t="[a-z]+")?>'
    + _FORMULA
    + rb"<v"
    + TEXT
    + rb'[^<>&]+</v></c>| t="inlineStr"><is><t'
    + TEXT
    + rb"[^<>&]+</t></is></c>))*+</row>"
)
"""A row that is written plainly."""
_VALUES = re.compile(
    rb'<c r="([A-Z]{1,3})[0-9]+"(?: s="([0-9]+)")?(?: t="([a-zA-Z]+)")?>' + _FORMULA + rb"<(?:v|is><t)[^<>]*>([^<>&]+)<"
)
_FIRSTS = frozenset(b"!\"#$%'()*+,-./:;=?@[]^_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\xc3")
"""With what a text starts that surely says something: a sign of ASCII, or a letter with an accent in UTF-8."""


class Cells:
    """Follows the sheet's elements: `row`, `c` (a cell), in it `f` (its formula), `v` or `is` (its value)."""

    def __init__(self, lengths: array[int], blanks: frozenset[int], kinds: Mapping[str, Kind]) -> None:
        """`lengths` and `blanks` are those of the texts that the sheets share, `kinds` what each style shows."""
        self.sheet = Sheet()
        self.lengths, self.blanks, self.kinds = lengths, blanks, kinds
        self.short = len(str(len(self.lengths)))
        self.special = {style.encode(): kind for style, kind in kinds.items() if kind is not None}
        self.row, self.column, self.width = -1, -1, 0
        self.count = 0
        self.marks: list[Mark] = []
        self.cell: dict[str, str] = {}
        self.formula, self.spoken = False, False
        self.value: list[str] | None = None
        self.size = 0

    def plain(self, found: re.Match[bytes]) -> None:
        """Count a row that the pattern took."""
        self._next(int(found["row"]) - 1)
        values = _VALUES.findall(found[0])
        columns = {column_of(letters) for letters, _, _, _ in values}
        if len(columns) < len(values):
            raise ValueError(f"a cell of row {self.row + 1} stands twice")
        for letters, style, form, said in values:
            if self._is_plain(style, form, said):
                self.count += 1
                if form == b"s":
                    self.sheet.signs += self.lengths[int(said)]
            else:
                self._value(column_of(letters), style.decode() or "0", form.decode() or "n", said.decode())
        if values:
            self.sheet.add(self.row, self.count, max(columns) + 1, tuple(self.marks))

    def _is_plain(self, style: bytes, form: bytes, said: bytes) -> bool:
        """Whether the value says something and needs no mark."""
        if form == b"s":
            return not self.blanks and len(said) < self.short and said.isdigit()
        if form in {b"str", b"inlineStr"}:
            return said[0] in _FIRSTS
        if form not in {b"", b"n"}:
            return form == b"b"
        kind = self.special.get(style)
        if kind is None:
            return len(said) <= _PLAIN_DIGITS and not said.strip(b"0123456789.-")
        return kind == "date" and len(said) == 5 and said.isdigit() and said[0] != _ZERO  # noqa: PLR2004  1927 to 2173

    def _next(self, row: int) -> None:
        if row <= self.row:
            raise ValueError(f"row {row + 1} stands twice, or out of order")
        self.row, self.column = row, -1
        self.count, self.width, self.marks = 0, 0, []

    def start(self, tag: str, one: dict[str, str]) -> None:
        """Follow expat into an element. Raises ValueError for what stands twice, or out of order."""
        tag = tag.rpartition(":")[2]
        if tag == "c":
            row, column = place_of(one["r"]) if "r" in one else (self.row, self.column + 1)
            if row != self.row or column <= self.column:
                raise ValueError(f"the cell {one.get('r')} stands twice, or out of order")
            self.column = column
            self.cell, self.formula, self.value = one, False, None
        elif tag == "row":
            self._next(int(one["r"]) - 1 if "r" in one else self.row + 1)
        elif tag == "f":
            self.formula = True
        elif tag in {"v", "is"}:
            self.value, self.size = [], 0
        elif tag == "rPh":
            self.spoken = True
        elif tag == "mergeCell":
            first, _, last = one["ref"].partition(":")
            self.sheet.merge(place_of(first), place_of(last or first))

    def text(self, text: str) -> None:
        """Take what expat reads in a value. Raises ValueError past MAX_TEXT signs."""
        if self.value is not None and not self.spoken:
            self.value.append(text)
            self.size += len(text)
            if self.size > MAX_TEXT:
                raise ValueError(f"a cell of row {self.row + 1} holds more than {MAX_TEXT} signs")

    def end(self, tag: str) -> None:
        """Follow expat out of an element, and count what it said."""
        tag = tag.rpartition(":")[2]
        if tag == "c":
            self._cell("".join(self.value or []))
            self.value = None
        elif tag == "rPh":
            self.spoken = False
        elif tag == "row" and (self.count or self.marks or self.width):
            self.sheet.add(self.row, self.count, self.width, tuple(self.marks))

    def _cell(self, said: str) -> None:
        form = self.cell.get("t", "n")
        if self.formula or self.value is not None:
            self.width = self.column + 1
        if said.strip():
            self._value(self.column, self.cell.get("s", "0"), form, said)
        elif self.formula and (form != "str" or self.value is None):
            self.marks.append((self.column, None))

    def _value(self, column: int, style: str, form: str, said: str) -> None:
        """Count a value, and mark it if it is not what the reader gives."""
        if form == "s":
            if not 0 <= int(said) < len(self.lengths):
                there = f"but there are {len(self.lengths)}"
                raise ValueError(f"row {self.row + 1} asks for the shared string {said}, {there}")
            self.count += int(said) not in self.blanks
            self.sheet.signs += self.lengths[int(said)]
        elif said.strip():
            self.count += 1
            if form == "e":
                self.marks.append((column, said))
            elif form == "n":
                self.marks += self.sheet.number(column, self.kinds.get(style), said.strip())
            elif form == "d" and not said.endswith(("T00:00:00", "T00:00:00Z")) and "T" in said:
                self.sheet.clocks.add(column)


def place_of(reference: str) -> Place:
    """`B7` → (6, 1)."""
    found = _PLACE.fullmatch(reference)
    if found is None:
        raise ValueError(f"{reference!r} is no cell")
    return int(found[2]) - 1, column_of(found[1].encode())


@lru_cache(MAX_COLUMNS + 2)
def column_of(letters: bytes) -> int:
    """`B` → 1."""
    column = 0
    for letter in letters:
        column = column * 26 + letter - ord("A") + 1
    return column - 1
