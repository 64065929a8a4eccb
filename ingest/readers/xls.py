"""What the records of an .xls say of its sheets ([MS-XLS]; BIFF5 and BIFF8)."""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING

from ingest.readers.ole import read_compound
from ingest.readers.sheet import Kind, Sheet, kind_of
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BOF, _EOF, _FILEPASS, _BOUNDSHEET, _SST, _CONTINUE, _FORMAT, _XF = 0x809, 0xA, 0x2F, 0x85, 0xFC, 0x3C, 0x41E, 0xE0
_NUMBER, _RK, _MULRK, _FORMULA, _STRING, _MERGED, _DIMENSIONS = 0x203, 0x27E, 0xBD, 0x6, 0x207, 0xE5, 0x200
_LABELSST, _LABEL, _RSTRING, _BOOLERR = 0xFD, 0x204, 0xD6, 0x205
_NUMERIC = {_NUMBER, _RK, _MULRK}
_CELLS = {*_NUMERIC, _FORMULA, _LABELSST, _LABEL, _RSTRING, _BOOLERR}
_TRUE, _WRONG = 1, 2
"""What a formula gives that is no number and no text: true or false, or an error."""
_BIFF5, _BIFF8 = 0x500, 0x600
_MAX_AREA = 1 << 24
"""Cells of a sheet: 65,536 rows by 256 columns."""
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}

Record = tuple[int, bytes]


def read_sheets(path: Path) -> list[Sheet]:
    """The sheets of the workbook at `path`, in its order; those of macros and charts have no values.

    Raises ReadingError if it is encrypted or no workbook, ValueError, KeyError or struct.error if it is damaged.
    """
    compound = read_compound(path)
    if "encryptedpackage" in compound.entries:
        raise ReadingError("the workbook is encrypted; save it without a password")
    name = next((one for one in ("workbook", "book") if one in compound.entries), None)
    if name is None:
        raise ReadingError("this is an old document of Office, but no workbook; save its table as .xlsx")
    return _Book(compound.stream(name)).sheets()


class _Book:
    """The records of a workbook."""

    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self.blanks: frozenset[int] = frozenset()
        self.lengths = array("I")
        self.kinds: list[Kind] = []
        self.starts: list[int] = []
        self.wide, self.end = True, 0

    def sheets(self) -> list[Sheet]:
        codes: dict[int, str] = {}
        formats: list[int] = []
        strings: list[bytes] = []
        last = 0
        for kind, data in self._records(0):
            if kind == _FILEPASS:
                raise ReadingError("the workbook is encrypted; save it without a password")
            if kind == _BOUNDSHEET:
                start, _, sort = struct.unpack_from("<IBB", data)
                self.starts.append(start if sort == 0 else -1)
            elif kind == _FORMAT:
                codes[struct.unpack_from("<H", data)[0]] = self._text(data[2:], "<H" if self.wide else "<B")
            elif kind == _XF:
                formats.append(struct.unpack_from("<H", data, 2)[0])
            elif kind == _SST or (kind == _CONTINUE and last == _SST):
                strings.append(data)
            last = last if kind == _CONTINUE else kind
        self.kinds = [kind_of(one, codes) for one in formats]
        shared = list(_strings(strings)) if strings else []
        self.lengths = array("I", (length for length, _ in shared))
        self.blanks = frozenset(number for number, (_, blank) in enumerate(shared) if blank)
        found: dict[int, Sheet] = {}
        for start in sorted(one for one in self.starts if one >= 0):
            if start < self.end:
                raise ValueError("two of its sheets lie in the same place")
            found[start] = self._sheet(start)
        return [found.get(start, Sheet()) for start in self.starts]

    def _records(self, at: int) -> Iterator[Record]:
        """The records of one part of the stream, without those of the charts in it."""
        depth = 0
        if self.stream[at : at + 2] != _BOF.to_bytes(2, "little"):
            raise ReadingError("a sheet is not where the workbook says, or it is of before 1993")
        while True:
            kind, size = struct.unpack_from("<HH", self.stream, at)
            data = self.stream[at + 4 : at + 4 + size]
            at += 4 + size
            if kind == _BOF:
                depth += 1
                (version,) = struct.unpack_from("<H", data)
                if version not in {_BIFF5, _BIFF8}:
                    raise ReadingError("a workbook of before 1993; save it as .xlsx")
                self.wide = version == _BIFF8
            elif kind == _EOF:
                depth -= 1
            if depth <= 0:
                self.end = at
                return
            if kind == _DIMENSIONS:
                _refuse_vast(data)
            if depth == 1 or kind == _FILEPASS:
                yield kind, data

    def _text(self, data: bytes, length: str) -> str:
        """A text with its length before it; that of BIFF5 in an unknown code page, but for its digits and signs."""
        (count,) = struct.unpack_from(length, data)
        at = struct.calcsize(length)
        if not self.wide:
            return data[at : at + count].decode("cp1252", errors="replace")
        if data[at] & 1:
            return data[at + 1 : at + 1 + 2 * count].decode("utf-16-le", errors="replace")
        return data[at + 1 : at + 1 + count].decode("latin-1")

    def _sheet(self, start: int) -> Sheet:
        sheet = Sheet()
        waiting: tuple[int, int] | None = None  # a formula whose text comes after it
        for kind, data in self._records(start):
            if kind == _STRING and waiting is not None:
                sheet.add(waiting[0], int(bool(self._text(data, "<H").strip())), waiting[1] + 1)
                waiting = None
            elif kind == _MERGED:
                for number in range(struct.unpack_from("<H", data)[0]):
                    top, bottom, left, right = struct.unpack_from("<4H", data, 2 + 8 * number)
                    sheet.merge((top, left), (bottom, right))
            elif kind in _CELLS:
                _unsaved(sheet, waiting)
                waiting = self._cell(sheet, kind, data)
        _unsaved(sheet, waiting)
        return sheet

    def _cell(self, sheet: Sheet, kind: int, data: bytes) -> tuple[int, int] | None:
        """Count a cell, or the cells of one record; the place of a formula whose text is still to come."""
        if kind in _NUMERIC or (kind == _FORMULA and data[12:14] != b"\xff\xff"):
            for row, column, style, value in _numbers(kind, data):
                shown = self.kinds[style] if style < len(self.kinds) else None
                sheet.add(row, 1, column + 1, () if shown is None else sheet.number(column, shown, repr(value)))
            return None
        row, column = struct.unpack_from("<HH", data)
        if kind == _FORMULA and data[6] == 0:
            return row, column
        if kind == _LABELSST:
            (number,) = struct.unpack_from("<I", data, 6)
            sheet.signs += self.lengths[number] if number < len(self.lengths) else 0
        said, error = self._word(kind, data)
        sheet.add(row, int(said), column + 1, ((column, error),) if error else ())
        return None

    def _word(self, kind: int, data: bytes) -> tuple[bool, str]:
        """Whether a cell that is no number says something, and the error that it is, if it is one."""
        if kind == _LABELSST:
            return struct.unpack_from("<I", data, 6)[0] not in self.blanks, ""
        if kind in {_LABEL, _RSTRING}:
            return bool(self._text(data[6:], "<H").strip()), ""
        code, wrong = (data[8], data[6] == _WRONG) if kind == _FORMULA else (data[6], data[7] == 1)
        return kind != _FORMULA or data[6] in {_TRUE, _WRONG}, _ERRORS[code] if wrong else ""


def _rk(data: bytes, at: int) -> tuple[int, float]:
    """The style and the number of a cell in four bytes ([MS-XLS] 2.5.217)."""
    style, packed = struct.unpack_from("<HI", data, at)
    if packed & 2:
        value = float((packed >> 2) - ((packed >> 31) << 30))
    else:
        (value,) = struct.unpack("<d", struct.pack("<Q", (packed & 0xFFFFFFFC) << 32))
    return style, value / 100 if packed & 1 else value


def _numbers(kind: int, data: bytes) -> Iterator[tuple[int, int, int, float]]:
    """The numbers of a record, each with its row, column and style."""
    if kind in {_NUMBER, _FORMULA}:
        yield struct.unpack_from("<HHHd", data)
        return
    row, column = struct.unpack_from("<HH", data)
    for number in range((len(data) - 4) // 6):
        yield row, column + number, *_rk(data, 4 + 6 * number)


def _refuse_vast(data: bytes) -> None:
    """Calamine takes the memory for all cells that this record says, and ends the process if there is not so much."""
    layout = "<IIHH" if len(data) >= struct.calcsize("<IIHH") else "<4H"  # of BIFF8, of BIFF5
    top, bottom, left, right = struct.unpack_from(layout, data)
    rows, columns = ((last - first) % (1 << 32) if last else 0 for first, last in ((top, bottom), (left, right)))
    if rows * columns > _MAX_AREA:
        raise ValueError(f"a sheet says that it goes from row {top}, column {left} to row {bottom}, column {right}")


def _unsaved(sheet: Sheet, place: tuple[int, int] | None) -> None:
    if place is not None:
        sheet.add(place[0], 0, place[1] + 1, ((place[1], None),))


def _strings(segments: list[bytes]) -> Iterator[tuple[int, bool]]:
    """How long each shared string is, and if it says nothing; it may go on in the next record ([MS-XLS] 2.4.265)."""
    parts = iter(segments)
    data, at = _next(parts), 8
    (total,) = struct.unpack_from("<I", data, 4)
    for _ in range(total):
        if at >= len(data):
            data, at = _next(parts), 0
        count, flags = struct.unpack_from("<HB", data, at)
        at += 3
        length, skip = count, 0
        if flags & 8:
            skip += 4 * struct.unpack_from("<H", data, at)[0]
            at += 2
        if flags & 4:
            skip += struct.unpack_from("<I", data, at)[0]
            at += 4
        blank = True
        while count > 0:
            if at >= len(data):
                data, at = _next(parts), 1
                flags = data[0]
            size = 1 + (flags & 1)
            taken = min(count, (len(data) - at) // size)
            if taken == 0:
                raise ValueError("a shared string is cut")
            text = data[at : at + taken * size]
            blank = blank and not text.decode("utf-16-le" if size > 1 else "latin-1", errors="replace").strip()
            at += taken * size
            count -= taken
        while skip > len(data) - at:
            skip -= len(data) - at
            data, at = _next(parts), 0
        at += skip
        yield length, blank


def _next(parts: Iterator[bytes]) -> bytes:
    data = next(parts, b"")
    if not data:
        raise ValueError("a shared string is cut")
    return data
