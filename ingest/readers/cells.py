"""The cells of a sheet, as calamine gives them → the text of each, corrected and counted by what the bytes say."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.errors import ReadingError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_calamine import CalamineSheet

    from ingest.readers.sheet import Sheet

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta
_EXACT = 1e15


@dataclass(frozen=True)
class Line:
    """One row of the sheet that says something: its number (0 is the first), its cells, and their texts."""

    row: int
    cells: list[Cell]
    texts: list[str | None]


def lines_of(cells: CalamineSheet, sheet: Sheet) -> Iterator[Line]:
    """The rows that say something. Raises ReadingError where the bytes say of more or fewer values."""
    left = 0 if cells.start is None else cells.start[1]
    height, width = len(sheet.counts), max(sheet.width, left + cells.width)
    before: list[Cell] = [""] * left
    for row, given in enumerate(_rows(cells, height)):
        line = [*before, *given]
        texts = _texts(line, row, sheet, width)
        count = width - texts.count(None)
        expected = sheet.counts[row] if row < height else 0
        if count != expected:
            raise ReadingError(
                f"row {row + 1}: {count_of(expected, 'cell has', 'cells have')} a value, but "
                f"{count_of(count, 'was', 'were')} read; save it again"
            )
        if count or row in sheet.marks:
            yield Line(row, line, texts)


def _rows(cells: CalamineSheet, height: int) -> Iterator[list[Cell]]:
    """The rows as calamine gives them, and empty ones as far as the bytes speak of more."""
    given = 0
    for given, row in enumerate(cells.iter_rows(), start=1):  # noqa: B007  it is read below
        yield row
    for _ in range(given, height):
        yield []


def _texts(line: list[Cell], row: int, sheet: Sheet, width: int) -> list[str | None]:
    texts = [_text(cell) for cell in line]
    texts += [None] * (width - len(texts))
    for column in sheet.clocks:
        # Some dates of the column have a time of day: those at midnight have one too
        day = line[column] if column < len(line) else None
        if isinstance(day, dt.date):
            texts[column] = _moment(day)
    for column, said in sheet.marks.get(row, ()):
        if isinstance(said, str):
            texts[column] = said
        elif said is not None:
            digits = texts[column] or ""
            texts[column] = digits.zfill(said) if digits.isdigit() else texts[column]
    return texts


def _text(cell: Cell) -> str | None:
    """The text of a cell's value; None where it says nothing (no value, or nothing but blanks)."""
    if isinstance(cell, str):
        return None if not cell or cell.isspace() else cell
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else _moment(cell)
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return _clock(cell) if isinstance(cell, dt.timedelta) else str(cell)


def _moment(day: dt.date) -> str:
    moment = day if isinstance(day, dt.datetime) else dt.datetime.combine(day, dt.time())
    return moment.isoformat(sep=" ")


def _clock(span: dt.timedelta) -> str:
    """A span as a spreadsheet shows it: hours, past 24 too, minutes and seconds."""
    sign = "-" if span < dt.timedelta() else ""
    seconds, part = divmod(abs(span) // dt.timedelta(microseconds=1), 1_000_000)
    clock = f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return clock + (f".{part:06}".rstrip("0") if part else "")
