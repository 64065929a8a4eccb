"""A plan, carried out: each call once if all goes well, and when it does not, CKAN is asked what came of it first.

A call that CKAN did not answer may have been carried out. So the thing is read again, what is to be done is reckoned
from that, and only if something is left it is tried again, after a while. So it is where a curator was faster: his
change is read, and ours made beside it.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.ckan.datastore import primary_key, said_of
from catalog.ckan.merge import ROOMS, Action, again
from catalog.ckan.remote import Ckan, GoneError, PassingError, RefusedError, StaleError
from policies.errors import DatalabError, RemoteError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from catalog.ckan.datastore import Rows, Table
    from catalog.ckan.plan import Plan
    from catalog.ckan.pool import Pool

WAITS = (0.5, 2.0, 5.0, 10.0, 20.0)
"""Seconds before each further try: a CKAN that is started anew in half a minute is waited for."""

_FAILED_IN_A_ROW = 3
_ROWS_A_SECOND = 300  # CKAN takes some 1,500 when it has nothing else to do


class StoppedError(RemoteError):
    """The rest of a plan was not tried, as CKAN is not there, or refuses all of it."""


@dataclass
class Applied:
    """What came of a plan: how many of its changes were made, and why others were not."""

    done: int = 0
    failed: list[str] = field(default_factory=list)
    in_a_row: int = 0


def apply(
    pool: Pool,
    made: Plan,
    tables: Mapping[str, Table],
    rows: Callable[[Table], Rows],
    step: Callable[[Action, int, int], None],
    waits: Sequence[float] = WAITS,
) -> None:
    """Take the actions of a plan: the datasets side by side, when the organisation and the groups are there.

    `rows` gives those of a table, and `step` is told each action that was taken, which it was, and of how many. A
    dataset that CKAN refuses, or fails on, keeps no other from being published. Raises RemoteError naming those, or why
    the rest was not tried.
    """
    worker = _Worker(tables, rows, waits, pool.stopping)
    applied, total = Applied(), len(made.todo)
    try:
        for actions in _stages(made.todo):
            with closing(pool.run(worker.take, actions)) as taken:
                for action, error in taken:
                    _count(applied, action, error)
                    step(action, applied.done + len(applied.failed), total)
    except StoppedError as error:
        told = f"{error}\nstopped after {applied.done} of {total} changes; the next run makes the others"
        raise RemoteError("\n".join([*applied.failed, told])) from None
    if applied.failed:
        raise RemoteError("\n".join([*applied.failed, f"the {applied.done} other changes were made"]))


def _stages(actions: Sequence[Action]) -> list[list[Action]]:
    """What must be done before what: a list is begun when the one before is done."""
    first = [[action] for action in actions if action.kind in {"organisation", "group"}]
    emptied = [action for action in actions if action.kind == "table" and action.what == "delete"]
    datasets = [action for action in actions if action.kind == "dataset"]
    filled = [action for action in actions if action.kind == "table" and action.what != "delete"]
    return [*first, emptied, datasets, filled]


def _count(applied: Applied, action: Action, error: DatalabError | None) -> None:
    if error is None:
        applied.done, applied.in_a_row = applied.done + 1, 0
        return
    if action.kind in {"organisation", "group"}:
        raise StoppedError(f"{action.kind} {action.name}: {error}")
    applied.failed.append(f"{action.name}: {error}")
    applied.in_a_row = applied.in_a_row + 1 if isinstance(error, PassingError) else 0
    if applied.in_a_row >= _FAILED_IN_A_ROW:
        raise StoppedError(f"CKAN failed on {applied.in_a_row} in a row")


@dataclass(frozen=True)
class _Worker:
    """What the workers share; when `stopping` is set, nobody tries again."""

    tables: Mapping[str, Table]
    rows: Callable[[Table], Rows]
    waits: Sequence[float]
    stopping: threading.Event

    def take(self, ckan: Ckan, action: Action) -> tuple[Action, DatalabError | None]:
        """The action taken, or why it could not be; raises StoppedError when no other can be either."""
        error: DatalabError | None = None
        for wait in (0.0, *self.waits):
            if error is not None and self.stopping.wait(wait if isinstance(error, PassingError) else 0):
                break
            try:
                current = action if error is None else _reread(ckan, action)
                self._call(ckan, current)
            except DatalabError as failure:
                if not _may_pass(failure, action, first=error is None):
                    return action, failure
                error = failure
            else:
                return current, None
        if isinstance(error, PassingError):
            self._still_there(ckan, error)
        return action, error

    def _call(self, ckan: Ckan, action: Action) -> None:
        if action.what == "unchanged":
            return
        if action.kind != "table":
            ckan.call(action.call, action.data)
            return
        taken = {"resource_id": action.data["resource_id"], "force": True}
        with suppress(GoneError):
            ckan.call("datastore_delete", taken)
        if action.what != "delete":
            table = self.tables[action.key]
            rows = self.rows(table)
            data = {**action.data, "primary_key": list(primary_key(table, rows)), "records": rows}
            ckan.call(action.call, data, longer=len(rows) / _ROWS_A_SECOND)
            ckan.call("package_revise", said_of(table))

    def _still_there(self, ckan: Ckan, error: PassingError) -> None:
        """Raise StoppedError unless CKAN answers: then it fails on this one thing, and others may pass."""
        try:
            ckan.check()
        except RemoteError:
            raise StoppedError(str(error)) from None


def _may_pass(failure: DatalabError, action: Action, *, first: bool) -> bool:
    """Whether another try may do it. Raises StoppedError if none can, nor for any other thing."""
    if isinstance(failure, PassingError | StaleError):
        return True
    if isinstance(failure, RemoteError) and not isinstance(failure, RefusedError):
        raise StoppedError(str(failure))
    # What CKAN's index did not know of may be there already, deleted perhaps
    refused = isinstance(failure, RefusedError)
    return refused and first and action.what == "create" and action.kind != "table"


def _reread(ckan: Ckan, action: Action) -> Action:
    return action if action.kind == "table" else again(action, ckan.show(ROOMS[action.kind], action.key))
