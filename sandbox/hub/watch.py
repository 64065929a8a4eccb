"""A few child processes: each started again when it dies, their words in bounded logs, all ended in order.

A child that dies again and again is started again ever later. Each gets SIGTERM from the kernel should we be killed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.errors import SandboxError
from sandbox.hub.logs import BoundedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_CHUNK = 65536
_GIVEN_UP = 3
_ENDS_WITHIN = 15
_LATEST = 30.0
_STABLE = 60.0
_TURN = 0.5


@dataclass(frozen=True)
class Child:
    """One process: what starts it, what it is told by its environment, and which of its sockets must be gone first."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    stale: Path | None = None


@dataclass
class _Running:
    child: Child
    log: BoundedLog
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    failures: int = 0
    due: float = field(default_factory=time.monotonic)


class Watch:
    """Children, in the order in which they are started; they are ended in the other."""

    def __init__(self, children: Sequence[Child], logs: Path) -> None:
        """Nothing is started yet."""
        self._running = [_Running(child, BoundedLog(logs / f"{child.name}.log")) for child in children]
        self._settled = False
        self._watched = selectors.DefaultSelector()
        self._over = False

    def run(self, settled: Callable[[], bool], told: Callable[[], None]) -> None:
        """Watch until SIGINT or SIGTERM, and end all.

        `settled` is asked, after each start of a child, again and again until it says that everything answers; the
        first time it does, `told` is called. Raises SandboxError if a child dies again and again before that.
        """
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        before = {number: signal.signal(number, self._end) for number in (signal.SIGINT, signal.SIGTERM)}
        old = signal.set_wakeup_fd(woken)
        self._watched.register(wake, selectors.EVENT_READ)
        first = True
        try:
            while not self._over:
                for one in self._running:
                    self._look(one)
                    if first and one.failures >= _GIVEN_UP:
                        said = f"{one.child.name} does not start; the end of {one.log.path}:"
                        raise SandboxError(f"{said}\n{one.log.tail()}")
                self._turn(_TURN)
                if not self._settled and not self._over and settled():
                    self._settled = True
                    if first:
                        told()
                    first = False
        finally:
            for one in reversed(self._running):
                self._finish(one)
            signal.set_wakeup_fd(old)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._watched.close()
            os.close(wake)
            os.close(woken)

    def _end(self, *_: object) -> None:
        self._over = True

    def _look(self, one: _Running) -> None:
        """Start it if it is due, or note that it has died."""
        now = time.monotonic()
        if one.process is None:
            if now >= one.due:
                self._start(one)
        elif one.process.poll() is not None:
            self._drain(one)
            one.failures = 0 if now - one.since > _STABLE else one.failures + 1
            one.due = now + min(_LATEST, 0.0 if one.failures <= 1 else 2.0**one.failures / 4)
            one.log.write(f"[{one.child.name}: ended with {one.process.returncode}]\n".encode())
            one.process = None

    def _start(self, one: _Running) -> None:
        if one.child.stale is not None:
            one.child.stale.unlink(missing_ok=True)
        self._settled = False
        one.since = time.monotonic()
        one.process = subprocess.Popen(
            ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--", *one.child.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(one.child.env),
            process_group=0,  # Ctrl-C is for us alone; we end them
        )
        if one.process.stdout is not None:
            os.set_blocking(one.process.stdout.fileno(), False)
            self._watched.register(one.process.stdout, selectors.EVENT_READ, one)

    def _turn(self, seconds: float) -> None:
        for key, _ in self._watched.select(seconds):
            if key.data is None:
                os.read(key.fd, _CHUNK)
            else:
                self._read(key.data)

    def _read(self, one: _Running) -> bool:
        """Take what it has written; whether there was anything."""
        stream = None if one.process is None else one.process.stdout
        if stream is None or stream.closed:
            return False
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(stream.fileno(), _CHUNK)
            if chunk:
                one.log.write(chunk)
                return True
            self._watched.unregister(stream)
            stream.close()
        return False

    def _drain(self, one: _Running) -> None:
        while self._read(one):
            pass
        stream = None if one.process is None else one.process.stdout
        if stream is not None and not stream.closed:  # a child of its own holds the other end
            self._watched.unregister(stream)
            stream.close()

    def _finish(self, one: _Running) -> None:
        if one.process is None:
            return
        one.process.terminate()
        last = time.monotonic() + _ENDS_WITHIN
        while one.process.poll() is None and time.monotonic() < last:
            self._turn(0.05)
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        self._drain(one)
