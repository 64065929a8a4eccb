"""What a query reads, whether it gives the same rows each time, and a hash of those rows."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator

_BODIES = "SELECT macro_definition FROM duckdb_functions() WHERE function_name = ? AND macro_definition IS NOT NULL"
_FICKLE = (
    "SELECT coalesce(list(DISTINCT function_name ORDER BY function_name), []) FROM duckdb_functions() "
    "WHERE list_contains(?, function_name) AND stability <> 'CONSISTENT'"
)
_BY_TEXT = frozenset({"query", "query_table"})


def read_by(con: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """The tables `schema.name` that a query reads, also by macros.

    Raises ValueError unless it is one SELECT that always gives the same rows.
    """
    ((told,),) = con.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
    parsed = json.loads(told)
    if parsed["error"] or len(parsed["statements"]) != 1:
        message = f"expected one SELECT: {parsed.get('error_message', 'there are several statements')}"
        raise ValueError(message)
    names: dict[str, None] = {}
    functions: dict[str, None] = {}
    sampled = _walk(parsed, names, functions)
    for name in list(functions):
        for (body,) in con.execute(_BODIES, [name]).fetchall():
            ((inside,),) = con.execute("SELECT json_serialize_sql(?)", [body]).fetchall()
            _walk(json.loads(inside), names, functions)
    if not _BY_TEXT.isdisjoint(functions):
        names.update(dict.fromkeys(_needed(con, query)))
    ((fickle,),) = con.execute(_FICKLE, [list(functions)]).fetchall()
    if fickle or sampled:
        what = ", ".join(f"{name}()" for name in fickle) or "USING SAMPLE"
        message = f"{what} gives other rows each time: such a query cannot be cited"
        raise ValueError(message)
    return list(names)


def fingerprint(con: duckdb.DuckDBPyConnection, query: str) -> tuple[int, str]:
    """How many rows a query gives, and a hash of them, whatever their order.

    Of floats 12 digits count: sums are made by several processors, and the last digits depend on who was first.
    """
    columns = con.execute(f"DESCRIBE {query}").fetchall()
    texts = ", ".join(
        f"printf('%.12g', {quoted(name)})" if kind in {"DOUBLE", "FLOAT"} else f"{quoted(name)}::VARCHAR"
        for name, kind, *_ in columns
    )
    found = con.execute(
        f"SELECT count(*), sum(md5_number_lower(row)), sum(md5_number_upper(row)) "  # noqa: S608  quoted above
        f"FROM (SELECT [{texts}]::VARCHAR AS row FROM ({query}\n))"
    ).fetchall()
    told = json.dumps([[row[:2] for row in columns], *(str(one) for one in found[0])], ensure_ascii=False)
    return found[0][0], hashlib.sha256(told.encode()).hexdigest()


def quoted(*names: str) -> str:
    """The names as SQL takes them, parted by dots."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def _needed(con: duckdb.DuckDBPyConnection, query: str) -> Iterator[str]:
    """The views without which the query fails: what it reads, also where a text such as `cog_convert`'s names it."""
    for schema, name in con.execute("SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal").fetchall():
        con.execute("BEGIN")
        try:
            con.execute(f"DROP VIEW {quoted(schema, name)}")
            con.execute(f"DESCRIBE {query}")
        except duckdb.Error:
            yield f"{schema}.{name}"
        finally:
            con.execute("ROLLBACK")


def _walk(node: Any, names: dict[str, None], functions: dict[str, None]) -> bool:
    """Collect the tables and functions of a parsed query; says whether it takes a sample."""
    sampled = False
    stack = [node]
    while stack:
        held = stack.pop()
        if isinstance(held, dict):
            if held.get("type") == "BASE_TABLE" and held.get("schema_name"):
                names[f"{held['schema_name']}.{held['table_name']}"] = None
            if held.get("function_name"):
                functions[held["function_name"]] = None
            sampled = sampled or bool(held.get("sample"))
            stack += held.values()
        elif isinstance(held, list):
            stack += held
    return sampled
