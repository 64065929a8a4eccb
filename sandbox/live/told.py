"""What the audit log is told of editions that come into a sandbox while it runs, or go out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.audit.event import Event, Opened
from policies.audit.origin import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.lab import Granted
    from sandbox.live.changes import Shown


def appeared(user: str, purpose: str | None, come: Iterable[Granted], origin: str | None) -> Event:
    """Every table that came, in the version that is the newest there; `origin` None: who is at the terminal."""
    editions = tuple(
        Opened(dataset=one.dataset, edition=one.edition, resource=resource, version=served.version)
        for one in come
        for resource, served in one.current.resources.items()
    )
    return Event(
        what="open",
        door="sandbox",
        who=f"user:{user}",
        editions=editions,
        purpose=purpose,
        origin=terminal() if origin is None else origin,
        reason="granted while it ran",
    )


def vanished(user: str, purpose: str | None, gone: Iterable[Shown], why: str, origin: str | None) -> Event:
    """The editions that went."""
    return Event(
        what="deny",
        door="sandbox",
        who=f"user:{user}",
        editions=tuple(Opened(dataset=one.dataset, edition=one.edition) for one in gone),
        purpose=purpose,
        origin=terminal() if origin is None else origin,
        reason=why,
    )
