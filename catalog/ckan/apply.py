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
    stopped: str = ""


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
    for actions in _stages(made.todo):
        with closing(pool.run(worker.take, actions)) as taken:
            for action, error in taken:
                _count(applied, action, error)
                if applied.stopped:
                    pool.stopping.set()  # what is under way is still counted
                step(action, applied.done + len(applied.failed), total)
        if applied.stopped:
            told = f"stopped after {applied.done} of {total} changes; the next run makes the others"
            raise RemoteError("\n".join([*applied.failed, applied.stopped, told]))
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
    if isinstance(error, StoppedError):
        applied.stopped = applied.stopped or str(error)
        return
    applied.failed.append(f"{action.name}: {error}")
    applied.in_a_row = applied.in_a_row + 1 if isinstance(error, PassingError) else 0
    if action.kind in {"organisation", "group"}:
        applied.stopped = f"no dataset can be made without the {action.kind} {action.name}"
    elif applied.in_a_row >= _FAILED_IN_A_ROW:
        applied.stopped = applied.stopped or f"CKAN failed on {applied.in_a_row} in a row"


@dataclass(frozen=True)
class _Worker:
    """What the workers share; when `stopping` is set, nobody tries again."""

    tables: Mapping[str, Table]
    rows: Callable[[Table], Rows]
    waits: Sequence[float]
    stopping: threading.Event

    def take(self, ckan: Ckan, action: Action) -> tuple[Action, DatalabError | None]:
        """The action taken, or why it could not be: a StoppedError where no other can be either."""
        error: DatalabError | None = None
        for wait in (0.0, *self.waits):
            if error is not None and self.stopping.wait(wait if isinstance(error, PassingError) else 0):
                break
            try:
                current = action if error is None else _reread(ckan, action)
                self._call(ckan, current)
            except DatalabError as failure:
                if not _may_pass(failure, action, first=error is None):
                    return action, _stopping(failure)
                error = failure
            else:
                return current, None
        if isinstance(error, PassingError) and not _answers(ckan):
            return action, StoppedError(str(error))  # else CKAN fails on this one thing, and others may pass
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


def _may_pass(failure: DatalabError, action: Action, *, first: bool) -> bool:
    """Whether another try may do it, once CKAN was asked what it holds."""
    if isinstance(failure, PassingError | StaleError):
        return True
    if not first or action.kind == "table":
        return False
    # What CKAN's index did not know of may be there already, deleted perhaps; and what it knew of may be gone
    return isinstance(failure, GoneError) or (isinstance(failure, RefusedError) and action.what == "create")


def _stopping(failure: DatalabError) -> DatalabError:
    """The failure, as a StoppedError where it is one of the token or the address: no other call can pass."""
    ends_all = isinstance(failure, RemoteError) and not isinstance(failure, RefusedError)
    return StoppedError(str(failure)) if ends_all else failure


def _answers(ckan: Ckan) -> bool:
    try:
        ckan.check()
    except RemoteError:
        return False
    return True


def _reread(ckan: Ckan, action: Action) -> Action:
    return action if action.kind == "table" else again(action, ckan.show(ROOMS[action.kind], action.key))
