"""The portal or the gateway on its unix socket, as a child of `datalab serve`.

python -m sandbox.hub.services portal
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from catalog.lab import Lab
from catalog.settings import CatalogSettings
from sandbox.hub import tokens
from sandbox.hub.client import HubClient
from sandbox.hub.front import API, Front
from sandbox.hub.places import places_of
from sandbox.hub.settings import HubSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from sandbox.hub.places import Places


_KEPT_OPEN = 3600
"""Seconds, as Tornado has: the proxy uses a connection again while it is open, and loses what comes as we close it."""


class Forwarded:
    """ASGI middleware: the reader's address, as the proxy in front says it, since a unix socket has none.

    The last address that is not of this machine counts: those before it were written by whoever asked.
    """

    def __init__(self, app: ASGIApp) -> None:
        """`app` is what answers."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on."""
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            said = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
            hops = [hop.strip().removeprefix("::ffff:") for hop in said if hop.strip()]
            far = [hop for hop in hops if not hop.startswith("127.") and hop != "::1"]
            if hops:
                scope = {**scope, "client": ((far or hops)[-1], 0)}
            proto = headers.get(b"x-forwarded-proto", b"http").decode("latin-1").partition(",")[0].strip()
            scope = {**scope, "scheme": proto if proto in {"http", "https"} else "http"}
        await self.app(scope, receive, send)


def main(name: str) -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    lab = Lab.open(Path(os.environ["DATALAB_LAB"]))
    places = places_of(lab)
    app, path = (_portal(lab, places), places.portal) if name == "portal" else (_gateway(lab, places), places.gateway)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        config = uvicorn.Config(
            Forwarded(app),
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            timeout_keep_alive=_KEPT_OPEN,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _portal(lab: Lab, places: Places) -> ASGIApp:
    from sandbox.hub.signin import create_app  # noqa: PLC0415  each process loads what it serves

    settings = lab.section("hub", HubSettings)
    front = Front.of(int(os.environ["DATALAB_HUB_PORT"]), settings, lab.section("catalog", CatalogSettings))
    return create_app(lab, HubClient(places.hub), tokens.read(places).portal, front)


def _gateway(lab: Lab, places: Places) -> ASGIApp:
    from sandbox.sql.app import create_app  # noqa: PLC0415  each process loads what it serves

    gateway = create_app(lab, HubClient(places.hub))
    return Starlette(routes=[Mount(API, gateway)], lifespan=gateway.router.lifespan_context)


if __name__ == "__main__":
    main(sys.argv[1])
