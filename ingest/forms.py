"""The forms in which text may stand for a typed value: a pattern that proves it, and a cast that cannot change it.

A form's pattern accepts only texts whose value the cast keeps: no leading zeros, no more digits than the type holds.
What no form accepts stays text. Patterns are valid both for Python's `re` and for DuckDB's RE2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

from policies.wording import count_of

DECIMAL_SCALE = 4
"""Numbers with at most this many decimals are decimals (money, rates); with more, they are measures: floats."""
DOUBLE_DIGITS = 15
"""Any decimal number of 15 significant digits keeps them all in a DOUBLE (IEEE 754 binary64)."""
DECIMAL_DIGITS = 38
DIGITS_TO_SPARE = 4
"""A float column may turn out to have this many digits more before its separator than its sample had."""

_SPACES = " \u00a0\u202f"
PADDING = f"{_SPACES}\t\r\n"
"""The white space around a text that says nothing."""
_YEAR = "(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"  # there is no year 0
_AFTER_CHRIST = "{v} >= DATE '0001-01-01'"
_DAY = "(0[1-9]|[12][0-9]|3[01])"
_MONTH = "(0[1-9]|1[0-2])"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
_COMMA = (
    "({x} >= '1' AND {x} < ':' OR {x} >= '0,' AND {x} < '0-' OR {x} >= '-1' AND {x} < '-:' OR "
    "{x} >= '-0,' AND {x} < '-0-') AND {x} <> {y} AND strlen({x}) <= 16"
)
"""No zeros before other digits, a comma, 15 digits at most: what the engine then takes for a number is that one, if an
exponent, as in `1,E-999`, has not made it 0 or infinite.
"""
POINT, COMMA = "{x}", "replace({x}, ',', '.')"
"""How a number with this separator is written plainly."""
_SECONDS = r":[0-5][0-9](\.[0-9]{1,6})?"


@dataclass(frozen=True)
class Form:
    """One way to write one type.

    `pattern` accepts the texts `{x}` whose value is kept. `plain` is SQL for the text as the engine reads it, and
    `cast` for the value of that, `{y}`; NULL from it means: not proven. `quick`, where there is one, is SQL of `{x}`,
    `{y}` and the value `{v}` that is true only where the value is the text's, and costs less than the pattern; `beyond`
    is the same for texts that no pattern tells. `padded` forms pass over white space around the text, which costs as
    much as the rest of the proof. `standard` forms are written as machines write the type everywhere, so that a CSV
    keeps their texts as they are.
    """

    word: str
    sql_type: str
    pattern: str
    cast: str
    why: str
    plain: str = "{x}"
    quick: str | None = None
    beyond: str | None = None
    padded: bool = False
    standard: bool = False

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern, for Python."""
        return re.compile(self.pattern)

    def with_padding(self) -> Form:
        """The same form, for texts that may have white space around them."""
        return replace(self, padded=True)

    def typed(self, raw: str) -> str:
        """SQL: the typed value of the text `raw`, or NULL where it is not proven."""
        text = bare(raw) if self.padded else raw
        plain = self.plain.format(x=text)
        return self.proven(text, plain, self.cast.format(y=plain))

    def proven(self, text: str, plain: str, value: str) -> str:
        """SQL: `value`, the cast's of `plain`, which is the plain form of `text`; NULL where it is not proven."""
        pattern = self.pattern.replace("'", "''")
        tests = (test.format(x=text, y=plain, v=value) for test in (self.quick, self.beyond) if test is not None)
        shown = "".join(f"WHEN {test} THEN {value} " for test in tests)
        return f"CASE {shown}WHEN regexp_full_match({text}, '{pattern}') THEN {value} END"


def bare(raw: str) -> str:
    """SQL: the text `raw` without the white space around it, which says nothing of a typed value."""
    return f"trim({raw}, '{PADDING}')"


def says(raw: str) -> str:
    """SQL: the text `raw` says something; where it does not, false or NULL. Blanks are NULL in a typed column, and kept
    in one of texts.
    """
    return f"{bare(raw)} <> ''"


def number(
    whole: int, scale: int, separator: str, word: str | None = None, *, grouped: bool = False, exact: bool = False
) -> Form | None:
    """The form of numbers with up to `whole` digits before and `scale` after the separator; None if none holds them.

    `word` asks for a "decimal" or a "float"; None takes a decimal for few decimals and a float for many. In `grouped`
    numbers, thousands are set apart by spaces; in `exact` ones, decimals are always `scale`, which is proven faster.
    """
    plain = POINT if separator == "." else COMMA
    plain = f"translate({plain}, '{_SPACES}', '')" if grouped else plain
    named = f"{'point' if separator == '.' else 'comma'}{', thousands set apart by spaces,' if grouped else ''}"
    fast, standard = separator == "," and not grouped, separator == "." and not grouped
    digits = whole + scale
    if word == "float" and digits > DOUBLE_DIGITS:
        why = f"numbers with a decimal {named}; of more than {DOUBLE_DIGITS} digits, the nearest float"
        pattern = _digits(whole, scale, separator, grouped)
        return Form("float", "DOUBLE", pattern, "TRY_CAST({y} AS DOUBLE)", why, plain, standard=standard)
    if digits <= DOUBLE_DIGITS and (word == "float" or (word is None and scale > DECIMAL_SCALE)):
        why = f"every value is a number with a decimal {named} and at most {DOUBLE_DIGITS} digits, all kept"
        whole = min(whole + DIGITS_TO_SPARE, DOUBLE_DIGITS - scale)
        pattern = _digits(whole, DOUBLE_DIGITS - whole, separator, grouped)
        quick = f"{_COMMA} AND abs({{v}}) BETWEEN 1e-300 AND 1e300" if fast else None
        return Form("float", "DOUBLE", pattern, "TRY_CAST({y} AS DOUBLE)", why, plain, quick, standard=standard)
    if digits <= DECIMAL_DIGITS and word != "float":
        precision = 18 if digits <= 18 else DECIMAL_DIGITS  # noqa: PLR2004  DuckDB's widest in 64 bits
        sql_type = f"DECIMAL({precision},{scale})"
        why = f"every value is a number with a decimal {named} and at most {count_of(scale, 'decimal')}"
        pattern = _digits(precision - scale, scale, separator, grouped)
        # Two decimals of 15 digits at most are the same if their floats are: none was rounded
        quick = f"{_COMMA} AND {{v}} <> 0 AND TRY_CAST({{y}} AS DOUBLE) = CAST({{v}} AS DOUBLE)" if fast else None
        if exact and standard:
            quick = "CAST({v} AS VARCHAR) = {x}"
        elif exact and fast:
            quick = "CAST({v} AS VARCHAR) = {y} AND {x} <> {y}"
        return Form(
            "decimal", sql_type, pattern, f"TRY_CAST({{y}} AS {sql_type})", why, plain, quick, standard=standard
        )
    return None


def shortest(form: Form) -> Form:
    """The form of the same numbers as floats, where the long ones are written as their nearest float is.

    So programs write what they computed: `0.03333333333333333` is that float, and nothing of it is lost.
    """
    separator = "." if form.plain == POINT else ","
    why = f"every value is a number with a decimal {'point' if separator == '.' else 'comma'}, written as a float is"
    beyond = "CAST({v} AS VARCHAR) = {y}" + ("" if separator == "." else " AND {x} <> {y}")
    pattern = _digits(DIGITS_TO_SPARE, DOUBLE_DIGITS - DIGITS_TO_SPARE, separator, grouped=False)
    standard = separator == "."
    cast = "TRY_CAST({y} AS DOUBLE)"
    return Form("float", "DOUBLE", pattern, cast, why, form.plain, beyond=beyond, standard=standard)


def ungrouped(raw: str) -> str:
    """SQL: the text `raw` without the spaces that set thousands apart."""
    return f"translate({raw}, '{_SPACES}', '')"


def _digits(whole: int, scale: int, separator: str, grouped: bool) -> str:  # noqa: FBT001
    fraction = f"({re.escape(separator)}[0-9]{{1,{scale}}})?" if scale > 0 else ""
    plain = f"0|[1-9][0-9]{{0,{max(whole, 1) - 1}}}"
    groups = f"|[1-9][0-9]{{0,2}}([{_SPACES}][0-9]{{3}}){{1,{max(whole, 4) // 3}}}" if grouped else ""
    return f"-?({plain}{groups}){fraction}"


def _date(pattern: str, layout: str, why: str, *, standard: bool = False) -> Form:
    cast, quick = (
        f"CAST(try_strptime({{y}}, '{layout}') AS DATE)",
        f"strftime({{v}}, '{layout}') = {{x}} AND {_AFTER_CHRIST}",
    )
    return Form("date", "DATE", pattern, cast, why, quick=quick, standard=standard)


def _boolean(yes: str, no: str) -> Form:
    return Form(
        "boolean", "BOOLEAN", f"(?i:{yes}|{no})", f"(lower({{y}}) = '{yes}')", f"every value is {yes!r} or {no!r}"
    )


INTEGERS = (
    Form(
        "integer",
        "BIGINT",
        "0|-?[1-9][0-9]{0,18}",
        "TRY_CAST({y} AS BIGINT)",
        "every value is a whole number without leading zeros",
        quick="CAST({v} AS VARCHAR) = {x}",
        standard=True,
    ),
    Form(
        "integer",
        "BIGINT",
        f"0|-?([1-9][0-9]{{0,2}}([{_SPACES}][0-9]{{3}}){{1,5}}|[1-9][0-9]{{0,17}})",
        "TRY_CAST({y} AS BIGINT)",
        "every value is a whole number, thousands set apart by spaces",
        f"translate({{x}}, '{_SPACES}', '')",
    ),
)
EXPONENT = Form(
    "float",
    "DOUBLE",
    r"-?[0-9](\.[0-9]{1,14})?([eE][-+]?[0-9]{1,2})?",
    "TRY_CAST({y} AS DOUBLE)",
    "every value is a number, some with an exponent",
    standard=True,
)
BOOLEANS = (_boolean("true", "false"), _boolean("vrai", "faux"), _boolean("oui", "non"), _boolean("yes", "no"))
DATES = (
    _date(f"{_YEAR}-{_MONTH}-{_DAY}", "%Y-%m-%d", "every value is a date YYYY-MM-DD", standard=True),
    _date(f"{_YEAR}/{_MONTH}/{_DAY}", "%Y/%m/%d", "every value is a date YYYY/MM/DD"),
    _date(f"{_DAY}/{_MONTH}/{_YEAR}", "%d/%m/%Y", "every value is a date DD/MM/YYYY (the French order)"),
    _date(f"{_DAY}-{_MONTH}-{_YEAR}", "%d-%m-%Y", "every value is a date DD-MM-YYYY (the French order)"),
    _date(rf"{_DAY}\.{_MONTH}\.{_YEAR}", "%d.%m.%Y", "every value is a date DD.MM.YYYY (the French order)"),
    _date(f"{_MONTH}/{_DAY}/{_YEAR}", "%m/%d/%Y", "dates MM/DD/YYYY: some have a day after 12 in second place"),
)
TIMESTAMPS = (
    Form(
        "timestamp",
        "TIMESTAMP",
        f"{_YEAR}-{_MONTH}-{_DAY}[T ]{_CLOCK}({_SECONDS})?",
        "TRY_CAST({y} AS TIMESTAMP)",
        "every value is a date and time (ISO 8601) without a zone",
        standard=True,
    ),
    Form(
        "timestamp",
        "TIMESTAMP",
        f"{_DAY}/{_MONTH}/{_YEAR} {_CLOCK}",
        "try_strptime({y}, '%d/%m/%Y %H:%M')",
        "every value is a date and time DD/MM/YYYY HH:MM",
    ),
    Form(
        "timestamp",
        "TIMESTAMP",
        f"{_DAY}/{_MONTH}/{_YEAR} {_CLOCK}:[0-5][0-9]",
        "try_strptime({y}, '%d/%m/%Y %H:%M:%S')",
        "every value is a date and time DD/MM/YYYY HH:MM:SS",
    ),
    Form(
        "timestamp",
        "TIMESTAMP WITH TIME ZONE",
        f"{_YEAR}-{_MONTH}-{_DAY}[T ]{_CLOCK}({_SECONDS})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})",
        "TRY_CAST({y} AS TIMESTAMPTZ)",
        "every value is an instant (ISO 8601 with a zone), kept in UTC",
        standard=True,
    ),
)
TIME = Form(
    "time", "VARCHAR", f"{_CLOCK}({_SECONDS})?", "{y}", "every value is a time of day HH:MM or HH:MM:SS", standard=True
)
"""Kept as text, because Delta has no type for it."""
SHORT_DATE = Form(
    "date",
    "DATE",
    f"{_DAY}/{_MONTH}/[0-9]{{2}}",
    "CAST(try_strptime({y}, '%d/%m/%y') AS DATE)",
    "every value is a date DD/MM/YY, from 1969 to 2068",
)
"""Only where dates are declared: `03/04/24` alone may be of 1924."""
FIXED = (*INTEGERS, *BOOLEANS, *DATES, *TIMESTAMPS, TIME)
"""The forms that need no measure of the column; numbers with decimals are built by `number`, then EXPONENT is tried."""

POINT_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"
COMMA_NUMBER = r"-?(0|[1-9][0-9]*)(,[0-9]+)?"
NUMBERS = tuple(
    (separator, pattern, grouped)
    for grouped in (False, True)
    for separator, pattern in ((".", POINT_NUMBER), (",", COMMA_NUMBER))
)
"""The ways to write numbers with decimals: separator, pattern, and whether thousands are set apart by spaces."""
AMBIGUOUS_THOUSANDS = r"-?[1-9][0-9]{0,2}[.,][0-9]{3}"
"""`1.234` alone may be a thousand or a decimal: a column whose separated numbers all look so stays text."""
