"""A file as a table of texts: CSV and JSON by Python's readers, Parquet by DuckDB. The delimiter alone is guessed."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from .candidate import Kind

MOST_ROWS = 200_000
"""Rows that are read; a table that is longer says so, and is looked at as rows of the data."""
MOST_COLUMNS = 1000
_DELIMITERS = ",;\t|"
Row = tuple[str | None, ...]


@dataclass(frozen=True)
class Table:
    """Every value is a text, None where there is none. `whole` says whether all rows were read."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    whole: bool = True

    def column(self, at: int) -> list[str | None]:
        """The values of one column."""
        return [row[at] for row in self.rows]


class UnreadableError(ValueError):
    """Why the file is no table; the text names the line where there is one."""


def table_of(kind: Kind | None, content: bytes) -> Table | None:
    """The file's table; None where its kind has none, or a JSON text is no list of records.

    Raises UnreadableError where a CSV or Parquet file cannot be read whole.
    """
    if kind == "csv":
        return _csv(content)
    if kind == "json":
        return _json(content)
    if kind == "parquet":
        return _parquet(content)
    return None


def _csv(content: bytes) -> Table:
    text = content.decode("utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    csv.field_size_limit(1 << 20)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    try:
        columns = tuple(next(reader, []))
        if not columns or len(columns) > MOST_COLUMNS:
            raise UnreadableError(f"line 1 has {len(columns)} columns; expected 1 to {MOST_COLUMNS}")
        for row in reader:
            if not row:
                continue
            if len(row) != len(columns):
                raise UnreadableError(f"line {reader.line_num} has {len(row)} fields, and line 1 has {len(columns)}")
            if len(rows) == MOST_ROWS:
                return Table(columns, tuple(rows), whole=False)
            rows.append(tuple(value or None for value in row))
    except csv.Error as error:
        raise UnreadableError(f"line {reader.line_num}: {error}") from None
    return Table(columns, tuple(rows))


def _json(content: bytes) -> Table | None:
    try:
        told = _parsed(content)
    except RecursionError:
        raise UnreadableError("is nested too deep") from None
    except UnreadableError:
        raise
    except ValueError:
        try:
            told = [_parsed(line) for line in content.splitlines() if line.strip()]
        except UnreadableError:
            raise
        except (ValueError, RecursionError):
            raise UnreadableError("is neither JSON nor a record a line") from None
    if not isinstance(told, list) or not told or not all(isinstance(one, dict) for one in told):
        return None
    columns = tuple(dict.fromkeys(key for one in told[:MOST_ROWS] for key in one))
    if len(columns) > MOST_COLUMNS:
        raise UnreadableError(f"has {len(columns)} keys; expected {MOST_COLUMNS} at most")
    rows = tuple(tuple(_text(one.get(key)) for key in columns) for one in told[:MOST_ROWS])
    return Table(columns, rows, whole=len(told) <= MOST_ROWS)


def _parsed(text: bytes) -> Any:
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; readers differ in which of two values under one key they show, so the other would be hidden."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableError("has a key twice in one object")
    return found


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value, ensure_ascii=False)


def _parquet(content: bytes) -> Table:
    import duckdb  # noqa: PLC0415  slow to load, and few files are Parquet

    with on_disk(content) as (con, path):
        try:
            kinds = con.execute("DESCRIBE FROM read_parquet(?)", [path]).fetchall()
            if len(kinds) > MOST_COLUMNS:
                raise UnreadableError(f"has {len(kinds)} columns; expected {MOST_COLUMNS} at most")
            read = f"SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?) LIMIT {MOST_ROWS + 1}"  # noqa: S608  a number
            rows = con.execute(read, [path]).fetchall()
        except duckdb.Error as error:
            raise UnreadableError(str(error).partition("\n")[0]) from None
    columns = tuple(name for name, *_ in kinds)
    texts = tuple(tuple(None if value in (None, "") else value for value in row) for row in rows[:MOST_ROWS])
    return Table(columns, texts, whole=len(rows) <= MOST_ROWS)


@contextlib.contextmanager
def on_disk(content: bytes) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """An engine of one thread, and a path of memory at which it finds these bytes."""
    import duckdb  # noqa: PLC0415  as above

    descriptor = os.memfd_create("airlock")
    with os.fdopen(descriptor, "wb") as file, duckdb.connect(config={"threads": 1}) as con:
        file.write(content)
        file.flush()
        yield con, f"/proc/self/fd/{descriptor}"
