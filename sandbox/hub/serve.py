"""`datalab serve`: the whole lab behind one port of this machine.

    proxy 127.0.0.1:PORT → portal.sock | gateway.sock | hub.sock | s/…/lab.sock

All sockets lie in one private folder; only the proxy has a port, because browsers have no other way in.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.settings import CatalogSettings
from policies.errors import SandboxError, UsageError
from sandbox.hub import proxy, tokens
from sandbox.hub.client import HubClient
from sandbox.hub.oidc import oidc_config
from sandbox.hub.places import places_of
from sandbox.hub.settings import HubSettings
from sandbox.hub.watch import Child, Watch
from sandbox.process import unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab
    from sandbox.hub.places import Places
    from sandbox.hub.tokens import ServiceTokens

HOST = "127.0.0.1"
_CONFIG = Path(__file__).parent / "hubconfig.py"


def serve(lab: Lab, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve the lab until Ctrl-C or SIGTERM; `ready` is called with its URL once all of it answers.

    `port` None is that of [hub], else that of [catalog]; 0 any free one. Raises SandboxError where the proxy, Node or
    bubblewrap is missing or the lab is served already, UsageError where the port is taken.
    """
    settings = lab.section("hub", HubSettings)
    reason = unusable()
    if reason is not None:
        raise SandboxError(reason)
    places = places_of(lab)
    if port is None:
        port = settings.port if settings.port is not None else lab.section("catalog", CatalogSettings).port
    with (places.kept / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SandboxError(f"{lab.root}: is served already, by another `datalab serve`") from None
        port = _free(port)
        if settings.oidc is not None:
            oidc_config(settings.oidc, "")  # what is missing for it is told now, and not in the Hub's log
        secrets = tokens.made(places)
        children = children_of(lab, settings, places, secrets, port)
        hub = HubClient(places.hub)

        def settled() -> bool:
            """Whether all answer, and the proxy, which forgets them when it dies, has its routes."""
            sockets = (places.proxy, places.hub, places.portal, places.gateway)
            return all(_connects(path) for path in sockets) and hub.renew_routes(secrets.lookout)

        url = f"http://{HOST}:{port}/"
        Watch(children, places.logs).run(settled, lambda: ready(url))


def children_of(
    lab: Lab, settings: HubSettings, places: Places, secrets: ServiceTokens, port: int
) -> tuple[Child, ...]:
    """The six processes. Pure but for looking where the proxy is installed."""
    env = {**os.environ, "DATALAB_LAB": str(lab.root), "DATALAB_HUB_PORT": str(port)}
    proxy_env = {"PATH": os.environ.get("PATH", ""), "CONFIGPROXY_AUTH_TOKEN": secrets.proxy}
    service = (sys.executable, "-m", "sandbox.hub.services")
    hosts = settings.domain is not None
    return (
        Child("proxy", proxy.command(places, port, hosts=hosts), proxy_env, stale=places.proxy),
        Child("hub", (sys.executable, "-m", "sandbox.hub.app", "-f", str(_CONFIG)), env, stale=places.hub),
        Child("portal", (*service, "portal"), env, stale=places.portal),
        Child("gateway", (*service, "gateway"), env, stale=places.gateway),
        Child("grants", (sys.executable, "-m", "sandbox.hub.grants"), env),
        Child("outboxes", (sys.executable, "-m", "sandbox.hub.outboxes"), env),
    )


def _free(port: int) -> int:
    """The port if nobody has it, or any free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            what = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
            raise UsageError(f"port {port} {what}: `--port 0` takes a free one") from None
        found: int = probe.getsockname()[1]
        return found


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
