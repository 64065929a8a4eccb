"""What the audit log is told of the airlock: each step, before it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.audit.event import Event, Opened
from policies.audit.origin import terminal

if TYPE_CHECKING:
    from policies.audit.event import What
    from sandbox.airlock.speaker import Speaker
    from sandbox.airlock.submission import Submission


def step(what: What, submission: Submission, *, by: Speaker, why: str) -> Event:
    """Who did what with a submission. Its editions are those that it was said to be made of, or all that it could."""
    return Event(
        what=what,
        door="airlock",
        who=by.name,
        editions=tuple(
            Opened(dataset=slug, edition=edition)
            for slug, _, edition in (one.partition("/") for one in submission.editions or submission.could)
        ),
        purpose=", ".join(submission.purposes) or None,
        origin=by.origin,
        rows=submission.rows,
        bytes=submission.size,
        reason=why,
        sha256=submission.sha256,
        number=submission.number,
        to=f"user:{submission.user}",
    )


def denied(user: str, why: str) -> Event:
    """That something in an outbox was not taken."""
    return Event(what="deny", door="airlock", who=f"user:{user}", origin=terminal(), reason=why)
