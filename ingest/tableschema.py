"""A TableSchema file (https://specs.frictionlessdata.io/table-schema/) → what is declared of each column."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb

from ingest.typings import Check, Declared
from policies.editions import literal
from policies.errors import DocumentError, ReadingError

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.table import SourceColumn

_WORDS = {
    "integer": "integer",
    "year": "text",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamp",
}
"""What is not named here (string, geopoint, time, duration, object, any …) is text."""
_NUMBER = "TRY_CAST(replace({x}, ',', '.') AS DOUBLE)"
_BOUNDS = {
    "minimum": (_NUMBER + " < {bound}", "at least"),
    "maximum": (_NUMBER + " > {bound}", "at most"),
    "minLength": ("length({x}) < {bound}", "a length of at least"),
    "maxLength": ("length({x}) > {bound}", "a length of at most"),
}
"""Constraints with a bound: SQL that is true where a value breaks it, and how that is said."""


def read_tableschema(path: Path, columns: tuple[SourceColumn, ...]) -> dict[str, Declared]:
    """The declarations of the schema at `path`, by the names that the columns have in the lake.

    Types, and the constraints required, enum, pattern, minimum, maximum (of numbers), minLength and maxLength are taken
    over; unique is not. Raises DocumentError if the file is no TableSchema or a pattern cannot be checked, and
    ReadingError if a required field has no column.
    """
    fields = _fields(path)
    by_source = {column.source_name: column.name for column in columns}
    declared = {}
    for field in fields:
        name = field["name"]
        constraints = field.get("constraints") or {}
        if name not in by_source:
            if constraints.get("required"):
                message = f"{path}: the schema requires the column {name!r}; the file has {', '.join(by_source)}"
                raise ReadingError(message)
            continue
        word = _WORDS.get(field.get("type", "string"), "text")
        declared[by_source[name]] = Declared(word, tuple(_checks(path, constraints)))
    return declared


def _fields(path: Path) -> list[dict[str, Any]]:
    try:
        fields = [dict(field, name=str(field["name"])) for field in json.loads(path.read_text("utf-8"))["fields"]]
    except FileNotFoundError:
        message = f"{path}: no such file; the descriptor's tableschema names it"
        raise DocumentError(message) from None
    except (ValueError, KeyError, TypeError):
        message = f"{path}: not a TableSchema: expected a JSON object with fields, each with a name"
        raise DocumentError(message) from None
    return fields


def _checks(path: Path, constraints: dict[str, Any]) -> list[Check]:
    found = []
    if constraints.get("required"):
        found.append(Check("({x} IS NULL OR trim({x}) = '')", "a value is required"))
    if constraints.get("enum"):
        allowed = [str(value) for value in constraints["enum"]]
        listed = ", ".join(literal(value) for value in allowed)
        found.append(Check(f"{{x}} NOT IN ({_braced(listed)})", f"expected one of {', '.join(allowed)}"))
    for name, (test, said) in _BOUNDS.items():
        if isinstance(constraints.get(name), int | float):
            bound = constraints[name]
            found.append(Check(test.format(x="{x}", bound=bound), f"expected {said} {bound}"))
    pattern = constraints.get("pattern")
    if isinstance(pattern, str):
        _refuse_unknown(path, pattern)
        found.append(
            Check(f"NOT regexp_full_match({{x}}, {_braced(literal(pattern))})", f"expected the pattern {pattern}")
        )
    return found


def _braced(text: str) -> str:
    """Braces doubled, because a check's SQL goes through str.format."""
    return text.replace("{", "{{").replace("}", "}}")


def _refuse_unknown(path: Path, pattern: str) -> None:
    """Raise DocumentError for a pattern that DuckDB's RE2, which has no look-around, does not know."""
    try:
        duckdb.connect().execute("SELECT regexp_full_match('', ?)", [pattern])
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise DocumentError(
            f"{path}: the pattern {pattern!r} cannot be checked here: {reason}; write it otherwise"
        ) from None
