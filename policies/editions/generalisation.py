"""Coarser values: how a steward asks for them, and the SQL expression of each."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag

from policies.document import Model
from policies.editions.grid import Grid
from policies.editions.quoting import literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.errors import DocumentError

Number = Annotated[int | float, Field(allow_inf_nan=False)]


def _rising(bounds: tuple[Number, ...]) -> tuple[Number, ...]:
    if any(low >= high for low, high in pairwise(bounds)):
        message = "expected bounds that rise, as [0, 18, 65]"
        raise ValueError(message)
    return bounds


class Rounding(Model):
    """Numbers to the nearest multiple of `step`."""

    step: float = Field(gt=0, allow_inf_nan=False)


class Bands(Model):
    """Numbers as texts: `[0, 18, 65]` makes `<0`, `0-17`, `18-64` and `65+`; `0-<18` where there may be fractions."""

    bands: Annotated[tuple[Number, ...], Field(min_length=1), AfterValidator(_rising)]


class Width(Model):
    """Numbers as texts of bands of one width: 10 makes `20-29`; `20-<30` where there may be fractions."""

    width: Number = Field(gt=0)


Word = Literal["year", "quarter", "month", "departement", "region", "epci"]
_FORMS: dict[str, type[Model]] = {"step": Rounding, "bands": Bands, "width": Width, "grid": Grid}


def _form(given: Any) -> str | None:
    """Which form is meant, so that an error is told of that one alone; None where none is."""
    if isinstance(given, str):
        return "word" if given in get_args(Word) else None
    if isinstance(given, dict):
        return next((key for key in _FORMS if key in given), None)
    return next((key for key, form in _FORMS.items() if isinstance(given, form)), None)


Generalisation = Annotated[
    Annotated[Word, Tag("word")]
    | Annotated[Rounding, Tag("step")]
    | Annotated[Bands, Tag("bands")]
    | Annotated[Width, Tag("width")]
    | Annotated[Grid, Tag("grid")],
    Discriminator(
        _form,
        custom_error_type="generalisation",
        custom_error_message="expected year, quarter, month, departement, epci, region, {step: NUMBER}, "
        "{bands: [NUMBER, ...]}, {width: NUMBER} or {grid: METRES}",
    ),
]

ZONES = ("region", "epci")
"""The zones that a code does not tell by itself: a table of the lab has them."""

DATES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
_SIZES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_WHOLE = frozenset((*_SIZES, *(f"U{size}" for size in _SIZES)))
_FLOATING = ("DOUBLE", "FLOAT")
_COMMUNES = ("(0[1-9]|2[AB1-9]|[13-8][0-9]|9[0-5])[0-9]{3}", "(9[78][0-9])[0-9]{2}")


def is_number(sql_type: str) -> bool:
    """Whether values of this SQL type are numbers."""
    return sql_type in _WHOLE or sql_type in _FLOATING or sql_type.startswith("DECIMAL")


def is_whole(sql_type: str) -> bool:
    """Whether values of this SQL type have no fraction."""
    return sql_type in _WHOLE or (sql_type.startswith("DECIMAL") and sql_type.endswith(",0)"))


def number(value: float) -> str:
    """A number as SQL writes it."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def generalised(
    column: str, sql_type: str, how: Word | Rounding | Bands | Width, wrong: Callable[[str], DocumentError]
) -> str:
    """The expression of a column that is made coarser; a `region` or an `epci` is taken from a table by `sql.py`.

    NULL stays NULL. Raises what `wrong` makes of a message when the column is of a type that has no such form.
    """
    if isinstance(how, Rounding | Bands | Width):
        if not is_number(sql_type):
            done = "rounded" if isinstance(how, Rounding) else "put into bands"
            raise wrong(f"is {sql_type}; only numbers can be {done}")
        if isinstance(how, Rounding):
            step = number(how.step)
            return f"CAST(round({column} / {step}) * {step} AS {sql_type})"
        made = _bands(column, how, sql_type) if isinstance(how, Bands) else _widths(column, how, sql_type)
        nowhere = f"{column} IS NULL" if sql_type not in _FLOATING else f"{column} IS NULL OR isnan({column})"
        return f"CASE WHEN {nowhere} THEN NULL {made} END"
    if how in ("year", "quarter", "month"):
        if sql_type not in DATES:
            raise wrong(f"is {sql_type}; only dates have a {how}")
        if how == "quarter":
            return f"CAST(year({column}) AS VARCHAR) || '-Q' || CAST(quarter({column}) AS VARCHAR)"
        return f"year({column})" if how == "year" else f"strftime({column}, '%Y-%m')"
    if sql_type != "VARCHAR":
        raise wrong(f"is {sql_type}; only the text of an INSEE commune code lies in a {how}")
    return departement(column)


def departement(column: str) -> str:
    """The département of an INSEE commune code: its first two characters (`2A`, `2B` in Corsica), three overseas.

    By the form of codes in INSEE's Code officiel géographique; NULL for what is no such code.
    """
    found = (f"nullif(regexp_extract({column}, '^{form}$', 1), '')" for form in _COMMUNES)
    return f"coalesce({', '.join(found)})"


def _bands(column: str, how: Bands, sql_type: str) -> str:
    first, last = how.bands[0], how.bands[-1]
    cases = [f"WHEN {column} < {number(first)} THEN {literal(f'<{number(first)}')}"]
    for low, high in pairwise(how.bands):
        cases.append(f"WHEN {column} < {number(high)} THEN {literal(_label(low, high, sql_type))}")
    return f"{' '.join(cases)} ELSE {literal(f'{number(last)}+')}"


def _label(low: float, high: float, sql_type: str) -> str:
    if not (is_whole(sql_type) and float(low).is_integer() and float(high).is_integer()):
        return f"{number(low)}-<{number(high)}"
    return number(low) if high - low == 1 else f"{number(low)}-{number(high - 1)}"


def _widths(column: str, how: Width, sql_type: str) -> str:
    whole = is_whole(sql_type) and float(how.width).is_integer()
    base = f"CAST({column} AS HUGEINT)" if whole else f"CAST({column} AS DOUBLE)"
    width = number(how.width)
    if whole:
        low = f"(({base} - ((({base} % {width}) + {width}) % {width})))"
        high = "" if how.width == 1 else f" || '-' || CAST({low} + {number(how.width - 1)} AS VARCHAR)"
        return f"ELSE CAST({low} AS VARCHAR){high}"
    low = f"floor({base} / {width})"
    shown = [f"format('{{:.15g}}', round({at} * {width}, 9))" for at in (low, f"({low} + 1)")]
    return f"ELSE {shown[0]} || '-<' || {shown[1]}"
