"""Three ways to one: what was harvested last time, what a steward's file says, what the portal says now. Pure.

What the steward left as it was harvested follows the portal; what she changed stays, and where the portal changed it
too, that is a conflict, which is reported and not written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ingest.harvest.draft import NEEDED, Values

Path = tuple[str, ...]
"""Keys from the top of a descriptor."""


class _Nothing:
    """No value: a key that does not stand."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()
_OWN = "harvested"
"""The key that is the harvest's own."""


@dataclass(frozen=True)
class Change:
    """What is to stand at a place of a file: a value, or NOTHING; `before` is what stands there."""

    path: Path
    before: Any
    value: Any


@dataclass(frozen=True)
class Conflict:
    """What a steward must look at: what stands at a place, what the portal says now, and why that is not written."""

    path: Path
    ours: Any
    theirs: Any
    why: str


@dataclass
class Merge:
    """What to write, and what to tell."""

    changes: list[Change] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


def merged(base: Values | None, ours: Values, theirs: Values, *, adopted: bool) -> Merge:
    """What of `theirs` goes into a file that says `ours`.

    `base` is what was harvested last time; if it is not known (None), all that differs is a conflict. Into an `adopted`
    file, one of `datasets/`, no resource is added: a new table is a steward's decision.
    """
    merge = Merge()
    for key in dict.fromkeys((*theirs, *ours)):
        if key == _OWN:
            _own(merge, ours.get(key), theirs.get(key))
        else:
            before = NOTHING if base is None else base.get(key, NOTHING)
            _merge(merge, (key,), (before, ours.get(key, NOTHING), theirs.get(key, NOTHING)), base is None, adopted)
    return merge


def with_changes(values: Values, changes: list[Change]) -> Values:
    """The values as they are when all changes are made."""
    made: Values = dict(values)
    for change in changes:
        inside: Any = made
        for step in change.path[:-1]:
            inside[step] = dict(inside[step])
            inside = inside[step]
        if change.value is NOTHING:
            inside.pop(change.path[-1], None)
        else:
            inside[change.path[-1]] = change.value
    return made


def _own(merge: Merge, ours: Any, theirs: Any) -> None:
    """`harvested` is always the portal's, and a dataset that is listed is not gone."""
    had, has = ours if isinstance(ours, dict) else {}, theirs if isinstance(theirs, dict) else {}
    for key in ("modified", "gone"):
        before, now = had.get(key, NOTHING), has.get(key, NOTHING)
        if before != now and had:
            merge.changes.append(Change((_OWN, key), before, now))


def _merge(merge: Merge, path: Path, values: tuple[Any, Any, Any], blind: bool, adopted: bool) -> None:  # noqa: FBT001
    base, ours, theirs = values
    if ours == theirs or (base == theirs and not blind):
        return
    if isinstance(ours, dict) and isinstance(theirs, dict) and (blind or isinstance(base, dict)):
        known = base if isinstance(base, dict) else {}
        for key in dict.fromkeys((*theirs, *ours)):
            three = (known.get(key, NOTHING), ours.get(key, NOTHING), theirs.get(key, NOTHING))
            _merge(merge, (*path, key), three, blind, adopted)
        return
    why = _why_not(path, base, ours, theirs, blind=blind, adopted=adopted)
    if why == "":
        merge.changes.append(Change(path, ours, theirs))
    elif why is not None:
        merge.conflicts.append(Conflict(path, ours, theirs, why))


def _why_not(path: Path, base: Any, ours: Any, theirs: Any, *, blind: bool, adopted: bool) -> str | None:
    """Why the portal's value is not written: `""` if it is, None if there is nothing to tell either."""
    is_table = path[:1] == ("resources",) and len(path) == 2  # noqa: PLR2004  resources.NAME
    is_needed = len(path) == 1 and path[0] in NEEDED
    if blind:
        # What a steward added, or the portal no longer says, stays
        return None if theirs is NOTHING else "it is not known what was harvested last time"
    if ours != base:
        return "it was changed here, and the portal changed it too"
    if theirs is NOTHING and (is_table or is_needed):
        return "the portal no longer has this table" if is_table else "the portal no longer says it, and it is needed"
    if is_table and adopted:
        return "the portal has a new table: take it in if it is wanted"
    return ""
