"""A field of a TableSchema → what is declared of its column; what is not enforced here is refused by name.

The rules are those of https://specs.frictionlessdata.io/table-schema/; later ones are those of https://datapackage.org.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

import duckdb

from ingest.bounds import Bound
from ingest.fieldforms import written
from ingest.patterns import translated
from ingest.typings import Check, Declared
from policies.document import suggest
from policies.editions import literal
from policies.errors import DocumentError

_WORDS = {
    "string": "text",
    "any": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamp",
    "time": "time",
    "year": "text",
    "yearmonth": "text",
    "duration": "text",
    "geopoint": "text",
    "object": "text",
    "array": "text",
    "geojson": "text",
}
_LONGITUDE = r"-?(180(\.0+)?|(1[0-7][0-9]|[0-9]{1,2})(\.[0-9]+)?)"
_LATITUDE = r"-?(90(\.0+)?|[0-8]?[0-9](\.[0-9]+)?)"
_TEXTS = {
    ("string", "email"): ("", "email"),
    ("string", "uri"): (r"[A-Za-z][A-Za-z0-9+.-]*:\S+", "an address (URI)"),
    ("string", "uuid"): ("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", "a UUID"),
    ("string", "binary"): ("([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", "base64"),
    ("year", "default"): ("[0-9]{4}", "a year YYYY"),
    ("yearmonth", "default"): ("[0-9]{4}-(0[1-9]|1[0-2])", "a month YYYY-MM"),
    ("duration", "default"): (
        r"-?P([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?)?",
        "a duration as ISO 8601 writes it",
    ),
    ("geopoint", "default"): (rf"{_LONGITUDE}\s*,\s*{_LATITUDE}", "a point LONGITUDE, LATITUDE"),
    ("geopoint", "array"): (rf"\[\s*{_LONGITUDE}\s*,\s*{_LATITUDE}\s*\]", "a point [LONGITUDE, LATITUDE]"),
}
"""The types and formats that stay text: what the text must be, and how that is said."""
_JSON = {"object": "OBJECT", "array": "ARRAY", "geojson": "OBJECT"}
_PLAIN = {"string", "any", "integer", "number", "boolean", "object", "array", "geojson"}
"""Types whose format `default` says nothing more."""
_NUMBERS = {"integer", "number"}
_VALUES = {
    "boolean": "TRY_CAST({x} AS BOOLEAN)",
    "date": "TRY_CAST({x} AS DATE)",
    "datetime": "TRY_CAST({x} AS TIMESTAMPTZ)",
    "time": "TRY_CAST({x} AS TIME)",
}
"""What is compared: a column's value once it is typed; `bounds.py` says it of numbers, and of others it is the text."""
_BOUNDS = {
    "minimum": ("<", "at least"),
    "maximum": (">", "at most"),
    "exclusiveMinimum": ("<=", "more than"),
    "exclusiveMaximum": (">=", "less than"),
}
_DATED = {"date", "datetime", "time"}
_LENGTHS = {"minLength": ("<", "a length of at least"), "maxLength": (">", "a length of at most")}
_CONSTRAINTS = ("required", "unique", "enum", "pattern", *_BOUNDS, *_LENGTHS)
_CONTENTS = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection")
_GEOJSON = (*_CONTENTS, "Feature", "FeatureCollection")


def declared(place: str, field: dict[str, Any], missing: tuple[str, ...]) -> Declared:
    """What the field declares; `missing` are the schema's texts for no value.

    Raises DocumentError, which names `place` and the field, for what is no TableSchema and what is not read here.
    """
    place = f"{place}: field {field['name']!r}"
    kind, form = field.get("type") or "string", str(field.get("format") or "default")
    if not isinstance(kind, str) or kind not in _WORDS:
        raise DocumentError(f"{place}: the type {kind!r} is not read here; {suggest(str(kind), list(_WORDS))}")
    for unread in ("categories", "missingValues"):
        if field.get(unread):
            raise DocumentError(f"{place}: {unread} of one field is not read here; say it as enum, or for all fields")
    for name in (*_CONSTRAINTS, "constraint"):
        if name in field:
            raise DocumentError(
                f"{place}: {name} stands beside the type, where it says nothing; write it in constraints"
            )
    word = "email" if (kind, form) == ("string", "email") else _WORDS[kind]
    how = written(place, word, field)
    texts, values = _constrained(place, kind, _constraints(place, field), missing)
    checks = [_unless(missing, check) for check in _formed(place, kind, form)]
    return Declared(word, (*checks, *texts), tuple(values), how)


def _formed(place: str, kind: str, form: str) -> list[Check]:
    """The checks of what stays text."""
    if kind in _DATED or (kind, form) == ("string", "email"):
        return []
    if (kind, form) in _TEXTS:
        pattern, said = _TEXTS[kind, form]
        return [Check(f"NOT regexp_full_match({{x}}, {_braced(literal(pattern))})", f"expected {said}")]
    if (kind, form) == ("geopoint", "object"):
        return [_json("OBJECT", "a point {lon, lat}")]
    if form != "default" or kind not in _PLAIN:
        raise DocumentError(f"{place}: the format {form!r} of a {kind} is not checked here; leave it out")
    if kind == "geojson":
        typed = f"coalesce(TRY(json_extract_string({{x}}, '$.type')) NOT IN ({_listed(list(_GEOJSON))}), true)"
        return [_json("OBJECT", "GeoJSON", typed)]
    return [_json(_JSON[kind], f"JSON, {kind}")] if kind in _JSON else []


def _constraints(place: str, field: dict[str, Any]) -> dict[str, Any]:
    said = field.get("constraints") or {}
    if not isinstance(said, dict):
        raise DocumentError(f'{place}: constraints is {said!r}; expected an object, such as {{"required": true}}')
    return said


def _unless(missing: tuple[str, ...], check: Check) -> Check:
    """The check, of texts that are not one for no value."""
    return replace(check, sql=f"trim({{x}}) NOT IN ({_listed(list(missing))}) AND ({check.sql})") if missing else check


def _constrained(
    place: str, kind: str, constraints: dict[str, Any], missing: tuple[str, ...]
) -> tuple[list[Check], list[Check | Bound]]:
    """The checks of the texts, and those of the values."""
    texts: list[Check] = []
    values: list[Check | Bound] = []
    for name, said in constraints.items():
        if name in {"type", "format"}:
            raise DocumentError(f"{place}: {name} stands in constraints, where it says nothing; write it beside them")
        if name not in _CONSTRAINTS:
            known = suggest(name, list(_CONSTRAINTS))
            raise DocumentError(f"{place}: the constraint {name!r} is not checked here; {known}")
        if name in {"required", "unique"} and not isinstance(said, bool | None):
            raise DocumentError(f"{place}: {name} is {said!r}; expected true or false")
        if said is None or said is False or name == "unique":  # which is a key of the table
            continue
        if name == "required":
            texts.append(Check(f"({{x}} IS NULL OR trim({{x}}) IN ({_listed(['', *missing])}))", "a value is required"))
            if missing:  # in a typed column a row whose text is a marker has passed
                values.append(Check("{x} IS NULL", "a value is required"))
        elif name in {"enum", *_BOUNDS} and kind in {*_NUMBERS, *_VALUES}:
            values.append(_among(place, kind, said) if name == "enum" else _bound(place, name, kind, said))
        else:
            texts.append(_unless(missing, _text(place, name, kind, said)))
    return texts, values


def _text(place: str, name: str, kind: str, said: Any) -> Check:
    """The check of a text."""
    if name == "enum":
        return _one_of(place, kind, said)
    return _in_order(place, name, kind, said) if name in _BOUNDS else _written(place, name, kind, said)


def _among(place: str, kind: str, said: Any) -> Check | Bound:
    reason = f"expected one of {', '.join(map(str, _values(place, said)))}"
    if kind in _NUMBERS:
        return Bound("NOT IN", tuple(_number(place, "enum", one) for one in said), reason)
    return Check(f"{_VALUES[kind]} NOT IN ({', '.join(_value(place, 'enum', kind, one) for one in said)})", reason)


def _one_of(place: str, kind: str, said: Any) -> Check:
    if kind in _JSON:
        raise DocumentError(f"{place}: enum of a {kind} is not checked here; one value is written in many ways")
    return Check(
        f"{{x}} NOT IN ({_listed(list(map(str, _values(place, said))))})",
        f"expected one of {', '.join(map(str, said))}",
    )


def _values(place: str, said: Any) -> list[Any]:
    if not isinstance(said, list) or not said or any(one is None or isinstance(one, list | dict) for one in said):
        raise DocumentError(f"{place}: enum is {said!r}; expected a list of values")
    return said


def _bound(place: str, name: str, kind: str, said: Any) -> Check | Bound:
    if kind == "boolean":
        raise _unordered(place, name, kind)
    sign, words = _BOUNDS[name]
    reason = f"expected {words} {said}"
    if kind in _NUMBERS:
        return Bound(sign, (_number(place, name, said),), reason)
    broken = f"{_VALUES[kind]} {sign} {_value(place, name, kind, said)}"
    # What has no such value, because the descriptor declares another type, breaks the bound too
    return Check(f"coalesce({broken}, {{x}} IS NOT NULL)", reason)


def _in_order(place: str, name: str, kind: str, said: Any) -> Check:
    """Years and months, which are in the order of their texts: all have the same digits."""
    if kind not in {"year", "yearmonth"}:
        raise _unordered(place, name, kind)
    pattern, one = _TEXTS[kind, "default"]
    if re.fullmatch(pattern, str(said)) is None:
        raise DocumentError(f"{place}: {name}: {said!r} is no {kind}; expected {one}")
    sign, words = _BOUNDS[name]
    return Check(f"{{x}} {sign} {literal(str(said))}", f"expected {words} {said}")


def _unordered(place: str, name: str, kind: str) -> DocumentError:
    return DocumentError(f"{place}: {name} of a {kind} is not checked here; it is for numbers and dates")


def _written(place: str, name: str, kind: str, said: Any) -> Check:
    if name == "pattern":
        pattern = _braced(literal(translated(place, str(said))))
        return Check(f"NOT regexp_full_match({{x}}, {pattern})", f"expected the pattern {said}")
    if kind in {"array", "object", "geojson"} or not isinstance(said, int):
        raise DocumentError(f"{place}: {name}: {said!r} of a {kind} is not checked here; it is a number, for texts")
    sign, words = _LENGTHS[name]
    return Check(f"length({{x}}) {sign} {said}", f"expected {words} {said}")


def _number(place: str, name: str, said: Any) -> Decimal:
    try:
        found = Decimal(str(said))
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise DocumentError(f"{place}: {name}: {said!r} is no number; numbers are written 1.5")
    return found


def _value(place: str, name: str, kind: str, said: Any) -> str:
    """SQL for a value that a constraint names. Raises DocumentError if it is none of the field's type."""
    sql = _VALUES[kind].format(x=literal(str(said)))
    if duckdb.cursor().execute(f"SELECT ({sql}) IS NULL").fetchall()[0][0]:
        raise DocumentError(f"{place}: {name}: {said!r} is no {kind}; numbers are written 1.5, dates 2024-12-31")
    return _braced(sql)


def _json(kind: str, said: str, wrong: str = "false") -> Check:
    broken = f"(json_type({{x}}) <> '{kind}' OR {wrong})"
    return Check(f"CASE WHEN json_valid({{x}}) THEN {broken} ELSE {{x}} IS NOT NULL END", f"expected {said}")


def _listed(texts: list[str]) -> str:
    return ", ".join(_braced(literal(text)) for text in texts)


def _braced(text: str) -> str:
    """Braces doubled, because a check's SQL goes through str.format."""
    return text.replace("{", "{{").replace("}", "}}")
