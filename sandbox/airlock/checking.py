"""A submission with what the checks say of it today: of its copy, today's editions, and all that was released."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.audit.origin import account
from sandbox.airlock.judge import judge
from sandbox.airlock.readable import known, reviewers
from sandbox.airlock.release import check_same, sha256_of
from sandbox.airlock.sketches import sketches
from sandbox.airlock.submission import Said, Submission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.lab import Lab
    from sandbox.airlock.store import Submissions


@dataclass(frozen=True)
class Checked:
    """`after` is what the checks make of `before`, having compared it with the releases of the numbers `against`.

    `after` is `before` where nothing else was found than the last time. Checks take long, and nobody waits for them: so
    who makes something of this asks `holds` first, in their turn.
    """

    before: Submission
    after: Submission
    against: tuple[int, ...]
    sketch: bytes = b""

    def holds(self, store: Submissions) -> bool:
        """Whether nobody has said or released anything since that could make another answer."""
        now = store.one(self.before.number)
        return now == self.before and _numbers(store.related(now)) == self.against

    def put(self, store: Submissions) -> None:
        """Put what was found on disk, in one's turn and while it `holds`."""
        if self.after != self.before:
            store.put_sketch(self.after, self.sketch)
            store.put(self.after)


def checked(lab: Lab, store: Submissions, submission: Submission) -> Checked:
    """The submission, checked anew; nothing of it is written.

    Raises SandboxError as `judge` and `sketches`, DeniedError if the copy is not what was taken.
    """
    check_same(submission, sha256_of(store.copy(submission.number)))
    if submission.direction == "in":  # what somebody brings is theirs; that it may be here is for a person to say
        return Checked(submission, submission, ())
    editions = (*submission.could, *submission.editions)
    related = store.related(submission)
    tables = [one for one in related if one.kind in ("csv", "json", "parquet")]
    facts = known(lab, dict.fromkeys(editions))
    judged = judge(lab, store.copy(submission.number), submission, facts, sketches(lab, store, tables))
    if judged.sha256:  # of what the jail has read
        check_same(submission, judged.sha256)
    needed = max(submission.needed, reviewers(lab, editions))
    after = submission.model_copy(update={"sketch": hashlib.sha256(judged.sketch).hexdigest()})
    if (judged.findings, needed) != (submission.findings, submission.needed) or submission.state == "submitted":
        said = Said(
            word="check",
            by="checks",
            account=account(),
            when=dt.datetime.now(dt.UTC).replace(microsecond=0),
            why=f"{len(judged.findings)} findings, compared with {len(tables)} earlier releases",
        )
        after = after.checked(
            said,
            kind=judged.kind,
            rows=judged.rows,
            preview=judged.preview,
            findings=judged.findings,
            compared=_numbers(tables),
            needed=needed,
        )
    return Checked(submission, after, _numbers(related), judged.sketch)


def _numbers(submissions: Sequence[Submission]) -> tuple[int, ...]:
    return tuple(one.number for one in submissions)
