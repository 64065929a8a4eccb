"""What a principal may read now, as one reading of the lab, and whether a part of it still holds.

A reading of a whole lab takes a while, so it serves for LAG seconds; but before a query runs, the tables that it names
are looked at again: what was revoked, has ended or was committed a moment ago counts at once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.data import data_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.lab import Granted, Lab
    from catalog.lake import Stamp
    from sandbox.data import Data

LOG = logging.getLogger("datalab.gateway")

_MOST = 200
"""So many views are remembered."""

LAG = 5.0
"""Seconds after which what is not named in a query is looked at again."""


@dataclass(frozen=True)
class Reader:
    """Who asks, as the audit log has it; the principals that they are; and what for."""

    who: str
    principals: frozenset[str]
    purpose: str | None
    """The purpose by which grants are looked for; None where no policy names the one that was stated."""
    stated: str | None = field(default=None, compare=False)
    """The purpose as it was stated."""


@dataclass(frozen=True)
class View:
    """What a reader was granted at one moment, and how an engine is given it."""

    granted: tuple[Granted, ...]
    data: Data
    identity: str
    """The same as long as an engine would be given the same."""
    day: dt.date
    stamps: Mapping[str, tuple[Stamp | None, ...]]
    read: float

    def of(self, dataset: str, edition: str) -> Granted | None:
        """One edition of it."""
        return next((one for one in self.granted if (one.dataset, one.edition) == (dataset, edition)), None)


class Access:
    """The views of a lab's readers. `view` and `holds` block, and are safe between threads."""

    def __init__(self, lab: Lab) -> None:
        """Read nothing yet."""
        self._lab = lab
        self._views: dict[Reader, View] = {}
        self._guard = threading.Lock()
        self._purposes: tuple[float, frozenset[str]] = (-LAG, frozenset())

    def view(self, reader: Reader, *, fresh: bool = False) -> View:
        """What the reader is granted; at most LAG seconds old, or new with `fresh`. Raises DatalabError."""
        with self._guard:
            held = self._views.get(reader)
        if held is not None and not fresh and time.monotonic() - held.read < LAG and held.day == _today():
            return held
        made = self._read(reader)
        with self._guard:
            self._views.pop(reader, None)
            self._views[reader] = made
            while len(self._views) > _MOST:
                del self._views[next(iter(self._views))]
        return made

    def reader(self, who: str, principals: frozenset[str], purpose: str | None) -> Reader:
        """Somebody, and the purpose that they state: one that no policy names opens what none opens."""
        read, known = self._purposes
        if purpose is not None and purpose not in known and time.monotonic() - read >= 1:
            policies = self._lab.follow(self._lab.slugs).values()
            grants = (grant for policy in policies if policy is not None for grant in policy.grants)
            known = frozenset(one for grant in grants if grant.purposes != "any" for one in grant.purposes)
            self._purposes = (time.monotonic(), known)
        return Reader(who, principals, purpose if purpose in known else None, purpose)

    def holds(self, view: View, datasets: Iterable[str]) -> bool:
        """Whether nothing has changed that says who may read these datasets, and what is served of them."""
        nothing = (None, None, None)  # no descriptor, and no policy
        return view.day == _today() and all(
            self._lab.stamp(slug) == view.stamps.get(slug, nothing) for slug in datasets
        )

    def current(self, view: View) -> bool:
        """The same of all datasets that there are."""
        return self.holds(view, {*self._lab.slugs, *view.stamps})

    def _read(self, reader: Reader) -> View:
        read, day = time.monotonic(), _today()
        stamps = {slug: self._lab.stamp(slug) for slug in self._lab.slugs}

        def left_out(error: Exception) -> None:
            LOG.warning("not served: %s", " ".join(str(error).split()))

        granted = self._lab.granted(reader.principals, purpose=reader.purpose, on=day, left_out=left_out)
        data = data_of(self._lab, granted, private=os.geteuid() == 0, left_out=left_out, past=False)
        told = repr((data.mounts, sorted(data.files.items())))
        return View(granted, data, hashlib.sha256(told.encode()).hexdigest(), day, stamps, read)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
