"""A file that somebody wants to take out, and the states that it goes through. Pure.

    submitted → checked → in review → released
                  ↓ ↑        ↓ ↑      refused
                 asked → answered     withdrawn

`in review` is what one of two reviewers has approved. MOVES has every legal step, and there is no other way.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from policies.errors import DeniedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.airlock.checks import Finding

State = Literal["submitted", "checked", "in review", "asked", "answered", "released", "refused", "withdrawn"]
Word = Literal["check", "approve", "refuse", "ask", "answer", "withdraw"]

MOVES: dict[State, dict[Word, tuple[State, ...]]] = {
    "submitted": {"check": ("checked",), "withdraw": ("withdrawn",)},
    "checked": {
        "approve": ("in review", "released"),
        "refuse": ("refused",),
        "ask": ("asked",),
        "withdraw": ("withdrawn",),
    },
    "in review": {
        "approve": ("in review", "released"),
        "refuse": ("refused",),
        "ask": ("asked",),
        "withdraw": ("withdrawn",),
    },
    "asked": {"answer": ("answered",), "refuse": ("refused",), "withdraw": ("withdrawn",)},
    "answered": {
        "approve": ("in review", "released"),
        "refuse": ("refused",),
        "ask": ("asked",),
        "withdraw": ("withdrawn",),
    },
    "released": {},
    "refused": {},
    "withdrawn": {},
}
"""What each word makes of each state. Of an approval's two, the second is that of the last one that is needed."""

CLOSED: tuple[State, ...] = ("released", "refused", "withdrawn")


class _Stored(BaseModel):
    """What lies on disk: fields of later releases are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Said(_Stored):
    """One word on a submission. `account` is who sat at the terminal; `despite` are the checks that were named."""

    word: Word
    by: str
    account: str
    when: dt.datetime
    why: str
    despite: tuple[str, ...] = ()


class Found(_Stored):
    """A finding, as it is kept."""

    check: str
    severity: Literal["stop", "look", "note"]
    place: str
    said: str

    @classmethod
    def all(cls, findings: Iterable[Finding]) -> tuple[Found, ...]:
        """Those of a check."""
        return tuple(cls(**asdict(one)) for one in findings)


class Submission(_Stored):
    """A file, by its number: whose, what for, out of which editions, and all that was said of it.

    `sha256` is of the copy that was taken: it is checked, reviewed and released. `editions` are what the requester
    says it was made of, `could` all that they could read by the audit log; both as `dataset/edition`. `needed` is how
    many reviewers it takes; `preview` has the first lines, as the checks saw them; `sketch` is the SHA-256 of what
    later files are compared with. A file on its way `in` is `asker`'s request, and for `user`.
    """

    number: int
    user: str
    name: str
    size: int
    sha256: str
    why: str
    editions: tuple[str, ...] = ()
    could: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    taken: dt.datetime
    state: State = "submitted"
    needed: int = 1
    kind: str | None = None
    rows: int | None = None
    findings: tuple[Found, ...] = ()
    preview: tuple[str, ...] = ()
    compared: tuple[int, ...] = ()
    sketch: str | None = None
    said: tuple[Said, ...] = ()
    direction: Literal["out", "in"] = "out"
    asker: str | None = None

    @property
    def seen(self) -> str:
        """What stands for all that is known of it now: another once the file, what was found or what was said is."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def datasets(self) -> frozenset[str]:
        """What it may be made of."""
        return frozenset(one.partition("/")[0] for one in (*self.could, *self.editions))

    def is_of(self, name: str) -> bool:
        """Whether it is this person's own: they asked for it, or it is for them."""
        return _bare(name) in self._own

    @property
    def _own(self) -> frozenset[str]:
        """Those who must not decide on it."""
        return frozenset({self.user, *([] if self.asker is None else [_bare(self.asker)])})

    def approvals(self) -> tuple[Said, ...]:
        """Those that count: of what the last check found. A check that finds something else makes them void."""
        last = max((at for at, one in enumerate(self.said) if one.word == "check"), default=0)
        return tuple(one for one in self.said[last:] if one.word == "approve")

    def checked(self, said: Said, **found: Any) -> Submission:
        """With what a check found. Raises UsageError where it is closed."""
        if self.state in CLOSED:
            raise _illegal(self, "check")
        state = "checked" if self.state in ("submitted", "in review") else self.state
        return self.model_copy(update={**found, "state": state, "said": (*self.said, said)})

    def moved(self, said: Said) -> Submission:
        """After one more word.

        Raises UsageError for a word that its state does not know, DeniedError where somebody decides on their own file,
        or twice, speaks for another, or approves what a check stops, or does not name one that asks to be named.
        """
        self.check_legal(said)
        to = MOVES[self.state][said.word]
        state = to[0]
        if said.word == "approve":
            self._may_be_approved(said)
            state = to[1] if len(self.approvals()) + 1 >= self.needed else to[0]
        return self.model_copy(update={"state": state, "said": (*self.said, said)})

    def check_legal(self, said: Said) -> None:
        """Raise as `moved` where the word is not one for this state, or not for this person."""
        if said.word not in MOVES[self.state] or said.word == "check":
            raise _illegal(self, said.word)
        if said.word in ("withdraw", "answer"):
            if _bare(said.by) not in self._own:
                raise DeniedError(f"submission {self.number} is {self.user}'s: only they {said.word} it")
        elif mine := self._own & persons(said):
            raise DeniedError(f"submission {self.number} is {min(mine)}'s own: somebody else must decide on it")

    def _may_be_approved(self, said: Said) -> None:
        stops = sorted({one.check for one in self.findings if one.severity == "stop"})
        if stops:
            raise DeniedError(
                f"submission {self.number} is stopped by {', '.join(stops)}: refuse it, and ask for it without that"
            )
        looks = {one.check for one in self.findings if one.severity == "look"}
        missing = sorted(looks.difference(said.despite))
        if missing:
            named = " ".join(f"--despite {one}" for one in missing)
            raise DeniedError(
                f"submission {self.number}: {', '.join(missing)} found something; who approves it all the same says "
                f"so: {named}"
            )
        unknown = sorted(set(said.despite) - looks)
        if unknown:
            raise UsageError(
                f"--despite {unknown[0]}: that check found nothing; {', '.join(sorted(looks)) or 'none'} did"
            )
        for before in self.approvals():
            if persons(before) & {_bare(said.by)} or persons(said) & {_bare(before.by)}:
                raise DeniedError(
                    f"submission {self.number} was approved by {before.by} already, and needs another person too"
                )


def persons(said: Said) -> frozenset[str]:
    """The names that stand for who said it: the one that they gave, and their account's."""
    return frozenset({_bare(said.by), _bare(said.account)})


def _bare(name: str) -> str:
    return name.strip().casefold().removeprefix("user:")


def _illegal(submission: Submission, word: str) -> UsageError:
    may = ", ".join(one for one in MOVES[submission.state] if one != "check") or "nothing more"
    return UsageError(
        f"submission {submission.number} is {submission.state}: it cannot {word}; what can be said: {may}"
    )
