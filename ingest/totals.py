"""Rows of totals at a table's end: they are kept as the data they are, and somebody is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.lake import StagedTable
    from ingest.typings import Typing

_LAST = 20
_COLUMNS = 20
"""Among so many columns of texts the one is looked for that says what the row is."""
_TOTAL = re.compile(r"((sous|grand)[- ]?)?(total|totaux)\b|ensemble( (de|du|des) .*| d['’].*)?\s*$", re.IGNORECASE)
_NUMBERS = ("BIGINT", "DECIMAL", "DOUBLE", "FLOAT", "HUGEINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER")


def told_totals(staged: StagedTable, typings: Sequence[Typing]) -> tuple[str, ...]:
    """A sentence if the last rows of a table with numbers begin, in their first text, as totals do; else none."""
    texts = [typing.column.name for typing in typings if typing.sql_type == "VARCHAR"][:_COLUMNS]
    if not texts or not any(typing.sql_type.startswith(_NUMBERS) for typing in typings):
        return ()
    with pq.ParquetFile(staged.path) as file:
        groups = file.metadata.num_row_groups
        last = file.read_row_group(groups - 1, columns=texts).select(texts) if groups else None
    said: list[str] = []
    rows = [] if last is None else last.slice(max(last.num_rows - _LAST, 0)).to_pylist()
    for row in reversed(rows):
        first = next((text.strip() for text in row.values() if text and text.strip()), "")
        if _TOTAL.match(first) is None:
            break
        said.append(first)
    if not said or len(said) == staged.rows:
        return ()
    names = ", ".join(map(repr, reversed(said)))
    if len(said) == 1:
        return (f"the last row, {names}, seems to be a total; it is kept as data: leave it out of sums",)
    return (f"the last {len(said)} rows, {names}, seem to be totals; they are kept as data: leave them out of sums",)
