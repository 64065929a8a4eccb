"""A relation → a table for a person, or CSV, JSON or Parquet for a program."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, BinaryIO

import duckdb
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from rich.table import Table as Sheet
from rich.text import Text

from policies.editions import quoted
from policies.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

_SHOWN_ROWS = 50
_SHOWN_WIDTH = 60
_BATCH = 50_000
_PLAIN_SCALE = 6
_NESTED = {"list", "array", "struct", "map", "union", "blob", "interval", "variant"}


class Format(StrEnum):
    """What `datalab query` writes."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def write(relation: duckdb.DuckDBPyRelation, form: Format, out: BinaryIO, console: Console) -> None:
    """Write all rows of `relation` to `out`; a `table` goes to `console` and stops after 50 rows, saying so.

    JSON is one array of objects, a row a line. Raises QueryError when the engine fails on the way.
    """
    _refuse_doubled(relation)
    try:
        if form is Format.table:
            _table(relation, console)
            return
        reader = _plain(relation, form).to_arrow_reader(_BATCH)
        if form is Format.csv:
            with pa_csv.CSVWriter(out, reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)
        elif form is Format.parquet:
            schema = reader.schema.with_metadata(_geoparquet(relation))
            with pq.ParquetWriter(out, schema, compression="zstd") as parquet:
                for batch in reader:
                    parquet.write_batch(batch)
        else:
            _json(reader, out)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None


def _refuse_doubled(relation: duckdb.DuckDBPyRelation) -> None:
    """Raise QueryError if two columns have one name: in JSON or Parquet, one of them would be lost."""
    for place, name in enumerate(relation.columns):
        if name in relation.columns[:place]:
            raise QueryError(f"two columns of the answer are called {name!r}; name one of them otherwise: … AS other")


def _plain(relation: duckdb.DuckDBPyRelation, form: Format) -> duckdb.DuckDBPyRelation:
    """The relation with what `form` has a word for.

    Geometry becomes WKT (in Parquet WKB); nested values and decimals of many places become texts in CSV.
    """
    columns = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        column = quoted(name)
        if _is_geometry(kind):
            function = "st_aswkb" if form is Format.parquet else "st_astext"
            column = f"{function}({column}) AS {column}"
        elif form in {Format.csv, Format.table} and (kind.id in _NESTED or _has_many_places(kind)):
            column = f"CAST({column} AS VARCHAR) AS {column}"
        columns.append(column)
    return relation.project(", ".join(columns))


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


def _table(relation: duckdb.DuckDBPyRelation, console: Console) -> None:
    sheet = Sheet()
    for name in relation.columns:
        sheet.add_column(Text(name))
    rows = _plain(relation, Format.table).limit(_SHOWN_ROWS + 1).fetchall()
    for row in rows[:_SHOWN_ROWS]:
        sheet.add_row(*(Text(_shown(cell)) for cell in row))
    console.print(sheet)
    if len(rows) > _SHOWN_ROWS:
        console.print(f"the first {_SHOWN_ROWS} rows; --format csv, json or parquet writes all")


def _shown(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return text if len(text) <= _SHOWN_WIDTH else text[: _SHOWN_WIDTH - 1] + "…"


def _json(reader: pa.RecordBatchReader, out: BinaryIO) -> None:
    out.write(b"[")
    first = True
    for batch in reader:
        for row in batch.to_pylist():
            out.write(b"\n" if first else b",\n")
            out.write(json.dumps(_plain_value(row), ensure_ascii=False, allow_nan=False, default=str).encode())
            first = False
    out.write(b"\n]\n")


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
