"""The cells of one sheet → a table: its header found, its rows written to Parquet as texts, its notes rejected."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.receipt import Reject
from ingest.doubts import refuse_second_names
from ingest.header import Header, Row, find_header
from ingest.readers.cells import lines_of
from ingest.table import SourceColumn, Table, lake_names
from policies.editions import literal, quoted
from policies.errors import ReadingError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from python_calamine import CalamineSheet

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.readers.cells import Cell, Line
    from ingest.readers.sheet import Sheet

_HEAD_ROWS = 200
_BATCH_CELLS = 200_000
_NOTE = "a note below the table: a text in the first cell alone, after an empty row"


@dataclass
class _Body:
    """What stands below the header: the rows in Parquet, and what was found in them."""

    path: Path
    rows: array[int] = field(default_factory=lambda: array("I"))
    seen: set[int] = field(default_factory=set)
    worded: set[int] = field(default_factory=set)
    rejects: list[Reject] = field(default_factory=list)


def read_grid(
    cells: CalamineSheet, sheet: Sheet, reading: Reading, desk: Desk, form: str, dialect: dict[str, str | int | None]
) -> Table:
    """The sheet's table. `dialect` is what is known of it so far.

    Raises ReadingError where its header is in doubt, or a row's values are not as many as the bytes say.
    """
    lines = lines_of(cells, sheet)
    head = list(islice(lines, _HEAD_ROWS))
    header = _header(head, sheet, reading)
    first = header.first - 1
    data = _filled((line for line in chain(head, lines) if line.row >= first), sheet, first)
    below = _footer(sheet, first, reading.footer_rows)
    names = dict(enumerate(header.names)) if header.row is not None else {}
    width = len(head[0].texts)
    body = _written(data, sheet, width, {place for place, name in names.items() if name.strip()}, below, desk)
    used = [place for place in range(width) if place in body.seen or names.get(place, "").strip()]
    if reading.names is not None and len(reading.names) != len(used):
        raise ReadingError(
            f"{count_of(len(reading.names), 'name is', 'names are')} declared, the table has "
            f"{count_of(len(used), 'column')}"
        )
    lake = lake_names(reading.names or (names.get(place, "") for place in used))
    given = ", ".join(f"c{place} AS {quoted(name)}" for place, name in zip(used, lake, strict=True))
    return Table(
        con=desk.con,
        source=f"(SELECT {given} FROM read_parquet({literal(body.path)}))",  # noqa: S608  names are quoted
        format=form,
        columns=tuple(
            SourceColumn(name, names.get(place, ""), digits_are_text=place in body.worded)
            for place, name in zip(used, lake, strict=True)
        ),
        rows_in=_count(sheet, first),
        rejects=lambda: body.rejects,
        dialect={**dialect, **_said(header, sheet, first, dict(zip(used, lake, strict=True)), reading)},
        line_of=lambda wanted: [body.rows[number] + 1 for number in wanted],
    )


def _footer(sheet: Sheet, first: int, declared: int | None) -> int | None:
    """The row from which on all are notes, as declared; None where they are to be found."""
    if declared is None:
        return None
    said = [row for row, count in enumerate(sheet.counts) if row >= first and count]
    if declared > len(said):
        raise ReadingError(
            f"footer_rows is {declared}, but only {count_of(len(said), 'row stands', 'rows stand')} below the names"
        )
    return said[-declared] if declared else len(sheet.counts)


def _count(sheet: Sheet, first: int) -> int:
    """The rows from the first of data on that have a value or a formula, as the bytes say."""
    alone = sum(1 for row in sheet.marks if row >= first and sheet.counts[row] == 0 and sheet.unsaved(row))
    return alone + sum(1 for count in sheet.counts[first:] if count)


def _said(
    header: Header, sheet: Sheet, first: int, names: dict[int, str], reading: Reading
) -> dict[str, str | int | None]:
    percent = [name for place, name in names.items() if place in sheet.percent]
    merged = sum(1 for top, _, bottom, _ in sheet.merges if top >= first and bottom > top)
    return {
        "header_row": header.row or 0,
        **({"header_rows": reading.header_rows} if reading.header_rows > 1 else {}),
        **({"header": " | ".join(header.written)} if header.written else {}),
        **({"above": "\n".join(header.above)} if header.above else {}),
        **({"units": " | ".join(header.units)} if header.units else {}),
        **({"percent": f"0.25 is 25 % in {', '.join(percent)}"} if percent else {}),
        **(
            {"merged": f"{count_of(merged, 'cell that spans rows stands', 'cells that span rows stand')} in each"}
            if merged
            else {}
        ),
    }


def _header(head: Sequence[Line], sheet: Sheet, reading: Reading) -> Header:
    """The header among the first rows, as `ingest/header.py` finds it. Raises ReadingError where it is in doubt."""
    if not head:
        raise ReadingError("the sheet is empty")
    rows = [Row(line.row + 1, line.row + 1, tuple(text or "" for text in line.texts)) for line in head]
    reading = reading.model_copy(update={"names": None})  # they are those of the columns that hold something
    if reading.header_row is not None:
        return find_header(rows, reading)
    # A cell that stands alone in its column makes the table no wider
    least = 1 if len(rows) <= 2 else 2  # noqa: PLR2004
    wide = [place for place, cells in enumerate(zip(*(row.cells for row in rows), strict=True)) if _says(cells, least)]
    narrow = [Row(row.start, row.end, tuple(row.cells[place] for place in wide or [0])) for row in rows]
    found = find_header(narrow, reading)
    at = next(place for place, row in enumerate(rows) if row.start == (found.row or found.first))
    if at > 0 and narrow[at - 1].end + 1 == narrow[at].start and narrow[at - 1].filled > 1:
        raise ReadingError(
            f"row {at} may be the header, or its upper row; declare header_row under read: ({rows[at - 1].start} with "
            f"header_rows: 2, or {rows[at].start} if the table starts there)"
        )
    if found.row is None:
        return found
    if not any(isinstance(cell, str) and cell.strip() for cell in head[at].cells):
        raise ReadingError(
            f"row {found.row} has no text, so it is no header; declare header_row under read: (0 if there is none)"
        )
    _refuse_merged(found.row, sheet, reading.header_rows)
    if not found.units and reading.header_rows == 1 and reading.data_row is None:
        refuse_second_names([row for row in narrow if row.start >= found.first])
    return find_header(rows, reading.model_copy(update={"header_row": found.row}))


def _says(cells: Iterable[str], least: int) -> bool:
    return sum(bool(cell.strip()) for cell in cells) >= least


def _refuse_merged(row: int, sheet: Sheet, depth: int) -> None:
    """Names in merged cells may be groups of names in the next row, or stand beside such groups."""
    merges = [one for one in sheet.merges if one[0] <= row - 1 <= one[2]]
    if merges and depth == 1:
        top, bottom = min(one[0] for one in merges) + 1, max(one[2] for one in merges) + 1
        raise ReadingError(
            f"row {row} has merged cells, so the names may take several rows; declare them under read: "
            f"header_row: {top}, header_rows: {bottom - top + 1 if bottom > top else '1 or 2'}"
        )


def _filled(lines: Iterable[Line], sheet: Sheet, first: int) -> Iterator[Line]:
    """The lines, a cell that was merged over several rows in each of them that says something else."""
    merges = sorted(one for one in sheet.merges if one[0] >= first and one[2] > one[0])
    at, running = 0, dict[int, tuple[int, str | None]]()
    for line in lines:
        for column in [column for column, (last, _) in running.items() if last < line.row]:
            del running[column]
        for column, (_, text) in running.items():
            if line.texts[column] is None:
                line.texts[column] = text
        while at < len(merges) and merges[at][0] <= line.row:
            top, column, bottom, _ = merges[at]
            if top == line.row and column < len(line.texts):
                running[column] = (bottom, line.texts[column])
            at += 1
        yield line


def _written(lines: Iterable[Line], sheet: Sheet, width: int, named: set[int], below: int | None, desk: Desk) -> _Body:
    """The rows in Parquet, but for formulas that were saved without a value, and the notes below the table.

    These are the rows from `below` on; None, they are found.
    """
    body = _Body(desk.path("sheet.parquet"))
    batch: list[Line] = []
    held: list[Line] = []
    before: int | None = None
    schema = pa.schema([(f"c{place}", pa.string()) for place in range(width)])
    with pq.ParquetWriter(body.path, schema, compression="zstd") as writer:
        for line in lines:
            apart, before = before is not None and line.row > before + 1, line.row
            if sheet.unsaved(line.row):
                body.rejects.append(_unsaved(line, sheet))
            elif (apart or held) and _is_note(line, named) if below is None else line.row >= below:
                held.append(line)
            else:
                batch += [*held, line]
                held = []
            if len(batch) * width >= _BATCH_CELLS:
                writer.write_batch(_packed(batch, sheet, body, schema))
                batch = []
        if batch:
            writer.write_batch(_packed(batch, sheet, body, schema))
    body.rejects += [Reject(line=line.row + 1, reason=_NOTE, text=_shown(line)) for line in held]
    return body


def _is_note(line: Line, named: set[int]) -> bool:
    said = [place for place, text in enumerate(line.texts) if text is not None]
    return len(said) == 1 and len(named) > 1 and said[0] <= min(named) and isinstance(line.cells[said[0]], str)


def _packed(lines: list[Line], sheet: Sheet, body: _Body, schema: pa.Schema) -> pa.RecordBatch:
    """The lines for Parquet; what they show of the columns is noted in the body."""
    body.rows.extend(line.row for line in lines)
    columns = [pa.array(texts, pa.string()) for texts in zip(*(line.texts for line in lines), strict=True)]
    for place, column in enumerate(columns):
        if column.null_count < len(column):
            body.seen.add(place)
            if place not in body.worded and any(_is_word(line.cells, place) for line in lines):
                body.worded.add(place)
    for line in lines:
        body.worded.update(column for column, said in sheet.marks.get(line.row, ()) if isinstance(said, int))
    return pa.record_batch(columns, schema=schema)


def _is_word(cells: list[Cell], place: int) -> bool:
    """Whether the cell is a text, so that its digits are no number."""
    cell = cells[place] if place < len(cells) else ""
    return isinstance(cell, str) and cell != "" and not cell.isspace()


def _unsaved(line: Line, sheet: Sheet) -> Reject:
    place = next(column for column, said in sheet.marks[line.row] if said is None)
    reason = "a formula that was saved without its value; open the file in a spreadsheet and save it"
    return Reject(line=line.row + 1, reason=f"{letters(place)}{line.row + 1}: {reason}", text=_shown(line))


def _shown(line: Line) -> str:
    return " | ".join(text or "" for text in line.texts)


def letters(column: int) -> str:
    """1 → `B`."""
    above, at = divmod(column, 26)
    return (letters(above - 1) if above else "") + chr(ord("A") + at)
