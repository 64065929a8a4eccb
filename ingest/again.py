"""What comes again where new rows come below the old: a file with other bytes, rows that stand there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from policies.editions import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from catalog.receipt import ReadFile
    from ingest.differences import Shape

_MOST = 0.5
"""From this share on, rows that stand in the table already are taken for a source that brings its old rows again."""


def corrected(files: Iterable[ReadFile], before: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Each file whose rows are in the table as they were in other bytes, in a sentence.

    `before` has the hashes of all bytes that a file's name ever stood for, since the table began.
    """
    return tuple(
        f"the file {file.name!r} was added before and has other bytes now: its rows would stand beside those it had; "
        "to replace them, ingest once with 'mode: snapshot' while all files lie there, or give the rows a key and use "
        "'mode: merge'"
        for file in files
        if file.name in before and file.sha256 not in before[file.name]
    )


def standing(before: Shape, after: Shape, spill: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is said of rows of `after` that stand in `before` too: why to hold them, or else what to note of them."""
    count = _count(before, after, spill)
    if count == 0:
        return (), ()
    said = f"{count} of the {after.rows} new rows stand in the table already, value for value; if the source brings "
    said += "its old rows again, give them a key and use 'mode: merge', or 'mode: snapshot' if it brings all of them"
    return ((said,), ()) if count >= after.rows * _MOST else ((), (said,))


def _count(before: Shape, after: Shape, spill: Path) -> int:
    """How many rows of `after` stand in `before`, in the columns that both have and in the types of `after`.

    By hashes of 64 bits: in ten million rows beside as many, one too many is counted once in 180,000 times.
    """
    had = {column.name: column.type for column in before.columns}
    both = [column for column in after.columns if column.name in had]
    if not both or not before.files:
        return 0
    new = ", ".join(quoted(column.name) for column in both)
    old = ", ".join(
        quoted(column.name) if had[column.name] == column.type else f"TRY_CAST({quoted(column.name)} AS {column.type})"
        for column in both
    )
    with duckdb.connect() as con:
        con.execute("SET temp_directory = ?", [str(spill)])
        statement = (
            f"SELECT count(*) FROM {_rows(after)} WHERE hash({new}) IN (SELECT hash({old}) FROM {_rows(before)})"  # noqa: S608
        )
        return int(con.execute(statement).fetchall()[0][0])


def _rows(shape: Shape) -> str:
    return f"read_parquet([{', '.join(map(literal, shape.files))}])"
