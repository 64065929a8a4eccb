"""What a query reads, and whether it is one that may run here: the second wall.

The first is the jail: what is not granted is not in it, nothing in it can be written, and no path of the host is known.
This one makes an honest mistake, or a clumsy attack, a clear answer instead of an odd one.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree", "repeat_row"})
"""Those that make rows out of their arguments alone."""

_CODES = frozenset({"cog_convert", "cog_check", "cog_crosswalk"})
"""The lab's own macros. The tables that they are given by name are looked for among their arguments."""

_UNFIT = frozenset({"getenv", "current_setting", "write_log", "query", "query_table", "getvariable"})
"""Functions that speak of the machine and not of the data."""

_LISTS = frozenset({"main.datasets", "datasets"})
_MOST_NODES = 1_000_000


class RefusedError(Exception):
    """The query is not one that may run here; the text says why."""


class UnknownTableError(RefusedError):
    """It names a table that is not here."""


@dataclass(frozen=True)
class Granted:
    """The names of the tables that are here, and those of them that the lab's macros read."""

    tables: frozenset[str]
    codes: frozenset[str]


def tables_of(con: duckdb.DuckDBPyConnection, sql: str, granted: Granted) -> list[str]:
    """The granted tables that `sql` reads, in their order.

    Raises RefusedError unless it is one SELECT (or DESCRIBE, SUMMARIZE) on granted tables and on what it makes itself.
    """
    parsed = _parsed(con, sql)
    nodes = list(_nodes(parsed))
    named = {str(entry["key"]) for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    read: set[str] = set()
    for node in nodes:
        kind = node.get("type")
        if kind == "BASE_TABLE":
            read |= _table(node, granted, named)
        elif kind == "TABLE_FUNCTION":
            read |= _made(node["function"], granted)
        elif kind == "SHOW_REF" and not node.get("query"):
            raise RefusedError("SHOW lists what the engine has; what you were granted is listed by: FROM main.datasets")
        elif str(node.get("function_name", "")).lower() in _UNFIT:
            raise RefusedError(f"{node['function_name']}() is not to be had here")
    return sorted(read)


def _parsed(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    ((told,),) = con.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    parsed: dict[str, Any] = json.loads(told)
    if parsed["error"]:
        if parsed.get("error_type") == "not implemented":
            raise RefusedError("expected one SELECT; the lab's data are changed by ingest alone")
        raise RefusedError(str(parsed.get("error_message", "expected one SELECT")))
    if len(parsed["statements"]) != 1:
        raise RefusedError(f"expected one SELECT, not {len(parsed['statements'])} statements")
    return parsed


def _table(node: dict[str, Any], granted: Granted, named: set[str]) -> set[str]:
    """The table that a node names, unless the query makes it itself."""
    name = ".".join(part for part in (node.get("schema_name"), node["table_name"]) if part)
    if node.get("catalog_name"):
        raise RefusedError(f"{node['catalog_name']}.{name}: tables are named dataset.resource")
    if name in granted.tables:
        return {name}
    if name in _LISTS or name in named:
        return set()
    near = difflib.get_close_matches(name, granted.tables, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "what you were granted is listed by: FROM main.datasets"
    raise UnknownTableError(f"there is no table {name!r}; {hint}")


def _made(function: dict[str, Any], granted: Granted) -> set[str]:
    """The tables that a table function reads."""
    name = str(function.get("function_name", "")).lower()
    if name in _CODES:
        texts = {str(one.get("text")) for one in _nodes(function) if one.get("kind") == "STRING"}
        return (texts & granted.tables) | granted.codes
    if name not in _TABLE_FUNCTIONS:
        raise RefusedError(f"{name}() is not to be had here; tables are named dataset.resource")
    return set()


def _nodes(root: Any) -> Iterator[dict[str, Any]]:
    """Every object of a parsed query, however deep."""
    stack, seen = [root], 0
    while stack:
        held = stack.pop()
        seen += 1
        if seen > _MOST_NODES:
            raise RefusedError("the query has too many parts")
        if isinstance(held, dict):
            yield held
            stack += held.values()
        elif isinstance(held, list):
            stack += held
