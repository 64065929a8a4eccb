"""What an edition keeps of a table, as one SELECT statement. Pure: nothing is run here."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from policies.document import suggest
from policies.errors import DocumentError
from policies.model import Rounding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.model import EditionTable, Generalisation

PSEUDONYM = "pseudonym"
"""The SQL function that the statement calls on a pseudonymised column; whoever runs it registers it."""

_DATES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "FLOAT", "DECIMAL")


def quoted(name: str) -> str:
    """`name` as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """`text` as a SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


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


def pseudonymiser(key: bytes, dataset: str, edition: str) -> hashlib.blake2b:
    """A keyed BLAKE2b to copy and update with a value; its key is derived for this dataset and edition alone.

    Two editions, and so two partners, get different pseudonyms of the same value and cannot join on them; within one
    edition a value has the same pseudonym in every table. The digest has 16 bytes.
    """
    derived = hashlib.blake2b(f"{dataset}/{edition}".encode(), key=key, digest_size=32).digest()
    return hashlib.blake2b(key=derived, digest_size=16)


def definition(table: EditionTable) -> str:
    """Names what an edition keeps of a table: while it is the same, so is what may be seen of the same rows."""
    return hashlib.sha256(table.model_dump_json().encode()).hexdigest()


def fingerprint(table: EditionTable, raw: str, key: bytes) -> str:
    """Names what an edition's table was made of: its definition, the `raw` content and the key (by a digest of it).

    While it stays the same there is nothing to build again.
    """
    key_name = hashlib.blake2b(b"fingerprint", key=key, digest_size=8).hexdigest()
    material = f"{definition(table)}|{raw}|{key_name if table.pseudonymise else '-'}"
    return hashlib.sha256(material.encode()).hexdigest()
