"""Takes what lies in the outboxes, and has it checked. READ THIS FIRST: the airlock's way in.

outbox → copied, hashed → submitted → checked
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from policies.errors import DatalabError, DeniedError, LakeError, SandboxError, UsageError
from policies.wording import count_of
from sandbox.airlock import told
from sandbox.airlock.answers import answer_of, tell
from sandbox.airlock.beneath import UnsafeFileError
from sandbox.airlock.checking import checked
from sandbox.airlock.copying import copied
from sandbox.airlock.outbox import entries, opened_outbox, parcel, plain, put_away
from sandbox.airlock.readable import readable, reviewers
from sandbox.airlock.review import spoken
from sandbox.airlock.settings import AirlockSettings
from sandbox.airlock.settle import settle
from sandbox.airlock.speaker import Speaker
from sandbox.airlock.store import Submissions
from sandbox.airlock.submission import Submission
from sandbox.homes import check_room, users
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from catalog.lab import Lab
    from sandbox.airlock.outbox import Parcel
    from sandbox.airlock.readable import Readable

_LONGEST_WHY = 250
_FULL: Final = "full"
_REFUSED: Final = "refused"
_MOST_REFUSED = 20
"""Of one home at a time: each is a line of the audit log, and the rest comes the next time."""


def collect(lab: Lab, warn: Callable[[str], None], of: Collection[str] | None = None) -> tuple[Submission, ...]:
    """Take every file that waits in an outbox, check what was not checked yet, and return what is new of it all.

    `of` are the users whose outboxes are looked into, None for all; then, too, one file of each user is checked and the
    rest waits, so that nobody holds up others. `warn` is told of each entry that cannot be taken, and why; so are its
    user and the audit log. Raises SandboxError where no jail can be made for the checks, or the disk is full: what was
    taken stays `submitted`. Whatever else is wrong with one outbox or one file, the others are taken and checked.
    """
    collector = _Collector(lab, Submissions.of(lab), lab.section("airlock", AirlockSettings), warn)
    with collector.store.hold():
        settle(lab, collector.store, warn)
    homes = lab.var / "homes"
    found = {}
    failed: SandboxError | None = None
    for user in users(lab):
        if of is not None and user not in of:
            continue
        try:
            found.update({one.number: one for one in collector.from_home(homes / user)})
        except SandboxError as error:  # a full disk, an old kernel: what others say may still count
            failed = failed or error
    checked_of: set[str] = set()
    for one in collector.store.waiting():
        if one.state == "submitted" and not (of is not None and one.user in checked_of):
            checked_of.add(one.user)
            try:
                found[one.number] = collector.check(homes / one.user, one)
            except LakeError as error:  # a copy that is damaged
                warn(f"{one.number}: {error}")
    if failed is not None:
        raise failed
    return tuple(found[number] for number in sorted(found))


@dataclass(frozen=True)
class _Collector:
    """Takes from one home after the other, and has each file checked; its turn is one file long."""

    lab: Lab
    store: Submissions
    settings: AirlockSettings
    warn: Callable[[str], None]
    could: dict[str, Readable] = field(default_factory=dict)
    """What users could read; the whole log is read for each of them once."""

    def from_home(self, home: Path) -> list[Submission]:
        """What is taken of one home."""
        taken: list[Submission] = []
        full = False
        try:
            with opened_outbox(home) as outbox:
                refused = 0
                for entry in entries(outbox):
                    with self.store.hold():
                        made = self._of_entry(home, outbox, entry)
                    full = full or made == _FULL
                    taken += [made] if isinstance(made, Submission) else []
                    refused += made == _REFUSED
                    if refused == _MOST_REFUSED:
                        break
        except FileNotFoundError:
            pass
        except (UnsafeFileError, LakeError, OSError) as error:
            self.warn(f"{home.name}: {plain(str(error))}")
        if full:
            said = count_of(self.settings.waiting, "file waits", "files wait")
            self.warn(f"{home.name}: {said}; the others stay")
        return taken

    def check(self, home: Path, submission: Submission) -> Submission:
        """A submission, once it is checked; as it is now, if somebody was faster."""
        try:
            found = checked(self.lab, self.store, submission)
        except DatalabError:
            now = self.store.one(submission.number)
            if now == submission:
                raise
            return now  # taken back, and its copy is gone
        with self.store.hold():
            now = self.store.one(submission.number)
            if now != submission:
                return now
            found.put(self.store)
        self.tell(home, found.after)
        return found.after

    def tell(self, home: Path, submission: Submission) -> None:
        """Tell a user of their file."""
        why = tell(home, answer_of(submission))
        if why is not None:
            self.warn(why)

    def _of_entry(self, home: Path, outbox: int, entry: str) -> Submission | Literal["full", "refused"] | None:
        try:
            found = parcel(outbox, entry, int(self.settings.size))
        except FileNotFoundError:  # its owner has taken it back
            return None
        except (OSError, UnsafeFileError) as error:
            self._not_taken(home, outbox, entry, error)
            return _REFUSED
        if found is None:
            return None
        try:
            made = self._said(home.name, found) if found.file is None else self._take(home.name, found, found.file)
        except (UnsafeFileError, UsageError, DeniedError) as error:
            self._not_taken(home, outbox, entry, error)
            return _REFUSED
        finally:
            found.close()
        if isinstance(made, Submission):
            put_away(outbox, entry, "sent", str(made.number))
            self.tell(home, made)
            self.store.forget(made)
        return made

    def _not_taken(self, home: Path, outbox: int, entry: str, error: Exception) -> None:
        why = plain(str(error))
        self.lab.audit.write(told.denied(home.name, why))
        self.warn(f"{home.name}: {why}")
        put_away(outbox, entry, "refused", f"{_now():%Y%m%d-%H%M%S}")
        line = {"file": plain(entry)[:100], "state": "not taken", "why": why, "when": _now().isoformat()}
        failed = tell(home, line)
        if failed is not None:
            self.warn(failed)

    def _said(self, user: str, found: Parcel) -> Submission:
        ((word, number),) = found.asked.words
        return spoken(
            self.lab, self.store, number, word, by=Speaker.here(user), why=plain(found.asked.why)[:_LONGEST_WHY]
        )

    def _take(self, user: str, found: Parcel, file: int) -> Submission | Literal["full"]:
        waiting = [one for one in self.store.waiting() if one.user == user]
        if len(waiting) >= self.settings.waiting:
            return _FULL
        check_room(self.lab, self.lab.section("sandbox", SandboxSettings).free)
        number = self.store.next_number()
        size, sha256 = copied(file, self.store.copy(number), int(self.settings.size), found.name)
        for one in waiting:
            if (one.name, one.sha256) == (found.name, sha256):
                self.store.drop(number)  # taken by a job that was killed before it could put the entry away
                return one
        could = self.could.get(user) or self.could.setdefault(user, readable(self.lab, user))
        made = Submission(
            number=number,
            user=user,
            name=found.name,
            size=size,
            sha256=sha256,
            why=plain(found.asked.why)[:_LONGEST_WHY],
            editions=tuple(dict.fromkeys(found.asked.editions)),
            could=could.editions,
            purposes=could.purposes,
            taken=_now(),
            needed=reviewers(self.lab, (*could.editions, *found.asked.editions)),
        )
        self.lab.audit.write(told.step("request", made, by=Speaker.here(f"user:{user}"), why=made.why))
        self.store.put(made)
        return made


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
