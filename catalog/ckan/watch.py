"""Publish after each ingest: look every few seconds whether the lab has changed, and bring CKAN in step when it has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.entries import EVERYONE, Readings
from catalog.lake import stamp
from policies.errors import DatalabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab
    from catalog.lake import Stamp

EVERY = 5.0
"""Seconds between two looks; a lab so large that a look takes long is looked at less often."""

LONGEST = 300.0
"""Seconds after which what failed is tried again, at most; and at once when the lab changes."""

_SHARE = 20  # a look takes no more than a twentieth of the time


@dataclass(frozen=True)
class _Opened:
    """The lab as it was opened, until its datalab.toml changes."""

    lab: Lab
    readings: Readings
    settings: Stamp | None


def watch(
    open_lab: Callable[[], Lab],
    publish: Callable[[Lab, Readings], None],
    failed: Callable[[DatalabError], None],
    wait: Callable[[float], bool],
    *,
    every: float = EVERY,
) -> None:
    """Call `publish` now and after each change of the lab, until `wait`, which is given seconds, says True.

    What it raises is told to `failed`, the same text in a row once; it is tried again after twice `every` seconds, then
    twice as many, up to LONGEST.
    """
    opened: _Opened | None = None
    published: tuple[Stamp | None, str] | None = None
    told, failures, due = "", 0, 0.0
    while True:
        began = looked = time.monotonic()
        try:
            opened = _current(open_lab, opened)
            opened.readings.now()
            looked = time.monotonic()
            now = (opened.settings, opened.readings.stamp)
            if now != published or (failures and looked >= due):
                published = now
                publish(opened.lab, opened.readings)
                told, failures = "", 0
        except DatalabError as error:
            if str(error) != told:
                failed(error)
            told, failures = str(error), failures + 1
            due = time.monotonic() + min(every * 2**failures, LONGEST)
        if wait(max(every, _SHARE * (looked - began))):
            return


def _current(open_lab: Callable[[], Lab], opened: _Opened | None) -> _Opened:
    """The lab as it is open already, or opened anew where its datalab.toml has changed."""
    if opened is not None and stamp(opened.lab.root / "datalab.toml") == opened.settings:
        return opened
    lab = open_lab()
    return _Opened(lab, Readings(lab, EVERYONE), stamp(lab.root / "datalab.toml"))
