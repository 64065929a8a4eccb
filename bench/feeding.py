"""The DCAT feed of many datasets: how long it takes, and how much memory it needs above that of knowing them.

`python -m bench.feeding LAB` prints it as JSON: in a process of its own, for a process's peak never sinks.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog.entries import EVERYONE, entries
from catalog.feed import PER_PAGE, feed
from catalog.lab import Lab
from catalog.settings import CatalogSettings


@dataclass(frozen=True, kw_only=True)
class FeedTimes:
    """Seconds to the first piece, of all, and of one page; MB of all of it, and of the memory that telling it took."""

    datasets: int
    first: float
    whole: float
    page: float
    per_page: int
    size: float
    memory: float


def feed_times(lab: Lab) -> FeedTimes:
    """Measure what everyone may see of a lab, in Turtle."""
    settings, shown = lab.section("catalog", CatalogSettings), entries(lab, EVERYONE)
    sum(map(len, feed(settings, shown, "ttl", 1)))  # what every feed needs once: rdflib's parts, loaded
    before = _peak()
    start = time.perf_counter()
    pieces = feed(settings, shown, "ttl")
    size = len(next(pieces))
    first = time.perf_counter() - start
    size += sum(map(len, pieces))
    whole = time.perf_counter() - start
    memory = _peak() - before
    start = time.perf_counter()
    sum(map(len, feed(settings, shown, "ttl", 2)))
    page = time.perf_counter() - start
    return FeedTimes(
        datasets=len(shown), first=first, whole=whole, page=page, per_page=PER_PAGE, size=size / 1e6, memory=memory
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(asdict(feed_times(Lab.open(Path(sys.argv[1]))))))
