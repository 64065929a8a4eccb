"""All sandboxes of a lab, watched by one process: a keeper each would load the lab's libraries once a sandbox.

    follow(lab, running, warn, until)     # `running()` says each second which there are

The Hub's side of it: a child of `datalab serve` calls this, as root. `running` lists the sandboxes that keepers hold,
with the process id of each jail's first process (`Jailed.pid`); `until` is a descriptor that becomes readable when it
must end. It may be killed at any moment and started again, for what a sandbox shows is read from the sandbox. A
sandbox that must be ended, because it cannot lose what is no longer granted, is ended by SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sandbox.live.signs import Signs
from sandbox.live.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from catalog.lab import Lab


@dataclass(frozen=True)
class Running:
    """A sandbox that runs: the process id of its jail's first process, whose it is, and what for."""

    pid: int
    user: str
    purpose: str | None
    origin: str | None = None


def follow(
    lab: Lab, running: Callable[[], Iterable[Running]], warn: Callable[[Running, str], None], until: int
) -> None:
    """Keep each sandbox to what its user is granted, until the descriptor is ready; `warn` hears what came and went."""
    watched: dict[Running, tuple[int, Watch]] = {}
    again: set[Running] = set()
    try:
        with Signs(lab) as signs:
            while True:
                now = set(running())
                for one in watched.keys() - now:
                    os.close(watched.pop(one)[0])
                fresh = now - watched.keys()
                for one in fresh:
                    with contextlib.suppress(ProcessLookupError):
                        process = os.pidfd_open(one.pid)
                        watched[one] = process, _watch(lab, one, process, warn)
                due = watched.keys() if signs.changed() else (fresh | again) & watched.keys()
                again = {one for one in list(due) if not watched[one][1].look()}
                if not signs.wait((until,)):
                    return
    finally:
        for process, _ in watched.values():
            os.close(process)


def _watch(lab: Lab, one: Running, process: int, warn: Callable[[Running, str], None]) -> Watch:
    def end(_: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)

    return Watch(lab, one.user, one.purpose, process, warn=partial(warn, one), end=end, origin=one.origin)
