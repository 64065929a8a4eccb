"""A TableSchema file (https://specs.frictionlessdata.io/table-schema/) → what is declared of a table."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ingest.fields import declared
from ingest.typings import Declared, Key
from policies.errors import DocumentError, ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ingest.table import SourceColumn


_BEYOND = ("arrayItem", "custom_checks")
"""What frictionless-py and Validata understand besides the specification."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What is declared: of columns, by the names that they have in the lake, of rows, and the texts for no value.

    `missing` None: the schema does not say. `notes` tell what of it says nothing of this file.
    """

    columns: Mapping[str, Declared]
    keys: tuple[Key, ...]
    missing: tuple[str, ...] | None
    notes: tuple[str, ...]


def read_tableschema(path: Path, columns: tuple[SourceColumn, ...]) -> Schema:
    """The schema at `path`, of the `columns` that the file has; fields that it has not are noted.

    Raises DocumentError if the file is no TableSchema or says what is not enforced here, and ReadingError if a field
    that is required, or is of the primary key, has no column, or one whose name is only almost the field's.
    """
    schema, fields = _opened(path)
    names = [field["name"] for field in fields]
    by_source = _by_source(path, columns, names)
    missing = _missing(path, schema.get("missingValues"))
    found = {}
    keys = _keys(path, schema, names)
    for field in fields:
        name, demanded = field["name"], declared(str(path), field, missing or ())
        constraints = field.get("constraints") or {}
        needed = constraints.get("required") or any(key.required and name in key.columns for key in keys)
        if name in by_source:
            found[by_source[name]] = demanded
            if constraints.get("unique"):
                keys.append(Key((name,), place=str(path), required=False))
        elif needed:
            raise ReadingError(f"{path}: the schema requires the column {name!r}; the file has {', '.join(by_source)}")
    if names and not found:
        has = ", ".join(map(repr, list(by_source)[:20]))
        raise ReadingError(
            f"{path}: none of its fields is a column of the file, which has {has}; declare where the names stand, "
            "read: {header_row: 1}, or another schema"
        )
    there = [key for key in keys if all(name in by_source for name in key.columns)]
    return Schema(
        columns=found,
        keys=tuple(Key(tuple(by_source[name] for name in one.columns), one.place, one.required) for one in there),
        missing=missing or None,
        notes=tuple(_notes(path, schema, fields, by_source)),
    )


def _notes(
    path: Path, schema: dict[str, Any], fields: list[dict[str, Any]], by_source: Mapping[str, str]
) -> Iterator[str]:
    """What says nothing of this file, and what other tools add to the specification and is not checked here."""
    absent = [repr(field["name"]) for field in fields if field["name"] not in by_source]
    if absent:
        yield f"fields of {path.name} that the file has not: {', '.join(absent)}"
    beyond = [f"{name} of the field {field['name']!r}" for field in fields for name in _BEYOND if field.get(name)]
    beyond += [name for name in _BEYOND if schema.get(name)]
    if beyond:
        yield f"of {path.name} this is not checked: {', '.join(beyond)}"


def _by_source(path: Path, columns: tuple[SourceColumn, ...], names: list[str]) -> dict[str, str]:
    """The columns' names in the lake by those in the file. Raises ReadingError where a field's column is in doubt."""
    has = [column.source_name for column in columns]
    alike = {_plain(name): name for name in has}
    for name in names:
        if has.count(name) > 1:
            raise ReadingError(
                f"{path}: the field {name!r} stands for {has.count(name)} columns of the file; expected one"
            )
        other = alike.get(_plain(name), name)
        if name not in has and other not in names:
            raise ReadingError(f"{path}: the file has {other!r} and not {name!r}; write the field as the file does")
    return {column.source_name: column.name for column in columns}


def _plain(name: str) -> str:
    """The name without what is easily written otherwise: capitals, accents, spaces and signs."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def _missing(path: Path, said: Any) -> tuple[str, ...] | None:
    if said is None:
        return None
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        raise DocumentError(f"{path}: missingValues is {said!r}; expected a list of texts")
    return tuple(one for one in said if one.strip())


def _opened(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        schema = json.loads(path.read_text("utf-8-sig"), parse_float=Decimal)
        fields = [dict(field, name=str(field["name"])) for field in schema["fields"]]
    except FileNotFoundError:
        message = f"{path}: no such file; the descriptor's tableschema names it"
        raise DocumentError(message) from None
    except (ValueError, KeyError, TypeError):
        message = f"{path}: not a TableSchema: expected a JSON object with fields, each with a name"
        raise DocumentError(message) from None
    names = [field["name"] for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise DocumentError(f"{path}: {names.count(name)} fields are named {name!r}; expected one")
    if schema.get("foreignKeys"):
        raise DocumentError(f"{path}: foreignKeys is not checked here; take it out of the schema")
    if schema.get("fieldsMatch", "partial") not in ("partial", ["partial"]):
        raise DocumentError(f"{path}: fieldsMatch is not checked here; expected 'partial', or nothing")
    return schema, fields


def _keys(path: Path, schema: dict[str, Any], names: list[str]) -> list[Key]:
    primary, others = schema.get("primaryKey") or [], schema.get("uniqueKeys") or []
    found = []
    for said in [primary, *others]:
        columns = (said,) if isinstance(said, str) else tuple(map(str, said))
        for column in columns:
            if column not in names:
                raise DocumentError(f"{path}: the key {column!r} is none of the fields: {', '.join(names)}")
        if columns:
            found.append(Key(columns, place=str(path), required=said is primary))
    return found
