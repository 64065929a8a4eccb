"""How long a search of many datasets takes: reading the lab, the index, and searches as people write them.

`search_times` is for the benchmark of the catalogue; `python -m bench.searching LAB` prints it of a lab as it is, with
`--json` for a program.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import random
import resource
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from catalog.entries import EVERYONE, Readings
from catalog.lab import Lab
from catalog.search.find import search
from catalog.search.index import indexed
from catalog.search.similar import similar
from catalog.search.synonyms import synonyms
from catalog.search.words import SMALL, units

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.search.facets import Facet
    from catalog.search.index import Index

SEARCHES = 500

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class SearchTimes:
    """Seconds of reading and indexing, milliseconds of searches, and MB of resident memory that all of it takes."""

    datasets: int
    read: float
    """Descriptors, policies and pointers, all of them."""

    look: float
    """Whether anything of them has changed."""

    build: float
    update: float
    """The index, one dataset having changed."""

    p50: float
    p95: float
    slowest: float
    similar_p95: float
    memory: float


def search_times(lab: Lab, seed: int = 1) -> SearchTimes:
    """Measure `lab` as the portal uses it, for everyone; the searches are drawn from its own titles by `seed`."""
    before = _resident()
    readings = Readings(lab, EVERYONE)
    read, shown = _timed(readings.now)
    look, _ = _timed(readings.now)
    day = dt.datetime.now(dt.UTC).date()
    build, index = _timed(lambda: indexed(shown, day))
    first = shown[0].dataset.model_copy(update={"title": {"fr": "Un autre titre"}})
    changed = (dataclasses.replace(shown[0], dataset=first), *shown[1:])
    update, index = _timed(lambda: indexed(changed, day, index))
    memory = _resident() - before
    known = synonyms(lab)
    asked = _searches(index, random.Random(seed))  # noqa: S311  no secret
    times = [_timed(partial(search, index, words, chosen, known))[0] * 1000 for words, chosen in asked]
    alike = [_timed(partial(similar, index, slug))[0] * 1000 for slug in [*index.numbers][:100]]
    return SearchTimes(
        datasets=len(index.listed),
        read=read,
        look=look,
        build=build,
        update=update,
        p50=statistics.median(times),
        p95=statistics.quantiles(times, n=20)[-1],
        slowest=max(times),
        similar_p95=statistics.quantiles(alike, n=20)[-1],
        memory=memory,
    )


def _searches(index: Index, dice: random.Random) -> list[tuple[str, dict[Facet, frozenset[str]]]]:
    """What people write: nothing, a word, two, a beginning, one misspelt, a phrase; a theme for every third."""
    titles = [next(iter(one.entries[-1].dataset.title.values())) for one in index.listed.values()]
    themes = sorted({theme for one in index.listed.values() for theme in one.values["theme"]})
    asked: list[tuple[str, dict[Facet, frozenset[str]]]] = []
    for _ in range(SEARCHES):
        told = [word.written for unit in units(dice.choice(titles)) for word in unit if word.folded not in SMALL]
        word = dice.choice(told)
        ways = ("", word, " ".join(told[:2]), word[:4], word[:2] + word[3:], f'"{" ".join(told[:2])}"', "code commune")
        theme = {dice.choice(themes)} if dice.random() < 1 / 3 else set()
        asked.append((dice.choice(ways), {"theme": frozenset(theme)}))
    return asked


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    made = work()
    return time.perf_counter() - start, made


def _resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the times of the lab in a folder."""
    times = dataclasses.asdict(search_times(Lab.open(Path(sys.argv[1]))))
    if "--json" in sys.argv:
        print(json.dumps(times))
        return
    for name, value in times.items():
        print(f"{name:12} {value:10.2f}")


if __name__ == "__main__":
    main()
