"""Who may open what, said so that a steward and a program can read it."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from typer.testing import CliRunner

import datalab as command
from catalog.check import check
from policies.errors import DatalabError, DocumentError, UsageError

TODAY = dt.datetime.now(dt.UTC).date()
SOON, LATER = str(TODAY + dt.timedelta(20)), str(TODAY + dt.timedelta(200))
PAST = str(TODAY - dt.timedelta(3))


def run(folder, *words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(command.app, ["--lab", str(folder.root), *words], env={"COLUMNS": "200"})
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return ran.exit_code, ran.output


@pytest.fixture
def jeu(folder):
    folder.table("jeu", "a;b\n1;2\n")
    partner = {"to": "group:partners", "edition": "partner", "purposes": ["eau", "air"]}
    folder.grant(
        "jeu",
        {"open": {"t": {"keep": ["a"]}}, "partner": {"t": {"keep": ["a", "b"]}}},
        {"to": "everyone", "edition": "open", "why": "open data"},
        {**partner, "until": LATER, "why": "convention 12"},
        {**partner, "to": "user:steward", "until": SOON},
        {**partner, "to": "user:partner", "from": SOON, "until": LATER, "why": "avenant"},
        {**partner, "to": "user:partner", "until": PAST},
    )
    return folder


def test_what_is_allowed_is_explained_and_exits_with_0(jeu):
    code, said = run(jeu, "explain", "partner", "jeu/partner", "--purpose", "eau")
    assert code == 0
    first, holds, *others = said.splitlines()
    assert first == f"jeu/partner: allowed to partner on {TODAY}, for eau"
    assert holds == f"  grant 2 to group:partners (eau, air, until {LATER}: convention 12) holds"
    assert len(others) == 3


def test_what_is_denied_names_of_each_grant_what_does_not_hold_the_nearest_first(jeu):
    code, said = run(jeu, "explain", "user:partner", "jeu/partner")
    assert code == 1
    assert [line.split("does not hold: ")[1] for line in said.splitlines()[1:]] == [
        "granted for eau, air; no purpose was stated",
        f"the grant to user:partner starts on {SOON}; granted for eau, air; no purpose was stated",
        f"the grant to user:partner ended on {PAST}; granted for eau, air; no purpose was stated",
        "granted to user:steward only; granted for eau, air; no purpose was stated",
    ]


def test_a_grant_holds_from_its_first_day_until_the_day_that_it_names(jeu):
    for day, code in ((SOON, 0), (LATER, 1)):
        assert run(jeu, "explain", "user:partner", "jeu/partner", "--purpose", "air", "--on", day)[0] == code


def test_a_dataset_alone_explains_each_edition(jeu):
    code, said = run(jeu, "explain", "everyone", "jeu")
    assert code == 0
    assert [line.split(" to ")[0] for line in said.splitlines() if line.startswith("jeu/")] == [
        "jeu/open: allowed",
        "jeu/partner: denied",
        "jeu/raw: denied",
    ]
    assert "no grant names the edition 'raw'" in said


def test_a_dataset_without_a_policy_is_denied_to_all(jeu):
    (jeu.root / "policies/jeu.yaml").unlink()
    assert run(jeu, "explain", "everyone", "jeu") == (
        1,
        f"jeu/raw: denied to everyone on {TODAY}, no purpose stated\n  the dataset has no policy\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("partnr", "jeu"), "unknown user 'partnr'; did you mean 'partner'"),
        (("everyone", "jeux"), "unknown dataset 'jeux'; did you mean 'jeu'"),
        (("everyone", "jeu/opne"), "unknown edition 'jeu/opne'; did you mean 'open'"),
        (("everyone", "jeu", "--on", "demain"), "--on demain: expected a day, like 2026-03-01"),
    ],
)
def test_what_is_unknown_is_named(jeu, words, said):
    with pytest.raises(UsageError, match=said):
        run(jeu, "explain", *words)


def test_grants_are_listed_with_what_is_left_of_them(jeu):
    rows = [json.loads(line) for line in run(jeu, "grants", "--json")[1].splitlines()]
    assert [(row["number"], row["state"]) for row in rows] == [
        (1, "holds"),
        (2, "holds, 200 days left"),
        (3, "holds, 20 days left"),
        (4, f"starts {SOON}"),
        (5, f"ended {PAST}"),
    ]
    assert rows[1]["purposes"] == ["eau", "air"]
    assert rows[3]["from"] == SOON
    _, table = run(jeu, "grants")
    assert [line.split()[1] for line in table.splitlines() if line.strip().startswith("jeu")] == [
        "3",
        "2",
        "4",
        "1",
        "5",
    ]


def numbers(folder, *words: str) -> list[int]:
    return [json.loads(line)["number"] for line in run(folder, "grants", "--json", *words)[1].splitlines()]


def test_grants_are_chosen_by_principal_dataset_and_end(jeu):
    assert numbers(jeu, "--to", "partner") == [1, 2, 4, 5]
    assert numbers(jeu, "--to", "group:partners") == [1, 2]
    assert numbers(jeu, "--to", "user:gone") == []
    assert numbers(jeu, "--expiring", "30d") == [3]
    assert numbers(jeu, "--expiring", "20") == [3]
    assert numbers(jeu, "--expiring", "19d") == []
    assert numbers(jeu, "--dataset", "jeu", "--to", "steward", "--expiring", "300d") == [3]
    with pytest.raises(UsageError, match="expected a number of days, like 30d"):
        run(jeu, "grants", "--expiring", "bientôt")


def errors(folder) -> list[str]:
    (report, *_) = check(folder.lab, ("jeu",))
    return [one for one in report.errors if "keeps" not in one]


def test_check_tries_what_is_expected_and_names_the_line(jeu):
    path = jeu.root / "policies/jeu.yaml"
    before = path.read_text()
    path.write_text(f"{before}expect:\n- {{who: everyone, must_not_get: partner}}\n")
    assert errors(jeu) == []
    lines = before.count("\n")
    path.write_text(
        f"{before}expect:\n"
        "- {who: everyone, must_get: open}\n"
        "- {who: 'user:partner', must_not_get: partner}\n"
        "- {who: 'user:nobody', must_get: open}\n"
    )
    of_partner, of_nobody = errors(jeu)
    assert of_partner == (
        f"{path}:{lines + 3}: user:partner must not get 'partner', and is granted it on {TODAY} for air: convention 12"
    )
    assert of_nobody.startswith(f"{path}:{lines + 4}: unknown user 'nobody'")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("grants: [{to: everyone, edition: open, purpose: eau, why: x}]", "jeu.yaml:2: unknown key 'grants.0.purpose'"),
        ("grants: [{to: everyone, edition: opne, purposes: any, why: x}]", "jeu.yaml:2: .*unknown edition 'opne'"),
        ("expect: [{who: everyone, must_get: opne}]", "jeu.yaml:2: .*unknown edition 'opne'"),
        ("expects: []", "jeu.yaml:2: unknown key 'expects'; did you mean 'expect'"),
    ],
)
def test_a_policy_that_cannot_be_read_grants_nothing_and_is_named(jeu, wrong, said):
    path = jeu.root / "policies/jeu.yaml"
    rest = {"grants": "expect: []", "expect": "grants: []"}.get(wrong.partition(":")[0], "grants: []")
    path.write_text(f"owner: o\n{wrong}\neditions: {{open: {{t: {{keep: [a]}}}}}}\n{rest}\n")
    assert jeu.lab.granted(frozenset({"everyone"})) == ()
    with pytest.raises(DocumentError, match=said):
        run(jeu, "explain", "everyone", "jeu")
    with pytest.raises(DatalabError, match=said):  # `grants` goes on with the others, then says so
        run(jeu, "grants")
