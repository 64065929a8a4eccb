"""Parquet: the types that the file itself has, kept where the lake has them, as text where it does not.

Unsigned numbers become the next wider signed ones; times of day and what has nanoseconds texts; lists and structures
JSON text; bytes that are no UTF-8 base64. Geometry, of GeoParquet or of Parquet's own type, becomes WKB in degrees. The
footer, which says how many rows there are, is read by Arrow, the rows by DuckDB; no extension type of Arrow is made.
"""

from __future__ import annotations

import json
import re
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyproj import CRS
from pyproj.exceptions import CRSError

from catalog.receipt import Reject
from ingest.geometry import Places, projection
from ingest.table import SourceColumn, Table, lake_names
from policies.editions import literal, quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.geometry import Projection
    from ingest.table import Tables

_BATCH = 10_000
_MAX_DECIMAL = 38
_KEPT = frozenset(
    {"VARCHAR", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "BOOLEAN", "DATE", "TIMESTAMP"}
    | {"TIMESTAMP WITH TIME ZONE"}
)
_WIDER = {"UTINYINT": "SMALLINT", "USMALLINT": "INTEGER", "UINTEGER": "BIGINT", "UBIGINT": "DECIMAL(20,0)"}
_AS_TEXT = frozenset({"TIME", "TIME_NS", "UUID", "JSON", "INTERVAL", '"NULL"'})
_NANOSECONDS = {"TIMESTAMP_NS": "TIMESTAMP", "TIMESTAMPTZ_NS": "TIMESTAMP WITH TIME ZONE"}
_NESTED = re.compile(r"(STRUCT|MAP)\(.*\)|.*\]", re.DOTALL)
_DECIMAL = re.compile(r"DECIMAL\([0-9]+,[0-9]+\)")
_PAGE_HEADER = 64
_NUMBER = re.compile(rb"\x15[\x80-\xff]*[\x00-\x7f]", re.DOTALL)
"""A field that follows the one before it and is a 32-bit number."""
_GEOMETRY = re.compile(r"GEOMETRY(?:\('(.*)'\))?", re.DOTALL)


def read_parquet(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The one table of the file at `path`. Opening it raises ReadingError if it cannot be kept as it is."""
    return {"": lambda: _open(path, reading, desk)}


def _open(path: Path, reading: Reading, desk: Desk) -> Table:
    with _told(path, "cut or encrypted"), pq.ParquetFile(path) as file:
        footer = file.metadata
    from_file = f"read_parquet({literal(path)})"
    with _told(path, "damaged"):
        _refuse_beyond(path, footer, desk)
        _refuse_flipped(path, desk)
        described = [
            (str(name), str(kind))
            for name, kind, *_ in desk.con.execute(f"DESCRIBE SELECT * FROM {from_file}").fetchall()  # noqa: S608
        ]
        names = lake_names(name for name, _ in described)
        columns, values, systems = [], [], {}
        for name, (source_name, kind) in zip(names, described, strict=True):
            geometry = _GEOMETRY.fullmatch(kind)
            if geometry is not None:
                systems[name] = projection(path, _system(path, source_name, geometry[1]), reading.crs)
            native, value = _value(path, source_name, kind, from_file, desk)
            columns.append(SourceColumn(name, source_name, native=native))
            values.append(f"{value} AS {quoted(name)}")
        if b"geo" in (footer.metadata or {}) and not systems:
            raise ReadingError(f"{path}: it says that it is GeoParquet, but not where its geometry is; export it anew")
        if reading.crs is not None and not systems:
            raise ReadingError(f"{path}: read: crs says nothing of a Parquet without geometry; leave it out")
        source = f"(SELECT {', '.join(values)} FROM {from_file})"  # noqa: S608  names are quoted
        numbers: array[int] | None = None
        rejects: list[Reject] = []
        if systems:
            source, numbers, rejects = _placed(path, source, footer.num_rows, systems, desk)
    packed = [
        column.source_name for column, value in zip(columns, values, strict=True) if value.startswith("to_base64")
    ]
    said: dict[str, str | int | None] = {"base64": ", ".join(packed)} if packed else {}
    for system in systems.values():
        said |= system.dialect
    return Table(
        con=desk.con,
        source=source,
        format="parquet",
        columns=tuple(columns),
        rows_in=footer.num_rows,
        rejects=lambda: rejects,
        dialect=said,
        line_of=lambda rows: [row + 1 if numbers is None else numbers[row] for row in rows],
    )


@contextmanager
def _told(path: Path, state: str) -> Iterator[None]:
    """What Arrow and the engine raise on damaged bytes, as a ReadingError that says in what state they may be."""
    try:
        yield
    except (pa.ArrowException, duckdb.Error, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's, not Arrow's
            raise
        reason = str(error).split("\n", 1)[0][:300]
        raise ReadingError(f"{path}: cannot be read as Parquet, it may be {state}: {reason}") from None


def _refuse_beyond(path: Path, footer: pq.FileMetaData, desk: Desk) -> None:
    """Raise ReadingError for what would be unpacked past the bounds, or what the engine would change in silence."""
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    unpacked = max(sum(group.total_byte_size for group in groups), footer.num_rows)
    if not 0 <= unpacked <= desk.settings.max_bytes:
        raise ReadingError(f"{path}: its {footer.num_rows} rows are {unpacked} bytes, past [ingest] max_bytes")
    for number in range(len(footer.schema)):
        column = footer.schema.column(number)
        if column.precision > _MAX_DECIMAL:
            raise ReadingError(
                f"{path}: column {column.path!r} has decimals of {column.precision} digits; write at most 38, or text"
            )
        if column.physical_type == "INT96":
            _refuse_nanoseconds(path, column.path)


def _refuse_flipped(path: Path, desk: Desk) -> None:
    """Where pages have checksums, have Arrow look at them: the engine does not."""
    if not _has_checksums(path, desk):
        return
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for _ in file.iter_batches():
                pass
    except pa.ArrowNotImplementedError:  # a type that only the engine knows
        return
    except (pa.ArrowException, OSError) as error:
        raise ReadingError(f"{path}: damaged: {str(error)[:300]}; fetch it anew") from None


def _has_checksums(path: Path, desk: Desk) -> bool:
    """Whether the first page has one: the fourth field of its header, in Thrift's compact protocol.

    The engine says where it is: asked for a damaged column, Arrow ends the process. Raises ReadingError for sizes that
    would end the engine.
    """
    found = desk.con.execute(
        "SELECT min(least(num_values, total_compressed_size, total_uncompressed_size)), "
        "min(coalesce(nullif(dictionary_page_offset, 0), data_page_offset)) "
        "FILTER (row_group_id = 0 AND column_id = 0) FROM parquet_metadata(?)",
        [str(path)],
    ).fetchone()
    least, first = found or (None, None)
    if least is not None and least < 0:
        raise ReadingError(f"{path}: damaged: its footer says that a column has {least} bytes; fetch it anew")
    if first is None:
        return False
    with path.open("rb") as file:
        file.seek(max(0, first))
        head = file.read(_PAGE_HEADER)
    for _ in range(3):
        number = _NUMBER.match(head)
        if number is None:
            return False
        head = head[number.end() :]
    return head[:1] == b"\x15"


def _refuse_nanoseconds(path: Path, column: str) -> None:
    """INT96 counts nanoseconds, which the engine cuts off; what lies outside of 1678 to 2261 Arrow cannot count so."""
    with pq.ParquetFile(path) as fine, pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as coarse:
        if fine.schema_arrow.get_field_index(column) < 0:
            raise ReadingError(f"{path}: column {column!r} has INT96 times in a structure; write them as TIMESTAMP")
        for one, other in zip(fine.iter_batches(columns=[column]), coarse.iter_batches(columns=[column]), strict=True):
            counted, rough = one.column(0).cast(pa.int64()), other.column(0).cast(pa.int64())
            exact = pc.equal(pc.multiply(pc.divide(counted, 1000), 1000), counted)
            near = pc.less(pc.abs(rough), 9_223_372_036_854_775)
            if not pc.all(pc.or_(exact, pc.invert(near)), min_count=0).as_py():
                raise ReadingError(f"{path}: column {column!r} has INT96 times with nanoseconds; write microseconds")


def _value(path: Path, name: str, kind: str, from_file: str, desk: Desk) -> tuple[str, str]:  # noqa: PLR0911  one a kind
    """The SQL type that a column of this type gets in the lake, and the SQL of its value there."""
    raw = quoted(name)
    if kind in _KEPT or kind.startswith("DECIMAL("):
        return kind, raw
    if kind in _WIDER:
        return _WIDER[kind], f"CAST({raw} AS {_WIDER[kind]})"
    if _GEOMETRY.fullmatch(kind):
        return "GEOMETRY", f"st_aswkb({raw})"
    if kind in _AS_TEXT or kind.startswith("ENUM("):
        return "VARCHAR", f"CAST({raw} AS VARCHAR)"
    if kind in _NANOSECONDS:
        coarse = f"CAST({raw} AS {_NANOSECONDS[kind]})"
        if _all(f"{coarse}::{kind} = {raw}", raw, from_file, desk):
            return _NANOSECONDS[kind], coarse
        return "VARCHAR", f"CAST({raw} AS VARCHAR)"
    if kind == "BLOB":
        if _all(f"TRY(decode({raw})) IS NOT NULL", raw, from_file, desk):
            return "VARCHAR", f"decode({raw})"
        return "VARCHAR", f"to_base64({raw})"
    if _NESTED.fullmatch(kind) and "BLOB" not in kind and "GEOMETRY" not in kind:
        # A decimal in JSON would become a float
        plain = _DECIMAL.sub("VARCHAR", kind)
        value = raw if plain == kind else f"CAST({raw} AS {plain})"
        return "VARCHAR", f"CAST(to_json({value}) AS VARCHAR)"
    raise ReadingError(f"{path}: column {name!r} has the type {kind}, which the lake does not have; write it otherwise")


def _all(condition: str, raw: str, from_file: str, desk: Desk) -> bool:
    query = f"SELECT count(*) FROM {from_file} WHERE {raw} IS NOT NULL AND NOT ({condition})"  # noqa: S608
    return bool(desk.con.execute(query).fetchall()[0][0] == 0)


def _system(path: Path, name: str, said: str | None) -> str | None:
    """The code or the WKT of what the file says of a geometry's system: a code, or PROJJSON."""
    text = None if said is None else said.replace("''", "'")
    if text is None or not text.lstrip().startswith("{"):
        return text
    try:
        found = json.loads(text)
        code = found.get("id")
        if isinstance(code, dict) and {"authority", "code"} <= code.keys():
            return f"{code['authority']}:{code['code']}"
        return str(CRS.from_json(text).to_wkt())
    except (ValueError, AttributeError, RecursionError, CRSError):
        raise ReadingError(
            f"{path}: what it says of the coordinates of {name!r} cannot be understood; declare them: "
            'read: {crs: "EPSG:2154"}'
        ) from None


def _placed(
    path: Path, source: str, rows: int, systems: dict[str, Projection], desk: Desk
) -> tuple[str, array[int], list[Reject]]:
    """The rows with geometries in degrees, in a file of the desk; their numbers, and those that had to stay out."""
    places = {name: Places(path, system, rows, desk.territory) for name, system in systems.items()}
    copy, numbers, rejects, done = desk.path("placed.parquet"), array("q"), [], 0
    reader = desk.con.sql(f"SELECT * FROM {source}").to_arrow_reader(_BATCH)  # noqa: S608
    with pq.ParquetWriter(copy, reader.schema, compression="zstd") as writer:
        for batch in reader:
            own = range(done + 1, done + 1 + batch.num_rows)
            why: list[str | None] = [None] * batch.num_rows
            arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
            for name, place in places.items():
                placed = place.place(arrays[name].to_pylist(), own)
                arrays[name] = pa.array(placed.wkb, batch.schema.field(name).type)
                why = [old or (new and f"{name}: {new}") for old, new in zip(why, placed.why, strict=True)]
            good = pa.array([reason is None for reason in why])
            writer.write_batch(pa.RecordBatch.from_arrays(list(arrays.values()), schema=batch.schema).filter(good))
            numbers.extend(number for number, reason in zip(own, why, strict=True) if reason is None)
            rejects += [
                Reject(line=number, reason=reason, text=_shown(batch.slice(at, 1), systems))
                for at, (number, reason) in enumerate(zip(own, why, strict=True))
                if reason is not None
            ]
            done += batch.num_rows
    for place in places.values():
        place.refuse_misplaced()
    return f"read_parquet({literal(copy)})", numbers, rejects


def _shown(row: pa.RecordBatch, systems: dict[str, Projection]) -> str:
    said = [str(value) for name, (value,) in row.to_pydict().items() if name not in systems and value is not None]
    return " | ".join(said)[:10_000]
