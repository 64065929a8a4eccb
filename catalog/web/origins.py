"""Where a table comes from and what is made of it, as the dataset page draws it: source → raw → edition → uses."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.saved import saved, used_by

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from catalog.entries import Entry
    from catalog.lab import Lab
    from catalog.versions import Version

ROOMS = ("queries", "dashboards", "notebooks")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The way of one table's newest snapshot. What no receipt says is None; `used` are files of the lab, by name."""

    source: str | None
    fetched: dt.datetime | None
    read: int | None
    rejected: int | None
    kept: int | None
    edition: str
    version: int
    rows: int
    used: tuple[str, ...]


def origin(entry: Entry, name: str, newest: Version | None, uses: Mapping[str, tuple[str, ...]]) -> Origin:
    """The way of one table of an edition, from its newest version as the public may know it."""
    resource, served = entry.resources[name]
    return Origin(
        source=resource.origin if newest is None or newest.origin is None else newest.origin,
        fetched=None if newest is None else newest.fetched,
        read=None if newest is None else newest.read,
        rejected=None if newest is None else newest.rejected,
        kept=None if newest is None else newest.kept,
        edition=entry.edition,
        version=served.version,
        rows=served.rows,
        used=uses.get(f"{entry.slug}.{name}", ()),
    )


class Uses:
    """Which of the lab's queries, dashboards and notebooks name which tables; read again when a file has changed."""

    def __init__(self, lab: Lab) -> None:
        """Read nothing yet."""
        self._lab = lab
        self._lock = threading.Lock()
        self._stamp: frozenset[tuple[str, int, int]] | None = None
        self._uses: Mapping[str, tuple[str, ...]] = {}

    def now(self) -> Mapping[str, tuple[str, ...]]:
        """The files by `dataset.resource`."""
        files = [path for room in ROOMS for path in (self._lab.root / room).rglob("*") if path.is_file()]
        stamp = frozenset((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
        with self._lock:
            if stamp != self._stamp:
                self._uses, self._stamp = used_by(saved(self._lab)), stamp
            return self._uses
