"""Keepers that wait for their order: some are started early, with a jail that is warm when somebody asks for one.

    pool = Pool(lab, 2); pool.fill_soon()       # at the Hub's start
    keeper = pool.take() or pool.cold()         # a sandbox is asked for; what was taken is made up for a little later
    keeper.answer_to(written(order))

They end by themselves when who started them is gone, and their jails with them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from typing import TYPE_CHECKING

from policies.errors import DatalabError, SandboxError
from sandbox.hub.order import Early, written
from sandbox.hub.zygote import Zygote
from sandbox.limits import Limits
from sandbox.profile import warm_profile
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from catalog.lab import Lab

_LOG = logging.getLogger(__name__)
_STARTS_WITHIN = 60
_AFTER = 10
"""Seconds until a keeper that was taken is made up for: until then the sandbox itself needs the processors."""


class Waiting:
    """A keeper that waits for its order, and may keep a jail warm meanwhile."""

    def __init__(self, zygote: Zygote, early: Early | None = None, venv: tuple[int, ...] = ()) -> None:
        """Have it forked; `venv` says which Python its jail has loaded, for who takes it."""
        self.venv = venv
        self._warm = False
        self._ended = False
        self._into, self._said = zygote.keeper()
        with contextlib.suppress(BrokenPipeError):
            self._into.write(b"\n" if early is None else written(early) + b"\n")
            self._into.flush()

    def is_warm(self) -> bool:
        """Whether its jail is warm."""
        if not self._warm and not self._ended and select.select([self._said], [], [], 0)[0]:
            self._warm = bool(self._said.readline())
            self._ended = not self._warm
        return self._warm and not self.has_ended()

    def has_ended(self) -> bool:
        """Whether it is gone: without an order it says nothing but that it is warm."""
        self._ended = self._ended or (self._warm and bool(select.select([self._said], [], [], 0)[0]))
        return self._ended

    def answer_to(self, order: bytes) -> bytes:
        """Give it its order, and return the line it says; nothing if it has ended.

        Raises SandboxError if it says nothing in time. When it is ready after all, it ends, as nobody listens.
        """
        with self._said:
            with contextlib.suppress(BrokenPipeError), self._into:
                self._into.write(order)
            ready, _, _ = select.select([self._said], [], [], _STARTS_WITHIN)
            if not ready:
                raise SandboxError(f"the sandbox did not start within {_STARTS_WITHIN} s; the Hub's log may say why")
            return self._said.readline()

    def close(self) -> None:
        """Let it end."""
        self._ended = True
        for stream in (self._into, self._said):
            with contextlib.suppress(OSError):
                stream.close()


class Pool:
    """So many keepers with a warm jail; as root alone, for only root can give a running jail its home."""

    def __init__(self, lab: Lab, number: int) -> None:
        """None is started yet; 0 are kept warm where nobody wants any."""
        self._lab = lab
        self._number = number if os.geteuid() == 0 else 0
        self._zygote = Zygote()
        self._waiting: list[Waiting] = []
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def close(self) -> None:
        """Let those end that wait, and start no more."""
        with self._lock:
            self._number = 0
            if self._timer is not None:
                self._timer.cancel()
            for one in self._waiting:
                one.close()
            self._waiting = []
        self._zygote.close()

    def take(self) -> Waiting | None:
        """One that is warm and has loaded the Python that sandboxes have now; None if there is none."""
        if self._number == 0:
            return None
        with self._lock:
            self._let_go()
            found = next((one for one in self._waiting if one.is_warm()), None)
            if found is not None:
                self._waiting.remove(found)
        self.fill_soon()
        return found

    def cold(self) -> Waiting:
        """One that keeps nothing. Raises SandboxError where no process can be made."""
        try:
            return Waiting(self._zygote)
        except OSError as error:
            raise SandboxError(f"no process can be started for a sandbox: {error.strerror}") from None

    def fill_soon(self, after: float = _AFTER) -> None:
        """Start those that are missing, in a while; one that is asked for meanwhile waits for nothing."""
        with self._lock:
            if self._number > 0 and self._timer is None:
                self._timer = threading.Timer(after, self._fill)
                self._timer.daemon = True
                self._timer.start()

    def _fill(self) -> None:
        with self._lock:
            self._timer = None  # what is taken from now on is another's to make up for
        try:
            settings = self._lab.section("sandbox", SandboxSettings)
            limits = Limits(memory=settings.memory, pids=settings.pids, cpus=settings.cpus)
            early, venv = Early(warm_profile(self._lab, settings), limits), self._venv()
            with self._lock:
                self._let_go()
                while len(self._waiting) < self._number:
                    self._waiting.append(Waiting(self._zygote, early, venv))
        except (DatalabError, OSError) as error:  # a sandbox that is asked for is started cold, or says the same
            _LOG.warning("no sandbox is kept warm: %s", error)

    def _let_go(self) -> None:
        """Forget those that have ended, and let those end that have loaded a Python that was since replaced."""
        now = self._venv()
        kept = [one for one in self._waiting if one.venv == now and (one.is_warm() or not one.has_ended())]
        for one in self._waiting:
            if one not in kept:
                one.close()
        self._waiting = kept

    def _venv(self) -> tuple[int, ...]:
        """What tells the sandboxes' Python from one that is installed anew in its place."""
        try:
            found = (self._lab.root / self._lab.section("sandbox", SandboxSettings).venv / "pyvenv.cfg").stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns
