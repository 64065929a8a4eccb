"""An application, such as the portal, on a local port, until Ctrl-C."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import uvicorn

from catalog.settings import CatalogSettings
from catalog.web.app import create_app
from policies.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette

    from catalog.lab import Lab

HOST = "127.0.0.1"


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()


def serve(lab: Lab, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve the portal of `lab` until Ctrl-C, then return; `ready` is called with its URL once it answers.

    `port` None is the one of the section [catalog], 0 any free one. Only this machine can reach it: a reverse proxy
    shows it to others. Raises UsageError when the port is taken or not allowed, DocumentError when [catalog] is wrong.
    """
    serve_app(create_app(lab), lab.section("catalog", CatalogSettings).port if port is None else port, ready)


def serve_app(app: Starlette, port: int, ready: Callable[[str], None]) -> None:
    """Serve an application on a local port until Ctrl-C; the rest is as for `serve`."""
    with _bound(port) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}/"
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="on", server_header=False, timeout_graceful_shutdown=5
        )
        try:
            _Server(config, lambda: ready(url)).run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn has stopped in order, and raises it again for its caller
            return


def _bound(port: int) -> socket.socket:
    # Named as TCP, or asyncio does not know that small answers are to go out at once
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        what = f"port {port} is taken" if taken else f"port {port} cannot be used ({error})"
        message = f"{what}: `--port 0` takes a free one"
        raise UsageError(message) from None
    return listener
