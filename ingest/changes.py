"""What a new snapshot has that the one before had not: counted row by row, whatever their order.

Rows are told apart by 64 bits of a hash: in one of 90,000 comparisons of ten million rows with as many, two are taken
for equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from catalog.receipt import Changes
from policies.editions import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from catalog.lake import ServedColumn


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The files of a snapshot, and its columns."""

    files: Sequence[Path]
    columns: tuple[ServedColumn, ...]


def changes(before: Snapshot, after: Snapshot, spill: Path, memory_mb: int) -> Changes:
    """What `after` has and `before` has not. At most `memory_mb` MB are taken, and then the disk at `spill`."""
    had = {column.name: column.type for column in before.columns}
    has = {column.name: column.type for column in after.columns}
    added, removed = _rows(before, after, [name for name in has if had.get(name) == has[name]], spill, memory_mb)
    return Changes(
        rows_added=added,
        rows_removed=removed,
        columns_added=tuple(name for name in has if name not in had),
        columns_removed=tuple(name for name in had if name not in has),
        columns_retyped={
            name: f"{had[name]} → {kind}" for name, kind in has.items() if name in had and had[name] != kind
        },
    )


def _rows(before: Snapshot, after: Snapshot, common: list[str], spill: Path, memory_mb: int) -> tuple[int, int]:
    """How many rows are only in the one, and only in the other; equal rows are as many as they are."""
    hashed = f"hash({', '.join(map(quoted, common))})" if common else "0"
    sides = [
        f"SELECT {hashed} AS row, {sign} AS side FROM read_parquet([{', '.join(map(literal, side.files))}])"  # noqa: S608
        for side, sign in ((after, 1), (before, -1))
    ]
    with duckdb.connect() as con:
        con.execute("SET temp_directory = ?", [str(spill)])
        con.execute(f"SET memory_limit = '{memory_mb}MB'")
        con.execute("SET preserve_insertion_order = false")
        found = con.execute(
            "SELECT coalesce(sum(greatest(many, 0)), 0)::BIGINT, coalesce(sum(greatest(-many, 0)), 0)::BIGINT "  # noqa: S608
            f"FROM (SELECT sum(side) AS many FROM ({' UNION ALL '.join(sides)}) GROUP BY row)"
        ).fetchone()
    return (0, 0) if found is None else (found[0], found[1])
