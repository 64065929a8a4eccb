"""What a user may choose when a sandbox starts, and what was chosen, checked.

Nothing of it gives anybody more than they were granted: a purpose is stated, a project is a folder that a group shares,
a size is one of the lab's.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.decide import misses
from policies.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.lab import Lab
    from sandbox.hub.settings import HubSettings


NAMES = ("project", "purpose", "size")
"""What can be chosen."""


@dataclass(frozen=True)
class Offer:
    """What there is to choose for one user; the first of each is chosen unless another is."""

    projects: tuple[str | None, ...]
    purposes: tuple[str | None, ...]
    sizes: tuple[str | None, ...]


@dataclass(frozen=True)
class Choice:
    """What was chosen; None: no project, no purpose, the size of [sandbox]."""

    project: str | None = None
    purpose: str | None = None
    size: str | None = None


def offer(lab: Lab, settings: HubSettings, user: str) -> Offer:
    """The groups of the user, the purposes of the grants that hold for them today, and the lab's sizes.

    Raises UsageError if there is no such user.
    """
    principals = lab.people.of_user(user)
    groups = sorted(one.removeprefix("group:") for one in principals if one.startswith("group:"))
    today = dt.datetime.now(dt.UTC).date()
    purposes: set[str] = set()
    for slug in lab.slugs:
        try:
            policy = lab.policy(slug)
        except DocumentError:  # told of by `datalab check`
            continue
        for grant in () if policy is None else policy.grants:
            named = () if grant.purposes == "any" else grant.purposes
            purposes.update(one for one in named if not misses(grant, principals=principals, purpose=one, on=today))
    return Offer((None, *groups), (None, *sorted(purposes)), tuple(settings.sizes) or (None,))


def chosen(offer: Offer, told: Mapping[str, object]) -> Choice:
    """The choice that was sent, by a form or by a program: raises UsageError naming what is not on offer.

    Values are texts, or lists of one text; what is empty was not chosen.
    """
    unknown = sorted(str(name) for name in told.keys() - set(NAMES))
    if unknown:
        raise UsageError(f"unknown option {unknown[0][:50]!r}; known: {', '.join(NAMES)}")
    return Choice(
        project=_one(told, "project", offer.projects),
        purpose=_one(told, "purpose", offer.purposes),
        size=_one(told, "size", offer.sizes),
    )


def _one(told: Mapping[str, object], name: str, known: tuple[str | None, ...]) -> str | None:
    value = told.get(name)
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if value in (None, ""):
        return known[0]
    if not isinstance(value, str) or value not in known:
        on_offer = ", ".join(one for one in known if one is not None) or "none"
        raise UsageError(f"{name}: {str(value)[:50]!r} is not on offer to you; there is: {on_offer}")
    return value
