"""All submissions of a lab, at var/airlock/<n>/, and what was released, at var/releases/<n>/<name>.

submission.json    the record; what it says counts, and the rest is made to follow (settle.py)
copy               the bytes that were taken, until the submission is closed
sketch.json        what later files are compared with
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from policies.errors import LakeError, UsageError
from policies.replace import held, replace_file
from sandbox.airlock.submission import CLOSED, Submission

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from catalog.lab import Lab

_RECORD = "submission.json"
_COPY = "copy"
_SKETCH = "sketch.json"


@dataclass(frozen=True)
class Submissions:
    """The submissions in a folder, and the releases in another."""

    folder: Path
    releases: Path

    @classmethod
    def of(cls, lab: Lab) -> Submissions:
        """Those of a lab."""
        return cls(lab.var / "airlock", lab.var / "releases")

    def hold(self) -> AbstractContextManager[None]:
        """Wait until nobody else takes or decides; checks take too long to be run meanwhile."""
        return held(self.folder / ".lock")

    def all(self) -> tuple[Submission, ...]:
        """Every submission, by its number. Raises LakeError if one is damaged."""
        return tuple(map(self.one, self._numbers(_RECORD)))

    def waiting(self) -> tuple[Submission, ...]:
        """Those that are not closed, by their numbers; what was closed before is not read."""
        return tuple(one for one in self.recorded(self.copies()) if one.state not in CLOSED)

    def recorded(self, numbers: Iterable[int]) -> tuple[Submission, ...]:
        """Those of these numbers that have a record; a copy may lie there before it."""
        return tuple(self.one(number) for number in numbers if (self.folder / str(number) / _RECORD).exists())

    def one(self, number: int) -> Submission:
        """The submission of that number. Raises UsageError if there is none, LakeError if it is damaged."""
        path = self.folder / str(number) / _RECORD
        try:
            return Submission.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise UsageError(f"there is no submission {number}; `datalab airlock list --all` lists them") from None
        except ValidationError:
            raise LakeError(f"{path}: damaged; restore it from the backup, or take its folder away") from None

    def next_number(self) -> int:
        """The number of the next one, which none had before; under `hold` nobody else gets it."""
        folders = [*self.folder.glob("[0-9]*"), *self.releases.glob("[0-9]*")]
        return max((int(path.name) for path in folders if path.name.isdigit()), default=0) + 1

    def put(self, submission: Submission) -> None:
        """Put a submission on disk, instead of what it was before."""
        folder = self.folder / str(submission.number)
        folder.mkdir(mode=0o700, exist_ok=True)
        replace_file(folder / _RECORD, f"{submission.model_dump_json(indent=1)}\n".encode(), 0o600)

    def copy(self, number: int) -> Path:
        """Where the bytes lie that were taken, until they are released or refused."""
        return self.folder / str(number) / _COPY

    def released(self, submission: Submission) -> Path:
        """Where the bytes lie that were released."""
        return self.releases / str(submission.number) / submission.name

    def sketch(self, submission: Submission) -> bytes | None:
        """What was kept of a table for later comparisons; None where that is gone, or another."""
        with contextlib.suppress(FileNotFoundError):
            kept = (self.folder / str(submission.number) / _SKETCH).read_bytes()
            return kept if hashlib.sha256(kept).hexdigest() == submission.sketch else None
        return None

    def put_sketch(self, submission: Submission, sketch: bytes) -> None:
        """Keep it, if it is the one that the submission names."""
        if hashlib.sha256(sketch).hexdigest() == submission.sketch:
            replace_file(self.folder / str(submission.number) / _SKETCH, sketch, 0o600)

    def forget(self, submission: Submission) -> None:
        """Take away what is in a closed submission's file and was not released; what was said, and its hash, stay."""
        if submission.state in CLOSED:
            if (submission.state, submission.direction) != ("released", "out"):
                (self.folder / str(submission.number) / _SKETCH).unlink(missing_ok=True)
            self.copy(submission.number).unlink(missing_ok=True)

    def drop(self, number: int) -> None:
        """Take away a copy that became no submission; its number may stand in the audit log, and is not given again."""
        self.copy(number).unlink(missing_ok=True)

    def copies(self) -> tuple[int, ...]:
        """The numbers under which a copy lies."""
        return self._numbers(_COPY)

    def related(self, submission: Submission) -> tuple[Submission, ...]:
        """What was released before out of a dataset that this one's requester could read.

        By dataset, since the editions of one tell of the same units.
        """
        released = {int(path.name) for path in self.releases.glob("[0-9]*") if path.name.isdigit()}
        return tuple(
            one
            for one in map(self.one, sorted(released.union(self._numbers(_SKETCH))))
            if (one.state, one.direction) == ("released", "out")
            and one.number != submission.number
            and one.datasets & submission.datasets
        )

    def _numbers(self, name: str) -> tuple[int, ...]:
        return tuple(sorted(int(path.parent.name) for path in self.folder.glob(f"[0-9]*/{name}")))
