"""What the XML of an .xlsx says of its sheets (ECMA-376, parts 18.3 and 18.8).

Most rows are written plainly: a pattern takes these whole. All else is parsed by expat. If the pattern takes what is no
row, the count of its values is not the reader's, and the sheet is refused.
"""

from __future__ import annotations

import re
import zipfile
from array import array
from functools import lru_cache
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from ingest.readers.sheet import MAX_COLUMNS, MAX_TEXT, Kind, Mark, Place, Sheet, kind_of
from ingest.readers.xmlparts import elements, feed, parser_for

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK, _SMALL = 1 << 20, 1 << 16
_PLAIN_DIGITS = 15
_ZERO = ord("0")
_SHARED = 1 << 25
"""Texts that the sheets may be said to share, whatever is there: some programs say how often they stand in cells."""
_PLACE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_VALUE = re.compile(rb"<(?:\w+:)?(?:v|f|is)[ >]")
_FORMULA = rb"(?:<f>[^<>&]*</f>|<f [^<>]*(?:/>|>[^<>&]*</f>))?"
_TEXT = rb'(?: xml:space="preserve")?>'
_ROWS = re.compile(
    rb'<row (?:[^<>\']{0,300} )?r="(?P<row>[1-9][0-9]{0,6})"(?: [^<>\']{0,300})?(?<!/)>'
    rb'(?:<c r="[A-Z]{1,3}(?P=row)"(?: s="[0-9]+")?(?>/>|(?: t="[a-z]+")?>'
    + _FORMULA
    + rb"<v"
    + _TEXT
    + rb'[^<>&]+</v></c>| t="inlineStr"><is><t'
    + _TEXT
    + rb"[^<>&]+</t></is></c>))*+</row>"
)
_VALUES = re.compile(
    rb'<c r="([A-Z]{1,3})[0-9]+"(?: s="([0-9]+)")?(?: t="([a-zA-Z]+)")?>' + _FORMULA + rb"<(?:v|is><t)[^<>]*>([^<>&]+)<"
)
_STRINGS = re.compile(rb"(?:<si><t" + _TEXT + rb"[!-%'-;=?-~\xc3][^<>&]*</t></si>)++")
_STRING = re.compile(rb">([^<>]+)</t>")
_FIRSTS = frozenset(b"!\"#$%'()*+,-./:;=?@[]^_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\xc3")
"""With what a text starts that surely says something: a sign of ASCII, or a letter with an accent in UTF-8."""


class Workbook:
    """The parts of an .xlsx that its sheets share."""

    def __init__(self, path: Path) -> None:
        """Read them. Raises BadZipFile, KeyError, ValueError or ExpatError if the file is none, or is damaged."""
        self.path = path
        with zipfile.ZipFile(path) as book:
            self.parts = _parts(book)
            self.kinds = _kinds(book)
            self.lengths, self.blanks = _strings(book)
        self.rows = _ROWS

    def is_empty(self, name: str) -> bool:
        """Whether no cell of the sheet has a value."""
        before = b""
        with zipfile.ZipFile(self.path) as book, book.open(self.parts[name]) as file:
            while chunk := file.read(_CHUNK):
                if _VALUE.search(before + chunk) or b"\0" in chunk:  # UTF-16: it is parsed anyhow
                    return False
                before = chunk[-64:]
        return True

    def is_single(self, name: str) -> bool:
        """Whether the sheet says something in one cell alone; a damaged one is none, as who opens it is told."""
        with zipfile.ZipFile(self.path) as book:
            if book.getinfo(self.parts[name]).file_size > _SMALL:
                return False
        try:
            return self.sheet(name).single
        except (ValueError, KeyError, ExpatError):
            return False

    def sheet(self, name: str) -> Sheet:
        """What the sheet's XML says. Raises ValueError, KeyError or ExpatError if it is damaged."""
        cells = _Cells(self)
        parser = parser_for(cells.start, cells.text, cells.end)
        with zipfile.ZipFile(self.path) as book, book.open(self.parts[name]) as file:
            feed(file, parser, b"</row>", self.rows, cells.plain)
        return cells.sheet


def _parts(book: zipfile.ZipFile) -> dict[str, str]:
    """The part of the package that holds each sheet, by the sheet's name."""
    targets = {one["Id"]: one["Target"] for _, one in elements(book, "xl/_rels/workbook.xml.rels") if "Id" in one}
    found: dict[str, str] = {}
    for tag, one in elements(book, "xl/workbook.xml"):
        target = targets.get(one.get("r:id", "")) if tag == "sheet" else None
        if target is not None:
            if one["name"] in found:
                raise ValueError(f"two sheets are called {one['name']!r}")
            found[one["name"]] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    if len(set(found.values())) < len(found):
        raise ValueError("two of its sheets lie in the same place")
    return found


def _kinds(book: zipfile.ZipFile) -> dict[str, Kind]:
    """What each cell style shows."""
    if "xl/styles.xml" not in book.namelist():
        return {}
    codes: dict[int, str] = {}
    found: dict[str, Kind] = {}
    inside = False
    for tag, one in elements(book, "xl/styles.xml"):
        if tag == "numFmt":
            codes.setdefault(int(one["numFmtId"]), one.get("formatCode", ""))
        elif tag in {"cellXfs", "cellStyles"}:
            inside = tag == "cellXfs"
        elif tag == "xf" and inside:
            found[str(len(found))] = kind_of(int(one.get("numFmtId", "0")), codes)
    return found


def _strings(book: zipfile.ZipFile) -> tuple[array[int], frozenset[int]]:
    """The lengths of the strings that the sheets share, in bytes or signs, and which of them say nothing."""
    part = next((name for name in book.namelist() if name.lower() == "xl/sharedstrings.xml"), None)
    if part is None:
        return array("I"), frozenset()
    blanks: set[int] = set()
    lengths, depth, said, declared = array("I"), 0, [""], 0

    def start(tag: str, one: dict[str, str]) -> None:
        nonlocal depth, declared
        tag = tag.rpartition(":")[2]
        declared = max(declared, _count(one.get("uniqueCount", "")))
        if tag == "si":
            said.clear()
        depth += tag in {"t", "rPh"} and (tag == "t" or 2)  # what is in rPh says how the text is spoken

    def text(some: str) -> None:
        if depth == 1:
            said.append(some)

    def end(tag: str) -> None:
        nonlocal depth
        tag = tag.rpartition(":")[2]
        depth -= tag in {"t", "rPh"} and (tag == "t" or 2)
        if tag == "si":
            if not "".join(said).strip():
                blanks.add(len(lengths))
            lengths.append(sum(map(len, said)))

    def known(found: re.Match[bytes]) -> None:
        lengths.extend(map(len, _STRING.findall(found[0])))

    with book.open(part) as file:
        feed(file, parser_for(start, text, end), b"</si>", _STRINGS, known)
    _refuse_countless(declared, len(lengths))
    return lengths, frozenset(blanks)


def _count(said: str) -> int:
    return int(said) if said.isdecimal() else 0


def _refuse_countless(declared: int, there: int) -> None:
    """Calamine takes the memory for so many texts at once, and ends the process if there is not so much."""
    if declared > max(_SHARED, there):
        raise ValueError(f"it says that its sheets share {declared} texts, but there are {there}")


class _Cells:
    """Follows the sheet's elements: `row`, `c` (a cell), in it `f` (its formula), `v` or `is` (its value)."""

    def __init__(self, book: Workbook) -> None:
        self.sheet = Sheet()
        self.lengths, self.blanks, self.kinds = book.lengths, book.blanks, book.kinds
        self.short = len(str(len(self.lengths)))
        self.special = {style.encode(): kind for style, kind in book.kinds.items() if kind is not None}
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
        if self.value is not None and not self.spoken:
            self.value.append(text)
            self.size += len(text)
            if self.size > MAX_TEXT:
                raise ValueError(f"a cell of row {self.row + 1} holds more than {MAX_TEXT} signs")

    def end(self, tag: str) -> None:
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
