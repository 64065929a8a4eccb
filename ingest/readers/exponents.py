"""Columns of numbers, some with an exponent (`6.1e-05`), spelled so that they are known for the numbers they are.

JSON says what is a number; a text such as `1e2` in a CSV may be a code. No digit is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.forms import DECIMAL_SCALE, DOUBLE_DIGITS

if TYPE_CHECKING:
    import duckdb

_NUMBER = r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?"
_MOST = 99
"""The largest exponent that the form of such numbers has."""


def spelled(con: duckdb.DuckDBPyConnection, source: str, column: str) -> str:
    """SQL for the texts of a column of `source`: without exponents, if these then have at most 15 digits.

    They get more decimals than a decimal has, for who writes exponents means floats. Of longer ones, all numbers of the
    column get an exponent. The texts stay as they are where not all are numbers, or a float would lose digits of one.
    """
    powers = f"regexp_matches({column}, '[eE]')"
    power = f"coalesce(TRY_CAST(regexp_extract({column}, '[eE](.*)$', 1) AS INTEGER), 0)"
    whole = f"length(regexp_extract({column}, '^-?([0-9]+)', 1)) + {power}"
    scale = f"length(regexp_extract({column}, '\\.([0-9]+)', 1)) - {power}"
    mantissa = f"regexp_replace({column}, '[eE].*$', '')"
    digits = f"length(ltrim(replace({mantissa}, '.', ''), '-0'))"
    numbers, most, wide, least, small, long = con.execute(
        f"SELECT coalesce(bool_and(regexp_full_match({column}, '{_NUMBER}')), false), "  # noqa: S608
        f"max({whole}) FILTER ({powers}), max({whole}), max({scale}) FILTER ({powers}), max({scale}), max({digits}) "
        f"FROM {source} WHERE {column} IS NOT NULL"
    ).fetchall()[0]
    if not numbers:
        return column
    decimals = max(least, DECIMAL_SCALE + 1)
    number = f"CAST({column} AS DOUBLE)"
    if max(most, 1) + decimals <= DOUBLE_DIGITS:
        return f"CASE WHEN {powers} THEN printf('%.{decimals}f', {number}) ELSE {column} END"
    if long <= DOUBLE_DIGITS and max(wide, small) <= _MOST:
        return f"printf('%.{DOUBLE_DIGITS - 1}e', {number})"
    return column
