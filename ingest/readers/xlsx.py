"""What the XML of an .xlsx says of its sheets, and of what they share (ECMA-376, parts 18.3 and 18.8)."""

from __future__ import annotations

import re
import zipfile
from array import array
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from ingest.readers.sheet import Kind, Sheet, kind_of
from ingest.readers.xlsxcells import ROWS, TEXT, Cells
from ingest.readers.xmlparts import elements, feed, parser_for

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK, _SMALL = 1 << 20, 1 << 16
_SHARED = 1 << 25
"""Texts that the sheets may be said to share, whatever is there: some programs say how often they stand in cells."""
_VALUE = re.compile(rb"<(?:\w+:)?(?:v|f|is)[ >]")
_STRINGS = re.compile(rb"(?:<si><t" + TEXT + rb"[!-%'-;=?-~\xc3][^<>&]*</t></si>)++")
_STRING = re.compile(rb">([^<>]+)</t>")


class Workbook:
    """The parts of an .xlsx that its sheets share."""

    def __init__(self, path: Path) -> None:
        """Read them. Raises BadZipFile, KeyError, ValueError or ExpatError if the file is none, or is damaged."""
        self.path = path
        with zipfile.ZipFile(path) as book:
            self.parts = _parts(book)
            self.kinds = _kinds(book)
            self.lengths, self.blanks = _strings(book)
        self.rows = ROWS

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
        cells = Cells(self.lengths, self.blanks, self.kinds)
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
