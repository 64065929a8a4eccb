"""What an edition keeps of a table, as one SELECT statement. Pure: nothing is run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.document import suggest
from policies.editions.model import Rounding
from policies.editions.quoting import quoted
from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.editions.model import EditionTable, Generalisation

PSEUDONYM = "pseudonym"
"""The SQL function that the statement calls on a pseudonymised column; whoever runs it registers it."""

_DATES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "FLOAT", "DECIMAL")


def edition_sql(table: EditionTable, columns: Mapping[str, str], source: str, place: str) -> str:
    """The SELECT that makes an edition's table from `source`, a FROM item with `columns` (name → SQL type).

    `place` starts the message of the DocumentError that is raised when a column is unknown or of a type that cannot be
    generalised so.
    """
    for name in table.keep:
        if name not in columns:
            message = f"{place}: unknown column {name!r}; {suggest(name, list(columns))}"
            raise DocumentError(message)
    kept = []
    for name in table.keep:
        column = quoted(name)
        if name in table.pseudonymise:
            kept.append(f"{PSEUDONYM}(CAST({column} AS VARCHAR)) AS {column}")
        elif name in table.generalise:
            expression = _generalised(column, columns[name], table.generalise[name], f"{place}: column {name!r}")
            kept.append(f"{expression} AS {column}")
        else:
            kept.append(column)
    statement = f"SELECT {', '.join(kept)} FROM {source}"  # noqa: S608  names are quoted
    # The condition stands on lines of its own, so that a comment in it cannot swallow the closing parenthesis.
    return statement if table.where is None else f"{statement} WHERE (\n{table.where}\n)"


def _generalised(column: str, sql_type: str, how: Generalisation, place: str) -> str:
    base = sql_type.split("(", 1)[0]
    if isinstance(how, Rounding):
        if base not in _NUMBERS:
            message = f"{place} is {sql_type}; only numbers can be rounded"
            raise DocumentError(message)
        step = str(int(how.step)) if how.step.is_integer() else repr(how.step)
        return f"CAST(round({column} / {step}) * {step} AS {sql_type})"
    if base not in _DATES:
        message = f"{place} is {sql_type}; only dates have a {how}"
        raise DocumentError(message)
    return f"year({column})" if how == "year" else f"strftime({column}, '%Y-%m')"
