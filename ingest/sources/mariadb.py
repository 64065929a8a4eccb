r"""What a query answers on a MariaDB or MySQL server, row by row from a read-only snapshot, typed as the server has it.

The server writes each value as text, and nothing else is believed: integers stay integers (`tinyint(1)` too), decimals
are exact, `bit` is an integer, binary columns are text (`\x6869`). A zero date, or a time beyond the day, is an error.
So is FLOAT, of which a server writes six digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pymysql
from pymysql.constants import FIELD_TYPE, FLAG
from pymysql.converters import encoders
from pymysql.cursors import SSCursor

from ingest.sources.answer import WIDEST, kept, schema_of, unfit
from ingest.sources.secret import secret
from ingest.sources.way import ended_after, late, reached, said, too_much
from policies.errors import SourceError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.sources import Database, MariadbSource
    from ingest.settings import IngestSettings
    from ingest.sources import Fetched

_PORT = 3306
_ROWS = 100_000
_BATCH = 1 << 26  # bytes
_BITS = 63
_SIGNED = {
    FIELD_TYPE.TINY: pa.int8(),
    FIELD_TYPE.SHORT: pa.int16(),
    FIELD_TYPE.INT24: pa.int32(),
    FIELD_TYPE.LONG: pa.int32(),
    FIELD_TYPE.LONGLONG: pa.int64(),
    FIELD_TYPE.YEAR: pa.int16(),
}
_UNSIGNED = {
    FIELD_TYPE.TINY: pa.int16(),
    FIELD_TYPE.SHORT: pa.int32(),
    FIELD_TYPE.INT24: pa.int32(),
    FIELD_TYPE.LONG: pa.int64(),
    FIELD_TYPE.LONGLONG: pa.decimal128(20, 0),
    FIELD_TYPE.YEAR: pa.int16(),
}
_OTHERS = {
    FIELD_TYPE.DOUBLE: pa.float64(),
    FIELD_TYPE.DATE: pa.date32(),
    FIELD_TYPE.NEWDATE: pa.date32(),
    FIELD_TYPE.TIME: pa.time64("us"),
    FIELD_TYPE.DATETIME: pa.timestamp("us"),
    FIELD_TYPE.TIMESTAMP: pa.timestamp("us", "UTC"),
}
_TIMED_OUT = {1969, 3024}  # max_statement_time, max_execution_time


def fetch_mariadb(source: MariadbSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Ask the query in one read-only transaction, and keep its answer as Parquet in `cache`.

    Raises SourceError: no connection, a query that is refused or is more than one, a value that the lake cannot hold,
    more than `max_bytes` of values, or `timeout` seconds passed.
    """
    at = source.mariadb
    place = f"mariadb://{at.host}:{at.port or _PORT}/{at.database}"
    try:
        with (
            reached(at.host, at.port or _PORT, settings, place) as way,
            ended_after(settings.timeout, way.fileno(), place),
            _connected(at, way, settings) as connection,
        ):
            return _answered(connection, source.query, cache, settings, place)
    except pymysql.Error as error:
        code, *message = error.args or (0,)
        if code in _TIMED_OUT:
            raise late(place) from None
        raise SourceError(f"{place}: {said(' '.join(map(str, message)) or str(code))}") from None
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{place}: {said(error)}") from None


class _Refused:
    """A way to log in by which the password itself is sent; over TLS only the server that was checked sees it."""

    def __init__(self, connection: Any) -> None:
        self._host = connection.host

    def authenticate(self, _packet: object) -> None:
        raise SourceError(
            f"mariadb://{self._host}: the server asks for the password in clear, which is sent over TLS alone; take "
            "`tls: false` out, or let its operator change the user's way to log in"
        )


def _connected(at: Database, way: socket.socket, settings: IngestSettings) -> Any:
    """A session on that socket; over TLS the server's certificate must be for `host`."""
    connection: Any = pymysql.connect(
        host=at.host,
        user=at.user,
        password=b"" if at.password is None else secret(at.password).encode(),
        database=at.database,
        charset="utf8mb4",
        conv=cast(Any, encoders),  # and no decoders: values stay as they come
        cursorclass=SSCursor,
        ssl=httpx.create_ssl_context() if at.tls else None,
        ssl_disabled=not at.tls,
        auth_plugin_map=None if at.tls else dict.fromkeys(("mysql_clear_password", "dialog"), _Refused),
        read_timeout=settings.timeout,
        program_name="datalab",
        defer_connect=True,
    )
    connection.connect(way)
    return connection


@dataclass(frozen=True)
class _Column:
    """A column as the server describes it; `length` is that of its widest value as text, in bits for BIT."""

    name: str
    kind: int
    unsigned: bool
    length: int
    scale: int


def _answered(connection: Any, query: str, cache: Path, settings: IngestSettings, place: str) -> Fetched:
    timed = (
        f"max_statement_time = {settings.timeout}"
        if "MariaDB" in connection.get_server_info()
        else f"max_execution_time = {int(settings.timeout * 1000)}"
    )
    cursor = connection.cursor()
    try:
        cursor.execute(f"SET time_zone = '+00:00', {timed}")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        cursor.execute(query)
        columns = _columns(cursor)
        schema = schema_of([(column.name, _type(column, place)) for column in columns], place)
        batches = _batches(cursor, columns, schema, settings, place)
        return kept(batches, schema, lambda: cursor.rownumber, cache, place)
    finally:
        if connection._result is not None:  # noqa: SLF001
            connection._result.unbuffered_active = False  # noqa: SLF001  or the rest of the answer would be awaited


def _columns(cursor: Any) -> list[_Column]:
    if cursor.description is None:
        return []
    fields = cursor._result.fields  # noqa: SLF001  the description says nothing of signs
    return [_Column(one.name, one.type_code, bool(one.flags & FLAG.UNSIGNED), one.length, one.scale) for one in fields]


def _type(column: _Column, place: str) -> pa.DataType:
    """The lake's type for the server's; text where none holds all its values."""
    if column.kind == FIELD_TYPE.FLOAT:
        raise SourceError(
            f"{place}: column {column.name!r} is FLOAT, of which the server writes six digits only; "
            f"write CAST({column.name} AS DOUBLE) in the query"
        )
    if column.kind == FIELD_TYPE.NEWDECIMAL:
        precision = column.length - (column.scale > 0) - (not column.unsigned)
        return pa.decimal128(precision, column.scale) if precision <= WIDEST else pa.string()
    if column.kind == FIELD_TYPE.BIT:
        return pa.decimal128(20, 0) if column.length > _BITS else pa.int64()
    return (_UNSIGNED if column.unsigned else _SIGNED).get(column.kind) or _OTHERS.get(column.kind, pa.string())


def _batches(
    cursor: Any, columns: list[_Column], schema: pa.Schema, settings: IngestSettings, place: str
) -> Iterator[pa.RecordBatch]:
    """The rows of the answer, as many at a time as fit."""
    rows: list[tuple[Any, ...]] = []
    size = waiting = 0
    while (row := cursor.fetchone()) is not None:
        waiting += sum(len(value) for value in row if value is not None)
        if size + waiting > settings.max_bytes:
            raise too_much(place, settings)
        rows.append(row)
        if len(rows) >= _ROWS or waiting >= _BATCH:
            yield _batch(rows, columns, schema, place)
            size, waiting, rows = size + waiting, 0, []
    if cursor.nextset():
        raise SourceError(f"{place}: the query gives several answers; it must be one SELECT")
    yield _batch(rows, columns, schema, place)


def _batch(rows: list[tuple[Any, ...]], columns: list[_Column], schema: pa.Schema, place: str) -> pa.RecordBatch:
    arrays = []
    for number, column in enumerate(columns):
        texts = [_text(row[number], column.kind) for row in rows]
        try:
            arrays.append(_cast(pa.array(texts, pa.string()), schema.field(number).type))
        except pa.ArrowInvalid as error:
            raise unfit(place, column.name, str(error)) from None
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _text(value: str | bytes | None, kind: int) -> str | None:
    """The value as text; the client leaves as bytes what is no text."""
    if not isinstance(value, bytes):
        return value
    return str(int.from_bytes(value, "big")) if kind == FIELD_TYPE.BIT else f"\\x{value.hex()}"


def _cast(texts: pa.Array, to: pa.DataType) -> pa.Array:
    if pa.types.is_time(to):
        return pc.binary_join_element_wise("1970-01-01", texts, " ").cast(pa.timestamp("us")).cast(to)
    if pa.types.is_timestamp(to):
        return texts.cast(pa.timestamp("us")).cast(to)  # the session's zone is UTC
    return texts.cast(to)
