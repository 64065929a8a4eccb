"""Deny by default; every answer has its reason."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.decide import decide, granted_editions
from policies.model import RAW, Policy
from policies.settings import PolicySettings

DAY = dt.date(2026, 6, 1)
ME = frozenset({"everyone", "user:ana", "group:inrae"})


def policy(*grants: dict) -> Policy:
    given_ = [{"purposes": "any", "why": "convention 12", **grant} for grant in grants]
    editions = {"open": {"t": {"keep": ["a"]}}, "partner": {"t": {"keep": ["a", "b"]}}}
    return Policy.model_validate({"owner": "o", "editions": editions, "grants": given_})


def ask(grant: dict, *, purpose: str | None = None, on: dt.date = DAY):
    return decide(policy(grant), "partner", principals=ME, purpose=purpose, on=on)


def test_without_a_policy_nothing_is_granted():
    assert not decide(None, "open", principals=ME, purpose=None, on=DAY).allow
    assert granted_editions(None, principals=ME, purpose=None, on=DAY) == ()


def test_a_grant_to_my_group_lets_me_in_and_gives_its_reason():
    decision = ask({"to": "group:inrae", "edition": "partner", "until": "2027-01-01"})
    assert decision.allow
    assert decision.reasons == ("convention 12",)


@pytest.mark.parametrize(
    ("grant", "purpose", "reason"),
    [
        ({"to": "group:other", "until": "2027-01-01"}, None, "granted to group:other only"),
        ({"to": "group:inrae", "until": "2026-06-01"}, None, "ended on 2026-06-01"),
        ({"to": "group:inrae", "from": "2026-06-02", "until": "2027-01-01"}, None, "starts on 2026-06-02"),
        ({"to": "group:inrae", "until": "2027-01-01", "purposes": ["eau"]}, "air", "the purpose 'air' was stated"),
        ({"to": "group:inrae", "until": "2027-01-01", "purposes": ["eau"]}, None, "no purpose was stated"),
    ],
)
def test_a_grant_that_nearly_matches_says_why_it_does_not(grant, purpose, reason):
    decision = ask({"edition": "partner", **grant}, purpose=purpose)
    assert not decision.allow
    assert reason in decision.reasons[0]


def test_editions_come_from_the_least_to_the_most_detailed_and_raw_last():
    everything = policy(
        {"to": "user:ana", "edition": RAW, "until": "2027-01-01"},
        {"to": "group:inrae", "edition": "partner", "until": "2027-01-01"},
        {"to": "everyone", "edition": "open"},
    )
    assert granted_editions(everything, principals=ME, purpose=None, on=DAY) == ("open", "partner", RAW)


@pytest.mark.parametrize(
    ("grant", "said"),
    [
        ({"to": "everyone", "edition": "opne"}, "unknown edition 'opne'; did you mean 'open'"),
        ({"to": "everyone", "edition": RAW}, "gives 'raw' to everyone"),
        ({"to": "group:inrae", "edition": "open"}, "needs 'until'"),
        ({"to": "inrae", "edition": "open"}, "String should match pattern"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused_at_load(grant, said):
    with pytest.raises(ValidationError, match=".*".join(map(str, [said.split("'")[0]]))):
        policy(grant)


@given(
    st.sampled_from(["everyone", "user:ana", "user:bob", "group:inrae", "group:x"]),
    st.dates(dt.date(2025, 1, 1), dt.date(2028, 1, 1)),
    st.dates(dt.date(2025, 1, 1), dt.date(2028, 1, 1)),
    st.dates(dt.date(2025, 1, 1), dt.date(2028, 1, 1)),
)
def test_a_decision_allows_exactly_within_the_grant(to, start, end, on):
    grant = {"to": to, "edition": "partner", "from": start.isoformat(), "until": end.isoformat()}
    assert ask(grant, on=on).allow == (to in ME and start <= on < end)


def test_a_user_is_itself_its_groups_and_everyone():
    settings = PolicySettings(users={"ana": ("inrae",)})
    assert settings.resolve("ana") == settings.resolve("user:ana") == ME
    assert settings.resolve("group:inrae") == {"everyone", "group:inrae"}
    assert settings.resolve("everyone") == {"everyone"}
