"""What a catalogue shows: each (dataset, edition) that some principals may open, with what is served of it.

The portal, DCAT and CKAN all take these, so none of them asks the policy by itself: what is not granted is not there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.settings import CatalogSettings
from catalog.territory import Territories
from policies.errors import DatalabError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from catalog.lab import Granted, Lab
    from catalog.lake import Current, Served, Stamp
    from catalog.model import Dataset, Resource
    from catalog.territory import Place
    from policies.editions import EditionTable

EVERYONE = frozenset({"everyone"})
"""The principals of somebody who has not said who they are."""


@dataclass(frozen=True)
class Entry:
    """One edition of one dataset: its descriptor, where the data lie, and the snapshots it serves.

    The descriptor's columns have the names that the edition gives them.
    """

    slug: str
    dataset: Dataset
    edition: str
    current: Current
    place: Place

    @property
    def resources(self) -> dict[str, tuple[Resource, Served]]:
        """Each resource that is both described and served, in the descriptor's order."""
        return {
            name: (resource, self.current.resources[name])
            for name, resource in self.dataset.resources.items()
            if name in self.current.resources
        }

    @property
    def modified(self) -> dt.datetime:
        """When any resource of it was last committed (UTC)."""
        return max(served.committed for _, served in self.resources.values())


def entries(
    lab: Lab,
    principals: frozenset[str],
    left_out: Callable[[DatalabError], None] = lambda _: None,
    *,
    purpose: str | None = None,
) -> tuple[Entry, ...]:
    """Every edition these principals may open today, by slug, then from the least to the most detailed.

    A dataset whose descriptor or policy is wrong, or whose lake is damaged, is left out, and `left_out` is told why; so
    is, silently, an edition that serves no resource which the descriptor still has.
    """
    return Readings(lab, principals, purpose).now(left_out)


@dataclass(frozen=True)
class _Read:
    """One dataset as it was read: its descriptor by edition, what is granted of it, and what is wrong with it."""

    stamp: tuple[Stamp | None, ...]
    datasets: dict[str, Dataset]
    granted: tuple[Granted, ...]
    wrong: tuple[DatalabError, ...]


class Readings:
    """What some principals are shown, read again where it has changed. Not safe between threads: callers take turns."""

    def __init__(self, lab: Lab, principals: frozenset[str], purpose: str | None = None) -> None:
        """Read nothing yet: `now` does."""
        self._lab = lab
        self._principals = principals
        self._purpose = purpose
        self.day = dt.date.min
        self._read: dict[str, _Read] = {}
        self._shown: dict[str, tuple[tuple[Entry, ...], tuple[DatalabError, ...]]] = {}
        self._entries: tuple[Entry, ...] = ()
        self.stamps: dict[str, tuple[Stamp | None, ...]] = {}
        """What `Lab.stamp` said of each dataset when it was read; never changed, but replaced."""
        self.stamp = ""
        """Differs when anything that was read does."""

    def now(self, left_out: Callable[[DatalabError], None] = lambda _: None) -> tuple[Entry, ...]:
        """As `entries` says; the very same tuple while nothing has changed, and the same Entry for the same dataset."""
        day = dt.datetime.now(dt.UTC).date()  # grants start and end with days
        stamps = {slug: self._lab.stamp(slug) for slug in self._lab.slugs}
        changed = {slug for slug, stamp in stamps.items() if day != self.day or not self._is(slug, stamp)}
        gone = self._read.keys() - stamps.keys()
        if changed or gone or day != self.day:
            self.day = day
            for slug in gone:
                del self._read[slug]
                del self._shown[slug]
            self._lab.follow(sorted(changed))  # one line after the other, and one fsync
            for slug in changed:
                self._read[slug] = self._reading(slug, stamps[slug])
            self._place(changed, gone)
            self._entries = tuple(entry for slug in stamps for entry in self._shown[slug][0])
            self.stamps = stamps
            self.stamp = hashlib.sha256(repr((day, stamps)).encode()).hexdigest()[:32]
        for slug in stamps:
            for error in (*self._read[slug].wrong, *self._shown[slug][1]):
                left_out(error)
        return self._entries

    def _is(self, slug: str, stamp: tuple[Stamp | None, ...]) -> bool:
        held = self._read.get(slug)
        return held is not None and held.stamp == stamp

    def _reading(self, slug: str, stamp: tuple[Stamp | None, ...]) -> _Read:
        wrong: list[DatalabError] = []
        try:
            dataset = self._lab.dataset(slug)
        except DatalabError as error:
            return _Read(stamp, {}, (), (error,))
        granted = self._lab.granted(
            self._principals, purpose=self._purpose, on=self.day, slugs=(slug,), left_out=wrong.append
        )
        try:
            policy = self._lab.policy(slug) if granted else None
        except DatalabError as error:  # it was whole a moment ago
            return _Read(stamp, {}, (), (*wrong, error))
        editions = {} if policy is None else policy.editions
        datasets = {one.edition: _renamed(dataset, editions.get(one.edition, {})) for one in granted}
        return _Read(stamp, datasets, granted, tuple(wrong))

    def _place(self, changed: set[str], gone: set[str]) -> None:
        """Make the entries of what has changed; of all, where that are the contours by which others are placed."""
        tables = self._lab.section("catalog", CatalogSettings).territories
        contours = {told.partition(".")[0] for told in tables.values()}
        # Where data lie is told with the data: it is told by contours that nobody has to be granted
        there = self._read.keys() & contours
        public = self._lab.granted(EVERYONE, on=self.day, slugs=sorted(there), left_out=lambda _: None)
        territories = Territories(self._lab, public, tables)
        for slug in changed if contours.isdisjoint(changed | gone) else self._read:
            self._shown[slug] = _placed(slug, self._read[slug], territories)


def _placed(slug: str, read: _Read, territories: Territories) -> tuple[tuple[Entry, ...], tuple[DatalabError, ...]]:
    """The dataset's entries, or why there are none."""
    if not read.granted:
        return (), ()
    try:
        place = territories.place(read.datasets[read.granted[0].edition].spatial)
    except DatalabError as error:
        return (), (error,)
    made = (Entry(slug, read.datasets[one.edition], one.edition, one.current, place) for one in read.granted)
    return tuple(entry for entry in made if entry.resources), ()


def _renamed(dataset: Dataset, tables: Mapping[str, EditionTable]) -> Dataset:
    """The descriptor with columns by the names that an edition gives them."""
    renamed = {}
    for name, table in tables.items():
        if table.rename and name in dataset.resources:
            resource = dataset.resources[name]
            columns = {table.published(column): told for column, told in resource.columns.items()}
            renamed[name] = resource.model_copy(update={"columns": columns})
    return dataset.model_copy(update={"resources": {**dataset.resources, **renamed}}) if renamed else dataset
