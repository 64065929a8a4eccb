"""One question, from whose it is to the last piece of its answer: view → turn → engine → audit → pieces."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from policies.audit.event import Event, sha256_of
from policies.errors import DatalabError, QueryError
from sandbox.sql.asked import ProblemError
from sandbox.sql.engine import EngineLostError, UnknownTableError
from sandbox.sql.pool import BusyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from catalog.lab import Lab
    from policies.audit.event import Opened
    from sandbox.sql.access import Access, Reader
    from sandbox.sql.engine import Engine, Question
    from sandbox.sql.pool import Pool
    from sandbox.sql.settings import GatewaySettings

LOG = logging.getLogger("datalab.gateway")

_TRIES = 3
"""How often a question is asked anew because what it reads has changed meanwhile."""

_RETRY = {"Retry-After": "5"}


class Out(Protocol):
    """Where an answer goes."""

    async def begin(self, columns: list[list[str]]) -> None:
        """The answer comes, and has these columns, each with its type."""

    async def send(self, piece: bytes) -> None:
        """A piece of it; returns when the next can be taken."""


@dataclass
class _Told:
    """What the audit log is told of an answer."""

    let: bool = False
    editions: tuple[Opened, ...] = ()
    bytes: int = 0
    rows: int | None = None
    outcome: str = "cut off"


class Service:
    """Answers the questions of one lab's readers."""

    def __init__(self, lab: Lab, access: Access, pool: Pool, settings: GatewaySettings) -> None:
        """`access` and `pool` are of the same lab."""
        self._lab = lab
        self._access = access
        self._pool = pool
        self._settings = settings
        self._telling: set[asyncio.Task[None]] = set()

    async def answer(
        self, reader: Reader, question: Question, origin: str | None, out: Out, *, aside: bool = False
    ) -> None:
        """Hand the answer to `out`. A line of the audit log tells what is read before any of it goes out, another what
        did, soon after.

        Raises ProblemError when it cannot be asked, fails, takes too long or needs too much; when `out` had begun by
        then, what it was given is not whole. Cancelling it ends the engine. A question that is asked `aside` of another
        one, by the same reader and of the same table, has no lines of its own.
        """
        told = _Told()
        asked = Event(
            what="query",
            door="gateway",
            who=reader.who,
            purpose=reader.stated,
            origin=origin,
            sha256=sha256_of(question.sql),
        )
        try:
            async with self._asked(reader, question) as (engine, told.editions):
                opened = None if aside else asked.model_copy(update={"editions": told.editions})
                await self._stream(engine, opened, out, told)
        except (QueryError, EngineLostError, TimeoutError, BusyError, DatalabError) as error:
            told.outcome, problem = self._problem(error)
            raise problem from None
        finally:
            ended = {
                "what": "answer" if told.let else "deny",
                "editions": told.editions,
                "rows": told.rows,
                "bytes": told.bytes,
                "reason": "whole" if told.rows is not None else told.outcome,
            }
            # A stranger who is told to come back could fill the disk with it
            if not aside and (told.outcome, reader.who) != ("busy", "everyone"):
                await self._tell(asked.model_copy(update=ended), whole=told.rows is not None)

    async def close(self) -> None:
        """Wait until the log is told of every answer."""
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _stream(self, engine: Engine, opened: Event | None, out: Out, told: _Told) -> None:
        try:
            await out.begin(await self._run(engine, opened, told))
            async for piece in engine.pieces():
                if isinstance(piece, int):
                    told.rows = piece
                    return
                told.bytes += len(piece)
                if told.bytes > self._settings.output:
                    engine.fit = False
                    raise QueryError(f"the answer has more than {int(self._settings.output)} bytes: ask for less of it")
                await out.send(piece)
        except EngineLostError:
            if await asyncio.to_thread(lambda: engine.out_of_memory):
                allowed = self._settings.memory.human_readable()
                raise QueryError(f"it needs more than the {allowed} of memory that one query may use") from None
            raise

    async def _run(self, engine: Engine, opened: Event | None, told: _Told) -> list[list[str]]:
        """Let the engine begin while the log is told of it: none of its answer is taken before that line is on disk."""
        telling = asyncio.create_task(self._log(opened)) if opened is not None else None
        try:
            return await engine.go()
        finally:
            if telling is not None:
                await telling
            told.let = True

    @contextlib.asynccontextmanager
    async def _asked(self, reader: Reader, question: Question) -> AsyncIterator[tuple[Engine, tuple[Opened, ...]]]:
        """An engine that was asked and waits for `go`, and what the question reads, which is granted now."""
        fresh = False
        for _ in range(_TRIES):
            view = await asyncio.to_thread(self._access.view, reader, fresh=fresh)
            async with self._pool.engine(reader, view) as engine, asyncio.timeout(self._settings.seconds):
                try:
                    editions = await engine.ask(question, view)
                except UnknownTableError:  # it may have been granted or committed a moment ago
                    if await asyncio.to_thread(self._access.current, view):
                        raise
                else:
                    if await asyncio.to_thread(self._access.holds, view, {one.dataset for one in editions}):
                        yield engine, editions
                        return
                    await engine.decline()
            fresh = True
        raise BusyError

    async def _log(self, event: Event) -> None:
        await asyncio.to_thread(self._lab.audit.write, event)

    async def _tell(self, event: Event, *, whole: bool) -> None:
        """Tell the log what became of a question. The reader of a whole answer does not wait for it."""
        telling = asyncio.create_task(self._log(event))
        if whole:
            self._telling.add(telling)
            telling.add_done_callback(self._logged)
        else:
            await asyncio.shield(telling)

    def _logged(self, telling: asyncio.Task[None]) -> None:
        self._telling.discard(telling)
        if not telling.cancelled() and (error := telling.exception()) is not None:
            LOG.error("%s", " ".join(str(error).split()))

    def _problem(self, error: Exception) -> tuple[str, ProblemError]:
        """What the log and the reader are told."""
        if isinstance(error, QueryError):
            return "refused", ProblemError(400, str(error))
        if isinstance(error, TimeoutError):
            said = f"stopped after {self._settings.seconds:g} seconds: ask for less at once"
            return "deadline", ProblemError(504, said)
        if isinstance(error, BusyError):
            return "busy", ProblemError(429, "too many of your queries wait already", _RETRY)
        if isinstance(error, EngineLostError):
            return "engine lost", ProblemError(400, "the query ended its engine; ask for it in another way")
        LOG.error("%s", " ".join(str(error).split()))
        return "unavailable", ProblemError(503, "the lab cannot answer now; its log says why", _RETRY)
