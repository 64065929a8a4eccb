"""One jailed engine, from the outside: ask it, take its answer piece by piece, end it.

The channel is a pair of unix sockets, of which the jail was handed one end. Whatever comes through it is bounded, and
its words are checked: an engine may have been turned against us.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policies.audit.event import Opened
from policies.errors import QueryError, SandboxError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from catalog.answers import Form
    from sandbox.sql.access import View
    from sandbox.sql.jail import Jail

_HEAD = struct.Struct("!cI")
_LONGEST = 16 * 1024**2
_SAID = 4000
_START_SECONDS = 60
_INSIDE = re.compile(r"/(?:data|home/lab|opt|proc)\b[^\s\"'),;]*")


class EngineLostError(Exception):
    """The engine is gone, or says what it cannot mean: it is to be ended."""


class UnknownTableError(QueryError):
    """The query names a table that the engine has not."""


@dataclass(frozen=True)
class Question:
    """One statement, its parameters (a list or a dict of JSON values) and the form of the answer."""

    sql: str
    params: list[Any] | dict[str, Any] | None
    form: Form


class Engine:
    """An engine that answers one question at a time."""

    def __init__(self, jail: Jail, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """`jail` has been started, and the streams are on its channel."""
        self._jail = jail
        self._reader = reader
        self._writer = writer
        self.fit = False
        """Whether the next question can be asked."""

    async def ready(self) -> None:
        """Wait until it has opened its tables. Raises SandboxError if it does not."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                kind, _ = await self._frame()
        except (EngineLostError, TimeoutError):
            raise SandboxError(f"the engine did not start: {await asyncio.to_thread(self._jail.said)}") from None
        self.fit = kind == b"R"

    async def ask(self, question: Question, granted: View) -> tuple[Opened, ...]:
        """Put a question; returns the tables that it reads, in the versions that stand in the jail.

        Raises QueryError if it cannot be asked. Then comes `go`, or `decline`.
        """
        self.fit = False
        asked = {"sql": question.sql, "params": question.params, "form": question.form}
        await self._send(b"Q", json.dumps(asked).encode())
        kind, content = await self._frame()
        if kind == b"E":
            self.fit = True
            raise _refusal(content)
        if kind != b"T":
            raise EngineLostError
        found = tuple(_opened(one) for one in _told(content)["tables"])
        if any(granted.of(one.dataset, one.edition) is None for one in found):
            raise EngineLostError
        return found

    async def decline(self) -> None:
        """Do not run what was asked."""
        await self._send(b"N", b"")
        self.fit = True

    async def go(self) -> list[list[str]]:
        """Run what was asked; returns the answer's columns and their types once its first piece is made.

        Raises QueryError if it fails before; EngineLostError when it was killed for its memory, say.
        """
        await self._send(b"G", b"")
        kind, content = await self._frame()
        if kind == b"E":
            self.fit = True
            raise _refusal(content)
        if kind != b"H":
            raise EngineLostError
        columns: list[list[str]] = _told(content)["columns"]
        return columns

    async def pieces(self) -> AsyncIterator[bytes | int]:
        """The answer, piece by piece, and last the number of its rows. Raises QueryError, EngineLostError."""
        while True:
            kind, content = await self._frame()
            if kind == b"D":
                yield content
            elif kind == b"Z":
                self.fit = True
                yield int(_told(content)["rows"])
                return
            elif kind == b"E":
                self.fit = True
                raise _refusal(content)
            else:
                raise EngineLostError

    @property
    def alive(self) -> bool:
        """Whether its process was there when we last heard."""
        return not self._reader.at_eof()

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel has killed it for using more memory than allowed."""
        return self._jail.jailed.out_of_memory

    def kill(self) -> None:
        """Kill it, and do not wait: `end` has still to be called."""
        self.fit = False
        self._writer.close()
        self._jail.jailed.kill()

    def end(self) -> None:
        """Take away what it left; blocks until it is gone."""
        self._jail.end()

    async def _send(self, kind: bytes, content: bytes) -> None:
        try:
            self._writer.write(_HEAD.pack(kind, len(content)) + content)
            await self._writer.drain()
        except OSError:
            raise EngineLostError from None

    async def _frame(self) -> tuple[bytes, bytes]:
        try:
            kind, size = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            if size > _LONGEST:
                raise EngineLostError
            return kind, await self._reader.readexactly(size)
        except (OSError, asyncio.IncompleteReadError):
            raise EngineLostError from None


def _refusal(content: bytes) -> QueryError:
    """What the engine said, without where its files lie: a path means nothing outside."""
    told = _told(content)
    said = _INSIDE.sub("…", str(told.get("error")))[:_SAID]
    return UnknownTableError(said) if told.get("kind") == "unknown" else QueryError(said)


def _told(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        raise EngineLostError from None
    if not isinstance(told, dict):
        raise EngineLostError
    return told


def _opened(told: list[Any]) -> Opened:
    dataset, edition, resource, version = told
    return Opened(dataset=str(dataset), edition=str(edition), resource=str(resource), version=int(version))
