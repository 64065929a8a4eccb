"""An outbox that a test fills, and an airlock that looks at it: the real ones, with the real jail for the checks."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from policies.audit.event import Event, Opened
from policies.audit.reading import told
from sandbox.airlock import collect as collecting
from sandbox.airlock.review import approve, speak
from sandbox.airlock.speaker import Speaker
from sandbox.airlock.store import Submissions
from sandbox.homes import home_of, opened_home
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.lab import Lab

GOOD = b"region;n\nEst;120\nOuest;80\n"
SMALL = b"region;n\nEst;120\nOuest;4\n"


@dataclass
class Airlock:
    """The airlock of a lab. `warned` has what the commands warned of."""

    lab: Lab
    warned: list[str] = field(default_factory=list)
    homes: dict[str, Path] = field(default_factory=dict)
    open: ExitStack = field(default_factory=ExitStack)

    @property
    def store(self) -> Submissions:
        return Submissions.of(self.lab)

    def opened(self, user: str, *editions: str, purpose: str | None = None) -> None:
        """A sandbox of the user was started, and saw these editions."""
        pairs = [Opened(dataset=one.split("/")[0], edition=one.split("/")[1]) for one in editions]
        self.lab.audit.write(
            Event(what="open", door="sandbox", who=f"user:{user}", editions=tuple(pairs), purpose=purpose)
        )

    def outbox(self, user: str) -> Path:
        home, uid = home_of(self.lab, user, SandboxSettings())
        if user not in self.homes:
            self.homes[user] = self.open.enter_context(opened_home(home))
        outbox = self.homes[user] / "outbox"
        if not outbox.exists():
            outbox.mkdir()
            self.own(outbox, uid)
        return outbox

    def own(self, path: Path, uid: int | None) -> None:
        if uid is not None:
            os.chown(path, uid, uid, follow_symlinks=False)

    def put(self, user: str, name: str, content: bytes = GOOD, *, hand: bool = False, **request: object) -> Path:
        """A file in the outbox, as `lab.release` puts it there, or by hand."""
        outbox = self.outbox(user)
        folder = outbox if hand else outbox / f"r{time.monotonic_ns()}"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        os.utime(folder / name, (1, 1))
        if not hand:
            (folder / "request.json").write_text(json.dumps({"why": "for a report", **request}))
        return folder / name

    def words(self, user: str, **request: object) -> None:
        """An answer or a withdrawal, as `lab.answer` and `lab.withdraw` put it into the outbox."""
        folder = self.outbox(user) / f"r{time.monotonic_ns()}"
        folder.mkdir()
        (folder / "request.json").write_text(json.dumps({"why": "so it is", **request}))

    def collect(self):
        return collecting.collect(self.lab, self.warned.append)

    def take(self, user: str, name: str = "t.csv", content: bytes = GOOD, **request: object):
        """Put a file and collect it: the submission."""
        self.put(user, name, content, **request)
        (made,) = self.collect()
        return made

    def approve(self, number: int, by: str = "anne", *despite: str, why: str = "fine"):
        return approve(self.lab, number, by=Speaker.here(by), why=why, despite=despite, warn=self.warned.append)

    def speak(self, number: int, word: str, by: str = "anne", why: str = "so it is"):
        return speak(self.lab, number, word, by=Speaker.here(by), why=why, warn=self.warned.append)

    def answers(self, user: str) -> list[dict]:
        return [json.loads(line) for line in (self.outbox(user) / "answers.jsonl").read_text().splitlines()]

    def events(self) -> list[Event]:
        return [one.event for one in told(self.lab.var / "audit") if one.event.door == "airlock"]

    def releases(self) -> dict[str, bytes]:
        folder = self.lab.var / "releases"
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*")}


@pytest.fixture
def airlock(lab) -> Iterator[Airlock]:
    made = Airlock(lab)
    with made.open:
        yield made
