"""Spreadsheets, by python-calamine: each cell as the text of its value, so that columns are proven as in a CSV.

A number is written in the shortest way that gives it back, with the zeros that its format shows; a date in ISO 8601; an
error as Excel shows it. `sheet.py` counts the rows apart, and finds what calamine does not tell.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook, ZipError

from catalog.model import Reject
from ingest.readers.sheet import Sheet, read_sheet
from ingest.table import SourceColumn, Table, lake_names
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Tables

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta
_HEAD_ROWS = 50


def read_excel(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The sheets of the workbook at `path`. Raises ReadingError."""
    try:
        book = CalamineWorkbook.from_path(path)
    except (CalamineError, ZipError, OSError) as error:
        raise ReadingError(
            f"{path}: cannot be read as a spreadsheet: {error}; check that it is an .xlsx file"
        ) from None
    return {name: partial(_open, path, book, name, reading, desk) for name in book.sheet_names}


def _open(path: Path, book: CalamineWorkbook, name: str, reading: Reading, desk: Desk) -> Table:
    try:
        sheet = read_sheet(path, name)
        cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except (CalamineError, ZipError, OSError) as error:
        raise ReadingError(
            f"{path}: cannot be read as a spreadsheet: {error}; check that it is an .xlsx file"
        ) from None
    texts = _texts(cells, sheet)
    header_at = _header_at(path, texts, cells, reading.header_row)
    header = texts[header_at]
    unsaved = {row: place for (row, _), place in sheet.unsaved.items() if row > header_at}
    below = [row for row in range(header_at + 1, len(texts)) if any(texts[row])]
    good = [row for row in below if row not in unsaved]
    used = [place for place in range(len(header)) if header[place] or any(texts[row][place] for row in below)]
    columns = [
        SourceColumn(name, header[place] or "", digits_are_text=_has_text(cells, sheet, good, place))
        for name, place in zip(lake_names(header[place] or "" for place in used), used, strict=True)
    ]
    arrays = [pa.array([texts[row][place] for row in good], pa.string()) for place in used]
    rejects = [_unsaved(texts, row, place) for row, place in sorted(unsaved.items())]
    return Table(
        con=desk.con,
        source=desk.view(pa.table(arrays, names=[column.name for column in columns])),
        format="xlsx",
        columns=tuple(columns),
        rows_in=_count(texts, sheet, header_at),
        rejects=lambda: rejects,
        dialect={"sheet": name, "sheets": len(book.sheet_names), "header_row": header_at + 1},
        line_of=lambda wanted: _lines(good, wanted),
    )


def _texts(cells: list[list[Cell]], sheet: Sheet) -> list[list[str | None]]:
    """Each cell's text; None where it says nothing (no value, or nothing but blanks)."""
    texts = [[_text(cell) for cell in row] for row in cells]
    for (row, column), said in sheet.texts.items():
        texts[row][column] = said
    for (row, column), said in sheet.long.items():
        if isinstance(cells[row][column], int | float):  # and no date, whose fraction of a day may be long
            texts[row][column] = said
    for (row, column), width in sheet.widths.items():
        digits = texts[row][column] or ""
        texts[row][column] = digits.zfill(width) if digits.isdigit() else texts[row][column]
    for column in range(len(cells[0]) if cells else 0):
        days = [(row, cell) for row, line in enumerate(cells) if isinstance(cell := line[column], dt.date)]
        if any(isinstance(day, dt.datetime) and day.time() != dt.time() for _, day in days):
            # Some have a time of day: those at midnight have one too
            for row, day in days:
                moment = day if isinstance(day, dt.datetime) else dt.datetime.combine(day, dt.time())
                texts[row][column] = moment.isoformat(sep=" ")
    return texts


def _count(texts: list[list[str | None]], sheet: Sheet, header_at: int) -> int:
    """The rows below the header that the XML gives a value or a formula, but for those of blanks alone."""
    unsaved = {row for row, _ in sheet.unsaved}
    blank = {row for row in sheet.rows - unsaved if row < len(texts) and not any(texts[row])}
    return sum(row > header_at for row in (sheet.rows | unsaved) - blank)


def _unsaved(texts: list[list[str | None]], row: int, place: str) -> Reject:
    reason = f"{place}: a formula that was saved without its value; open the file in a spreadsheet and save it"
    said = texts[row] if row < len(texts) else []
    return Reject(line=row + 1, reason=reason, text=" | ".join(one or "" for one in said))


def _header_at(path: Path, texts: list[list[str | None]], cells: list[list[Cell]], declared: int | None) -> int:
    """The place (0 is the first) of the header: the first row about as full as the fullest.

    Raises ReadingError where a row that would be passed over may be the header, or the one found has no text.
    """
    if declared is not None:
        if declared > len(texts):
            raise ReadingError(f"{path}: header_row is {declared}, but the sheet has {len(texts)} rows")
        return declared - 1
    filled = [sum(text is not None for text in row) for row in texts[:_HEAD_ROWS]]
    fullest = max(filled, default=0)
    if fullest == 0:
        raise ReadingError(f"{path}: the sheet is empty")
    at = next(row for row, count in enumerate(filled) if count * 5 >= fullest * 4)
    for row in range(at):
        # A title has one cell; two right above the table, or half of its width, may well be names of columns
        if filled[row] > 1 and (filled[row] >= fullest / 2 or row == at - 1):
            raise ReadingError(
                f"{path}: row {row + 1} may be the header, or row {at + 1}; declare header_row under read:"
            )
    if not any(isinstance(cell, str) and cell.strip() for cell in cells[at]):
        raise ReadingError(f"{path}: row {at + 1} has no text, so it is no header; declare header_row under read:")
    return at


def _has_text(cells: list[list[Cell]], sheet: Sheet, rows: list[int], place: int) -> bool:
    """Whether some cell of the column is text, or a number that is shown with zeros before it."""
    return any(
        (isinstance(cell := cells[row][place], str) and cell.strip()) or (row, place) in sheet.widths for row in rows
    )


def _text(cell: Cell) -> str | None:
    if isinstance(cell, str):
        return cell if cell.strip() else None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)  # noqa: PLR2004  exact so far
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)


def _lines(rows: list[int], wanted: Sequence[int]) -> list[int]:
    return [rows[number] + 1 for number in wanted]
