"""A steward's word on a submission, and its requester's: checked, written to the audit log, done, and told.

An approval has the file checked anew before it counts: what was released since, or a policy that changed, may speak
against it now. Where something else is found than reviewers have seen, what they said before is void. Nobody waits for
a check: if something was decided meanwhile that could make another answer, it is run again.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from policies.audit.event import LONGEST
from policies.errors import DatalabError, DeniedError, LakeError, UsageError
from sandbox.airlock import told
from sandbox.airlock.admit import put_in
from sandbox.airlock.answers import answer_of, tell
from sandbox.airlock.checking import checked
from sandbox.airlock.release import put_out
from sandbox.airlock.settle import settle
from sandbox.airlock.store import Submissions
from sandbox.airlock.submission import Said, Submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab
    from policies.audit.event import What
    from sandbox.airlock.checking import Checked
    from sandbox.airlock.speaker import Speaker
    from sandbox.airlock.submission import Word


class StaleError(UsageError):
    """A word on something that is no longer what its speaker has read."""


_TOLD: dict[Word, What] = {
    "approve": "review",
    "refuse": "refuse",
    "ask": "review",
    "answer": "review",
    "withdraw": "withdraw",
}
_TRIES = 20
"""How often a file is checked again because another was released while it was checked."""


def approve(
    lab: Lab, number: int, *, by: Speaker, why: str, despite: tuple[str, ...], warn: Callable[[str], None]
) -> Submission:
    """Approve a file; the last approval that is needed releases it, and then its bytes are at var/releases.

    Raises as `Submission.moved`; StaleError if it is not what was seen; DeniedError, and tells the audit log, if the
    copy is not what was taken; SandboxError where the checks cannot be run; LakeError where others decide all the time.
    Nothing is released then.
    """
    said, store = _said("approve", by, why, despite), Submissions.of(lab)
    with store.hold():
        settle(lab, store, warn)
    for _ in range(_TRIES):
        found = _found(lab, store, number, said, by)
        if found is None:
            continue
        with store.hold():
            if not found.holds(store):
                continue
            found.put(store)
            moved = found.after.moved(said)
            if moved.state == "released":
                _release(lab, store, moved, said, by)
            else:
                lab.audit.write(told.step("review", moved, by=by, why=f"approved: {why}"))
                store.put(moved)
            _tell(lab, moved, warn)
            store.forget(moved)
        if (moved.state, moved.direction) == ("released", "out"):
            _lineage(lab, moved, warn)
        return moved
    raise LakeError(
        f"submission {number}: others decide all the time, and each time it is to be checked anew; try again"
    )


def _found(lab: Lab, store: Submissions, number: int, said: Said, by: Speaker) -> Checked | None:
    """What the checks find now; None if somebody else has had a word meanwhile."""
    before = store.one(number)
    _check_seen(before, by)
    before.check_legal(said)
    try:
        return checked(lab, store, before)
    except DatalabError as error:
        if store.one(number) != before:  # refused, say, and its copy is gone
            return None
        if isinstance(error, DeniedError):
            lab.audit.write(told.step("deny", before, by=by, why=str(error)))
        raise


def speak(lab: Lab, number: int, word: Word, *, by: Speaker, why: str, warn: Callable[[str], None]) -> Submission:
    """Refuse, ask, answer or withdraw. Raises as `Submission.moved`; StaleError if it is not what was seen."""
    store = Submissions.of(lab)
    with store.hold():
        settle(lab, store, warn)
        moved = spoken(lab, store, number, word, by=by, why=why)
        _tell(lab, moved, warn)
        store.forget(moved)
    return moved


def spoken(lab: Lab, store: Submissions, number: int, word: Word, *, by: Speaker, why: str) -> Submission:
    """The same, for who holds the store already, tells the requester, and then has the store forget the copy."""
    submission = store.one(number)
    _check_seen(submission, by)
    moved = submission.moved(_said(word, by, why))
    reason = why if word in ("refuse", "withdraw") else f"{word}: {why}"
    lab.audit.write(told.step(_TOLD[word], moved, by=by, why=reason))
    store.put(moved)
    return moved


def _release(lab: Lab, store: Submissions, moved: Submission, said: Said, by: Speaker) -> None:
    inward = moved.direction == "in"

    def decided() -> None:
        lab.audit.write(told.step("accept" if inward else "release", moved, by=by, why=said.why))
        store.put(moved)

    try:
        if inward:
            put_in(lab, store.copy(moved.number), moved, decided)
        else:
            put_out(store.copy(moved.number), store.released(moved), moved, decided)
    except DeniedError as error:
        lab.audit.write(told.step("deny", moved, by=by, why=str(error)))
        raise


def _lineage(lab: Lab, moved: Submission, warn: Callable[[str], None]) -> None:
    from catalog import lineage  # noqa: PLC0415  OpenLineage's client takes half a second to load

    event = lineage.released(lineage.namespace(lab), moved.number, moved.name, moved.editions or moved.could)
    why = lineage.emit(lab, event)
    if why is not None:
        warn(why)


def _tell(lab: Lab, moved: Submission, warn: Callable[[str], None]) -> None:
    why = tell(lab.var / "homes" / moved.user, answer_of(moved))
    if why is not None:
        warn(why)


def _check_seen(submission: Submission, by: Speaker) -> None:
    if by.seen is not None and by.seen != submission.seen:
        raise StaleError(
            f"submission {submission.number} is not as it was when you read it: something was found, said or decided "
            "since, so nothing was done; read it again"
        )


def _said(word: Word, by: Speaker, why: str, despite: tuple[str, ...] = ()) -> Said:
    if not 1 <= len(why.strip()) <= LONGEST - 50 or not why.isprintable():
        raise UsageError(f"--why: expected one line of 1 to {LONGEST - 50} characters")
    if not by.name.strip() or not by.name.isprintable():
        raise UsageError("--by: expected a name")
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return Said(word=word, by=by.name.strip(), account=by.account, when=now, why=why, despite=despite)
