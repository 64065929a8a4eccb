"""Datasets side by side, on any `concurrent.futures.Executor`: one job a dataset, its resources one after the other.

Jobs share nothing but the lab's folder: what each is at is read from a small file, so it is seen from a pool of
processes as from a Dask cluster.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.lab import Lab
from ingest.outcome import broken_off
from ingest.run import ingest
from policies.errors import DatalabError, RemoteError, UsageError
from policies.settings import PolicySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from ingest.outcome import Outcome

_GLANCE = 0.2
"""Seconds between two looks at what the jobs are at."""


@dataclass(frozen=True)
class Task:
    """A dataset to bring in: all its resources, or `only` some."""

    slug: str
    only: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Done:
    """A task that is over: what became of its resources, and the error that stopped it, if one did."""

    task: Task
    outcomes: tuple[Outcome, ...] = ()
    error: str | None = None


def waves(lab: Lab, tasks: Sequence[Task]) -> list[list[Task]]:
    """The tasks in the order in which they can be done: first the tables that others' editions take zones from."""
    zones = lab.section("policies", PolicySettings).zones.values()
    sources = {zone.table.partition(".")[0] for zone in zones}
    parts = ([task for task in tasks if (task.slug in sources) is first] for first in (True, False))
    return [part for part in parts if part]


def run_job(root: Path, task: Task, say: Callable[[str], None] | None = None, beside: int = 1) -> Done:
    """Bring in one dataset of the lab at `root`, as one of `beside` jobs that share the memory.

    Without `say`, each step is told in the lab's folder. Never raises an Exception: one that fails stops no other.
    """
    outcomes: list[Outcome] = []
    try:
        lab = Lab.open(root)
        with _told(lab, task.slug) as tell:
            outcomes.extend(ingest(lab, task.slug, tell if say is None else say, task.only, beside))
    except (DatalabError, OSError) as error:
        return Done(task, tuple(outcomes), str(error))
    except Exception as error:  # noqa: BLE001  nobody foresaw it
        return Done(task, tuple(outcomes), f"{task.slug}: {broken_off(error)}")
    return Done(task, tuple(outcomes))


def run_all(
    lab: Lab, tasks: Sequence[Task], executor: Executor, watch: Callable[[dict[str, str]], None], beside: int = 1
) -> Iterator[Done]:
    """Run every task on `executor`, which is shut down at the end; gives each when it is over.

    `beside` is how many run side by side on one machine, and share the memory. `watch` is told, several times a second,
    what the running jobs are at. A job whose process dies takes a pool with it: what the pool had not done is run
    again, each in a process of its own.
    """
    left: list[Task] = []
    with _shut(executor):
        pending = {executor.submit(run_job, lab.root, task, None, beside): task for task in tasks}
        while pending:
            over, _ = wait(pending, timeout=_GLANCE, return_when=FIRST_COMPLETED)
            for future in over:
                task = pending.pop(future)
                done = _done(task, future)
                if done is None:
                    left.append(task)
                else:
                    yield done
            watch(_steps(lab))
    for task in left:
        with processes(1) as alone:
            future = alone.submit(run_job, lab.root, task)
            yield _done(task, future) or Done(
                task, error=f"{task.slug}: its process died, killed or out of memory; what was served before still is"
            )


def processes(jobs: int) -> ProcessPoolExecutor:
    """A pool of so many processes on this machine."""
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("forkserver"))


@contextlib.contextmanager
def dask(address: str) -> Iterator[Executor]:
    """The workers of a Dask cluster, all of which must see the lab's folder at the same path.

    Raises UsageError if `distributed` is not installed, RemoteError if no scheduler answers.
    """
    try:
        from distributed import Client  # noqa: PLC0415  an extra
    except ImportError:
        raise UsageError("--dask needs the package distributed: pip install 'datalab[dask]'") from None
    try:
        client = Client(address, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise RemoteError(f"{address}: no Dask scheduler answers there: {error}") from None
    with client:
        yield client.get_executor(pure=False)  # type: ignore[no-untyped-call]


def _done(task: Task, future: Future[Done]) -> Done | None:
    """What the future says; None if it is only known that the pool broke."""
    try:
        error = future.exception(timeout=None)
    except CancelledError:
        return Done(task, error=f"{task.slug}: the job was cancelled; the cluster may be gone")
    if error is None:
        return future.result()
    if isinstance(error, BrokenExecutor):
        return None
    return Done(task, error=f"{task.slug}: {broken_off(error)}")


@contextlib.contextmanager
def _shut(executor: Executor) -> Iterator[None]:
    """Shut the executor down; when it is left by an error, what has not begun is cancelled."""
    try:
        yield
    except BaseException:
        executor.shutdown(wait=True, cancel_futures=True)
        raise
    executor.shutdown(wait=True)


@contextlib.contextmanager
def _told(lab: Lab, slug: str) -> Iterator[Callable[[str], None]]:
    folder = lab.var / "jobs"
    folder.mkdir(exist_ok=True)
    path = folder / slug
    try:
        yield lambda step: _write(path, step)
    finally:
        path.unlink(missing_ok=True)


def _write(path: Path, step: str) -> None:
    path.write_text(step, encoding="utf-8")


def _steps(lab: Lab) -> dict[str, str]:
    """What each running job is at, by dataset."""
    found = {}
    for path in sorted((lab.var / "jobs").glob("*")):
        with contextlib.suppress(FileNotFoundError):
            found[path.name] = path.read_text(encoding="utf-8")
    return found
