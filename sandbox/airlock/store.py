"""All submissions of a lab, at var/airlock/<n>/: `submission.json`, and `copy`, the bytes that were taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from policies.errors import LakeError, UsageError
from policies.replace import held, replace_file
from sandbox.airlock.submission import CLOSED, Submission

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from catalog.lab import Lab

_RECORD = "submission.json"
_COPY = "copy"


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
        """Wait until nobody else takes, checks or decides."""
        return held(self.folder / ".lock")

    def all(self) -> tuple[Submission, ...]:
        """Every submission, by its number. Raises LakeError if one is damaged."""
        numbers = sorted(int(path.parent.name) for path in self.folder.glob(f"*/{_RECORD}"))
        return tuple(map(self.one, numbers))

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

    def forget(self, submission: Submission) -> None:
        """Take the copy of a closed submission away; what was said of it, and its hash, stay."""
        if submission.state in CLOSED:
            self.copy(submission.number).unlink(missing_ok=True)

    def drop(self, number: int) -> None:
        """Take away a copy that became no submission."""
        self.copy(number).unlink(missing_ok=True)
        self.copy(number).parent.rmdir()

    def related(self, submission: Submission) -> tuple[Submission, ...]:
        """What was released before out of a dataset that this one's requester could read."""
        return tuple(
            one
            for one in self.all()
            if (one.state, one.direction) == ("released", "out")
            and one.number != submission.number
            and one.datasets & submission.datasets
        )
