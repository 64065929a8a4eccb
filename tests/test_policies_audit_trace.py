"""A grant that somebody writes into a file by hand is told by the next door that reads it."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from catalog.lab import Lab
from policies.audit.reading import told
from policies.errors import LakeError

EVERYONE = frozenset({"everyone"})
EDITIONS = {"open": {"t": {"keep": ["a"]}}}
OPEN = {"to": "everyone", "edition": "open"}
PARTNER = {
    "to": "group:partners",
    "edition": "open",
    "purposes": ["eau"],
    "until": "2999-01-01",
    "why": "convention 12",
}


@pytest.fixture
def jeu(folder):
    folder.table("jeu", "a\n1\n")
    folder.grant("jeu", EDITIONS)
    return folder


def news(folder) -> list[tuple]:
    """What a door tells when it reads the policies now."""
    log = folder.root / "var/audit"
    before = len(list(told(log)))
    folder.lab.granted(EVERYONE)
    events = [one.event for one in told(log)][before:]
    assert {event.what for event in events} <= {"policy"}
    return [(event.reason, event.to, event.purposes, str(event.editions[0])) for event in events]


def test_every_grant_that_comes_or_goes_has_its_line_and_only_once(jeu):
    came = ("came: essai", "everyone", "any", "jeu/open")
    assert [news(jeu), news(jeu)] == [[came], []]
    jeu.grant("jeu", EDITIONS, OPEN, PARTNER)
    of_partner = ("group:partners", "eau", "jeu/open")
    assert [news(jeu), news(jeu)] == [[("came: convention 12", *of_partner)], []]
    jeu.grant("jeu", EDITIONS, {**PARTNER, "until": "2998-01-01"}, OPEN)
    assert news(jeu) == [("went: convention 12", *of_partner), ("came: convention 12", *of_partner)]
    (jeu.root / "policies/jeu.yaml").unlink()
    assert {reason for reason, *_ in news(jeu)} == {"went: convention 12", "went: essai"}
    assert news(jeu) == []


def test_what_does_not_change_a_grant_is_not_told(jeu):
    news(jeu)
    path = jeu.root / "policies/jeu.yaml"
    path.write_text(f"# a comment\n{path.read_text()}")
    assert news(jeu) == []


def test_a_policy_that_cannot_be_read_grants_nothing_and_tells_nothing(jeu):
    news(jeu)
    path = jeu.root / "policies/jeu.yaml"
    whole = path.read_text()
    path.write_text("owner: [")
    assert news(jeu) == []
    path.write_text(whole)
    assert news(jeu) == []


def test_a_memory_that_was_changed_or_lost_tells_all_again(jeu):
    (came,) = news(jeu)
    path = jeu.root / "var/granted.json"
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"everyone", b"user:ana"))
    assert news(jeu) == [came]
    path.unlink()
    assert news(jeu) == [came]


def test_no_door_opens_where_a_grant_cannot_be_told(jeu):
    lab = jeu.lab
    lab.audit.sync = lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    with pytest.raises(LakeError, match="No space left"):
        lab.granted(EVERYONE, left_out=lambda _: None)


def _open(root) -> None:
    for _ in range(5):
        Lab.open(root).granted(EVERYONE)


def test_doors_that_open_at_once_tell_it_once(jeu):
    spawn = multiprocessing.get_context("spawn")
    jobs = [spawn.Process(target=_open, args=(jeu.root,)) for _ in range(3)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert [job.exitcode for job in jobs] == [os.EX_OK] * 3
    assert len(list(told(jeu.root / "var/audit"))) == 1
