"""`cog.convert(relation, column, from_year, to_year)`: a table's commune codes, moved to those of another year."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import duckdb

from catalog.cog.macros import EVENTS
from policies.editions import literal
from policies.errors import QueryError

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation


def convert(relation: DuckDBPyRelation, column: str, from_year: int, to_year: int) -> DuckDBPyRelation:
    """The rows of `relation`, its commune codes in `column` moved from those of `from_year` to those of `to_year`.

    Every row comes back once. `column` is NULL where there is no one commune of `to_year` that it lies in;
    `<column>_<from_year>` keeps the code, and `<column>_<from_year>_state` says what became of it, in the words of
    `macros.py`. Nothing is read yet: a year that the events do not know is refused by the engine when the rows are
    asked for.

    Raises QueryError for a column that is not there or holds no text, for names that are taken, and where no granted
    table holds INSEE's events.
    """
    types = dict(zip(relation.columns, relation.types, strict=True))
    if column not in types:
        message = f"there is no column {column!r}; expected one of {', '.join(types)}"
        raise QueryError(message)
    if types[column].id != "varchar":
        message = f"the column {column!r} is {types[column]}: expected codes as text, such as 01001 and 2A004"
        raise QueryError(message)
    for name in (f"{column}_{from_year}", f"{column}_{from_year}_state"):
        if name in types:
            message = f"there is a column {name!r} already, and the conversion makes one: name it otherwise"
            raise QueryError(message)
    ask = f"SELECT cog_sql('cog_relation', {literal(column)}, {int(from_year)}, {int(to_year)})"
    try:
        ((sql,),) = _query(relation, ask).fetchall()
        return _query(relation, sql)
    except duckdb.CatalogException as error:
        if "cog_sql" not in str(error):
            raise
        message = (
            f"no granted table holds INSEE's events ({', '.join(EVENTS)}): ask for a grant, or add to the lab the "
            "table of events of the code officiel géographique"
        )
        raise QueryError(message) from None


def _query(relation: DuckDBPyRelation, sql: str) -> DuckDBPyRelation:
    """The answer to `sql`, which calls the relation `cog_relation`; of a SELECT there is always one."""
    return cast("DuckDBPyRelation", relation.query("cog_relation", sql))
