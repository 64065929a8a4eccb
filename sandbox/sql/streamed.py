"""An answer as a response that is made while it goes out: it waits for its reader, and ends with them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from starlette.responses import Response

from sandbox.sql.asked import MEDIA_TYPES, ProblemError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from sandbox.sql.access import Reader
    from sandbox.sql.engine import Question
    from sandbox.sql.service import Service

LOG = logging.getLogger("datalab.gateway")

CORS = {"Access-Control-Allow-Origin": "*", "Vary": "Authorization"}
"""Any page may read what everyone is granted: who is asked for in a header, never in a cookie."""


class Streamed(Response):
    """A response that is made while it goes out, and ends with its reader."""

    def __init__(self, service: Service, reader: Reader, question: Question, origin: str | None) -> None:
        """It is asked when the response is called."""
        super().__init__()
        self._service = service
        self._reader = reader
        self._question = question
        self._origin = origin

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until all of it is sent or nobody listens any more."""
        out = _Sent(send, MEDIA_TYPES[self._question.form])
        answering = asyncio.create_task(self._service.answer(self._reader, self._question, self._origin, out))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)
                return
            try:
                answering.result()
            except ProblemError as error:
                if out.begun:  # left without an end, so that the reader sees that it is not whole
                    LOG.warning("an answer was cut off: %s", " ".join(error.said.split()))
                    return
                raise
            await out.end()
        except OSError:  # nobody listens
            return
        finally:
            for task in (answering, gone):
                task.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)


class _Sent:
    """An answer's way to the reader: waits until each piece is taken."""

    def __init__(self, send: Send, media_type: str) -> None:
        self.begun = False
        self._send = send
        self._media_type = media_type

    async def begin(self, _columns: list[list[str]]) -> None:
        headers = {"Content-Type": self._media_type, "Cache-Control": "no-store", **CORS}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})
        self.begun = True

    async def send(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    """Return when the reader has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
