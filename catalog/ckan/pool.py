"""Several calls to a CKAN at a time, each worker with a connection of its own, and what CKAN holds, read so."""

from __future__ import annotations

import os
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Self, TypeVar

from catalog.ckan.facts import Schema
from catalog.ckan.names import MARK
from catalog.ckan.package import Catalogue
from catalog.ckan.remote import Ckan, GoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from catalog.ckan.facts import Wire
    from catalog.settings import CkanSettings

T = TypeVar("T")
R = TypeVar("R")

_PAGE = 1000  # CKAN gives no more at once
_NAMES = 200  # asked for in one search, of the 1,024 clauses that Solr allows


class Pool:
    """A CKAN that answers, a token that may write there, and `workers` of [ckan]; use it in a `with` block."""

    def __init__(self, settings: CkanSettings, environment: Mapping[str, str] = os.environ) -> None:
        """Raises UsageError if there is no address or token, RemoteError if CKAN is not there or refuses the token."""
        self._settings, self._environment = settings, environment
        self.stopping = threading.Event()
        self._own = threading.local()
        self._opened: list[Ckan] = []
        self.first = self._open()
        self._executor = ThreadPoolExecutor(settings.workers, thread_name_prefix="ckan")
        try:
            self.first.check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """CKAN's address."""
        return self.first.url

    def close(self) -> None:
        """Wait for the calls that are under way, and close all connections."""
        self._executor.shutdown(cancel_futures=True)
        for ckan in self._opened:
            ckan.close()

    def run(self, work: Callable[[Ckan, T], R], items: Iterable[T]) -> Generator[R, None, None]:
        """`work` done on each item by the workers, its results in the order in which they are done.

        No more is begun than the workers can do, and none once `stopping` is set, as it is when one raises, which is
        passed on, or when this is closed; what is under way is waited for.
        """
        todo, running = (item for item in items if not self.stopping.is_set()), set[Future[R]]()
        try:
            while True:
                for item in todo:
                    running.add(self._executor.submit(self._do, work, item))
                    if len(running) >= self._settings.workers:
                        break
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BaseException:
            self.stopping.set()
            raise
        finally:
            for future in running:
                future.cancel()
            wait(running)

    def begin(self, work: Callable[[Ckan], R]) -> Future[R]:
        """`work` begun by a worker, beside what the caller goes on with."""
        return self._executor.submit(self._do, lambda ckan, _: work(ckan), None)

    def _do(self, work: Callable[[Ckan, T], R], item: T) -> R:
        if not hasattr(self._own, "ckan"):
            self._own.ckan = self._open()
        return work(self._own.ckan, item)

    def _open(self) -> Ckan:
        made = Ckan(self._settings, self._environment)
        self._opened.append(made)
        return made


def schema_of(ckan: Ckan, extensions: frozenset[str]) -> Schema:
    """The fields that this CKAN's datasets have by ckanext-scheming; none if it has not that extension."""
    if "scheming_datasets" not in extensions:
        return Schema()
    try:
        return Schema.read(ckan.call("scheming_dataset_schema_show", {"type": "dataset"}))
    except GoneError:  # it has schemas for other types alone
        return Schema()


def held(pool: Pool, ours: Catalogue, known: Sequence[Wire]) -> Catalogue:
    """What stands in CKAN under any name or id of ours, deleted or not, and what is `known` to be `marked` as ours.

    Most is read by a thousand at a time from CKAN's index, which knows nothing of what was deleted: what is not found
    there is asked for by its id, unless our organisation is not there either, for then none of it can be.
    """
    organisations = {name: pool.first.show("organization", name) for name in ours.organisations}
    groups = {name: pool.first.show("group", name) for name in ours.groups}
    found = {one["id"]: one for one in known}
    for one in _named(pool.first, [made["name"] for key, made in ours.datasets.items() if key not in found]):
        found[one["id"]] = one
    if any(organisations.values()):
        unknown = [key for key in ours.datasets if key not in found]
        found |= {one["id"]: one for one in pool.run(lambda ckan, key: ckan.show("package", key), unknown) if one}
    return Catalogue(
        organisations={name: one for name, one in organisations.items() if one is not None},
        groups={name: one for name, one in groups.items() if one is not None},
        datasets=found,
    )


def marked(ckan: Ckan, organisation: str) -> list[Wire]:
    """The datasets with our mark, by a thousand at a time; the index also gives those with a mark of the same words."""
    mark = {"key": MARK, "value": organisation}
    return [one for one in _search(ckan, f'+extras_{MARK}:"{organisation}"') if mark in one["extras"]]


def _named(ckan: Ckan, names: list[str]) -> Iterator[Wire]:
    for place in range(0, len(names), _NAMES):
        quoted = " OR ".join(f'"{name}"' for name in names[place : place + _NAMES])
        yield from _search(ckan, f"+name:({quoted})")


def _search(ckan: Ckan, query: str) -> list[Wire]:
    asked = {"fq": query, "include_private": True, "include_drafts": True, "rows": _PAGE, "sort": "id asc"}
    found: list[Wire] = []
    while True:
        page = ckan.call("package_search", {**asked, "start": len(found)})
        found += page["results"]
        if not page["results"] or len(found) >= page["count"]:
            return found
