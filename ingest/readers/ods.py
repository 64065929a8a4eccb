"""What the XML of an .ods says of its sheets (OpenDocument 1.3, parts 9 and 19)."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.readers.sheet import MAX_COLUMNS, MAX_ROWS, MAX_TEXT, Mark, Sheet
from ingest.readers.xmlparts import elements, parser_for
from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20
_MAX_ROWS = 1 << 24
_ERROR = re.compile(r"Err:[0-9]{3}|#[A-Z][A-Z/0-9]*[!?]?")
_ZEROS = re.compile(r"0[0-9]+")
_DURATION = re.compile(r"(-?)P(?:([0-9]+)D)?T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:[.,]([0-9]+))?S)?")
_HOURS_A_DAY = 24
_CELLS = {"table:table-cell", "table:covered-table-cell"}
_BESIDE = {"office:annotation", "table:shapes", "table:tracked-changes"}
_AROUND = re.compile(rb"[ \t\r\n]+(?=</?table:|<text:p[\s/>])")
"""White space that is between elements, as no text of a cell ends in these."""
_SIGNS = {"text:tab": "\t", "text:line-break": "\n"}


def read_sheets(book: zipfile.ZipFile) -> dict[str, Sheet]:
    """The sheets of the workbook, by name, in its order.

    Raises ReadingError if it is encrypted, ValueError, KeyError or ExpatError if it is damaged.
    """
    if any(tag == "encryption-data" for tag, _ in elements(book, "META-INF/manifest.xml")):
        raise ReadingError("the workbook is encrypted; save it without a password")
    tables = _Tables()
    parser = parser_for(tables.start, tables.text, tables.end)
    parser.StartCdataSectionHandler = tables.special
    with book.open("content.xml") as file:
        while chunk := file.read(_CHUNK):
            parser.Parse(chunk, False)  # noqa: FBT003  expat takes no keywords
        parser.Parse(b"", True)  # noqa: FBT003
    return tables.sheets


def without_spaces(path: Path, target: Path) -> Path:
    """The workbook at `path` without the white space between its rows, cells and paragraphs, written to `target`.

    Who writes a tag a line is read by office suites, and not by calamine.
    """
    with zipfile.ZipFile(path) as book, zipfile.ZipFile(target, "w") as copy:
        for name in {"mimetype", "META-INF/manifest.xml"} & set(book.namelist()):
            copy.writestr(name, book.read(name))
        with book.open("content.xml") as file, copy.open("content.xml", "w", force_zip64=True) as made:
            rest = b""
            while chunk := file.read(_CHUNK):
                whole, sign, rest = (rest + chunk).rpartition(b">")
                made.write(_AROUND.sub(b"", whole + sign))
            made.write(rest)
    return target


@dataclass
class _Cell:
    """A cell as its element says it; `special` if the reader would lose part of its text."""

    attributes: dict[str, str]
    texts: list[str]
    paragraphs: int = 0
    special: bool = False


class _Tables:
    """Follows the document's elements: a table, its rows, in these the cells, in these the paragraphs."""

    def __init__(self) -> None:
        self.sheets: dict[str, Sheet] = {}
        self.sheet: Sheet | None = None
        self.row, self.repeated, self.column = 0, 1, 0
        self.count, self.width, self.signs = 0, 0, 0
        self.marks: list[Mark] = []
        self.cell: _Cell | None = None
        self.beside, self.paragraph = 0, 0
        self.size, self.rows = 0, 0

    def special(self) -> None:
        if self.cell is not None:
            self.cell.special = True

    def start(self, tag: str, one: dict[str, str]) -> None:
        if self.beside or tag in _BESIDE or tag.startswith("draw:"):
            self.beside += 1
        elif tag == "table:table":
            if self.sheet is not None:
                raise ValueError("a table stands in a cell of another")
            name = one.get("table:name", "")
            if name in self.sheets:
                raise ValueError(f"two sheets are called {name!r}")
            self.sheet = self.sheets[name] = Sheet()
            self.row = 0
        elif self.sheet is None:
            return
        elif tag == "table:table-row":
            self.repeated = _number(one.get("table:number-rows-repeated"))
            self.column, self.count, self.width, self.signs, self.marks = 0, 0, 0, 0, []
        elif tag in _CELLS:
            self.cell, self.size = _Cell(one, []), 0
        elif self.cell is not None:
            self._text_element(self.cell, tag, one)

    def _text_element(self, cell: _Cell, tag: str, one: dict[str, str]) -> None:
        if tag == "text:p":
            if cell.paragraphs:
                self._say("\n")
            cell.paragraphs += 1
            self.paragraph += 1
        elif tag == "text:s":
            spaces = _number(one.get("text:c"))
            self._say(" " * min(spaces, MAX_TEXT + 1))
        elif tag in _SIGNS:
            self._say(_SIGNS[tag])
            cell.special = True

    def text(self, text: str) -> None:
        if self.paragraph and not self.beside:
            self._say(text)

    def _say(self, text: str) -> None:
        if self.cell is None:
            return
        self.cell.texts.append(text)
        self.size += len(text)
        if self.size > MAX_TEXT:
            raise ValueError(f"a cell holds more than {MAX_TEXT} signs")

    def end(self, tag: str) -> None:
        if self.beside:
            self.beside -= 1
        elif tag == "text:p" and self.cell is not None:
            self.paragraph -= 1
        elif tag in _CELLS and self.cell is not None:
            self._end_of_cell(self.cell)
            self.cell, self.paragraph = None, 0
        elif tag == "table:table-row" and self.sheet is not None:
            if self.width:
                self.sheet.add(self.row, self.count, self.width, tuple(self.marks), self.repeated)
                self.sheet.signs += self.signs * self.repeated
            self.row += self.repeated
        elif tag == "table:table" and self.sheet is not None:
            self.rows += len(self.sheet.counts)
            if self.rows > _MAX_ROWS:
                raise ValueError(f"its sheets have more than {_MAX_ROWS} rows")
            self.sheet = None

    def _end_of_cell(self, cell: _Cell) -> None:
        one, text = cell.attributes, "".join(cell.texts)
        repeated = _number(one.get("table:number-columns-repeated"))
        column, self.column = self.column, self.column + repeated
        kind = one.get("office:value-type", one.get("calcext:value-type"))
        if kind is None and not text and "table:formula" not in one:
            return
        if self.column > MAX_COLUMNS or self.sheet is None:
            raise ValueError(f"row {self.row + 1}: a value stands beyond column {MAX_COLUMNS}")
        self.width = self.column
        said, mark = _said(self.sheet, column, kind, cell, text)
        if kind is None and not text:
            said, mark = "", ((column, None),)
        self.count += repeated if said.strip() else 0
        self.signs += len(said) * repeated
        for place in range(column, self.column):
            self.marks += [(place, what) for _, what in mark]
            if kind == "percentage":
                self.sheet.percent.add(place)
            elif kind == "date" and "T" in said and not said.endswith("T00:00:00"):
                self.sheet.clocks.add(place)
        across, down = (_number(one.get(f"table:number-{name}-spanned")) for name in ("columns", "rows"))
        if across > 1 or down > 1:
            last = (min(self.row + down, MAX_ROWS) - 1, min(column + across, MAX_COLUMNS) - 1)
            self.sheet.merge((self.row, column), last)


def _said(sheet: Sheet, column: int, kind: str | None, cell: _Cell, text: str) -> tuple[str, tuple[Mark, ...]]:
    """The value of a cell as it is written, and its mark if it needs one."""
    one = cell.attributes
    if one.get("calcext:value-type") == "error" or (kind != "string" and _ERROR.fullmatch(text)):
        return text, ((column, text),)
    if kind in {"float", "percentage", "currency"}:
        said = one["office:value"]
        shown = len(text) if _ZEROS.fullmatch(text) and float(text) == float(said) else None
        return said, sheet.number(column, shown, said)
    if kind == "time":
        said = one["office:time-value"]
        clock = _clock(said)
        return said, () if clock is None else ((column, clock),)
    if kind in {"boolean", "date"}:
        return one[f"office:{kind}-value"], ()
    if kind != "string" or (cell.special and "office:string-value" not in one):
        return text, ((column, text),) if text.strip() else ()
    return one.get("office:string-value", text), ()


def _clock(said: str) -> str | None:
    """`PT26H30M00S` → `26:30:00`, None for a time of one day, or what is no duration."""
    found = _DURATION.fullmatch(said)
    if found is None:
        return None
    hours = int(found[2] or 0) * _HOURS_A_DAY + int(found[3] or 0)
    minutes, seconds, part = int(found[4] or 0), int(found[5] or 0), (found[6] or "").rstrip("0")
    if not found[1] and not found[2] and hours < _HOURS_A_DAY:
        return None
    return f"{found[1]}{hours:02}:{minutes:02}:{seconds:02}" + (f".{part}" if part else "")


def _number(said: str | None) -> int:
    """A count of an attribute, 1 if it is not said."""
    count = 1 if said is None else int(said)
    if count < 0:
        raise ValueError(f"{said} times")
    return max(count, 1)
