"""The airlock against a model: whatever is said in whatever order, no illegal step is taken, and nothing leaves unread.

The checks are the real ones, run here and not in their jail, which a thousand steps have no time for.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from fixtures_airlock import GOOD, SMALL, Airlock
from fixtures_sandbox import make_lab
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from policies.errors import DeniedError, UsageError
from sandbox.airlock import checking
from sandbox.airlock.checks import check
from sandbox.airlock.checks.facts import Facts
from sandbox.airlock.judge import Judged
from sandbox.airlock.submission import MOVES, Found

LEGAL = {
    ("checked", "approve"),
    ("checked", "refuse"),
    ("checked", "ask"),
    ("checked", "withdraw"),
    ("in review", "approve"),
    ("in review", "refuse"),
    ("in review", "ask"),
    ("in review", "withdraw"),
    ("asked", "answer"),
    ("asked", "refuse"),
    ("asked", "withdraw"),
    ("answered", "approve"),
    ("answered", "refuse"),
    ("answered", "ask"),
    ("answered", "withdraw"),
    ("submitted", "withdraw"),
    ("submitted", "check"),
}
AFTER = {"refuse": "refused", "ask": "asked", "answer": "answered", "withdraw": "withdrawn"}
PEOPLE = st.sampled_from(["anne", "basile", "user:anne", "bob", "ADA"])
STOPPED = b"PK\3\4"
FILES = [("ada", GOOD), ("bob", GOOD), ("bob", SMALL), ("ada", STOPPED)]
NUMBERS = st.sampled_from([1, 2, 2, 3, 3, 4])


def checked_here(lab, copy, submission, facts, earlier) -> Judged:
    """The checks, without what was released before."""
    content = copy.read_bytes()
    known = Facts(at_least=facts["at_least"])
    candidate, found = check(submission.name, content, known)
    rows = None if candidate.table is None else len(candidate.table.rows)
    digest = hashlib.sha256(content).hexdigest()
    return Judged(sha256=digest, kind=candidate.kind, rows=rows, findings=Found.all(found))


def bare(name: str) -> str:
    return name.removeprefix("user:").lower()


def test_the_table_of_moves_is_the_one_that_the_tests_know():
    assert {(state, word) for state, words in MOVES.items() for word in words} == LEGAL


class Machine(RuleBasedStateMachine):
    """`states`, `approved` and `swapped` are the model; the lab is the real one."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.patch = patch.object(checking, "judge", checked_here)
        self.patch.start()
        self.airlock = Airlock(make_lab(Path(self.folder.name) / "lab"))
        self.airlock.lab.settings["airlock"] = {"two_reviewers": ["irve/raw"]}
        self.airlock.opened("ada", "irve/open")
        self.airlock.opened("bob", "irve/raw")
        self.content: dict[int, bytes] = {}
        self.states: dict[int, str] = {}
        self.users: dict[int, str] = {}
        self.approved: dict[int, set[str]] = {}
        self.swapped: set[int] = set()
        for user, content in FILES:
            self.take(user, content)

    def teardown(self):
        self.patch.stop()
        self.airlock.open.close()
        self.folder.cleanup()

    def take(self, user: str, content: bytes) -> None:
        number = len(self.states) + 1
        assert self.airlock.take(user, f"t{number}.csv", content).number == number
        self.content[number], self.states[number], self.users[number] = content, "checked", user
        self.approved[number] = set()

    @rule(number=NUMBERS, by=PEOPLE, word=st.sampled_from(["refuse", "ask", "answer", "withdraw"]))
    def say(self, number, by, word):
        own = bare(by) == self.users[number]
        legal = (self.states[number], word) in LEGAL and own == (word in ("answer", "withdraw"))
        if legal:
            self.states[number] = AFTER[word]
            assert self.airlock.speak(number, word, by).state == AFTER[word]
        else:
            with pytest.raises((UsageError, DeniedError)):
                self.airlock.speak(number, word, by)

    @rule(number=NUMBERS, by=PEOPLE, named=st.booleans())
    def approve(self, number, by, named):
        content = self.content[number]
        despite = ("small-cells",) if named else ()
        legal = (
            (self.states[number], "approve") in LEGAL
            and bare(by) != self.users[number]
            and bare(by) not in self.approved[number]
            and number not in self.swapped
            and content != STOPPED
            and named == (content == SMALL)
        )
        if not legal:
            with pytest.raises((UsageError, DeniedError)):
                self.airlock.approve(number, by, *despite)
            return
        self.approved[number].add(bare(by))
        enough = len(self.approved[number]) == (2 if self.users[number] == "bob" else 1)
        self.states[number] = "released" if enough else "in review"
        assert self.airlock.approve(number, by, *despite).state == self.states[number]

    @rule(number=NUMBERS)
    def swap(self, number):
        copy = self.airlock.store.copy(number)
        if copy.exists():
            copy.chmod(0o600)
            copy.write_bytes(b"swapped;n\na;1000\n")
            self.swapped.add(number)

    @rule(number=NUMBERS)
    def put_back(self, number):
        if number in self.swapped and self.airlock.store.copy(number).exists():
            self.airlock.store.copy(number).write_bytes(self.content[number])
            self.swapped.discard(number)

    @invariant()
    def the_states_are_those_of_the_model(self):
        assert {one.number: one.state for one in self.airlock.store.all()} == self.states

    @invariant()
    def exactly_what_was_reviewed_has_left(self):
        left = {
            f"{number}/{self.airlock.store.one(number).name}": self.content[number]
            for number, state in self.states.items()
            if state == "released"
        }
        assert self.airlock.releases() == left
        events = [event for event in self.airlock.events() if event.what == "release"]
        assert sorted((event.number, event.sha256) for event in events) == sorted(
            (number, hashlib.sha256(self.content[number]).hexdigest())
            for number, state in self.states.items()
            if state == "released"
        )


Machine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMachine = Machine.TestCase
