"""What the XML of an .xlsx says of one sheet, apart from the reader that gives its cells.

The reader gives no cell for an error (`#N/A`) or for a formula that was saved without its value, and drops the zeros
that a number format shows (`00000` makes 1001 read 01001): here they are found. ECMA-376, parts 18.3 and 18.8.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20
_MAX_XML = 4 << 30
_MAX_CELLS = 200_000_000
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_ZEROS = re.compile(r"0{2,}")
_NOT_DIGITS = re.compile(r'\[[^\]]*\]|\\.|_.|["\s]')
_DIGITS = 15
"""More significant digits than a float keeps: their text is taken as it stands."""

Place = tuple[int, int]
"""The row and the column of a cell, both from 0."""


@dataclass
class Sheet:
    """The rows that have a value, and the cells whose value is not what the reader gives.

    `texts` are errors, `unsaved` formulas without a value, `widths` the digits that a format shows, `long` numbers of
    more digits than a float keeps, as they are written.
    """

    rows: set[int] = field(default_factory=set)
    texts: dict[Place, str] = field(default_factory=dict)
    unsaved: dict[Place, str] = field(default_factory=dict)
    widths: dict[Place, int] = field(default_factory=dict)
    long: dict[Place, str] = field(default_factory=dict)
    last: Place = (0, 0)


def read_sheet(path: Path, name: str) -> Sheet:
    """The sheet called `name`. Raises ReadingError if the file is no .xlsx, or the sheet is too large to be read."""
    try:
        with zipfile.ZipFile(path) as book:
            part = _part_of(book, name)
            zeros = _zero_formats(book)
            return _parsed(path, book, part, zeros)
    except (zipfile.BadZipFile, KeyError, expat.ExpatError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ReadingError(
            f"{path}: cannot be read as a spreadsheet: {error}; check that it is an .xlsx file"
        ) from None


def _part_of(book: zipfile.ZipFile, name: str) -> str:
    """The part of the package that holds the sheet."""
    ids = [one["r:id"] for tag, one in _elements(book, "xl/workbook.xml") if tag == "sheet" and one["name"] == name]
    targets = {one["Id"]: one["Target"] for _, one in _elements(book, "xl/_rels/workbook.xml.rels") if "Id" in one}
    target = targets[ids[0]] if ids else ""
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _zero_formats(book: zipfile.ZipFile) -> dict[str, int]:
    """The cell styles that show a number with leading zeros, and how many digits they show."""
    if "xl/styles.xml" not in book.namelist():
        return {}
    codes: dict[str, int] = {}
    found: dict[str, int] = {}
    inside, number = False, 0
    for tag, one in _elements(book, "xl/styles.xml"):
        shown = _NOT_DIGITS.sub("", one.get("formatCode", "").split(";")[0])
        if tag == "numFmt" and _ZEROS.fullmatch(shown):
            codes[one["numFmtId"]] = len(shown)
        elif tag in {"cellXfs", "cellStyles"}:
            inside = tag == "cellXfs"
        elif tag == "xf" and inside:
            if one.get("numFmtId") in codes:
                found[str(number)] = codes[one["numFmtId"]]
            number += 1
    return found


def _elements(book: zipfile.ZipFile, part: str) -> list[tuple[str, dict[str, str]]]:
    """The elements of a small part, each with its attributes; prefixes of tags are left out."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, one: found.append((tag.rpartition(":")[2], one))
    _feed(book, part, parser)
    return found


def _feed(book: zipfile.ZipFile, part: str, parser: Any) -> None:
    if book.getinfo(part).file_size > _MAX_XML:
        raise KeyError(f"{part} is larger than {_MAX_XML} bytes")
    with book.open(part) as file:
        while chunk := file.read(_CHUNK):
            parser.Parse(chunk, False)  # noqa: FBT003  expat takes no keywords
        parser.Parse(b"", True)  # noqa: FBT003


class _Cells:
    """Follows the sheet's elements: `row`, `c` (a cell), in it `f` (its formula), `v` or `is` (its value)."""

    def __init__(self, sheet: Sheet, zeros: dict[str, int]) -> None:
        self.sheet = sheet
        self.zeros = zeros
        self.place: Place = (-1, -1)
        self.cell: dict[str, str] = {}
        self.formula = False
        self.value: list[str] | None = None
        self.row = -1

    def start(self, tag: str, one: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "row":
            row = int(one["r"]) - 1 if "r" in one else self.row + 1
            if row <= self.row:
                raise ValueError(f"row {row + 1} stands twice, or out of order")
            self.row, self.place = row, (row, -1)
        elif tag == "c":
            place = _place(one["r"]) if "r" in one else (self.row, self.place[1] + 1)
            if place <= self.place:
                raise ValueError(f"the cell {one.get('r')} stands twice, or out of order")
            self.place = place
            self.cell, self.formula, self.value = one, False, None
        elif tag == "f":
            self.formula = True
        elif tag in {"v", "is"}:
            self.value = []

    def text(self, text: str) -> None:
        if self.value is not None:
            self.value.append(text)

    def end(self, tag: str) -> None:
        if tag.rpartition(":")[2] != "c":
            return
        said = "".join(self.value or [])
        if said:
            self.sheet.rows.add(self.place[0])
            self.sheet.last = (max(self.sheet.last[0], self.place[0]), max(self.sheet.last[1], self.place[1]))
            if self.cell.get("t") == "e":
                self.sheet.texts[self.place] = said
            elif self.cell.get("s") in self.zeros and self.cell.get("t", "n") == "n":
                self.sheet.widths[self.place] = self.zeros[self.cell["s"]]
            elif self.cell.get("t", "n") == "n" and sum(one.isdigit() for one in said) > _DIGITS:
                self.sheet.long[self.place] = said
        elif self.formula and self.cell.get("t") != "str":
            self.sheet.unsaved[self.place] = self.cell.get("r", "")
        self.value = None


def _parsed(path: Path, book: zipfile.ZipFile, part: str, zeros: dict[str, int]) -> Sheet:
    cells = _Cells(Sheet(), zeros)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = cells.start
    parser.CharacterDataHandler = cells.text
    parser.EndElementHandler = cells.end
    _feed(book, part, parser)
    rows, columns = (one + 1 for one in cells.sheet.last)
    if rows * columns > _MAX_CELLS:
        raise ReadingError(
            f"{path}: the sheet's last cell makes it {rows} rows by {columns} columns, too large to be read; "
            "delete what stands far from the table, and save it again"
        )
    return cells.sheet


def _place(reference: str) -> Place:
    """`B7` → (6, 1)."""
    found = _PLACE.fullmatch(reference)
    if found is None:
        raise KeyError(f"{reference!r} is no cell")
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(found[2]) - 1, column - 1
