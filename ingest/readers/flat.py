"""Records with parts in parts → flat columns of texts, in Parquet on the desk; a column may appear late.

A row is a mapping from a value's path (`("buyer", "id")`, read `buyer.id`, column `buyer_id`) to its text.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.receipt import Reject
from ingest.codes import looks_like_code
from ingest.readers.exponents import spelled
from ingest.table import SourceColumn, lake_names
from policies.editions import literal, quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ingest.desk import Desk

MAX_COLUMNS = 20_000
MAX_DEPTH = 200
"""How many levels of parts in parts are read."""
MAX_RECORD = 64 * 2**20
"""How many signs one record may have."""
SHOWN = 10_000
"""How much of a rejected record is shown."""
_ROWS, _CELLS, _SIGNS = 50_000, 2_000_000, 16 * 2**20


class Bare(str):
    """A text that was written without quotes, such as a number: it need not stay text."""

    __slots__ = ()


class Exponent(Bare):
    """A number that was written with an exponent, such as `1e2`."""

    __slots__ = ()


Path_: TypeAlias = "tuple[str, ...]"
Row: TypeAlias = "dict[Path_, str | bytes | None]"


@dataclass(frozen=True, kw_only=True)
class Flat:
    """What was written: its columns, a FROM item that has exactly them, each row's line, and what was no record."""

    columns: tuple[SourceColumn, ...]
    source: str
    lines: array[int]
    rejects: list[Reject]


def write_flat(
    path: Path, rows: Iterable[tuple[int, Row | Reject]], desk: Desk, binary: frozenset[Path_] = frozenset()
) -> Flat:
    """Write all rows, each with its line or number in the file at `path`, in batches; `binary` are columns of bytes.

    Raises ReadingError if there is no row, or more columns than MAX_COLUMNS.
    """
    batch: list[Row] = []
    known: dict[Path_, bool] = {}
    powers: set[Path_] = set()
    parts: list[Path] = []
    lines, rejects, signs = array("q"), [], 0
    writer: pq.ParquetWriter | None = None
    written = -1
    try:
        for line, row in rows:
            if isinstance(row, Reject):
                rejects.append(row)
                continue
            for key, value in row.items():
                quoted_text = value is not None and not isinstance(value, Bare)
                known[key] = known.get(key, False) or quoted_text
                if type(value) is Exponent:
                    powers.add(key)
                signs += 0 if value is None else len(value)
            if len(known) > MAX_COLUMNS:
                raise ReadingError(f"{path}: line or record {line}: the records have more than {MAX_COLUMNS} columns")
            batch.append(row)
            lines.append(line)
            if len(batch) >= _ROWS or len(batch) * len(known) >= _CELLS or signs >= _SIGNS:
                writer, written = _flush(batch, known, binary, writer, written, parts, desk)
                batch, signs = [], 0
        if batch:
            writer, written = _flush(batch, known, binary, writer, written, parts, desk)
    finally:
        if writer is not None:
            writer.close()
    if not known:
        why = f", {len(rejects)} were none; the first: {rejects[0].reason}" if rejects else ""
        raise ReadingError(f"{path}: no record with a value in it{why}")
    return Flat(columns=_columns(known), source=_source(known, parts, powers, desk), lines=lines, rejects=rejects)


def _flush(
    batch: list[Row],
    known: dict[Path_, bool],
    binary: frozenset[Path_],
    writer: pq.ParquetWriter | None,
    written: int,
    parts: list[Path],
    desk: Desk,
) -> tuple[pq.ParquetWriter, int]:
    """Write the batch; into a file of its own if there are more columns than there were."""
    kinds = [pa.binary() if key in binary else pa.string() for key in known]
    schema = pa.schema([(f"c{number}", kind) for number, kind in enumerate(kinds)])
    if writer is None or written != len(known):
        if writer is not None:
            writer.close()
        parts.append(desk.path("records.parquet"))
        writer = pq.ParquetWriter(parts[-1], schema, compression="zstd")
    arrays = [pa.array([row.get(key) for row in batch], kind) for key, kind in zip(known, kinds, strict=True)]
    writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return writer, len(known)


def json_text(value: Any) -> str:
    """A value as JSON, what is `Bare` as it was written."""
    if isinstance(value, Bare):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{json_text(key)}: {json_text(one)}" for key, one in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ", ".join([json_text(one) for one in value]) + "]"
    return json.dumps(value, ensure_ascii=False)


def _columns(known: dict[Path_, bool]) -> tuple[SourceColumn, ...]:
    """In the order in which they first stand in the file."""
    names = lake_names("_".join(part.lstrip("@") for part in key if part) for key in known)
    return tuple(
        SourceColumn(name, ".".join(key), digits_are_text=as_text)
        for name, (key, as_text) in zip(names, known.items(), strict=True)
    )


def _source(known: dict[Path_, bool], parts: list[Path], powers: set[Path_], desk: Desk) -> str:
    files = f"read_parquet([{', '.join(literal(str(part)) for part in parts)}], union_by_name=true)"
    named = []
    for number, (column, key) in enumerate(zip(_columns(known), known, strict=True)):
        value = f"c{number}"
        if key in powers and not column.digits_are_text and looks_like_code(column.name, []) is None:
            value = spelled(desk.con, files, value)
        named.append(f"{value} AS {quoted(column.name)}")
    return f"(SELECT {', '.join(named)} FROM {files})"  # noqa: S608  names are quoted
