"""A relation → Arrow, Parquet, CSV or JSON, as it is made. Used here, and by the engine in a jail (sandbox/inside).

It imports nothing of the DataLab, so that a jail can be given this one file.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from typing import BinaryIO

    import duckdb

Form = Literal["arrow", "parquet", "csv", "json"]

_BATCH = 50_000
_PLAIN_SCALE = 6
_NESTED = {"list", "array", "struct", "map", "union", "blob", "interval", "variant"}
_FORMULA = r"(?s)^[=@\t\r\n]|^[+\-].*[^0-9 .,()/\-]"
"""What starts a formula in a spreadsheet: https://owasp.org/www-community/attacks/CSV_Injection."""


class DoubledError(ValueError):
    """Two columns of an answer have one name."""


def write_answer(relation: duckdb.DuckDBPyRelation, form: Form, out: BinaryIO, *, defuse: bool) -> int:
    """Write all rows of `relation` to `out` as they come; returns how many there were.

    Arrow is an IPC stream and Parquet a file, both packed by zstd; CSV is UTF-8 with a header, and with `defuse`
    has no cell that a spreadsheet would run; JSON is one array of objects, a row a line. Geometry is WKT, in Parquet
    WKB. Raises DoubledError if two columns have one name, duckdb.Error when the engine fails on the way.
    """
    refuse_doubled(relation)
    reader = plain(relation, form, defuse=defuse).to_arrow_reader(_BATCH)
    if form == "json":
        return _json(reader, out)
    rows = 0
    with _writer(reader.schema, relation, form, out) as writer:
        for batch in reader:
            rows += batch.num_rows
            writer.write_batch(batch)
    return rows


def plain(
    relation: duckdb.DuckDBPyRelation, form: Form | Literal["table"], *, defuse: bool = False
) -> duckdb.DuckDBPyRelation:
    """The relation with what `form` has a word for.

    Geometry becomes WKT (in Parquet WKB); nested values and decimals of many places become texts in CSV and tables.
    """
    columns = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        column = shown = quoted(name)
        if _is_geometry(kind):
            shown = f"{'st_aswkb' if form == 'parquet' else 'st_astext'}({column})"
        elif form in {"csv", "table"} and (kind.id in _NESTED or _has_many_places(kind)):
            shown = f"CAST({column} AS VARCHAR)"
        if form == "csv" and defuse and kind.id in {"varchar", "enum", *_NESTED}:
            shown = defused(f"CAST({shown} AS VARCHAR)")
        title = defused_name(name) if form == "csv" and defuse else name
        columns.append(f"{shown} AS {quoted(title)}")
    return relation.project(", ".join(columns))


def defused(text: str) -> str:
    """SQL: the text, with an apostrophe before it where a spreadsheet would run it as a formula."""
    return f"CASE WHEN regexp_matches({text}, '{_FORMULA}') THEN '''' || {text} ELSE {text} END"


def defused_name(name: str) -> str:
    """The same for a header."""
    return f"'{name}" if re.match(_FORMULA, name) else name


def quoted(name: str) -> str:
    """`name` as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _writer(schema: pa.Schema, relation: duckdb.DuckDBPyRelation, form: Form, out: BinaryIO) -> Any:
    if form == "arrow":
        return pa.ipc.new_stream(out, schema, options=pa.ipc.IpcWriteOptions(compression="zstd"))
    if form == "parquet":
        return pq.ParquetWriter(out, schema.with_metadata(_geoparquet(relation)), compression="zstd")
    return pa_csv.CSVWriter(out, schema)


def refuse_doubled(relation: duckdb.DuckDBPyRelation) -> None:
    """Raise DoubledError if two columns have one name, in capitals or not: one of them would be lost."""
    names = [name.casefold() for name in relation.columns]  # as the engine looks for them
    for place, name in enumerate(relation.columns):
        if names[place] in names[:place]:
            message = f"two columns of the answer are called {name!r}; name one of them otherwise: … AS other"
            raise DoubledError(message)


def _is_geometry(kind: object) -> bool:
    return str(kind).startswith("GEOMETRY")


def _has_many_places(kind: Any) -> bool:
    """Whether values may be so small that Arrow and Python write them with an exponent: `1.00E-7`, `0E-15`."""
    return kind.id == "decimal" and int(dict(kind.children)["scale"]) > _PLAIN_SCALE


def _geoparquet(relation: duckdb.DuckDBPyRelation) -> dict[str, str]:
    """The `geo` metadata (https://geoparquet.org/releases/v1.1.0/) of the relation's geometry columns, if any."""
    names = [name for name, kind in zip(relation.columns, relation.types, strict=True) if _is_geometry(kind)]
    if not names:
        return {}
    columns = {name: {"encoding": "WKB", "geometry_types": []} for name in names}
    return {"geo": json.dumps({"version": "1.1.0", "primary_column": names[0], "columns": columns})}


def _json(reader: pa.RecordBatchReader, out: BinaryIO) -> int:
    out.write(b"[")
    rows = 0
    for batch in reader:
        lines = [
            json.dumps(_plain_value(row), ensure_ascii=False, allow_nan=False, default=str) for row in batch.to_pylist()
        ]
        if lines:
            out.write((("\n" if rows == 0 else ",\n") + ",\n".join(lines)).encode())
        rows += len(lines)
    out.write(b"\n]\n")
    return rows


def _plain_value(value: Any) -> Any:
    """A value as JSON has it: a decimal as a number where a float says it exactly, NaN and infinities as text."""
    if isinstance(value, Decimal):
        return float(value) if value == Decimal(repr(float(value))) else f"{value:f}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain_value(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain_value(one) for one in value]
    return value
