"""Spreadsheets, by python-calamine: each cell as the text of its value, so that columns are proven as in a CSV.

A number is written in the shortest way that gives it back, a date in ISO 8601. A sheet's rows are counted by its cells,
apart from the rows that are read.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook, ZipError

from ingest.table import SourceColumn, Table, lake_names
from policies.document import suggest
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from catalog.model import Reading

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta
_HEAD_ROWS = 50
_VIEW = "sheet"


def read_excel(path: Path, reading: Reading, con: duckdb.DuckDBPyConnection) -> Table:
    """Read one sheet of the workbook at `path`: the declared one, or the first. Raises ReadingError."""
    try:
        book = CalamineWorkbook.from_path(path)
        name = reading.sheet or book.sheet_names[0]
        if name not in book.sheet_names:
            message = f"{path}: no sheet {name!r}; {suggest(name, book.sheet_names)}"
            raise ReadingError(message)
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except (CalamineError, ZipError, OSError) as error:
        message = f"{path}: cannot be read as a spreadsheet: {error}; check that it is an .xlsx file"
        raise ReadingError(message) from None
    header_at = _header_at(path, rows, reading.header_row)
    lines = [number for number in range(header_at + 1, len(rows)) if any(_text(cell) for cell in rows[number])]
    used = _used(rows, header_at, lines)
    columns = []
    names = lake_names(_text(rows[header_at][place]) or "" for place in used)
    for name_in_lake, place in zip(names, used, strict=True):
        strings = any(isinstance(rows[number][place], str) and _text(rows[number][place]) for number in lines)
        columns.append(SourceColumn(name_in_lake, _text(rows[header_at][place]) or "", digits_are_text=strings))
    arrays = [pa.array([_text(rows[number][place]) for number in lines], pa.string()) for place in used]
    con.register(_VIEW, pa.table(arrays, names=names))
    return Table(
        con=con,
        source=_VIEW,
        audited=_VIEW,
        format="xlsx",
        columns=tuple(columns),
        rows_in=sum(any(_text(cell) for cell in row) for row in rows[header_at + 1 :]),
        rejects=list,
        dialect={"sheet": name, "header_row": header_at + 1},
        line_of=lambda wanted: _lines(lines, wanted),
    )


def _header_at(path: Path, rows: list[list[Cell]], declared: int | None) -> int:
    """The place (0 is the first) of the header: the first row about as full as the fullest, with nothing but text."""
    if declared is not None:
        if declared > len(rows):
            message = f"{path}: header_row is {declared}, but the sheet has {len(rows)} rows"
            raise ReadingError(message)
        return declared - 1
    filled = [sum(bool(_text(cell)) for cell in row) for row in rows[:_HEAD_ROWS]]
    fullest = max(filled, default=0)
    if fullest == 0:
        message = f"{path}: the sheet is empty"
        raise ReadingError(message)
    for number, row in enumerate(rows[:_HEAD_ROWS]):
        texts = all(isinstance(cell, str) for cell in row if _text(cell))
        if texts and filled[number] * 5 >= fullest * 4:
            return number
    message = f"{path}: no header row found in the first {_HEAD_ROWS} rows; declare header_row under read:"
    raise ReadingError(message)


def _used(rows: list[list[Cell]], header_at: int, lines: list[int]) -> list[int]:
    """The places of the columns that have a name or a value."""
    width = len(rows[header_at])
    return [
        place
        for place in range(width)
        if _text(rows[header_at][place]) or any(_text(rows[number][place]) for number in lines)
    ]


def _text(cell: Cell) -> str | None:
    """A cell's value as text; None where it says nothing (no value, or nothing but blanks)."""
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


def _lines(lines: list[int], wanted: Sequence[int]) -> list[int]:
    return [lines[number] + 1 for number in wanted]
