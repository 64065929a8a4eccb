"""What a query reads, and whether it is one that may run here: the second wall.

The first is the jail: what is not granted is not in it, nothing in it can be written, and no path of the host is known.
This one tells the audit log which tables are read, and makes an honest mistake, or a clumsy attack, a clear answer. It
errs to the safe side: a table that is named anywhere counts as read.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import duckdb

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree", "repeat_row"})
"""Those that make rows out of their arguments alone."""

_CODES = frozenset({"cog_convert", "cog_check", "cog_crosswalk", "cog_sql"})
"""The lab's own macros. They take a table's name, or a query in parentheses, as a text, which is looked into too."""

_UNFIT = frozenset(
    {"getenv", "getvariable", "query", "query_table", "write_log", "parse_duckdb_log_message", "stats"}
) | {
    *("format_type", "get_block_size", "in_search_path", "txid_current", "nextval", "currval", "setval", "setseed"),
    *("col_description", "obj_description", "shobj_description", "sleep_ms"),
}
"""Functions that speak of the machine or the engine and not of the data, or leave something for the next query."""

_UNFIT_STARTS = ("pg_", "duckdb_", "pragma_", "current_", "has_")
_FIT = frozenset({"pg_typeof", "pg_size_pretty", "current_date", "current_time", "current_timestamp"}) | {
    *("current_localtime", "current_localtimestamp"),
}
_LISTS = frozenset({"main.datasets", "datasets"})
_MOST_NODES = 1_000_000
_MOST_TEXTS = 20


class RefusedError(Exception):
    """The query is not one that may run here; the text says why."""


class UnknownTableError(RefusedError):
    """It names a table that is not here."""


@dataclass(frozen=True)
class Granted:
    """The names of the tables that are here, those of them that the lab's macros read, and the engine's own names."""

    tables: frozenset[str]
    codes: frozenset[str]
    system: frozenset[str]

    @classmethod
    def of(cls, con: duckdb.DuckDBPyConnection, tables: Collection[str], codes: Collection[str]) -> Granted:
        """What a connection has."""
        found = con.execute("SELECT view_name FROM duckdb_views() WHERE internal").fetchall()
        return cls(frozenset(tables), frozenset(codes), frozenset(name.casefold() for (name,) in found))


def tables_of(con: duckdb.DuckDBPyConnection, sql: str, granted: Granted, *, inside: int = 0) -> list[str]:
    """The granted tables that `sql` reads, in their order.

    Raises RefusedError unless it is one SELECT (or DESCRIBE, SUMMARIZE) on granted tables and on what it makes itself.
    `inside` counts how deep it stands in the texts of others.
    """
    nodes = list(_nodes(_parsed(con, sql)))
    named = {str(entry["key"]) for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    for name in named:
        # One that is also a table's, a view's or a file's would be taken for that where it is not in scope
        if not re.fullmatch(r"\w+", name) or name.casefold() in granted.system:
            raise RefusedError(f"WITH {name}: choose a plain name, of letters, digits and _")
    read: set[str] = set()
    for node in nodes:
        kind = node.get("type")
        if kind == "BASE_TABLE":
            read |= _table(node, granted, {name.casefold() for name in named})
        elif kind == "TABLE_FUNCTION":
            _refuse_table_function(node["function"])
        elif kind == "SHOW_REF" and not node.get("query"):
            raise RefusedError("SHOW lists what the engine has; what you were granted is listed by: FROM main.datasets")
        if node.get("function_name"):
            read |= _called(con, node, granted, inside)
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
    schema = node.get("schema_name") or ""
    name = f"{schema}.{node['table_name']}" if schema else str(node["table_name"])
    if node.get("catalog_name"):
        raise RefusedError(f"{node['catalog_name']}.{name}: tables are named dataset.resource")
    found = {table for table in granted.tables if table.casefold() == name.casefold()}
    if found or name.casefold() in _LISTS or (not schema and name.casefold() in named):
        return found
    near = difflib.get_close_matches(name, granted.tables, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "what you were granted is listed by: FROM main.datasets"
    raise UnknownTableError(f"there is no table {name!r}; {hint}")


def _refuse_table_function(function: dict[str, Any]) -> None:
    name = str(function.get("function_name", "")).lower()
    if name not in _TABLE_FUNCTIONS | _CODES:
        raise RefusedError(f"{name}() is not to be had here; tables are named dataset.resource")


def _called(con: duckdb.DuckDBPyConnection, node: dict[str, Any], granted: Granted, inside: int) -> set[str]:
    """The tables that a call reads: none, but of the lab's macros, which are given texts."""
    name = str(node["function_name"]).lower()
    if name in _UNFIT or (name.startswith(_UNFIT_STARTS) and name not in _FIT):
        raise RefusedError(f"{name}() is not to be had here")
    if name not in _CODES:
        return set()
    read = set(granted.codes)
    for argument in node.get("arguments", node.get("children", [])):
        constant = argument.get("expression", argument)
        if constant.get("type") != "VALUE_CONSTANT":
            raise RefusedError(f"{name}() takes texts and numbers as they stand, nothing that is reckoned")
        literal = constant.get("literal", constant.get("value", {}))
        text = literal.get("text", literal.get("value")) if isinstance(literal, dict) else None
        if isinstance(text, str):
            read |= _of_text(con, text.strip(), granted, inside)
    return read


def _of_text(con: duckdb.DuckDBPyConnection, text: str, granted: Granted, inside: int) -> set[str]:
    """The tables of a text that a macro is given: a query in parentheses, a table's name, or a column's."""
    if not text.startswith("("):
        name = text.replace('"', "").casefold()
        return {table for table in granted.tables if table.casefold() == name}
    if inside >= _MOST_TEXTS or not text.endswith(")"):
        raise RefusedError("expected a table's name, or one SELECT in parentheses")
    return set(tables_of(con, text[1:-1], granted, inside=inside + 1))


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
