"""How a field of a TableSchema says that its values are written → the forms that its column may have, and no others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import duckdb

from ingest import forms
from ingest.forms import Form
from ingest.numbers import SPACE, Writing
from policies.editions import literal
from policies.errors import DocumentError

_DIRECTIVES = {
    "Y": "[1-9][0-9]{3}",
    "y": "[0-9]{2}",
    "m": "(1[0-2]|0?[1-9])",
    "d": "([12][0-9]|3[01]|0?[1-9])",
    "H": "(1[0-9]|2[0-3]|0?[0-9])",
    "I": "(1[0-2]|0?[1-9])",
    "M": "[0-5]?[0-9]",
    "S": "[0-5]?[0-9]",
    "f": "[0-9]{1,6}",
    "p": "[AaPp][Mm]",
    "z": "[+-][0-9]{2}:?[0-9]{2}",
}
"""What stands for each directive of `strptime`; names of days and months are read in no language here."""
_PADDED = frozenset("mdHIMS")
"""Those that may be written without their zero, unless digits stand beside."""
_DEFAULT = {
    "date": (forms.DATES[0],),
    "timestamp": (forms.TIMESTAMPS[0], forms.TIMESTAMPS[3]),
    "time": (forms.TIME,),
}
"""ISO 8601."""
_TRUE, _FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")
"""The words of a boolean where the schema names none."""


@dataclass(frozen=True)
class Written:
    """The forms that values may have, or the ways to write their numbers; `said` tells who wrote otherwise."""

    forms: tuple[Form, ...] = ()
    writings: tuple[Writing, ...] = ()
    said: str = ""


def written(place: str, word: str, field: dict[str, Any]) -> Written | None:
    """What the field says of how its values, of the type `word`, are written; None if it leaves that open.

    Raises DocumentError naming `place` for what is not read here.
    """
    if word in _DEFAULT:
        return _moments(place, word, str(field.get("format") or "any").removeprefix("fmt:"))
    if word in {"integer", "number"}:
        return _numbers(place, word, field)
    return _booleans(place, field) if word == "boolean" else None


def _moments(place: str, word: str, layout: str) -> Written | None:
    if layout == "any":
        return None
    if layout == "default":
        return Written(_DEFAULT[word], said=f"a {word} as ISO 8601 writes it")
    parts = re.findall(r"%.|[^%]+|%$", layout, re.DOTALL)
    given = [part[1:] for part in parts if part.startswith("%")]
    if len(set(given)) < len(given) or not set(given) <= _DIRECTIVES.keys() or not _whole(word, set(given)):
        raise DocumentError(
            f"{place}: the format {layout!r} of a {word} is not read here; a format is written with "
            f"{', '.join(f'%{one}' for one in _DIRECTIVES)}, each once, as far as a {word} has them"
        )
    beside = zip(["", *parts], parts, [*parts[1:], ""], strict=False)
    pattern = "".join(_pattern(part, before + after) for before, part, after in beside)
    parsed = f"try_strptime({{y}}, {literal(layout).replace('{', '{{').replace('}', '}}')})"
    why = f"every value is a {word} written {layout}"
    instant = "z" in given or parts[-1].endswith("Z")
    if word == "date":
        form = Form(word, "DATE", pattern, f"CAST({parsed} AS DATE)", why)
    elif word == "time":
        kept = "%H:%M:%S.%f" if "f" in given else "%H:%M:%S"
        form = Form(word, "VARCHAR", pattern, f"strftime({parsed}, '{kept}')", why)
    elif instant:
        cast = parsed if "z" in given else f"({parsed} AT TIME ZONE 'UTC')"
        form = Form(word, "TIMESTAMP WITH TIME ZONE", pattern, cast, f"{why}, kept in UTC")
    else:
        form = Form(word, "TIMESTAMP", pattern, parsed, why)
    return Written((form,), said=f"a {word} written {layout}")


def _whole(word: str, given: set[str]) -> bool:
    """Whether the directives name the whole of a date, a time or both, and nothing that would be lost."""
    day, clock = given & set("Yymd"), given & set("HIpMSf")
    days, hours = day in ({*"Ymd"}, {*"ymd"}), clock - {*"Sf"} in ({*"HM"}, {*"IpM"})
    if word == "timestamp":
        return days and hours
    return "z" not in given and (days and not clock if word == "date" else hours and not day)


def _pattern(part: str, beside: str) -> str:
    if not part.startswith("%"):
        return re.escape(part)
    pattern = _DIRECTIVES[part[1:]]
    return pattern.replace("?", "") if "%" in beside and part[1:] in _PADDED else pattern


def _numbers(place: str, word: str, field: dict[str, Any]) -> Written | None:
    said = {name: field[name] for name in ("decimalChar", "groupChar", "bareNumber") if field.get(name) is not None}
    point, group, bare = said.get("decimalChar"), said.get("groupChar") or None, said.get("bareNumber", True)
    if point not in {None, ".", ","}:
        raise DocumentError(f"{place}: decimalChar {point!r} is not read here; expected '.' or ','")
    if group is not None and (not isinstance(group, str) or len(group) != 1 or group.isalnum() or group in "+-<>()=%"):
        raise DocumentError(f"{place}: groupChar {group!r} is not read here; expected one sign, such as ' ' or '.'")
    if group == point and group is not None:
        raise DocumentError(f"{place}: groupChar and decimalChar are both {group!r}; expected two signs")
    if not isinstance(bare, bool):
        raise DocumentError(f"{place}: bareNumber is {bare!r}; expected true or false")
    told = [f"{name} {one!r}" for name, one in said.items() if name != "bareNumber"]
    told += [] if bare else ["one unit beside it"]
    if not told:
        return None
    groups = ("", SPACE) if group is None else (SPACE if group.isspace() else group,)
    points = [one for one in (".," if point is None else point) if one != group]
    points = points[:1] if word == "integer" else points
    ways = tuple(Writing(one, sign, unit=not bare) for sign in groups for one in points)
    return Written(writings=ways, said=f"{'an' if word == 'integer' else 'a'} {word} with {', '.join(told)}")


def _booleans(place: str, field: dict[str, Any]) -> Written:
    given = {name: field.get(name) for name in ("trueValues", "falseValues")}
    for name, some in given.items():
        if some is not None and (not isinstance(some, list) or not some):
            raise DocumentError(f"{place}: {name} is {some!r}; expected a list of texts")
    yes, no = ([str(one).strip() for one in some or ()] for some in given.values())
    for one in {*yes} & {*no}:
        raise DocumentError(f"{place}: {one!r} stands in both trueValues and falseValues")
    for name, some in (("trueValues", yes), ("falseValues", no)):
        for one in some:
            if any(_means(form, one) is (name == "falseValues") for form in forms.BOOLEANS):
                raise DocumentError(f"{place}: {name}: {one!r} means the contrary; correct the schema")
    named = bool(yes or no)
    form = _words(yes or [one for one in _TRUE if one not in no], no or [one for one in _FALSE if one not in yes])
    if not named:
        return Written((*forms.BOOLEANS, form))
    return Written((form,), said=form.why.removeprefix("every value is "))


def _words(yes: list[str], no: list[str]) -> Form:
    words = [*yes, *no]
    pattern = "|".join(map(re.escape, words))
    listed = ", ".join(literal(one).replace("{", "{{").replace("}", "}}") for one in yes)
    return Form("boolean", "BOOLEAN", pattern, f"({{y}} IN ({listed}))", f"every value is one of {', '.join(words)}")


def _means(form: Form, text: str) -> bool | None:
    """The boolean that the form reads in the text."""
    found: bool | None = duckdb.cursor().execute(f"SELECT {form.typed(literal(text))}").fetchall()[0][0]
    return found
