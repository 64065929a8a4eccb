"""Where a table comes from and what is made of it, as the dataset page draws it: source → raw → edition → uses."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.saved import Named, named, saved
from catalog.web.texts import TEXTS, counted

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from catalog.entries import Entry
    from catalog.lab import Lab
    from catalog.metadata import Lang
    from catalog.receipt import Changes
    from catalog.versions import Version

ROOMS = ("queries", "dashboards", "notebooks")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The way of one table's newest snapshot. What no receipt says is None; `used` are files of the lab, by name."""

    source: str | None
    fetched: dt.datetime | None
    read: int | None
    rejected: int | None
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
        edition=entry.edition,
        version=served.version,
        rows=served.rows,
        used=uses.get(f"{entry.slug}.{name}", ()),
    )


class ReadBy:
    """Which of the lab's queries, dashboards and notebooks read which tables; read again when a file has changed."""

    def __init__(self, lab: Lab) -> None:
        """Read nothing yet."""
        self._lab = lab
        self._lock = threading.Lock()
        self._stamp: frozenset[tuple[str, int, int]] | None = None
        self._named: Mapping[str, frozenset[Named]] = {}

    def now(self, entries: Sequence[Entry]) -> Mapping[str, tuple[str, ...]]:
        """The files by `dataset.resource`, of those that ask for nothing but what these entries show.

        Whoever may see the page could ask all that such a file asks: the others are not told of.
        """
        files = [path for room in ROOMS for path in (self._lab.root / room).rglob("*") if path.is_file()]
        stamp = frozenset((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
        with self._lock:
            if stamp != self._stamp:
                self._named, self._stamp = named(saved(self._lab)), stamp
            known = self._named
        shown = {
            Named(one.slug, edition, name)
            for one in entries
            for name in one.resources
            for edition in (None, one.edition)
        }
        described = set(self._lab.slugs)
        found: dict[str, list[str]] = {}
        for file, tables in known.items():
            asked = {one for one in tables if one.dataset in described}
            if asked <= shown:
                for table in sorted({f"{one.dataset}.{one.resource}" for one in asked}):
                    found.setdefault(table, []).append(file)
        return {table: tuple(sorted(those)) for table, those in found.items()}


def changed(changes: Changes | None, lang: Lang) -> list[str]:
    """What a snapshot has that the one before had not, a phrase each; nothing where there was none before."""
    if changes is None:
        return []
    told = TEXTS[lang]
    rows = (("changes_added", changes.rows_added), ("changes_removed", changes.rows_removed))
    said = [told[key].format(count=counted(count, "row", lang)) for key, count in rows if count > 0]
    columns = (
        ("changes_columns_added", changes.columns_added),
        ("changes_columns_removed", changes.columns_removed),
        ("changes_retyped", [f"{name} ({how})" for name, how in changes.columns_retyped.items()]),
    )
    said += [told[key].format(names=", ".join(names)) for key, names in columns if names]
    return said or [told["changes_none"]]
