"""What a steward says must be so is tried on the grants."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.decide import decide
from policies.expect import broken
from policies.model import Policy

TODAY = dt.date(2026, 6, 1)
ANA = frozenset({"everyone", "user:ana", "group:inrae"})
GRANT = {"to": "group:inrae", "edition": "partner", "purposes": ["eau"], "until": "2027-01-01", "why": "convention 12"}


def policy(expectation: dict, *grants: dict) -> Policy:
    return Policy.model_validate({"owner": "o", "editions": {"partner": {}}, "grants": grants, "expect": [expectation]})


def found(expectation: dict, *grants: dict, who: frozenset[str] = ANA) -> list[str]:
    made = policy({"who": "user:ana", **expectation}, *grants)
    return list(broken(made, made.expect[0], who, TODAY))


@pytest.mark.parametrize(
    "expectation",
    [
        {"must_get": "partner", "purpose": "eau"},
        {"must_get": "partner", "purpose": "eau", "on": "2026-12-31"},
        {"must_not_get": "partner", "purpose": "air"},
        {"must_not_get": "partner", "on": "2027-01-01"},
        {"must_not_get": "raw"},
    ],
)
def test_an_expectation_that_the_grants_keep_says_nothing(expectation):
    assert found(expectation, GRANT) == []


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        (
            {"must_get": "partner"},
            (
                "user:ana must get 'partner', and is not granted it on 2026-06-01 with no purpose stated: "
                "granted for eau; no purpose was stated"
            ),
        ),
        (
            {"must_get": "partner", "purpose": "eau", "on": "2027-01-01"},
            (
                "user:ana must get 'partner', and is not granted it on 2027-01-01 for eau: "
                "the grant to group:inrae ended on 2027-01-01"
            ),
        ),
        (
            {"must_get": "raw"},
            (
                "user:ana must get 'raw', and is not granted it on 2026-06-01 with no purpose stated: "
                "no grant names the edition 'raw'"
            ),
        ),
        (
            {"must_not_get": "partner"},  # whatever the purpose
            "user:ana must not get 'partner', and is granted it on 2026-06-01 for eau: convention 12",
        ),
    ],
)
def test_one_that_they_do_not_keep_is_explained(expectation, said):
    assert found(expectation, GRANT) == [said]


def test_what_must_never_be_had_is_looked_for_on_days_to_come_too():
    grant = {**GRANT, "from": "2026-09-01", "purposes": "any"}
    assert found({"must_not_get": "partner", "on": "2026-08-31"}, grant) == []
    (said,) = found({"must_not_get": "partner"}, grant)
    assert "is granted it on 2026-09-01" in said


@given(st.dates(dt.date(2026, 1, 1), dt.date(2028, 1, 1)), st.integers(0, 400), st.integers(0, 400))
def test_must_not_get_holds_exactly_if_no_day_to_come_opens_it(start, length, ahead):
    grant = {**GRANT, "from": str(start), "until": str(start + dt.timedelta(length)), "purposes": "any"}
    days = [TODAY + dt.timedelta(day) for day in range(1200)]
    made = policy({"who": "user:ana", "must_not_get": "partner"}, grant)
    opens = any(decide(made, "partner", principals=ANA, purpose=None, on=day).allow for day in days)
    assert bool(list(broken(made, made.expect[0], ANA, TODAY))) == opens
    on = TODAY + dt.timedelta(ahead)
    one_day = found({"must_not_get": "partner", "on": str(on)}, grant)
    assert bool(one_day) == decide(made, "partner", principals=ANA, purpose=None, on=on).allow


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        ({"must_get": "partner", "must_not_get": "raw"}, "expected one of 'must_get' and 'must_not_get'"),
        ({}, "expected one of 'must_get' and 'must_not_get'"),
        ({"must_get": "partnr"}, "expectation 1 names the unknown edition 'partnr'; did you mean 'partner'"),
        ({"must_get": "partner", "at": "2026-01-01"}, "Extra inputs are not permitted"),
        ({"who": "ana", "must_get": "partner"}, "String should match pattern"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_refused_at_load(expectation, said):
    with pytest.raises(ValidationError, match=said):
        found(expectation, GRANT)
