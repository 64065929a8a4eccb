"""What the portal shows now: read again when a descriptor, a policy, a commit or the date has changed."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog import feed
from catalog.entries import EVERYONE, Entry, entries
from catalog.index import indexed
from catalog.lake import POINTER
from catalog.settings import CatalogSettings
from catalog.synonyms import FILE as SYNONYMS
from catalog.synonyms import shipped, synonyms
from policies.errors import DatalabError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from catalog.index import Index
    from catalog.lab import Lab
    from catalog.synonyms import Synonyms

LOG = logging.getLogger("datalab.portal")

Stamp = frozenset[tuple[str, int, int, int] | dt.date]


@dataclass(frozen=True)
class Shown:
    """One reading of the lab: every edition granted to everyone."""

    settings: CatalogSettings
    entries: tuple[Entry, ...]
    index: Index
    synonyms: Synonyms
    stamp: str
    """Differs when anything of it does."""

    def feed(self, form: feed.Form, page: int | None) -> Iterator[bytes]:
        """The DCAT catalogue, or one page of it, piece by piece."""
        return feed.feed(self.settings, self.entries, form, page)

    def of(self, slug: str) -> tuple[Entry, ...]:
        """The editions of one dataset; none when it is not there, or not granted."""
        return tuple(entry for entry in self.entries if entry.slug == slug)


class Shelf:
    """Holds the last reading, and reads again when it is no longer true. Safe between threads."""

    def __init__(self, lab: Lab) -> None:
        """Read nothing yet: `now` does. Raises DocumentError if the section [catalog] is wrong."""
        self._lab = lab
        self._settings = lab.section("catalog", CatalogSettings)
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._shown = Shown(self._settings, (), indexed((), _today()), shipped(), "")
        self._told: frozenset[str] = frozenset()

    @property
    def settings(self) -> CatalogSettings:
        """What the lab says of itself."""
        return self._settings

    def now(self) -> Shown:
        """What everyone is granted at this moment; raises LakeError when the lake is damaged."""
        with self._lock:
            stamp = frozenset(self._stamps())
            if stamp != self._stamp:
                self._shown = self._read(stamp)
                self._stamp = stamp
            return self._shown

    def _read(self, stamp: Stamp) -> Shown:
        wrong: list[DatalabError] = []
        key = hashlib.sha256(repr(sorted(map(repr, stamp))).encode()).hexdigest()[:32]
        found = entries(self._lab, EVERYONE, wrong.append)
        index = indexed(found, _today(), self._shown.index)
        shown = Shown(self._settings, found, index, self._synonyms(wrong.append), key)
        said = frozenset(" ".join(str(error).split()) for error in wrong)
        for message in sorted(said - self._told):  # each is told once, until it is put right
            LOG.warning("left out of the portal: %s", message)
        self._told = said
        return shown

    def _synonyms(self, wrong: Callable[[DatalabError], None]) -> Synonyms:
        """The lab's and the product's; those of before, while a file is wrong."""
        try:
            return synonyms(self._lab)
        except DatalabError as error:
            wrong(error)
            return self._shown.synonyms

    def _stamps(self) -> Iterator[tuple[str, int, int, int] | dt.date]:
        yield _today()  # grants start and end with days
        yield from _stamp(self._lab.root / SYNONYMS)
        for slug in self._lab.slugs:
            yield from _stamp(self._lab.root / "datasets" / f"{slug}.yaml")
            yield from _stamp(self._lab.root / "policies" / f"{slug}.yaml")
            for pointer in self._lab.lake.edition_path(slug, RAW).parent.glob(f"*/{POINTER}"):
                yield from _stamp(pointer)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _stamp(path: Path) -> Iterator[tuple[str, int, int, int]]:
    try:
        stat = path.stat()
    except OSError:
        return
    yield str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino
