"""The SQL function that makes pseudonyms, for a connection that builds an edition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from policies.editions import PSEUDONYM, pseudonymiser

if TYPE_CHECKING:
    import duckdb

_KNOWN = 200_000
"""So many pseudonyms are remembered: who comes again is not hashed again."""


def register(con: duckdb.DuckDBPyConnection, secret: bytes, scope: str) -> None:
    """Let SQL on `con` call `pseudonym(text)`: 32 hexadecimal digits, made with `secret` for `scope`; NULL stays."""
    fresh = pseudonymiser(secret, scope).copy
    known: dict[str | None, str | None] = {None: None}

    def digest(value: str) -> str:
        hasher = fresh()
        hasher.update(value.encode())
        made = hasher.hexdigest()
        if len(known) < _KNOWN:
            known[value] = made
        return made

    def pseudonym(values: pa.ChunkedArray | pa.Array) -> pa.Array:
        return pa.array([known[one] if one in known else digest(one) for one in values.to_pylist()], pa.string())

    con.create_function(
        PSEUDONYM,
        pseudonym,
        ["VARCHAR"],
        "VARCHAR",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
