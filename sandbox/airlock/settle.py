"""Makes good for a job that was killed: what the records say is done to the end, and nothing else.

A word counts once its record is on disk (`Submissions.put`). What follows from it comes after: the bytes of a release
go out, the requester is told, the copy of what is closed goes away. A closed one with a copy has some of it to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.errors import DatalabError
from sandbox.airlock import told
from sandbox.airlock.admit import put_in
from sandbox.airlock.answers import answer_of, tell
from sandbox.airlock.release import put_out
from sandbox.airlock.speaker import Speaker
from sandbox.airlock.submission import CLOSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab
    from sandbox.airlock.store import Submissions
    from sandbox.airlock.submission import Submission


def settle(lab: Lab, store: Submissions, warn: Callable[[str], None]) -> None:
    """Finish what others were killed at; one calls it in their turn.

    What cannot be finished is told of, and tried again the next time: it stands in nobody's way.
    """
    recorded = {one.number: one for one in store.recorded(store.copies())}
    for number in store.copies():
        one = recorded.get(number)
        if one is None:
            store.drop(number)
        elif one.state in CLOSED:
            try:
                _finish(lab, store, one)
            except DatalabError as error:
                lab.audit.write(told.step("deny", one, by=Speaker.here("airlock"), why=str(error)))
                warn(str(error))
                continue
            why = tell(lab.var / "homes" / one.user, answer_of(one))
            if why is not None:
                warn(why)
            store.forget(one)


def _finish(lab: Lab, store: Submissions, one: Submission) -> None:
    copy = store.copy(one.number)
    if one.state == "released" and one.direction == "in":
        put_in(lab, copy, one, _nothing)
    elif one.state == "released" and not store.released(one).exists():
        put_out(copy, store.released(one), one, _nothing)


def _nothing() -> None:
    """The log and the record say it already."""
