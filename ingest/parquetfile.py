"""The rows of a SELECT → one Parquet file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.editions import literal

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

_LAYOUT = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 5000"
"""Smaller and a quarter faster than the engine's own choice (docs/benchmarks.md); Spark reads it since 3.3."""
_ROWS = 122_880
"""So many rows has a row group of the engine."""
_BYTES = 2**23
"""A row group of long rows has about so many."""
_LONG = 2**16
"""Rows of more bytes are written by one thread: each holds a vector of them, read, and made another geometry."""


def write_parquet(con: duckdb.DuckDBPyConnection, statement: str, path: Path, *, row_bytes: float = 0) -> None:
    """Write the rows of `statement`, in their order; `row_bytes` is what a long one has. Raises duckdb.Error.

    The engine holds a row group of each thread in memory, to write it and to read it. Outlines of thousands of places
    are so long that this is more than it may take: their groups are of fewer rows.
    """
    rows = min(_ROWS, max(1, int(_BYTES / max(row_bytes, 1))))
    copy = f"COPY ({statement}) TO {literal(path)} ({_LAYOUT}, ROW_GROUP_SIZE {rows}, USE_TMP_FILE false)"
    if row_bytes <= _LONG:
        con.execute(copy)
        return
    con.execute("SET threads = 1")
    try:
        con.execute(copy)
    finally:
        con.execute("RESET threads")
