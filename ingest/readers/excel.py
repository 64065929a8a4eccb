"""Spreadsheets, by python-calamine: each cell as the text of its value, so that columns are proven as in a CSV.

A number is written in the shortest way that gives it back, with the zeros that its format shows; a date in ISO 8601; an
error as it is shown. What the bytes say themselves (`sheet.py`) corrects the reader, and proves for each row that all
its values were read. The kind of workbook is that of its bytes, whatever its name.
"""

from __future__ import annotations

import os
import struct
import threading
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal
from xml.parsers.expat import ExpatError

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum, ZipError

from ingest.readers import ods, xls
from ingest.readers.grid import read_grid
from ingest.readers.ole import is_ole
from ingest.readers.sheet import Sheet, refuse_large
from ingest.readers.xlsx import Workbook
from ingest.table import leaving_out
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Table, Tables

Form = Literal["xlsx", "xls", "ods"]
_DAMAGED = (
    CalamineError,
    ZipError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ExpatError,
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
_STDERR = 2
_HUSHED = threading.Lock()
"""Held while stderr is another: jobs on Dask may share a process, and each must find again what it was."""


@dataclass(frozen=True)
class _Book:
    """A workbook: its sheets that hold something, what the bytes say of each, and the reader of the cells.

    `single` are those that hold one cell alone.
    """

    path: Path
    form: Form
    reader: CalamineWorkbook
    sheets: Mapping[str, Callable[[], Sheet]]
    hidden: frozenset[str]
    single: frozenset[str]


def read_excel(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The sheets of the .xlsx, .xls or .ods at `path`, but for the empty ones, and, beside others, those of one cell.

    These are read where they are asked for by name. Raises ReadingError.
    """
    with _told(str(path)):
        book = _opened(path, desk)
        if not book.sheets:
            raise ReadingError("no sheet of the workbook has any cell")
    notes = [name for name in book.sheets if name in book.single and name != reading.table]
    notes = notes if len(notes) < len(book.sheets) else []
    tables = {name: partial(_open, book, name, reading, desk) for name in book.sheets if name not in notes}
    return leaving_out(tables, [f"{name} (one cell)" for name in notes])


def _open(book: _Book, name: str, reading: Reading, desk: Desk) -> Table:
    with _told(f"{book.path}: sheet {name!r}"):
        sheet = book.sheets[name]()
        refuse_large([sheet])
        with _hushed():
            cells = book.reader.get_sheet_by_name(name)
        dialect: dict[str, str | int | None] = {"sheet": name, "sheets": len(book.reader.sheet_names)}
        if name in book.hidden:
            dialect["hidden"] = "yes"
        return read_grid(cells, sheet, reading, desk, book.form, dialect)


def _opened(path: Path, desk: Desk) -> _Book:
    """The workbook. What would fill the memory or define entities is refused before calamine sees it."""
    if is_ole(path):
        listed = xls.read_sheets(path)
        refuse_large(listed)
        reader = _reader(path, desk, "xls")
        found = dict(zip(reader.sheet_names, listed, strict=True))
        return _listed(path, "xls", reader, found)
    with path.open("rb") as file:
        start = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        raise ReadingError("this is an HTML or XML page, whatever its name; open it in a spreadsheet, save it as .xlsx")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if "content.xml" in names:
            found = ods.read_sheets(archive)
            refuse_large(list(found.values()))
            reader = _reader(path, desk, "ods")
            return _listed(path, "ods", reader, found)
    workbook = Workbook(path)
    reader = _reader(path, desk, "xlsx")
    tables = [one.name for one in reader.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
    filled = {name: partial(workbook.sheet, name) for name in tables if not workbook.is_empty(name)}
    return _book(path, "xlsx", reader, filled, frozenset(filter(workbook.is_single, filled)))


def _listed(path: Path, form: Form, reader: CalamineWorkbook, found: Mapping[str, Sheet]) -> _Book:
    """The workbook whose sheets are all known."""
    filled = {name: _known(one) for name, one in found.items() if one.width}
    return _book(path, form, reader, filled, frozenset(name for name, one in found.items() if one.single))


def _known(sheet: Sheet) -> Callable[[], Sheet]:
    return lambda: sheet


def _reader(path: Path, desk: Desk, form: Form) -> CalamineWorkbook:
    """Calamine's, told by the file's name what its bytes are."""
    link = desk.path(f"book.{form}")
    link.symlink_to(path.absolute())
    with _hushed():
        try:
            return CalamineWorkbook.from_path(link)
        except CalamineError:
            if form != "ods":
                raise
            return CalamineWorkbook.from_path(ods.without_spaces(path, desk.path("book.ods")))


def _book(
    path: Path,
    form: Form,
    reader: CalamineWorkbook,
    sheets: Mapping[str, Callable[[], Sheet]],
    single: frozenset[str],
) -> _Book:
    hidden = {one.name for one in reader.sheets_metadata if one.visible != SheetVisibleEnum.Visible}
    return _Book(path, form, reader, sheets, frozenset(hidden), single)


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the process's stderr from what Rust writes there of a panic: `_told` says it, as a ReadingError."""
    with _HUSHED, open(os.devnull, "wb") as nowhere:  # noqa: PTH123  no path, a device
        kept = os.dup(_STDERR)
        os.dup2(nowhere.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)


@contextmanager
def _told(place: str) -> Iterator[None]:
    """What the libraries raise on damaged bytes, as a ReadingError that names the place."""
    try:
        yield
    except ReadingError as error:
        raise ReadingError(f"{place}: {error}") from None
    except PasswordError:
        raise ReadingError(f"{place}: the workbook is encrypted; save it without a password") from None
    except _DAMAGED as error:
        raise ReadingError(_damaged(place, error)) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's, which is no Exception
            raise
        raise ReadingError(_damaged(place, error)) from None


def _damaged(place: str, error: BaseException) -> str:
    reason = str(error).split("\n", 1)[0][:300] or type(error).__name__
    return f"{place}: cannot be read as a spreadsheet: {reason}; check that it is whole, or save it again as .xlsx"
