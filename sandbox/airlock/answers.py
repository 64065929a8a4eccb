"""What became of a user's files, told in their own home: a line of JSON each in `~/outbox/answers.jsonl`."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

from sandbox.airlock.beneath import UnsafeFileError, open_beneath
from sandbox.airlock.outbox import ANSWERS, opened_outbox

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.airlock.submission import Submission

_LARGEST = 16 * 1024 * 1024
_NEWS = {
    "submitted": "was taken, and waits to be checked",
    "checked": "waits for a steward",
    "in review": "was approved by one steward, and waits for another",
    "asked": "a steward asks something: lab.answer(number, '…')",
    "answered": "the answer was taken, and waits for a steward",
    "released": "was released",
    "refused": "was refused",
    "withdrawn": "was withdrawn",
}

_LET_IN = "was let in: it lies in ~/inbox"


def answer_of(submission: Submission) -> dict[str, Any]:
    """What a requester is told: the state, the last word, and what the checks say, without what is others'."""
    last = submission.said[-1] if submission.said else None
    person = None if last is None or last.word == "check" else last
    return {
        "number": submission.number,
        "file": submission.name,
        "sha256": submission.sha256,
        "state": submission.state,
        "means": _LET_IN if (submission.state, submission.direction) == ("released", "in") else _NEWS[submission.state],
        "by": None if person is None else person.by,
        "why": None if person is None else person.why,
        "when": (submission.taken if last is None else last.when).isoformat(),
        "findings": [{"check": one.check, "severity": one.severity, "said": one.said} for one in submission.findings],
    }


def tell(home: Path, line: dict[str, Any]) -> str | None:
    """Append a line to the answers in a home; returns why that could not be done, or None. It decides nothing."""
    try:
        with opened_outbox(home, make=True) as outbox:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
            descriptor = open_beneath(outbox, ANSWERS, flags, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                state, owner = os.fstat(descriptor), os.fstat(outbox)
                if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1 or state.st_size > _LARGEST:
                    return f"{home.name}: {ANSWERS} in the outbox is no plain file of at most {_LARGEST} bytes"
                if state.st_uid != owner.st_uid and state.st_size == 0:
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    except (OSError, UnsafeFileError) as error:
        return f"{home.name}: was not told in the outbox: {error}"
    return None
