"""A grant is written into a steward's file, and nothing else of it is touched."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.document import parse_yaml
from policies.errors import DocumentError
from policies.grantfile import grant_line, with_end, with_grant
from policies.model import Grant, Policy

PATH = Path("policies/jeu.yaml")
DAY = dt.date(2026, 11, 28)
GIVEN = Grant.model_validate(
    {
        "to": "user:ana",
        "edition": "partner",
        "purposes": ["etude-eau", "air"],
        "from": "2026-11-28",
        "until": "2027-06-01",
        "why": 'convention "12": été # 3 (request 4)',
    }
)
LINE = (
    '- {to: "user:ana", edition: partner, purposes: [etude-eau, air], from: 2026-11-28, until: 2027-06-01, '
    'why: "convention \\"12\\": été # 3 (request 4)"}'
)
HEAD = "# whose: ours\nowner: o   # ask\neditions:\n  partner: {t: {keep: [a]}}\n"
ONE = '{to: everyone, edition: partner, purposes: any, why: "w"}'
BLOCK = "to: everyone\n    edition: partner\n    purposes: any\n    why: |\n      two\n      lines\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD, f"{HEAD}grants:\n  {LINE}\n"),
        (HEAD[:-1], f"{HEAD}grants:\n  {LINE}\n"),
        (f"{HEAD}grants: []\n", f"{HEAD}grants:\n  {LINE}\n"),
        (f"{HEAD}grants: []  # none yet\n# end\n", f"{HEAD}grants:\n  {LINE}  # none yet\n# end\n"),
        (f"{HEAD}grants:\n- {ONE}\n", f"{HEAD}grants:\n- {ONE}\n{LINE}\n"),
        (f"{HEAD}grants:\n    - {ONE}", f"{HEAD}grants:\n    - {ONE}\n    {LINE}"),
        (
            f"grants:\n  - {ONE}   # to all\n\n  # the end\n{HEAD}",
            f"grants:\n  - {ONE}   # to all\n  {LINE}\n\n  # the end\n{HEAD}",
        ),
        (f"{HEAD}grants:\n  - {BLOCK}# end\n", f"{HEAD}grants:\n  - {BLOCK}  {LINE}\n# end\n"),
        (f"{HEAD}grants: [{ONE}]\n", f"{HEAD}grants: [{ONE}, {LINE[2:]}]\n"),
        (f"{HEAD}grants: [\n  {ONE},\n]\n", f"{HEAD}grants: [\n  {ONE}, {LINE[2:]}]\n"),
        (
            f"{HEAD}grants:\n- {ONE}\n".replace("\n", "\r\n"),
            f"{HEAD}grants:\n- {ONE}\n{LINE}\n".replace("\n", "\r\n"),
        ),
    ],
)
def test_a_grant_is_added_where_the_others_are_and_comments_and_layout_stay(before, after):
    made = with_grant(before, PATH, GIVEN)
    assert made == after
    assert parse_yaml(made, PATH, Policy).grants[-1] == GIVEN


@pytest.mark.parametrize(
    "text",
    [
        f"{{owner: o, editions: {{partner: {{t: {{keep: [a]}}}}}}, grants: &g [{ONE}]}}",
        "{owner: o, editions: {partner: {t: {keep: [a]}}}}",
        f"{HEAD}grants: [{ONE} # a comment, ]\n]\n",
    ],
)
def test_a_file_is_left_as_it_is_where_more_would_be_touched_or_says_exactly_the_grant(text):
    try:
        made = with_grant(text, PATH, GIVEN)
    except DocumentError as error:
        assert str(error).startswith("policies/jeu.yaml: is left as it is (")  # noqa: PT017
        assert LINE in str(error)  # noqa: PT017
    else:
        before = parse_yaml(text, PATH, Policy)
        assert parse_yaml(made, PATH, Policy) == before.model_copy(update={"grants": (*before.grants, GIVEN)})


def test_a_grant_that_the_policy_refuses_is_not_written_and_named():
    with pytest.raises(DocumentError, match="is left as it is .*unknown edition 'other'.*add this below 'grants'"):
        with_grant(HEAD, PATH, GIVEN.model_copy(update={"edition": "other"}))


@given(st.text(min_size=1, max_size=80))
def test_whatever_the_reason_says_it_is_read_back_or_refused(why):
    assume(why.strip())
    grant = GIVEN.model_copy(update={"why": why})
    try:
        made = with_grant(f"{HEAD}grants:\n  - {ONE}\n", PATH, grant)
    except DocumentError:
        assert not why.isprintable()
    else:
        assert parse_yaml(made, PATH, Policy).grants[-1] == grant


def test_the_line_says_what_a_steward_would_write():
    assert grant_line(GIVEN) == LINE[2:]
    assert yaml.safe_load(grant_line(GIVEN))["purposes"] == ["etude-eau", "air"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"- {ONE}\n", '- {to: everyone, edition: partner, purposes: any, why: "w", until: 2026-11-28}\n'),
        (
            f"- {ONE[:-1]}, until: 2030-01-01}}  # long\n",
            f"- {ONE[:-1]}, until: 2026-11-28}}  # long\n",
        ),
        (f"  - {BLOCK}", f"  - {BLOCK}    until: 2026-11-28\n"),
        (
            "- to: everyone # all\n  until: '2030-01-01' # soon\n  edition: partner\n  purposes: any\n  why: w\n",
            "- to: everyone # all\n  until: 2026-11-28 # soon\n  edition: partner\n  purposes: any\n  why: w\n",
        ),
    ],
)
def test_a_grant_is_ended_by_its_end_alone(before, after):
    assert with_end(f"{HEAD}grants:\n{before}", PATH, 0, DAY) == f"{HEAD}grants:\n{after}"


def test_the_grant_that_is_ended_is_the_one_that_was_meant():
    text = f"{HEAD}grants:\n- {ONE}\n{LINE}\n- {ONE}\n"
    policy = parse_yaml(with_end(text, PATH, 1, DAY), PATH, Policy)
    assert [grant.until for grant in policy.grants] == [None, DAY, None]


def test_what_an_alias_repeats_is_not_changed_in_two_places():
    text = f"{HEAD}grants:\n- &one {ONE}\n- *one\n"
    with pytest.raises(DocumentError, match="give grant 1 this end: until: 2026-11-28"):
        with_end(text, PATH, 0, DAY)
