"""An answer as a response that is made while it goes out: it waits for its reader, and ends with them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from sandbox.sql.asked import MEDIA_TYPES, ProblemError

if TYPE_CHECKING:
    from collections.abc import Coroutine

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
        try:
            if await _while_heard(receive, self._service.answer(self._reader, self._question, self._origin, out)):
                await out.end()
        except ProblemError as error:
            if not out.begun:
                raise
            # Left without an end, so that the reader sees that it is not whole
            LOG.warning("an answer was cut off: %s", " ".join(error.said.split()))
        except OSError:  # nobody listens
            return


class Paged(Response):
    """A page as JSON, which is made when it is asked for, and not when nobody listens any more."""

    def __init__(self, making: Coroutine[Any, Any, dict[str, Any]]) -> None:
        """`making` makes the page."""
        super().__init__()
        self._making = making

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make it and send it."""
        page: dict[str, Any] = {}

        async def make() -> None:
            page.update(await self._making)

        if await _while_heard(receive, make()):
            await JSONResponse(page, headers=CORS)(scope, receive, send)


async def _while_heard(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work, and give it up when the reader hangs up; whether it was done. Raises what it raises."""
    working, gone = asyncio.create_task(work), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


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
