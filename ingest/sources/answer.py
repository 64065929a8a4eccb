"""A database's answer, kept as Parquet with the types that the server has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.sources import Fetched, fetched_file
from ingest.sources.way import said
from policies.errors import SourceError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

WIDEST = 38
"""Digits of the widest decimal that the lake has."""
_ROW_GROUP = 122_880  # rows, as DuckDB has them


def schema_of(columns: Iterable[tuple[str, pa.DataType]], place: str) -> pa.Schema:
    """The columns of an answer. Raises SourceError if there is none, or one stands twice."""
    schema = pa.schema(columns)
    if not schema.names:
        raise SourceError(f"{place}: the query gives no columns; it must be one SELECT")
    seen: set[str] = set()
    for name in schema.names:
        if name.casefold() in seen:
            raise SourceError(f"{place}: two columns of the query are called {name!r}; name them apart with AS")
        seen.add(name.casefold())
    return schema


def unfit(place: str, column: str, why: str) -> SourceError:
    """The error of a value that the column's type cannot hold in the lake."""
    return SourceError(
        f"{place}: column {column!r}: {said(why)}; the lake cannot hold such a value: "
        "let the query give the column as text, or leave the row out"
    )


def kept(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, expected: Callable[[], int], cache: Path, place: str
) -> Fetched:
    """Keep the answer in `cache`, whole or not at all.

    Raises SourceError if the rows in the file are not as many as `expected` says once all batches are given.
    """
    part, whole = cache / "answer.part", cache / "answer.parquet"
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=_ROW_GROUP)
    rows = pq.read_metadata(part).num_rows
    if rows != expected():
        raise SourceError(
            f"{place}: the server gave {count_of(expected(), 'row')}, but "
            f"{count_of(rows, 'was', 'were')} kept; try again"
        )
    part.replace(whole)
    return fetched_file(whole, whole.name, place, "parquet")
