"""A steward's condition, tried on the columns of a raw table before anything is built with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from policies.editions.sql import condition_sql
from policies.errors import DocumentError

if TYPE_CHECKING:
    from policies.editions import EditionTable, Source

_NAMED = 30


def try_condition(con: duckdb.DuckDBPyConnection, table: EditionTable, source: Source) -> None:
    """Have the engine read and bind an edition's `where`; no row is read, and `con` says which files may be.

    Raises DocumentError naming the line of `where` if that is not one condition on the source's columns. A source
    without columns is one that is not known yet: then only the words are read.
    """
    if table.where is None:
        return
    statement = condition_sql(table, source)
    try:
        if len(con.extract_statements(statement)) != 1:
            raise _wrong(source, "has a ';'")
        if source.columns:
            con.execute(f"DESCRIBE {statement}")
    except duckdb.Error as error:
        raise _wrong(source, str(error).splitlines()[0]) from None


def _wrong(source: Source, found: str) -> DocumentError:
    names = list(source.columns)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    there = f": {', '.join(names[:_NAMED])}{more}" if names else ""
    expected = f"expected one SQL condition on the source's columns{there}"
    return DocumentError(f"{source.place('where')}: 'where' cannot be carried out: {found.rstrip('!.')}; {expected}")
