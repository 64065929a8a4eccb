"""Answer one query after the other, as frames on the descriptor DATALAB_CHANNEL."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import duckdb
from answers import DoubledError, write_answer  # type: ignore[import-not-found]  # catalog/answers.py, where the jail has it
from lab.engine import behind_macros, opened  # type: ignore[import-not-found]

from .channel import Answer, Channel
from .gate import Granted, RefusedError, UnknownTableError, tables_of

if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Open what is granted, lock the engine, and answer until the channel is closed."""
    channel = Channel(int(os.environ["DATALAB_CHANNEL"]))
    con, tables = opened()
    granted = Granted.of(con, tables, behind_macros(tables))
    con.execute("SET python_enable_replacements = false")  # no variable of ours is a table
    con.execute("SET allowed_directories = ['/data']")
    con.execute(f"SET max_temp_directory_size = '{int(os.environ['DATALAB_SPILL_BYTES'])}B'")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    channel.tell(b"R", {})
    while True:
        letter, content = channel.receive()
        if letter == b"Q":
            refused = answer(channel, con, json.loads(content), tables, granted)
            if refused is not None:
                channel.tell(b"E", {"kind": refused[0], "error": refused[1]})
                if refused[0] == "broken":  # the engine answers nothing any more: another is started
                    sys.exit(1)


def answer(
    channel: Channel,
    con: duckdb.DuckDBPyConnection,
    asked: dict[str, Any],
    tables: dict[str, Any],
    granted: Granted,
) -> tuple[str, str] | None:
    """Answer one query, or return why not: a kind and a text. Raises nothing that a query can bring about."""
    try:
        read = [tables[name] for name in tables_of(con, asked["sql"], granted)]
        told = [[*table.where, table.resource, table.served["version"]] for table in read]
        channel.tell(b"T", {"tables": told})
        if channel.receive()[0] != b"G":
            return None
        relation = con.sql(asked["sql"], params=asked.get("params"))
        columns = [[name, str(kind)] for name, kind in zip(relation.columns, relation.types, strict=True)]
        out = Answer(channel, columns)
        rows = write_answer(relation, asked["form"], cast("BinaryIO", out), defuse=True)
        out.send()
        channel.tell(b"Z", {"rows": rows})
    except Exception as error:  # noqa: BLE001  whatever a query brings about is told
        return _refusal(error, asked["form"])
    return None


def _refusal(error: Exception, form: str) -> tuple[str, str]:
    """The kind of an error, and what to say of it."""
    if isinstance(error, RefusedError | DoubledError):
        return "unknown" if isinstance(error, UnknownTableError) else "refused", str(error)
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        return "memory", "it needs more memory than one query may use"
    if isinstance(error, duckdb.FatalException | duckdb.InternalException):
        return "broken", "the engine failed at this query; ask for it in another way"
    if isinstance(error, duckdb.Error):
        return "engine", str(error)
    if isinstance(error, RecursionError):
        return "refused", "the query is nested too deeply"
    # Arrow or Python has no room for a value, such as the year 290000
    return "refused", f"a value cannot be written as {form} ({type(error).__name__}: {error}); CAST it to VARCHAR"


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        main()
