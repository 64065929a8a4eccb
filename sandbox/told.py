"""What the audit log is told of a sandbox: which editions it opens, or why it opens none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.lake import POINTER
from policies.audit.event import Event, Opened
from policies.audit.origin import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.lab import Granted
    from sandbox.data import Data


def opened(user: str, purpose: str | None, granted: Sequence[Granted], data: Data, origin: str | None = None) -> Event:
    """Every table that is handed in, in the version that is the newest there; `origin` None: who is at the terminal."""
    editions = tuple(
        Opened(dataset=one.dataset, edition=one.edition, resource=resource, version=served.version)
        for one in granted
        if f"/data/{one.dataset}/{one.edition}/{POINTER}" in data.files
        for resource, served in one.current.resources.items()
    )
    origin = terminal() if origin is None else origin
    return Event(what="open", door="sandbox", who=f"user:{user}", editions=editions, purpose=purpose, origin=origin)


def denied(user: str, purpose: str | None, why: str, origin: str | None = None) -> Event:
    """That nothing was granted to a user who asked for a sandbox."""
    origin = terminal() if origin is None else origin
    return Event(what="deny", door="sandbox", who=f"user:{user}", purpose=purpose, origin=origin, reason=why)


def closed(user: str, purpose: str | None, why: str) -> Event:
    """That a user's sandbox has ended."""
    return Event(what="close", door="sandbox", who=f"user:{user}", purpose=purpose, reason=why)
