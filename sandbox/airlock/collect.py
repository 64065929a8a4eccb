"""Takes what lies in the outboxes, and has it checked. READ THIS FIRST: the airlock's way in.

outbox → copied, hashed → submitted → checked
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.errors import DeniedError, UsageError
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
from sandbox.airlock.store import Submissions
from sandbox.airlock.submission import CLOSED, Submission
from sandbox.homes import check_room
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.lab import Lab
    from sandbox.airlock.outbox import Parcel
    from sandbox.airlock.readable import Readable

_LONGEST_WHY = 250


def collect(lab: Lab, warn: Callable[[str], None]) -> tuple[Submission, ...]:
    """Take every file that waits in an outbox, check what was not checked yet, and return what is new of it all.

    `warn` is told of each entry that cannot be taken, and why; so are its user and the audit log. Raises SandboxError
    where no jail can be made for the checks: what was taken stays `submitted`.
    """
    collector = _Collector(lab, Submissions.of(lab), lab.section("airlock", AirlockSettings), warn)
    homes = lab.var / "homes"
    with collector.store.hold():
        found = {}
        for home in sorted(homes.iterdir()) if homes.is_dir() else []:
            if not home.name.startswith(".") and home.is_dir() and not home.is_symlink():
                found.update({one.number: one for one in collector.from_home(home)})
        for one in collector.store.all():
            if one.state == "submitted":
                found[one.number] = made = checked(lab, collector.store, one)
                collector.store.put(made)
                collector.tell(homes / one.user, made)
    return tuple(found[number] for number in sorted(found))


@dataclass(frozen=True)
class _Collector:
    """Takes from one home after the other, while it holds the store."""

    lab: Lab
    store: Submissions
    settings: AirlockSettings
    warn: Callable[[str], None]
    could: dict[str, Readable] = field(default_factory=dict)
    """What users could read; the whole log is read for each of them once."""

    def from_home(self, home: Path) -> list[Submission]:
        """What is taken of one home."""
        taken: list[Submission] = []
        try:
            with opened_outbox(home) as outbox:
                for entry in entries(outbox):
                    waiting = sum(one.user == home.name and one.state not in CLOSED for one in self.store.all())
                    if waiting >= self.settings.waiting:
                        self.warn(f"{home.name}: {count_of(waiting, 'file waits', 'files wait')}; the others stay")
                        break
                    made = self._of_entry(home, outbox, entry)
                    taken += [] if made is None else [made]
        except FileNotFoundError:
            pass
        except UnsafeFileError as error:
            self.warn(f"{home.name}: {plain(str(error))}")
        return taken

    def tell(self, home: Path, submission: Submission) -> None:
        """Tell a user of their file."""
        why = tell(home, answer_of(submission))
        if why is not None:
            self.warn(why)

    def _of_entry(self, home: Path, outbox: int, entry: str) -> Submission | None:
        try:
            found = parcel(outbox, entry, int(self.settings.size))
        except FileNotFoundError:  # its owner has taken it back
            return None
        except (OSError, UnsafeFileError) as error:
            self._not_taken(home, outbox, entry, error)
            return None
        if found is None:
            return None
        try:
            made = self._answered(home.name, found) if found.file is None else self._take(home.name, found, found.file)
        except (UnsafeFileError, UsageError, DeniedError) as error:
            self._not_taken(home, outbox, entry, error)
            return None
        finally:
            found.close()
        put_away(outbox, entry, "sent", str(made.number))
        self.tell(home, made)
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

    def _answered(self, user: str, found: Parcel) -> Submission:
        why = plain(found.asked.why)[:_LONGEST_WHY]
        return spoken(self.lab, self.store, found.asked.answers or 0, "answer", by=user, why=why)

    def _take(self, user: str, found: Parcel, file: int) -> Submission:
        check_room(self.lab, self.lab.section("sandbox", SandboxSettings).free)
        number = self.store.next_number()
        size, sha256 = copied(file, self.store.copy(number), int(self.settings.size), found.name)
        for one in self.store.all():
            if (one.user, one.name, one.sha256) == (user, found.name, sha256) and one.state not in CLOSED:
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
        self.lab.audit.write(told.step("request", made, who=f"user:{user}", why=made.why))
        self.store.put(made)
        return made


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
