"""Requests for an edition: somebody asks, a steward grants or refuses, and nobody decides on their own.

    asked → granted | refused | withdrawn

Each is a small file in `var/requests/`, replaced whole at each step.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.errors import DeniedError, LakeError, UsageError
from policies.replace import held, replace_file

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

State = Literal["asked", "granted", "refused", "withdrawn"]


class Request(BaseModel):
    """Who asks for which edition, for what, until when and why; and what became of it, by whom and why."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    number: int
    dataset: str
    edition: str
    who: str
    purpose: str
    until: dt.date
    why: str
    asked: dt.datetime
    state: State = "asked"
    by: str | None = None
    when: dt.datetime | None = None
    reason: str | None = None

    def moved(self, to: State, *, by: str, account: str, when: dt.datetime, reason: str) -> Request:
        """The request in another state. `by` is who says so, `account` who sits at the terminal.

        Raises UsageError if it was decided before, DeniedError where somebody decides on their own request, or
        withdraws another's.
        """
        if self.state != "asked":
            raise UsageError(f"request {self.number} was {self.state} by {self.by} on {self.when:%Y-%m-%d}")
        own = self.who.partition(":")[2]
        if to == "withdrawn" and by != own:
            raise DeniedError(f"request {self.number} is {self.who}'s: only they withdraw it")
        if to != "withdrawn" and own in {by, by.removeprefix("user:"), account}:
            raise DeniedError(f"request {self.number} is {self.who}'s own: somebody else must decide on it")
        return self.model_copy(update={"state": to, "by": by, "when": when, "reason": reason})


@dataclass(frozen=True)
class Requests:
    """All requests of a lab."""

    folder: Path

    def hold(self) -> AbstractContextManager[None]:
        """Wait until nobody else asks or decides."""
        return held(self.folder / ".lock")

    def all(self) -> tuple[Request, ...]:
        """Every request, by its number. Raises LakeError if one is damaged."""
        paths = sorted(self.folder.glob("*.json"), key=lambda path: (len(path.stem), path.stem))
        return tuple(map(_read, paths))

    def one(self, number: int) -> Request:
        """The request of that number; raises UsageError if there is none."""
        path = self._path(number)
        if not path.is_file():
            raise UsageError(f"there is no request {number}; `datalab requests --all` lists them")
        return _read(path)

    def next_number(self) -> int:
        """The number of the next one; under `hold` nobody else gets it."""
        return max((request.number for request in self.all()), default=0) + 1

    def put(self, request: Request) -> None:
        """Put a request on disk, instead of what it was before."""
        replace_file(self._path(request.number), f"{request.model_dump_json(indent=1)}\n".encode(), 0o600)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.json"


def _read(path: Path) -> Request:
    try:
        return Request.model_validate_json(path.read_bytes())
    except ValidationError:
        raise LakeError(f"{path}: damaged; restore it from the backup, or take it away") from None
