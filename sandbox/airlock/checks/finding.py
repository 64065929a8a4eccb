"""What a check says of a file: how grave, where, and a sentence that a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["stop", "look", "note"]
"""stop: nobody approves it as it is. look: who approves it must name the check. note: it is told, and no more."""

LISTED = 3
"""Places that a finding names; of the others it says how many there are."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    `place` is for stewards alone: it may hold what the requester does not know of others' releases. `said` holds no
    value, and is told to both.
    """

    check: str
    severity: Severity
    place: str
    said: str


def places(found: list[str]) -> str:
    """The first few of them, and how many more there are."""
    more = len(found) - LISTED
    return ", ".join(found[:LISTED]) + (f" and {more} more" if more > 0 else "")
