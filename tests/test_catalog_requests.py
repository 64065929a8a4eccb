"""Somebody asks, a steward answers; the policy, the request and the audit log agree, whatever happens in between."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import datalab as command
from catalog import requesting
from policies.audit.origin import account, terminal
from policies.audit.reading import told
from policies.errors import DatalabError, DeniedError, DocumentError, LakeError, UsageError

TODAY = dt.datetime.now(dt.UTC).date()
LATER, FURTHER = TODAY + dt.timedelta(100), TODAY + dt.timedelta(300)
POLICY = """# the steward's words
owner: o
editions:
  open: {t: {keep: [a]}}
  partner: {t: {keep: [a, b]}}
grants:
  - {to: everyone, edition: open, purposes: any, why: "open"}   # to all
  # agreements come below
"""


@pytest.fixture
def jeu(folder):
    folder.table("jeu", "a;b\n1;2\n")
    folder.write("policies/jeu.yaml", POLICY)
    return folder


def run(folder, *words: str) -> str:
    ran = CliRunner().invoke(command.app, ["--lab", str(folder.root), *words], env={"COLUMNS": "200"})
    if ran.exception is not None:
        raise ran.exception
    return ran.output


def ask(folder, **changes: str) -> str:
    given = {"as": "partner", "purpose": "eau", "until": str(LATER), "why": "étude 7", **changes}
    words = [word for name, value in given.items() if name != "what" for word in (f"--{name}", value)]
    return run(folder, "request", given.get("what", "jeu/partner"), *words)


def policy(folder) -> str:
    return (folder.root / "policies/jeu.yaml").read_text()


def events(folder) -> list[dict]:
    found = [one.event for one in told(folder.root / "var/audit") if one.event.what != "policy"]
    return [event.model_dump(mode="json", exclude_defaults=True) for event in found]


def states(folder) -> list[str]:
    return [one.state for one in requesting.requests_of(folder.lab).all()]


def test_a_request_that_is_granted_is_in_the_policy_as_a_steward_would_write_it(jeu):
    assert "request 1: user:partner asks for jeu/partner" in ask(jeu)
    assert not jeu.lab.policy("jeu").grants[1:]
    assert "étude 7" in run(jeu, "requests")
    assert "granted: jeu/partner to user:partner" in run(jeu, "grant", "1", "--why", "convention 12", "--by", "agnès")
    line = (
        f'  - {{to: "user:partner", edition: partner, purposes: [eau], from: {TODAY}, until: {LATER}, '
        'why: "convention 12 (request 1)"}\n'
    )
    assert policy(jeu) == POLICY.replace("# to all\n", f"# to all\n{line}")
    assert "no request waits" in run(jeu, "requests")
    assert "granted by agnès: convention 12" in run(jeu, "requests", "--all")
    about = {
        "door": "cli",
        "editions": [{"dataset": "jeu", "edition": "partner"}],
        "origin": terminal(),
        "number": 1,
        "to": "user:partner",
        "purposes": "eau",
        "until": str(LATER),
    }
    assert events(jeu) == [
        {"what": "request", "who": "user:partner", "reason": "étude 7", **about},
        {"what": "grant", "who": "agnès", "reason": "convention 12", **about},
    ]


def test_a_steward_may_give_another_end_and_refuse_and_the_asker_withdraw(jeu):
    for what in ("jeu/partner", "jeu/raw"):
        ask(jeu, what=what)
    ask(jeu, purpose="air")
    run(jeu, "grant", "1", "--why", "c", "--until", str(FURTHER))
    run(jeu, "refuse-request", "2", "--why", "raw is ours", "--by", "agnès")
    run(jeu, "withdraw-request", "3", "--as", "partner")
    assert states(jeu) == ["granted", "refused", "withdrawn"]
    assert jeu.lab.policy("jeu").grants[1].until == FURTHER
    assert [event["what"] for event in events(jeu)[3:]] == ["grant", "refuse", "withdraw"]


@pytest.mark.parametrize("first", ["granted", "refused", "withdrawn"])
@pytest.mark.parametrize("then", ["granted", "refused", "withdrawn"])
def test_what_was_decided_stays_decided(jeu, first, then):
    ask(jeu)
    lab = jeu.lab

    def move(to: str) -> None:
        if to == "granted":
            requesting.grant(lab, 1, by="agnès", why="w")
        else:
            requesting.close(lab, 1, to, by="partner" if to == "withdrawn" else "agnès", why="w")

    move(first)
    before = policy(jeu)
    with pytest.raises(UsageError, match=f"request 1 was {first} by"):
        move(then)
    assert (policy(jeu), len(events(jeu))) == (before, 2)


@pytest.mark.parametrize("by", ["partner", "user:partner"])
def test_nobody_decides_on_their_own_request(jeu, by):
    ask(jeu)
    for words in (("grant", "1"), ("refuse-request", "1")):
        with pytest.raises(DeniedError, match="is user:partner's own: somebody else must decide on it"):
            run(jeu, *words, "--why", "w", "--by", by)
    assert (policy(jeu), states(jeu), len(events(jeu))) == (POLICY, ["asked"], 1)


def test_nobody_decides_on_their_own_request_under_another_name(jeu):
    jeu.write("datalab.toml", f'[policies.users]\n{account()} = ["stewards"]\n')
    ask(jeu, **{"as": account()})
    with pytest.raises(DeniedError, match="somebody else must decide on it"):
        run(jeu, "grant", "1", "--why", "w", "--by", "agnès")


def test_only_who_asked_withdraws(jeu):
    ask(jeu)
    with pytest.raises(DeniedError, match="only they withdraw it"):
        run(jeu, "withdraw-request", "1", "--as", "steward")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"what": "jeu/opne"}, "unknown edition 'jeu/opne'; did you mean 'open'"),
        ({"what": "jeu"}, "unknown edition 'jeu'"),
        ({"what": "../jeu/open"}, "unknown dataset '..'"),
        ({"what": "jeux/open"}, "unknown dataset 'jeux'"),
        ({"as": "nobody"}, "unknown user 'nobody'"),
        ({"as": "group:partners"}, "is no principal"),
        ({"purpose": "l'eau"}, "expected a word of small letters"),
        ({"until": str(TODAY)}, "is not in the future"),
        ({"until": "bientôt"}, "expected a day"),
        ({"why": "deux\nlignes"}, "expected one line"),
        ({"why": " "}, "expected one line"),
        ({"why": "x" * 1000}, "expected one line"),
        ({"what": "jeu/open"}, "jeu/open is granted already: open"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(jeu, changes, said):
    with pytest.raises(DatalabError, match=said):
        ask(jeu, **changes)
    assert (states(jeu), events(jeu)) == ([], [])


def test_the_same_is_asked_once_and_requests_are_bounded(jeu, monkeypatch):
    ask(jeu)
    with pytest.raises(UsageError, match="request 1 asks for that already"):
        ask(jeu)
    monkeypatch.setattr(requesting, "MOST_OPEN", 2)
    ask(jeu, purpose="air")
    with pytest.raises(UsageError, match="has 2 requests waiting"):
        ask(jeu, purpose="sol")


def test_a_grant_that_a_killed_job_had_written_is_not_written_twice(jeu):
    ask(jeu)
    run(jeu, "grant", "1", "--why", "c")
    path = jeu.root / "var/requests/1.json"
    path.write_text(path.read_text().replace('"granted"', '"asked"'))
    written = policy(jeu)
    run(jeu, "grant", "1", "--why", "c")
    assert (policy(jeu), states(jeu)) == (written, ["granted"])


def test_what_the_policy_expects_is_not_granted_away(jeu):
    ask(jeu)
    jeu.write("policies/jeu.yaml", f"{POLICY}expect:\n  - {{who: 'user:partner', must_not_get: partner}}\n")
    before = policy(jeu)
    with pytest.raises(UsageError, match="the policy expects otherwise: user:partner must not get 'partner'"):
        run(jeu, "grant", "1", "--why", "c")
    assert (policy(jeu), states(jeu), len(events(jeu))) == (before, ["asked"], 1)


def test_nothing_changes_where_the_log_cannot_be_written_or_the_file_cannot_be_kept(jeu):
    ask(jeu)
    lab = jeu.lab
    lab.audit.sync = lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    with pytest.raises(LakeError, match="No space left"):
        requesting.grant(lab, 1, by="agnès", why="w")
    with pytest.raises(LakeError, match="No space left"):
        requesting.ask(lab, "partner", "jeu/raw", purpose="eau", until=LATER, why="w")
    assert (policy(jeu), states(jeu)) == (POLICY, ["asked"])
    odd = "{owner: o, editions: {open: {t: {keep: [a]}}, partner: {t: {keep: [a]}}}}"
    jeu.write("policies/jeu.yaml", odd)
    with pytest.raises(DocumentError, match="add this below 'grants': - .to: .user:partner"):
        run(jeu, "grant", "1", "--why", "w")
    assert policy(jeu) == odd


def test_a_revoked_grant_ends_today_in_its_place(jeu):
    ask(jeu)
    ask(jeu, purpose="air")
    for number in "12":
        run(jeu, "grant", number, "--why", "c")
    before = policy(jeu)
    said = run(jeu, "revoke", "jeu", "2", "--why", "fini", "--by", "agnès")
    assert said.startswith("revoked: jeu/partner to user:partner, granted for eau")
    assert policy(jeu) == before.replace(f"until: {LATER}", f"until: {TODAY}", 1)
    run(jeu, "revoke", "jeu", "user:partner", "--why", "fini")
    assert [one.until for one in jeu.lab.policy("jeu").grants] == [None, TODAY, TODAY]
    run(jeu, "revoke", "jeu", "everyone", "--why", "fermé")
    assert jeu.lab.granted(frozenset({"everyone"})) == ()
    gone = [event for event in events(jeu) if event["what"] == "revoke"]
    assert [(event["who"], event["to"], event["until"]) for event in gone] == [
        ("agnès", "user:partner", str(TODAY)),
        (account(), "user:partner", str(TODAY)),
        (account(), "everyone", str(TODAY)),
    ]
    for which in ("2", "9", "user:partner"):
        with pytest.raises(UsageError, match="that has not ended"):
            run(jeu, "revoke", "jeu", which, "--why", "w")


def test_an_unknown_or_damaged_request_is_named(jeu):
    with pytest.raises(UsageError, match="there is no request 3"):
        run(jeu, "grant", "3", "--why", "w")
    ask(jeu)
    (jeu.root / "var/requests/1.json").write_text("{")
    with pytest.raises(LakeError, match="requests/1.json: damaged"):
        run(jeu, "requests")


ASKER = """
import sys, datetime as dt
from pathlib import Path
from catalog.lab import Lab
from catalog.requesting import ask
lab = Lab.open(Path(sys.argv[1]))
for number in range(5):
    ask(lab, "partner", "jeu/partner", purpose=f"p{sys.argv[2]}-{number}", until=dt.date(2999, 1, 1), why="w")
"""


def test_requests_made_at_once_get_a_number_each(jeu):
    argv = [sys.executable, "-c", ASKER, str(jeu.root)]
    jobs = [subprocess.Popen([*argv, str(job)], cwd=Path(__file__).parents[1]) for job in range(3)]
    assert [job.wait(60) for job in jobs] == [0, 0, 0]
    assert [one.number for one in requesting.requests_of(jeu.lab).all()] == list(range(1, 16))
