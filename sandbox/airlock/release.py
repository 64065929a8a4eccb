"""The last step: the bytes that were reviewed, at var/releases/<n>/<name>, or none."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from policies.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.airlock.submission import Submission

_CHUNK = 1 << 20
_NEW = ".new"


def put_out(copy: Path, target: Path, submission: Submission, before: Callable[[], None]) -> None:
    """Write the copy to `target`, whole and on disk, if it has the hash that was reviewed.

    The hash is of the very bytes that are written. `before` is called once they are known to be right, and before they
    are at `target`; if it raises, nothing is. What it has written holds: whoever is killed after it is made good for by
    settle.py. Raises DeniedError for other bytes.
    """
    for folder in (target.parent.parent, target.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    new = target.parent / _NEW
    new.unlink(missing_ok=True)  # a job that was killed may have left one, which nobody may write
    digest = hashlib.sha256()
    try:
        with os.fdopen(os.open(copy, os.O_RDONLY | os.O_NOFOLLOW), "rb") as source, new.open("wb") as file:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), 0o444)
            os.fsync(file.fileno())
        check_same(submission, digest.hexdigest())
        before()
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
    synced = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(synced)
    finally:
        os.close(synced)


def sha256_of(copy: Path) -> str:
    """The SHA-256 of a copy; nothing's where it is gone."""
    try:
        with os.fdopen(os.open(copy, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return hashlib.sha256().hexdigest()


def check_same(submission: Submission, sha256: str) -> None:
    """Raise DeniedError unless the bytes are those that were taken."""
    if sha256 != submission.sha256:
        raise DeniedError(
            f"submission {submission.number}: the copy of {submission.name} is not what was taken and reviewed "
            f"(SHA-256 {sha256[:12]}…, expected {submission.sha256[:12]}…): nothing is released; refuse it, and look "
            "who may write var/"
        )
