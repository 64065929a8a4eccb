"""`datalab publish` beside bare calls of `package_create`, on the same datasets and the same CKAN, one after the other.

The bare calls are made before and after, as a CKAN that holds more is slower; their datasets are those of the lab, with
all they have, under other names and in another organisation. What they cost is CKAN's work alone: nothing is read,
planned or compared.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from ckanapi import RemoteCKAN

from bench.measure import REPOSITORY
from catalog.ckan.listing import listings
from catalog.ckan.package import catalogue
from catalog.settings import CkanSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from catalog.lab import Lab
    from deploy.ckan.stack import CkanStack

_AT_ONCE = CkanSettings().workers
_WARM = 10
_SUMMARY = re.compile(r"(\d+) created, (\d+) updated, (\d+) unchanged, (\d+) deleted")


@dataclass(frozen=True, kw_only=True)
class PublishTimes:
    """Datasets a second of bare calls, before, after, and `at_once` so many side by side; seconds of `datalab publish`.

    `written` are the changes that the run without any made, as CKAN and the command tell them.
    """

    datasets: int
    before: float
    after: float
    side_by_side: float
    at_once: int
    first: float
    again: float
    written: int

    @property
    def bare(self) -> float:
        """Datasets a second of bare calls, before and after taken together."""
        return 2 / (1 / self.before + 1 / self.after)


def publish_times(lab: Lab, ckan: CkanStack, sample: int) -> PublishTimes:
    """Measure the first publication of a lab to an empty CKAN, and the next; bare calls are `sample` at each turn."""
    ckan.reset()
    bare = _Bare(ckan, lab, _WARM + 3 * sample)
    bare.rate(_WARM)  # a CKAN that has just been started loads as it goes
    before = bare.rate(sample)
    first, _ = _publish(lab.root, ckan)
    newest = bare.newest()
    again, told = _publish(lab.root, ckan)
    written = sum(told) + (bare.newest() != newest)
    after = bare.rate(sample)
    return PublishTimes(
        datasets=len(lab.slugs),
        before=before,
        after=after,
        side_by_side=bare.rate(sample, _AT_ONCE),
        at_once=_AT_ONCE,
        first=first,
        again=again,
        written=written,
    )


def _publish(root: Path, ckan: CkanStack) -> tuple[float, tuple[int, int, int]]:
    """Seconds of the command, its start included, and how many things it says that it created, updated and deleted."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "datalab", "--lab", str(root), "publish"],
        cwd=REPOSITORY,
        env={**os.environ, "DATALAB_CKAN_URL": ckan.url, "DATALAB_CKAN_TOKEN": ckan.token},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    found = _SUMMARY.search(done.stdout)
    if done.returncode != 0 or found is None:
        sys.exit(f"datalab publish ended with {done.returncode}: {done.stderr[-500:]}")
    created, updated, _, deleted = map(int, found.groups())
    return seconds, (created, updated, deleted)


def _no_error(error: Exception) -> None:
    sys.exit(str(error))


class _Bare:
    """Datasets to create by bare calls, each once."""

    def __init__(self, ckan: CkanStack, lab: Lab, count: int) -> None:
        self._ckan = ckan
        made = catalogue(CkanSettings(organisation="nu"), "http://127.0.0.1:8420/", listings(lab, _no_error)[:count])
        for organisation in made.organisations.values():
            self._call("organization_create", organisation)
        for group in made.groups.values():
            self._call("group_create", group)
        self._left = [{**package, "name": f"nu-{package['name']}"} for package in made.datasets.values()]

    def rate(self, count: int, at_once: int = 1) -> float:
        """Datasets a second, of so many, each worker with a connection of its own."""
        now, self._left = self._left[:count], self._left[count:]
        shares = [now[place::at_once] for place in range(at_once)]
        start = time.perf_counter()
        with ThreadPoolExecutor(at_once) as executor:
            list(executor.map(self._create, shares))
        return count / (time.perf_counter() - start)

    def newest(self) -> str:
        """When any dataset was last changed."""
        found = self._call("package_search", {"rows": 1, "sort": "metadata_modified desc"})
        return str(found["results"][0]["metadata_modified"])

    def _create(self, packages: Sequence[dict[str, Any]]) -> None:
        with requests.Session() as session:
            remote = RemoteCKAN(self._ckan.url, apikey=self._ckan.token, session=session)
            for package in packages:
                remote.call_action("package_create", package, requests_kwargs={"timeout": 60})

    def _call(self, action: str, data: dict[str, Any]) -> Any:
        remote = RemoteCKAN(self._ckan.url, apikey=self._ckan.token)
        return remote.call_action(action, data, requests_kwargs={"timeout": 60})
