"""Whose turn it is, and which engine answers: a few engines at a time, fairly shared, and kept warm for a while."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.errors import DatalabError
from sandbox.limits import NoCgroup
from sandbox.sql.engine import Engine
from sandbox.sql.jail import started, sweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from catalog.lab import Lab
    from sandbox.sql.access import Reader, View
    from sandbox.sql.jail import Jail
    from sandbox.sql.settings import GatewaySettings

LOG = logging.getLogger("datalab.gateway")

KEPT = 16
"""So many engines without a question are kept at most; each holds some 100 MB."""

_EACH = 3
"""Engines that wait for one principal, whatever for; more only where more may run for them at a time."""

_TIDY_SECONDS = 20
_BUFFER = 4 * 1024**2


class BusyError(Exception):
    """As many of this principal's queries wait as may, or this one has waited for too long."""


@dataclass(frozen=True)
class Session:
    """Engines of the same session hold the same tables for the same principal and purpose; nothing else is shared."""

    reader: Reader
    identity: str


@dataclass
class Turns:
    """Who may run now. Pure but for the futures: nothing waits here."""

    engines: int
    share: int
    queue: int
    running: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, deque[asyncio.Future[None]]] = field(default_factory=dict)

    def enter(self, who: str) -> asyncio.Future[None]:
        """A future that is done when it is their turn. Raises BusyError."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self.waiting.setdefault(who, deque())
        if len(line) >= self.queue:
            raise BusyError
        line.append(turn)
        self.call()
        return turn

    def leave(self, who: str, turn: asyncio.Future[None]) -> None:
        """Give the turn back, or the place in the queue."""
        if turn.done() and not turn.cancelled():
            self.running[who] -= 1
            if self.running[who] == 0:
                del self.running[who]
        else:
            turn.cancel()
        self.call()

    def call(self) -> None:
        """Call whoever is next: of those with less than their share, the one with the fewest, who waited longest."""
        self._forget()
        while sum(self.running.values()) < self.engines:
            able = [one for one in self.waiting if self.running.get(one, 0) < self.share]
            if not able:
                return
            who = min(able, key=lambda one: self.running.get(one, 0))
            line = self.waiting.pop(who)
            line.popleft().set_result(None)
            self.running[who] = self.running.get(who, 0) + 1
            if line:
                self.waiting[who] = line  # to the end: the others come first
            self._forget()

    def _forget(self) -> None:
        for who, line in list(self.waiting.items()):
            while line and line[0].done():
                line.popleft()
            if not line:
                del self.waiting[who]


class Pool:
    """The engines of one lab. All of it runs in one event loop; engines are started and ended in threads of its own."""

    def __init__(self, lab: Lab, settings: GatewaySettings) -> None:
        """Start nothing yet."""
        self._lab = lab
        self._settings = settings
        self._turns = Turns(settings.engines, settings.share, settings.queue)
        self._idle: dict[Session, list[tuple[float, Engine]]] = {}
        # A jail ends with the thread that started it: these stay
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="engines")
        self._ending: set[asyncio.Future[None]] = set()
        self._warming: set[asyncio.Task[None]] = set()
        self._told = False
        sweep(lab)

    @contextlib.asynccontextmanager
    async def engine(self, reader: Reader, view: View) -> AsyncIterator[Engine]:
        """An engine for one question, when it is the reader's turn. Raises BusyError, SandboxError."""
        turn = self._turns.enter(reader.who)
        try:
            try:
                async with asyncio.timeout(self._settings.seconds):
                    await turn
            except TimeoutError:
                raise BusyError from None
            session = Session(reader, view.identity)
            self._end_others(session)
            engine = self._idle_one(session) or await self._start(view)
            try:
                yield engine
            finally:
                self._back(session, engine, view)
        finally:
            self._turns.leave(reader.who, turn)

    async def tidy(self) -> None:
        """End, from time to time, engines that were not asked for long, and those that are too many; never returns."""
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            ages = sorted((since for engines in self._idle.values() for since, _ in engines), reverse=True)
            oldest = time.monotonic() - self._settings.warm
            self._end_before(max([oldest, *ages[KEPT : KEPT + 1]]))

    async def warm(self, reader: Reader, view: View) -> None:
        """Have an engine ready for whoever is likely to ask."""
        session = Session(reader, view.identity)
        if not self._idle.get(session):
            self._back(session, await self._start(view), view)

    async def close(self) -> None:
        """End all engines."""
        for task in self._warming:
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        for engines in self._idle.values():
            for _, engine in engines:
                self._end(engine)
        self._idle.clear()
        await asyncio.gather(*self._ending, return_exceptions=True)
        self._threads.shutdown()

    async def _start(self, view: View) -> Engine:
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(self._threads, started, self._lab, view, self._settings)
        try:
            jail = await asyncio.shield(starting)
        except asyncio.CancelledError:  # whoever asked is gone; what has started is ended
            starting.add_done_callback(self._abandon)
            raise
        self._tell(jail)
        engine = None
        try:
            reader, writer = await asyncio.open_connection(sock=jail.channel, limit=_BUFFER)
            engine = Engine(jail, reader, writer)
            await engine.ready()
        except BaseException:
            if engine is None:
                self._threads.submit(jail.end)
            else:
                self._end(engine)
            raise
        return engine

    def _tell(self, jail: Jail) -> None:
        """Say once where the limits hold less than they say."""
        if isinstance(jail.jailed.cgroup, NoCgroup) and not self._told:
            self._told = True
            LOG.warning("no cgroup (%s): memory is limited for each process alone", jail.jailed.cgroup.reason)

    def _abandon(self, starting: asyncio.Future[Jail]) -> None:
        if not starting.cancelled() and starting.exception() is None:
            self._threads.submit(starting.result().end)

    def _back(self, session: Session, engine: Engine, view: View) -> None:
        """Keep an engine for the next question; have another started for one that is lost."""
        if engine.fit:
            waiting = sum(len(held) for one, held in self._idle.items() if one.reader.who == session.reader.who)
            if waiting < max(self._settings.share, _EACH):
                self._idle.setdefault(session, []).append((time.monotonic(), engine))
            else:
                self._end(engine)
            return
        self._end(engine)
        warming = asyncio.create_task(self._again(session.reader, view))
        self._warming.add(warming)
        warming.add_done_callback(self._warming.discard)

    async def _again(self, reader: Reader, view: View) -> None:
        with contextlib.suppress(DatalabError):  # the next question is told
            await self.warm(reader, view)

    def _idle_one(self, session: Session) -> Engine | None:
        """An engine that waits for a question; one that has died meanwhile is taken away."""
        engines = self._idle.get(session, [])
        while engines:
            _, engine = engines.pop()
            if engine.alive:
                return engine
            self._end(engine)
        return None

    def _end_others(self, session: Session) -> None:
        """End the reader's engines that hold something else than they are granted now."""
        self._end_where(lambda one, _: one.reader == session.reader and one != session)

    def _end_before(self, oldest: float) -> None:
        self._end_where(lambda _, since: since <= oldest)

    def _end_where(self, over: Callable[[Session, float], bool]) -> None:
        for session, engines in list(self._idle.items()):
            ended = [(since, engine) for since, engine in engines if over(session, since)]
            self._idle[session] = [held for held in engines if held not in ended]
            if not self._idle[session]:
                del self._idle[session]
            for _, engine in ended:
                self._end(engine)

    def _end(self, engine: Engine) -> None:
        engine.kill()
        with contextlib.suppress(RuntimeError):  # the gateway ends: `sweep` will take away what is left
            ending = asyncio.get_running_loop().run_in_executor(self._threads, engine.end)
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
