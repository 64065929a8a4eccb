r"""What a query answers on a PostgreSQL server: one COPY in a read-only snapshot, typed as the server has it.

A column has the type that the server says, where the lake has one that holds each of its values: `numeric(12,2)`, but
not `numeric`, which has no bound and stays text. Text also stays what has no such type: uuid, json, enum, interval
(ISO 8601), bytea (`\x6869`), PostGIS's geometry (EWKB in hex). Arrays and rows become JSON.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import certifi
import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from ingest.sources.answer import WIDEST, kept, schema_of, unfit
from ingest.sources.guarded import checked_addresses
from ingest.sources.secret import secret
from ingest.sources.way import CONNECT, ended_after, late, said, too_much
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.sources import Database, PostgresSource
    from ingest.settings import IngestSettings
    from ingest.sources import Fetched

_PORT = 5432
_ADDRESSES = 10  # each may take two seconds at the least
_BLOCK = 1 << 24  # bytes of a batch, and so of the longest row
_TYPES = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "oid": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
}
_SESSION = """
SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'iso_8601';
SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 3
"""
_DESCRIBE = "SELECT * FROM ("
_TIMED_OUT = "57014"  # query_canceled, here by statement_timeout


def fetch_postgresql(source: PostgresSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Ask the query in one read-only transaction, and keep its answer as Parquet in `cache`.

    Raises SourceError: no connection, a query that is refused or is more than one, a value that the lake cannot hold
    (an infinite date, a NaN in a decimal), more than `max_bytes` as CSV, or `timeout` seconds passed.
    """
    at = source.postgresql
    place = f"postgresql://{at.host}:{at.port or _PORT}/{at.database}"
    try:
        with (
            _connected(at, settings, place) as connection,
            ended_after(settings.timeout, connection.fileno(), place),
        ):
            schema, rows = _copied(connection, source.query, cache / "rows.csv", settings, place)
        return kept(_typed(cache / "rows.csv", schema, place), schema, lambda: rows, cache, place)
    except psycopg.Error as error:
        if error.sqlstate == _TIMED_OUT:
            raise late(place) from None
        raise SourceError(f"{place}: {said(error.diag.message_primary or str(error))}") from None
    except OSError as error:
        raise SourceError(f"{place}: cannot be kept in {cache}: {error}") from None
    finally:
        (cache / "rows.csv").unlink(missing_ok=True)


def _connected(at: Database, settings: IngestSettings, place: str) -> psycopg.Connection:
    """A connection to a checked address; over TLS the server's certificate must be for `host`."""
    port = at.port or _PORT
    addresses = checked_addresses(at.host, port, settings, place)[:_ADDRESSES]
    connection = psycopg.connect(
        host=",".join([at.host] * len(addresses)),
        hostaddr=",".join(addresses),
        port=port,
        dbname=at.database,
        user=at.user,
        password="" if at.password is None else secret(at.password),
        passfile=os.devnull,  # no password of the operator's own
        sslmode="verify-full" if at.tls else "disable",
        sslrootcert=os.environ.get("SSL_CERT_FILE") or certifi.where(),  # as httpx has them
        sslcertmode="disable",
        gssencmode="disable",
        require_auth=None if at.tls else "!password",  # no password in clear, whatever the server asks for
        client_encoding="UTF8",
        application_name="datalab",
        connect_timeout=max(2, int(min(CONNECT, settings.timeout / len(addresses)))),
    )
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return connection


def _copied(
    connection: psycopg.Connection, query: str, path: Path, settings: IngestSettings, place: str
) -> tuple[pa.Schema, int]:
    """The answer as CSV in the file at `path`; its columns, and its rows as the server counted them."""
    plain = query.strip().rstrip(";")
    connection.execute(f"{_SESSION}; SET LOCAL statement_timeout = {int(settings.timeout * 1000)}".encode())
    schema, given = _columns(connection, plain, place)
    names = [f"c{number}" for number in range(len(given))]
    asked = sql.SQL("COPY (SELECT {} FROM ({}\n) AS q({})) TO STDOUT (FORMAT csv, ENCODING 'UTF8')").format(
        sql.SQL(", ".join(given)), sql.SQL(plain), sql.SQL(", ".join(names))
    )
    size = 0
    with path.open("wb") as file, connection.cursor() as cursor:
        with cursor.copy(asked) as copy:
            for block in copy:
                size += len(block)
                if size > settings.max_bytes:
                    raise too_much(place, settings)
                file.write(block)
        return schema, cursor.rowcount


def _columns(connection: psycopg.Connection, query: str, place: str) -> tuple[pa.Schema, list[str]]:
    """The columns of the answer as they will be, and what gives each, `c0`, `c1`, … being the query's.

    Only the extended protocol is used, in which the server takes one statement and no more.
    """
    try:
        described = connection.execute(f"{_DESCRIBE}{query}\n) AS q LIMIT 0".encode(), binary=True).description or []
    except psycopg.Error as error:
        raise _refused(error, query, place) from None
    asked = "SELECT oid, typname, typcategory FROM pg_catalog.pg_type WHERE oid = ANY(%s)"
    found = connection.execute(asked, [[column.type_code for column in described]]).fetchall()
    kinds = {oid: (name, category) for oid, name, category in found}
    columns, given = [], []
    for number, column in enumerate(described):
        kind, category = kinds[column.type_code]
        columns.append((column.name, _type(kind, column.precision, column.scale)))
        given.append(f"to_json(c{number})" if category in {"A", "C"} or kind == "record" else f"c{number}")
    return schema_of(columns, place), given


def _type(kind: str, precision: int | None, scale: int | None) -> pa.DataType:
    """The lake's type for the server's; text where none holds all its values."""
    if kind == "numeric" and precision is not None and scale is not None and 0 <= scale <= precision <= WIDEST:
        return pa.decimal128(precision, scale)
    return _TYPES.get(kind, pa.string())


def _refused(error: psycopg.Error, query: str, place: str) -> SourceError | psycopg.Error:
    """The server's complaint about the query, with the line and the column that it names."""
    message, position = error.diag.message_primary, error.diag.statement_position
    if message is None or error.sqlstate == _TIMED_OUT:
        return error
    if position is None:
        return SourceError(f"{place}: the query is refused: {said(message)}")
    before = query[: max(0, int(position) - 1 - len(_DESCRIBE))]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return SourceError(f"{place}: the query is refused: line {line}, column {column}: {said(message)}")


def _typed(path: Path, schema: pa.Schema, place: str) -> Iterator[pa.RecordBatch]:
    """The rows of the CSV in batches; in PostgreSQL's CSV what is NULL stands unquoted."""
    if path.stat().st_size == 0:
        return
    try:
        yield from csv.open_csv(
            path,
            csv.ReadOptions(column_names=schema.names, block_size=_BLOCK),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=schema,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
    except pa.ArrowInvalid as error:
        where = re.search(r"In CSV column #(\d+): (?:CSV conversion error to )?(.*)", str(error), re.DOTALL)
        if where is None:
            raise SourceError(f"{place}: {said(error)}; a row may have {_BLOCK} bytes") from None
        raise unfit(place, schema.names[int(where[1])], where[2]) from None
