"""Where what was detected may be wrong: a file is refused, with what to declare, rather than read in a doubtful way."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from ingest.kinds import NUMBERS, kind_of, shape_of
from ingest.markers import is_marker
from ingest.marks import Marks, rows_of
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.model import Reading
    from ingest.header import Header, Row

_MOSTLY = 0.6
"""So many rows show a doubt: others may be torn by what causes it."""
_HARDLY = 0.1
_FIGURES = 2
"""So many columns of figures show that a row of words among them is none of theirs."""
_ROWS, _COLUMNS = 60, 500
"""So much is looked at."""
_DELIMITERS = ",;\t|"
_FIGURE = re.compile(r"[-+]?[0-9][0-9\W_]*")
_PAIRS = {("«", "»"), ("“", "”"), ("[", "]")}


def refuse_doubts(header: Header, below: Sequence[Row], marks: Marks, reading: Reading) -> None:
    """Raise ReadingError where the first rows `below` the header show that the detected dialect may be wrong."""
    rows = [[cell.strip() for cell in row.cells[:_COLUMNS]] for row in below]
    texts = ([] if header.row is None else [list(header.names[:_COLUMNS])]) + rows[:_ROWS]
    if len(texts) > 2:  # noqa: PLR2004
        if len(header.names) == 1 and header.row is not None and reading.names is None:
            _refuse_one_column([marks.delimiter.join(cells) for cells in texts], header.row, reading.delimiter)
        if reading.quote is None:
            _refuse_quoted([cell for cells in texts for cell in cells if cell])
            _refuse_signs_alone(texts)
    declared = reading.header_row is not None or reading.header_rows > 1 or reading.data_row is not None
    if header.row is not None and not header.units and not declared:
        refuse_second_names(below)
    if reading.footer_rows is None:
        _refuse_second_table(rows, [row.start for row in below], len(header.names[:_COLUMNS]))


def _refuse_one_column(texts: Sequence[str], line: int, declared: str | None) -> None:
    """A sign that parts the name and most values into as many pieces may be a delimiter, but not within codes.

    Where a delimiter is `declared` that stands nowhere, two pieces between a usual one show it too.
    """
    kind = kind_of(texts[1:])
    if kind is not None and (kind == NUMBERS or "a" not in kind):
        return
    least, where = (3, "") if declared is None else (2, f" and none between the declared {declared!r}")
    for sign in dict.fromkeys(texts[0]):
        if sign.isalnum() or sign in " \"'" or (declared is not None and sign not in _DELIMITERS):
            continue
        widths = [len(next(rows_of([text], Marks(sign)), [])) for text in texts]
        width, count = Counter(widths).most_common(1)[0]
        if width == widths[0] >= least and count >= _MOSTLY * len(widths):
            raise ReadingError(
                f"from line {line} on, each line has {width} parts between {sign!r}{where}: declare delimiter: "
                f"{sign!r} under read:, or names: [NAME] if it is one column"
            )


def _refuse_quoted(said: Sequence[str]) -> None:
    """Cells that nearly all stand within a sign, or two, which are no quotes here, are not what the file means."""
    start, end = (said[0][0], said[0][-1]) if said else ("a", "a")
    if start.isalnum() or end.isalnum() or (start != end and (start, end) not in _PAIRS):
        return
    if sum(len(cell) > 1 and cell[0] == start and cell[-1] == end for cell in said) >= _MOSTLY * len(said):
        what = f"declare quote: {start!r} under read:" if start == end else "put usual quotes there in the source"
        raise ReadingError(
            f"the cells stand within {start} and {end}: {what}, or declare quote: '\"' if these are signs of the values"
        )


def _refuse_signs_alone(texts: Sequence[list[str]]) -> None:
    """A column that holds a delimiter alone is what stands between the cells of another dialect."""
    for place, sign in enumerate(texts[0]):
        if sign in {";", ",", "|", ":"} and all(cells[place : place + 1] in ([sign], []) for cells in texts):
            raise ReadingError(
                f"column {place + 1} holds nothing but {sign!r}: declare the delimiter and the quote under read:"
            )


def refuse_second_names(below: Sequence[Row]) -> None:
    """Different words above columns of figures, right below the names, may be names too.

    A name may hold figures, as INSEE's `P20_POP` does, but does not begin with one, nor look like the values below it.
    """
    rows = [[cell.strip() for cell in row.cells[:_COLUMNS]] for row in below[: _ROWS + 1]]
    if len(rows) <= 3 or not _may_be_names(rows[0]):  # noqa: PLR2004
        return
    columns = [[row[place] for row in rows[1:] if place < len(row) and row[place]] for place in range(len(rows[0]))]
    kinds = [kind_of(column) if len(column) > 1 else None for column in columns]
    for cell, kind in zip(rows[0], kinds, strict=True):
        if any(map(str.isdigit, cell)) and (not cell[0].isalpha() or shape_of(cell) == kind):
            return
    if sum(kind is not None for kind in kinds) >= _FIGURES:
        raise ReadingError(
            f"line {below[0].start} has words above columns of figures: declare under read: header_rows: 2 if they "
            f"belong to the names, data_row: {below[1].start} to pass over them, or data_row: {below[0].start} if it "
            "is a row"
        )


def _refuse_second_table(rows: Sequence[list[str]], lines: Sequence[int], width: int) -> None:
    """Different words below figures may be the names of another table, where such a column goes on otherwise.

    The rows of a table of another width are rejected one by one.
    """
    for at in range(2, len(rows) - 2):
        if len(rows[at]) != width or not _may_be_names(rows[at]):
            continue
        figures = [place for place, cell in enumerate(rows[at - 1][: len(rows[at])]) if _FIGURE.fullmatch(cell)]
        above, after = rows[max(at - _ROWS, 0) : at], rows[at + 1 : at + _ROWS]
        if len(figures) >= _FIGURES and any(_is_gone(above, after, place) for place in figures):
            raise ReadingError(
                f"line {lines[at]} may be the names of another table, as the rows below it are unlike those above; "
                "part the file in the source, or declare footer_rows: 0 under read: if they are rows of this one"
            )


def _may_be_names(row: Sequence[str]) -> bool:
    """Whether every cell has letters and is no marker, and no two say the same."""
    return (
        all(any(map(str.isalpha, cell)) for cell in row)
        and len(set(row)) == len(row)
        and not any(is_marker(cell, None) for cell in row)
    )


def _is_gone(above: Sequence[list[str]], after: Sequence[list[str]], place: int) -> bool:
    """Whether hardly any cell of a column is written as nearly all are above."""
    before = [row[place] for row in above if place < len(row) and row[place]]
    shapes = [shape_of(row[place]) for row in after if place < len(row) and row[place]]
    kind = kind_of(before)
    return kind is not None and min(len(before), len(shapes)) > 1 and shapes.count(kind) <= _HARDLY * len(shapes)
