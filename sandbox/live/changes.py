"""What a sandbox shows, and what is granted now → what goes out of it and what comes in. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.lab import Granted


Made = tuple[str | None, str]
"""The definition of an edition's table, None for a raw one, and the key and zones that it was made with."""


@dataclass(frozen=True)
class Shown:
    """An edition as a running sandbox has it, and how each of its tables was made."""

    dataset: str
    edition: str
    tables: Mapping[str, Made]

    @property
    def name(self) -> str:
        """`dataset/edition`."""
        return f"{self.dataset}/{self.edition}"


@dataclass(frozen=True)
class Changes:
    """Editions that a sandbox must lose, and those that it may have beside. One that is in both was made anew."""

    gone: tuple[Shown, ...]
    come: tuple[Granted, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.gone or self.come)


def shown(granted: Granted) -> Shown:
    """An edition that is granted, as a sandbox that was just given it has it."""
    tables = granted.current.resources
    return Shown(granted.dataset, granted.edition, {name: _made(served.receipt) for name, served in tables.items()})


def changes(before: Iterable[Shown], after: Iterable[Granted]) -> Changes:
    """What to do so that a sandbox that shows `before` shows `after`.

    An edition that stays granted keeps the snapshot that it was given (decision 4): a later version or a further table
    is no change. It goes if a table of it is no longer served, or is made by another definition or with another key
    now; and then it comes again, as it is made now.
    """
    before, now = tuple(before), {(one.dataset, one.edition): one for one in after}
    gone = tuple(one for one in before if not _stays(one, now.get((one.dataset, one.edition))))
    kept = {(one.dataset, one.edition) for one in before} - {(one.dataset, one.edition) for one in gone}
    return Changes(gone, tuple(one for key, one in now.items() if key not in kept))


def _made(receipt: Mapping[str, Any]) -> Made:
    return receipt.get("definition"), json.dumps(receipt.get("made_with"), sort_keys=True)


def _stays(one: Shown, granted: Granted | None) -> bool:
    if granted is None:
        return False
    now = shown(granted).tables
    return all(name in now and now[name] == made for name, made in one.tables.items())
