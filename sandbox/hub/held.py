"""A keeper as another process knows it: its process id, and when it started, so that no other is taken for it.

A process id is used again; the pair is not (proc(5), field 22 of stat, counted in ticks since the machine started).
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

_STATE, _STARTED = 0, 19  # after the command's name, which may hold anything


@dataclass(frozen=True)
class Held:
    """One process."""

    pid: int
    started: int

    @property
    def lives(self) -> bool:
        """Whether it is still there, and not merely not yet waited for."""
        return _look(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process and no other; nothing happens if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if self.lives:  # from here on the descriptor is of that process
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)


def held(pid: int) -> Held:
    """The process that has this id now. Raises ProcessLookupError if there is none."""
    started = _look(pid)
    if started is None:
        raise ProcessLookupError(pid)
    return Held(pid, started)


def _look(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[_STATE] in {"Z", "X"} else int(fields[_STARTED])
