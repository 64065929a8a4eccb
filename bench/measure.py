"""One process from start to end: its seconds of wall clock and CPU, and its peak of resident memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_LIMIT_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class Run:
    """Seconds of wall clock, seconds of CPU of all threads and children, peak resident MB of the largest process."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why there is no figure, in one line."""

    why: str


def measure(argv: list[str]) -> Run | Failure:
    """Run a command in the repository's folder; one that takes more than 15 minutes is stopped.

    Keep the caller small: Linux counts the memory of the process that forks into the peak of the one that is started.
    """
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        child = subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=said)
        timer = threading.Timer(_LIMIT_SECONDS, child.kill)
        timer.start()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode == 0:
            return Run(wall=seconds, cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss / 1024)
        if seconds >= _LIMIT_SECONDS:
            return Failure(why=f"stopped after {_LIMIT_SECONDS} s")
        said.seek(0)
        lines = said.read().decode(errors="replace").split("\n")
    told = [line.strip() for line in lines if line.strip()] or [f"exit code {child.returncode}"]
    return Failure(why=told[-1].replace("|", "/")[:200])
