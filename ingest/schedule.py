"""Which resources are due, by the `refresh` of their descriptors and when they were last asked."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim
from pydantic import ValidationError

from catalog.model import REFRESHES
from catalog.receipt import Stored
from ingest.jobs import Task
from ingest.settings import IngestSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from catalog.lab import Lab
    from ingest.jobs import Done
    from policies.errors import DatalabError

_FIRST_WAIT = dt.timedelta(minutes=5)
_LONGEST_WAIT = dt.timedelta(days=1)


class Attempt(Stored):
    """When a resource was last asked (UTC), and how often in a row that failed."""

    when: dt.datetime
    failures: int = 0


class Attempts(Stored):
    """What `var/schedule.json` holds, by `DATASET.RESOURCE`."""

    attempts: dict[str, Attempt] = {}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A resource that has a schedule: when it was last asked, and when it is due (UTC)."""

    slug: str
    resource: str
    refresh: str
    last: Attempt | None
    due: dt.datetime


def planned(lab: Lab, now: dt.datetime) -> tuple[list[Planned], list[DatalabError]]:
    """Every resource with a schedule, the first due first; and the errors of the descriptors that cannot be read."""
    datasets, broken = lab.datasets()
    zone = ZoneInfo(lab.section("ingest", IngestSettings).timezone)
    attempts = _attempts(lab).attempts
    found = []
    for slug, dataset in datasets.items():
        for name, resource in dataset.resources.items():
            refresh = dataset.refresh if resource.refresh is None else resource.refresh
            if refresh is not None:
                last = attempts.get(f"{slug}.{name}")
                due = due_at(refresh, last, zone, now)
                found.append(Planned(slug=slug, resource=name, refresh=refresh, last=last, due=due))
    return sorted(found, key=lambda one: (one.due, one.slug)), broken


def due_at(refresh: str, last: Attempt | None, zone: dt.tzinfo, now: dt.datetime) -> dt.datetime:
    """When a resource is due: now if it was never asked, later and later while it fails, else as the schedule says.

    A last time that is still to come was written by a clock that was wrong: it says nothing.
    """
    if last is None or last.when > now:
        return now
    if last.failures > 0:
        return last.when + min(_FIRST_WAIT * (1 << min(last.failures - 1, 20)), _LONGEST_WAIT)
    following: dt.datetime = next(CronSim(REFRESHES.get(refresh, refresh), last.when.astimezone(zone)))
    return following.astimezone(dt.UTC)


def due_tasks(plan: Iterable[Planned], now: dt.datetime) -> list[Task]:
    """The tasks that are due: one a dataset, of those of its resources that are."""
    due: dict[str, tuple[str, ...]] = {}
    for one in plan:
        if one.due <= now:
            due[one.slug] = (*due.get(one.slug, ()), one.resource)
    return [Task(slug, only) for slug, only in due.items()]


def record(lab: Lab, done: Done, now: dt.datetime) -> None:
    """Remember that the resources of a task were asked now, and which of them failed. Raises OSError."""
    with (_locks(lab) / "attempts").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _record(lab, done, now)


def _record(lab: Lab, done: Done, now: dt.datetime) -> None:
    attempts = dict(_attempts(lab).attempts)
    good = {one.resource for one in done.outcomes if one.error is None}
    for name in [one.resource for one in done.outcomes] if done.task.only is None else done.task.only:
        key = f"{done.task.slug}.{name}"
        before = attempts[key].failures if key in attempts else 0
        attempts[key] = Attempt(when=now, failures=0 if name in good else before + 1)
    path = _path(lab)
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(Attempts(attempts=attempts).model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextlib.contextmanager
def alone(lab: Lab) -> Iterator[bool]:
    """Whether no other scheduler runs on this lab; while True, none will."""
    with (_locks(lab) / "schedule").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _locks(lab: Lab) -> Path:
    folder = lab.var / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _attempts(lab: Lab) -> Attempts:
    """What was done; of a file that is gone or damaged nothing is known, so everything is due: that does no harm."""
    try:
        return Attempts.model_validate_json(_path(lab).read_bytes())
    except (FileNotFoundError, ValidationError):
        return Attempts()


def _path(lab: Lab) -> Path:
    return lab.var / "schedule.json"
