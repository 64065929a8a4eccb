"""Forms: what is proven quickly is what the pattern proves, and no cast changes a value."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest import forms
from policies.editions import literal

NEAR_NUMBERS = st.text("0123456789,.-+ eE_\u202f\t", max_size=18)
NEAR_DATES = st.text("0123456789/-. ", min_size=8, max_size=11)
COMMA = [forms.number(9, 2, ","), forms.number(3, 6, ","), forms.number(5, 2, ",", exact=True)]
POINT = [forms.number(9, 2, "."), forms.number(3, 6, "."), forms.number(5, 2, ".", exact=True)]


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect() as con:
        yield con


def value(engine, form, text):
    (found,) = engine.execute(f"SELECT {form.typed('x')} FROM (SELECT {literal(text)} AS x)").fetchall()[0]
    return found


def check_number(engine, form, text, separator):
    """A value is the number that a person reads in the text, to its last digit."""
    found = value(engine, form, text)
    if found is None:
        return
    other = "." if separator == "," else ","
    assert other not in text
    read = Decimal(text.strip(forms.PADDING).replace(separator, "."))
    assert Decimal(repr(found) if isinstance(found, float) else found) == read


@pytest.mark.parametrize("form", COMMA, ids=lambda form: form.sql_type)
@given(text=NEAR_NUMBERS)
@example("1,5e3")
@example("1,E310")
@example("1,E-320")
@example("1,E-999")
@example("-0,1E-999")
@example("0,00")
@example("0,10")
@example("-0,5")
@example("00,5")
@example("1.234")
@example("1,234567")
@example("12345678,123")
@example("9007199254740993,5")
@settings(max_examples=400, deadline=None)
def test_a_number_with_a_comma_is_never_another_number(engine, form, text):
    check_number(engine, form, text, ",")


@pytest.mark.parametrize("form", POINT, ids=lambda form: form.sql_type)
@given(text=NEAR_NUMBERS)
@example("1.5")
@example("1.50")
@example("1.505")
@example("01.50")
@example("+1.50")
@settings(max_examples=400, deadline=None)
def test_a_number_with_a_point_is_never_another_number(engine, form, text):
    check_number(engine, form, text, ".")


@given(text=NEAR_NUMBERS)
@example("9223372036854775808")
@example("-0")
@example("007")
@settings(max_examples=400, deadline=None)
def test_a_whole_number_is_written_as_it_was(engine, text):
    found = value(engine, forms.INTEGERS[0], text)
    assert found is None or str(found) == text


@pytest.mark.parametrize("form", forms.DATES, ids=lambda form: form.why)
@given(text=NEAR_DATES)
@example("29/02/2023")
@example("31/04/2024")
@example("1/02/2024 ")
@example("2024-02-30")
@example("0000-01-01")
@settings(max_examples=300, deadline=None)
def test_a_date_is_one_that_the_pattern_accepts(engine, form, text):
    found = value(engine, form, text)
    if found is not None:
        assert form.regex.fullmatch(text)
        assert isinstance(found, dt.date)
        assert sorted(f"{found:%d%m}{found.year:04}") == sorted(sign for sign in text if sign.isdigit())


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        (forms.number(9, 2, ","), ["0,5", "12,50", "-3,07", "1234567,8", "12"]),
        (forms.number(3, 6, ","), ["48,856614", "-1,5", "0,000001", "7"]),
        (forms.number(5, 2, ".", exact=True), ["12.50", "0.00", "-3.07", "12.5"]),
        (forms.number(5, 2, ",", exact=True), ["12,50", "0,00", "-3,07", "12,5"]),
        (forms.DATES[3], ["31-12-2023", "01-01-0999"]),
    ],
)
def test_what_the_pattern_accepts_is_proven_whichever_way(engine, form, texts):
    assert all(form.regex.fullmatch(text) for text in texts)
    assert all(value(engine, form, text) is not None for text in texts)
