"""A submission with what the checks say of it today: of its copy, today's editions, and all that was released."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from policies.audit.origin import account
from sandbox.airlock.judge import earlier_of, judge
from sandbox.airlock.readable import known, reviewers
from sandbox.airlock.release import check_same, sha256_of
from sandbox.airlock.submission import Said

if TYPE_CHECKING:
    from catalog.lab import Lab
    from sandbox.airlock.store import Submissions
    from sandbox.airlock.submission import Submission


def checked(lab: Lab, store: Submissions, submission: Submission) -> Submission:
    """The submission, checked anew; it is the same one where nothing else was found than the last time.

    Raises SandboxError as `judge`, DeniedError if the copy is not what was taken.
    """
    if submission.direction == "in":  # what somebody brings is theirs; that it may be here is for a person to say
        check_same(submission, sha256_of(store.copy(submission.number)))
        return submission
    editions = (*submission.could, *submission.editions)
    check_same(submission, sha256_of(store.copy(submission.number)))
    judged = judge(lab, store, submission, known(lab, dict.fromkeys(editions)))
    if judged.sha256:  # of what the jail has read
        check_same(submission, judged.sha256)
    needed = max(submission.needed, reviewers(lab, editions))
    compared = tuple(one.number for one, _ in earlier_of(store, submission))
    same = (judged.findings, needed) == (submission.findings, submission.needed)
    if same and submission.state != "submitted":
        return submission
    said = Said(
        word="check",
        by="checks",
        account=account(),
        when=dt.datetime.now(dt.UTC).replace(microsecond=0),
        why=f"{len(judged.findings)} findings, compared with {len(compared)} earlier releases",
    )
    return submission.checked(
        said,
        kind=judged.kind,
        rows=judged.rows,
        preview=judged.preview,
        findings=judged.findings,
        compared=compared,
        needed=needed,
    )
