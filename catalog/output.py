"""A relation → a table for a person, or what a program reads."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, BinaryIO

import duckdb
from rich.table import Table as Sheet
from rich.text import Text

from catalog.answers import DoubledError, plain, refuse_doubled, write_answer
from policies.errors import QueryError

if TYPE_CHECKING:
    from rich.console import Console

    from catalog.answers import Form

_SHOWN_ROWS = 50
_SHOWN_WIDTH = 60


class Format(StrEnum):
    """What `datalab query` writes."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


_FORMS: dict[Format, Form] = {Format.csv: "csv", Format.json: "json", Format.parquet: "parquet"}


def write(relation: duckdb.DuckDBPyRelation, form: Format, out: BinaryIO, console: Console) -> int:
    """Write all rows of `relation` to `out`; a `table` goes to `console` and stops after 50 rows, saying so.

    Returns how many rows were written. Raises QueryError when the engine fails on the way.
    """
    try:
        if form is Format.table:
            return _table(relation, console)
        # What goes to a program is as it is; what a spreadsheet opens is a download
        return write_answer(relation, _FORMS[form], out, defuse=False)
    except (duckdb.Error, DoubledError) as error:
        raise QueryError(str(error)) from None


def _table(relation: duckdb.DuckDBPyRelation, console: Console) -> int:
    refuse_doubled(relation)
    sheet = Sheet()
    for name in relation.columns:
        sheet.add_column(Text(name))
    rows = plain(relation, "table").limit(_SHOWN_ROWS + 1).fetchall()
    for row in rows[:_SHOWN_ROWS]:
        sheet.add_row(*(Text(_shown(cell)) for cell in row))
    console.print(sheet)
    if len(rows) > _SHOWN_ROWS:
        console.print(f"the first {_SHOWN_ROWS} rows; --format csv, json or parquet writes all")
    return min(len(rows), _SHOWN_ROWS)


def _shown(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return text if len(text) <= _SHOWN_WIDTH else text[: _SHOWN_WIDTH - 1] + "…"
