"""A field of a TableSchema → what is declared of its column; what is not enforced here is refused by name.

The rules are those of https://specs.frictionlessdata.io/table-schema/; later ones are those of https://datapackage.org.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import duckdb

from ingest import forms
from ingest.typings import Check, Declared
from policies.document import suggest
from policies.editions import literal
from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_DEGREES = r"-?[0-9]{1,3}(\.[0-9]+)?"
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
    ("geopoint", "default"): (rf"{_DEGREES}\s*,\s*{_DEGREES}", "a point LONGITUDE, LATITUDE"),
    ("geopoint", "array"): (rf"\[\s*{_DEGREES}\s*,\s*{_DEGREES}\s*\]", "a point [LONGITUDE, LATITUDE]"),
}
"""The types and formats that stay text: what the text must be, and how that is said."""
_JSON = {"object": "OBJECT", "array": "ARRAY", "geojson": "OBJECT"}
_PLAIN = {"string", "any", "integer", "number", "boolean", "object", "array", "geojson"}
"""Types whose format `default` says nothing more."""
_VALUES = {
    "integer": "TRY_CAST({x} AS DOUBLE)",
    "number": "TRY_CAST({x} AS DOUBLE)",
    "boolean": "TRY_CAST({x} AS BOOLEAN)",
    "date": "TRY_CAST({x} AS DATE)",
    "datetime": "TRY_CAST({x} AS TIMESTAMPTZ)",
}
"""What is compared: the value of a column once it is typed; where a type is not named here, its text."""
_BOUNDS = {
    "minimum": ("<", "at least"),
    "maximum": (">", "at most"),
    "exclusiveMinimum": ("<=", "more than"),
    "exclusiveMaximum": (">=", "less than"),
}
_BOUNDED = {"integer", "number", "date", "datetime", "time", "year", "yearmonth"}
_LENGTHS = {"minLength": ("<", "a length of at least"), "maxLength": (">", "a length of at most")}
_CONSTRAINTS = ("required", "unique", "enum", "pattern", *_BOUNDS, *_LENGTHS)
_INSTANT = dt.datetime(2024, 12, 31, 23, 58, 57, tzinfo=dt.UTC)
"""Written in a format, it is read by the forms of this format alone."""


def declared(place: str, field: dict[str, Any], missing: tuple[str, ...]) -> Declared:
    """What the field declares; `missing` are the schema's texts for no value.

    Raises DocumentError, which names `place` and the field, for what is no TableSchema and what is not read here.
    """
    place = f"{place}: field {field['name']!r}"
    kind = field.get("type") or "string"
    if kind not in _WORDS:
        raise DocumentError(f"{place}: the type {kind!r} is not read here; {suggest(str(kind), list(_WORDS))}")
    for unread in ("categories", "missingValues"):
        if field.get(unread):
            raise DocumentError(f"{place}: {unread} of one field is not read here; say it as enum, or for all fields")
    word = _WORDS[kind]
    patterns: tuple[str, ...] = ()
    form = field.get("format") or "default"
    checks = []
    if kind in {"date", "datetime", "time"}:
        patterns = _patterns(place, word, str(form))
    elif (kind, form) == ("string", "email"):
        word = "email"
    elif (kind, form) in _TEXTS:
        pattern, said = _TEXTS[kind, form]
        checks.append(Check(f"NOT regexp_full_match({{x}}, {_braced(literal(pattern))})", f"expected {said}"))
    elif (kind, form) == ("geopoint", "object"):
        checks.append(_json("OBJECT", "a point {{lon, lat}}"))
    elif form != "default" or kind not in _PLAIN:
        raise DocumentError(f"{place}: the format {form!r} of a {kind} is not checked here; leave it out")
    if kind in _JSON:
        checks.append(_json(_JSON[kind], f"JSON, {kind}"))
    checks += [*_number(place, field, kind), *_boolean(place, field, kind)]
    texts, values = _constrained(place, kind, field.get("constraints") or {}, missing)
    return Declared(word, (*checks, *texts), tuple(values), patterns)


def _constrained(
    place: str, kind: str, constraints: dict[str, Any], missing: tuple[str, ...]
) -> tuple[list[Check], list[Check]]:
    """The checks of the texts, and those of the values."""
    texts, values = [], []
    for name, said in constraints.items():
        if name not in _CONSTRAINTS:
            known = suggest(name, list(_CONSTRAINTS))
            raise DocumentError(f"{place}: the constraint {name!r} is not checked here; {known}")
        if name in {"required", "unique"} and not isinstance(said, bool | None):
            raise DocumentError(f"{place}: {name} is {said!r}; expected true or false")
        if said is None or said is False:
            continue
        if name == "required":
            texts.append(Check(f"({{x}} IS NULL OR trim({{x}}) IN ({_listed(['', *missing])}))", "a value is required"))
            if missing:  # in a typed column a row whose text is a marker has passed
                values.append(Check("{x} IS NULL", "a value is required"))
        elif name == "enum":
            (values if kind in _VALUES else texts).append(_among(place, kind, said))
        elif name in _BOUNDS:
            values.append(_bound(place, name, kind, said))
        elif name != "unique":  # which is a key of the table
            texts.append(_written(place, name, kind, said))
    return texts, values


def _among(place: str, kind: str, said: Any) -> Check:
    if not isinstance(said, list) or not said:
        raise DocumentError(f"{place}: enum is {said!r}; expected a list of values")
    allowed = ", ".join(_value(place, "enum", kind, one) for one in said)
    return Check(f"{_VALUES.get(kind, '{x}')} NOT IN ({allowed})", f"expected one of {', '.join(map(str, said))}")


def _bound(place: str, name: str, kind: str, said: Any) -> Check:
    if kind not in _BOUNDED:
        raise DocumentError(f"{place}: {name} of a {kind} is not checked here; it is for numbers and dates")
    sign, words = _BOUNDS[name]
    broken = f"{_VALUES.get(kind, '{x}')} {sign} {_value(place, name, kind, said)}"
    # What has no such value, because the descriptor declares another type, breaks the bound too
    return Check(f"coalesce({broken}, {{x}} IS NOT NULL)", f"expected {words} {said}")


def _written(place: str, name: str, kind: str, said: Any) -> Check:
    if name == "pattern":
        _refuse_unknown(place, str(said))
        return Check(f"NOT regexp_full_match({{x}}, {_braced(literal(str(said)))})", f"expected the pattern {said}")
    if kind in {"array", "object", "geojson"} or not isinstance(said, int):
        raise DocumentError(f"{place}: {name}: {said!r} of a {kind} is not checked here; it is a number, for texts")
    sign, words = _LENGTHS[name]
    return Check(f"length({{x}}) {sign} {said}", f"expected {words} {said}")


def _value(place: str, name: str, kind: str, said: Any) -> str:
    """SQL for a value that a constraint names. Raises DocumentError if it is none of the field's type."""
    sql = _VALUES.get(kind, "{x}").format(x=literal(str(said)))
    if duckdb.execute(f"SELECT ({sql}) IS NULL").fetchall()[0][0]:
        raise DocumentError(f"{place}: {name}: {said!r} is no {kind}; numbers are written 1.5, dates 2024-12-31")
    return _braced(sql)


def _patterns(place: str, word: str, form: str) -> tuple[str, ...]:
    """The patterns of the forms in which dates and times of the format are written; none where it leaves that open."""
    if form in {"default", "any"}:
        return ()
    text = _INSTANT.strftime(form)
    found = tuple(
        one.pattern for one in (*forms.FIXED, forms.SHORT_DATE) if one.word == word and one.regex.fullmatch(text)
    )
    if not found:
        raise DocumentError(
            f"{place}: the format {form!r} is not read here: {text!r} would be no {word}; declare it as a string"
        )
    return found


def _number(place: str, field: dict[str, Any], kind: str) -> Iterator[Check]:
    if kind not in {"integer", "number"}:
        return
    if field.get("bareNumber", True) is not True:
        raise DocumentError(
            f"{place}: bareNumber: false is not read here: a number has no sign of its unit in its cell"
        )
    grouped = field.get("groupChar") or ""
    if not set(grouped) <= set(forms.PADDING):
        raise DocumentError(f"{place}: groupChar {grouped!r} is not read here; thousands are set apart by spaces")
    point = field.get("decimalChar")
    if point not in {None, ".", ","}:
        raise DocumentError(f"{place}: decimalChar {point!r} is not read here; expected '.' or ','")
    if point is not None:
        yield Check(f"contains({{x}}, '{',' if point == '.' else '.'}')", f"expected a number with decimalChar {point}")


def _boolean(place: str, field: dict[str, Any], kind: str) -> Iterator[Check]:
    said = {name: [str(one) for one in field.get(name) or []] for name in ("trueValues", "falseValues")}
    if kind != "boolean" or not any(said.values()):
        return
    for name, words in said.items():
        for one in words:
            if not any(_means(form, one) is (name == "trueValues") for form in forms.BOOLEANS):
                raise DocumentError(
                    f"{place}: {name}: {one!r} is not read as a boolean here; declare a string with an enum"
                )
    words = [*said["trueValues"], *said["falseValues"]]
    yield Check(f"{forms.bare('{x}')} NOT IN ({_listed(words)})", f"expected one of {', '.join(words)}")


def _means(form: forms.Form, text: str) -> bool | None:
    """The boolean that the form reads in the text."""
    found: bool | None = duckdb.execute(f"SELECT {form.typed(literal(text))}").fetchall()[0][0]
    return found


def _json(kind: str, said: str) -> Check:
    sql = f"CASE WHEN json_valid({{x}}) THEN json_type({{x}}) <> '{kind}' ELSE {{x}} IS NOT NULL END"
    return Check(sql, f"expected {said}")


def _listed(texts: list[str]) -> str:
    return ", ".join(_braced(literal(text)) for text in texts)


def _braced(text: str) -> str:
    """Braces doubled, because a check's SQL goes through str.format."""
    return text.replace("{", "{{").replace("}", "}}")


def _refuse_unknown(place: str, pattern: str) -> None:
    """Raise DocumentError for a pattern that DuckDB's RE2, which has no look-around, does not know."""
    try:
        duckdb.execute("SELECT regexp_full_match('', ?)", [pattern])
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise DocumentError(
            f"{place}: the pattern {pattern!r} cannot be checked here: {reason}; write it otherwise"
        ) from None
