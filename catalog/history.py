"""The snapshots of a table that can still be read: which there are, and which one was served at a moment.

Of an edition only those count that today's policy and key would make the same way (docs/decisions/0002): a policy that
takes something away takes it out of the past, too, and so does a new key with what was made with the old one. What
`[lake]` no longer keeps cannot be read, though its receipt can.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from catalog import deltalog
from catalog.lake import Served, ServedColumn
from policies.editions import alike
from policies.errors import LakeError, UsageError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.lab import Granted, Lab

At = int | dt.datetime
"""A version of a table, or a moment (UTC)."""


def at(said: str) -> At:
    """A version (`3`), a day (`2026-03-01`: as it was at its end, UTC) or a moment in ISO 8601. Raises UsageError."""
    if said.isascii() and said.isdigit() and len(said) < 8:  # noqa: PLR2004  20260301 is a day
        return int(said)
    try:
        if len(said) <= len("2026-03-01"):
            return dt.datetime.combine(dt.date.fromisoformat(said), dt.time.max, dt.UTC)
        moment = dt.datetime.fromisoformat(said)
    except ValueError:
        raise UsageError(
            f"{said!r}: expected a version (3), a day (2026-03-01) or a moment (2026-03-01T12:00:00+01:00)"
        ) from None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment


def snapshots(lab: Lab, granted: Granted, resource: str) -> Iterator[Served]:
    """Every snapshot of a granted table that can be read, newest first. Raises LakeError if the log is damaged."""
    return (served for served, hindered in _all(lab, granted, resource) if hindered is None)


def unbroken(lab: Lab, granted: Granted, resource: str) -> Iterator[Served]:
    """The snapshots that can be read, newest first, down to the first that cannot: of any moment they tell what was
    served then, or nothing. Raises LakeError if the log is damaged.
    """
    for served, hindered in _all(lab, granted, resource):
        if hindered is not None:
            return
        yield served


def snapshot(lab: Lab, granted: Granted, resource: str, when: At) -> Served:
    """The snapshot of that version, or the one that was served at that moment.

    Raises UsageError if there was none, or it cannot be read any more; it names those that can.
    """
    asked = f"version {when}" if isinstance(when, int) else f"{when:%Y-%m-%d %H:%M %Z}"
    why = "there is none"
    for served, hindered in _all(lab, granted, resource):
        if served.version == when if isinstance(when, int) else served.committed <= when:
            if hindered is None:
                return served
            why = f"version {served.version} {hindered}"
            break
    readable = ", ".join(
        f"version {one.version} ({one.committed:%Y-%m-%d %H:%M} UTC)" for one in snapshots(lab, granted, resource)
    )
    name = f"{granted.dataset}@{granted.edition}.{resource}"
    raise UsageError(f"{name}: no snapshot of {asked} can be read: {why}; what can be read: {readable}")


def _all(lab: Lab, granted: Granted, resource: str) -> Iterator[tuple[Served, str | None]]:
    """Every snapshot that counted, newest first, and what hinders reading it."""
    newest = granted.current.resources[resource]
    yield newest, None
    for entry in deltalog.entries(granted.path / resource, newest.version):
        if entry.version >= newest.version:
            continue
        served = Served(
            version=entry.version,
            files=entry.files,
            rows=entry.rows,
            committed=entry.committed.replace(microsecond=0),
            columns=tuple(ServedColumn.model_validate(column) for column in entry.columns or ()),
            receipt=entry.receipt,
        )
        yield served, _hindrance(lab, granted, resource, served)


def _hindrance(lab: Lab, granted: Granted, resource: str, served: Served) -> str | None:
    newest = granted.current.resources[resource]
    if granted.edition != RAW and not alike(served.receipt, newest.receipt):
        same = served.receipt.get("definition") == newest.receipt.get("definition")
        return (
            "was made with another key, or other zones, than today's"
            if same
            else "was made by another policy than today's"
        )
    try:
        lab.lake.files(granted.dataset, granted.edition, resource, served)
    except LakeError:
        return "is no longer kept ([lake] of datalab.toml says how long)"
    return None if served.columns else "was written by a release that did not keep its columns"
