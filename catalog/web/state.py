"""What the portal shows now: read again when a descriptor, a policy, a commit or the date has changed."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog import feed
from catalog.entries import Entry, Readings
from catalog.lake import Stamp, stamp
from catalog.search.index import indexed
from catalog.search.synonyms import FILE as SYNONYMS
from catalog.search.synonyms import shipped, synonyms
from catalog.settings import CatalogSettings
from catalog.web.visitor import PUBLIC, Visitor
from policies.errors import DatalabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from catalog.lab import Lab
    from catalog.search.index import Index
    from catalog.search.synonyms import Synonyms

LOG = logging.getLogger("datalab.portal")

FEW = 200
"""So many editions are looked at for changes at each request: that takes some 10 ms."""

LAG = 5.0
"""Seconds after which a larger lab is looked at again."""


@dataclass(frozen=True)
class Shown:
    """One reading of the lab: every edition granted to the visitor."""

    settings: CatalogSettings
    entries: tuple[Entry, ...]
    index: Index
    synonyms: Synonyms
    stamp: str
    """Differs when anything of it does."""
    stamps: Mapping[str, tuple[Stamp | None, ...]]
    """What `Lab.stamp` said of each dataset."""
    day: dt.date

    def feed(self, form: feed.Form, page: int | None) -> Iterator[bytes]:
        """The DCAT catalogue, or one page of it, piece by piece."""
        return feed.feed(self.settings, self.entries, form, page)

    def of(self, slug: str) -> tuple[Entry, ...]:
        """The editions of one dataset; none when it is not there, or not granted."""
        return tuple(entry for entry in self.entries if entry.slug == slug)


class Shelf:
    """Holds the last reading, and reads again what is no longer true. Safe between threads."""

    def __init__(self, lab: Lab, visitor: Visitor = PUBLIC) -> None:
        """Read nothing yet: `now` does. Raises DocumentError if the section [catalog] is wrong."""
        self._lab = lab
        self._settings = lab.section("catalog", CatalogSettings)
        self._readings = Readings(lab, visitor.principals, visitor.purpose)
        self._lock = threading.Lock()
        self._synonyms: tuple[Stamp | None, Synonyms] = (None, shipped())
        self._shown = Shown(self._settings, (), indexed((), _today()), self._synonyms[1], "", {}, _today())
        self._looked = 0.0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="look")
        self._looking: Future[None] | None = None
        self._told: frozenset[str] = frozenset()

    @property
    def settings(self) -> CatalogSettings:
        """What the lab says of itself."""
        return self._settings

    def now(self) -> Shown:
        """What everyone is granted at this moment."""
        with self._lock:
            wrong: list[DatalabError] = []
            entries = self._readings.now(wrong.append)
            synonyms_ = self._synonyms_now(wrong.append)
            if entries is not self._shown.entries or synonyms_ is not self._shown.synonyms:
                day = self._readings.day
                index = indexed(entries, day, self._shown.index)
                read = self._readings
                self._shown = Shown(self._settings, entries, index, synonyms_, read.stamp, read.stamps, day)
            self._looked = time.monotonic()
            self._tell(wrong)
            return self._shown

    def lately(self) -> Shown:
        """What everyone is granted; where more than FEW editions are, what everyone was granted a moment ago.

        All is looked at in the background then, LAG after the last time. Ask `holds` of what is to be shown.
        """
        if len(self._shown.entries) <= FEW:
            return self.now()
        if time.monotonic() - self._looked > LAG and (self._looking is None or self._looking.done()):
            self._looking = self._pool.submit(self._look)
        return self._shown

    def holds(self, shown: Shown, entries: Iterable[Entry]) -> bool:
        """Whether these entries of a reading are still granted and the same."""
        return shown.day == _today() and all(
            shown.stamps.get(slug) == self._lab.stamp(slug) for slug in {entry.slug for entry in entries}
        )

    def of(self, slug: str) -> tuple[Shown, tuple[Entry, ...]]:
        """The editions of one dataset at this moment, none when it is not granted, and the reading that has them."""
        shown = self.lately()
        if slug not in shown.stamps and not (slug.isidentifier() and self._lab.stamp(slug)[0]):
            return shown, ()
        if shown.day != _today() or shown.stamps.get(slug) != self._lab.stamp(slug):
            shown = self.now()
        return shown, shown.of(slug)

    def _look(self) -> None:
        try:
            self.now()
        except DatalabError as error:
            LOG.error("%s", " ".join(str(error).split()))  # noqa: TRY400  the message says it all

    def _tell(self, wrong: Iterable[DatalabError]) -> None:
        said = frozenset(" ".join(str(error).split()) for error in wrong)
        for message in sorted(said - self._told):  # each is told once, until it is put right
            LOG.warning("left out of the portal: %s", message)
        self._told = said

    def _synonyms_now(self, wrong: Callable[[DatalabError], None]) -> Synonyms:
        """The lab's and the product's; those of before, while a file is wrong."""
        held, known = self._synonyms
        now = stamp(self._lab.root / SYNONYMS)
        if now != held or self._shown.stamp == "":
            try:
                self._synonyms = (now, synonyms(self._lab))
            except DatalabError as error:
                wrong(error)
                return known
        return self._synonyms[1]


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
