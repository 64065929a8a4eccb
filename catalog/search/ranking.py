"""What puts one dataset before another that says the same: it is up to date, well described, and used. Pure."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from catalog.entries import Entry

Freshness = Literal["current", "late", "irregular", "fixed"]
"""Whether the last version came when its frequency lets expect it; `irregular` is promised nothing, `fixed` is over."""

PERIODS: dict[str, float] = {
    "CONT": 1,
    "HOURLY": 1,
    "DAILY_2": 1,
    "DAILY": 1,
    "WEEKLY_3": 3,
    "WEEKLY_2": 4,
    "WEEKLY": 7,
    "MONTHLY_3": 11,
    "BIWEEKLY": 14,
    "MONTHLY_2": 16,
    "MONTHLY": 31,
    "BIMONTHLY": 62,
    "QUARTERLY": 92,
    "ANNUAL_3": 122,
    "ANNUAL_2": 183,
    "ANNUAL": 366,
    "BIENNIAL": 731,
    "TRIENNIAL": 1096,
    "QUADRENNIAL": 1461,
    "QUINQUENNIAL": 1826,
    "DECENNIAL": 3653,
}
"""The days between two versions of what has a rhythm; not IRREG, NEVER and UNKNOWN."""

GRACE = 1.5
"""How many of its periods old a dataset may be and still be current: an office publishes in March, or in May."""

_LEAST = 0.6
_WEIGHTS = (0.45, 0.3)
"""Of freshness and of completeness; the rest is for use."""

_YEAR = 366.0
_FIXED = 0.6
_MUCH_USED = math.log1p(1000)
_SHORT, _KEYWORDS = 100, 3


def freshness(entry: Entry, today: dt.date) -> Freshness:
    """Whether the entry is as fresh as its declared frequency lets expect: a yearly one of last March is."""
    period = PERIODS.get(entry.dataset.frequency)
    if period is None:
        return "fixed" if entry.dataset.frequency == "NEVER" else "irregular"
    return "current" if _age(entry, today) <= period * GRACE else "late"


def worth(entry: Entry, today: dt.date) -> float:
    """By what the relevance of a dataset is multiplied: 0.6 to 0.9, as fresh and complete as its best edition is."""
    fresh, complete = _WEIGHTS
    return _LEAST + (1 - _LEAST) * (fresh * _fresh(entry, today) + complete * completeness(entry))


def bonus(downloads: float) -> float:
    """What use adds to the worth of a dataset: 0 to 0.1, the most for a thousand downloads; the first count most."""
    return (1 - _LEAST) * (1 - sum(_WEIGHTS)) * min(1.0, math.log1p(downloads) / _MUCH_USED)


def completeness(entry: Entry) -> float:
    """The share, 0 to 1, of what a reader is glad to find in a descriptor and that this one says."""
    dataset = entry.dataset
    columns = [
        resource.columns.get(column.name) for resource, served in entry.resources.values() for column in served.columns
    ]
    explained = sum(column is not None and (column.title or column.description) is not None for column in columns)
    said = (
        len(dataset.title) > 1,
        max(map(len, dataset.description.values())) >= _SHORT,
        len(dataset.description) > 1,
        max(map(len, dataset.keywords.values()), default=0) >= _KEYWORDS,
        dataset.publisher.siren is not None or dataset.publisher.url is not None,
        dataset.landing_page is not None,
        dataset.temporal is not None,
        dataset.frequency != "UNKNOWN",
        dataset.provenance is not None or any(resource.origin for resource, _ in entry.resources.values()),
        explained / max(1, len(columns)),
    )
    return sum(said) / len(said)


def _fresh(entry: Entry, today: dt.date) -> float:
    """1 while current, then less and less: a half after as long again, a tenth at last; what is fixed is between."""
    state = freshness(entry, today)
    if state == "fixed":
        return _FIXED
    period = PERIODS.get(entry.dataset.frequency, _YEAR)
    return max(0.1, min(1.0, period * GRACE / max(1.0, _age(entry, today))))


def _age(entry: Entry, today: dt.date) -> float:
    return (today - entry.modified.date()) / dt.timedelta(days=1)
