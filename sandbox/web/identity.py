"""Who looks at a page, as the front door says it, and how they prove that they decide themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request


@dataclass(frozen=True, kw_only=True)
class User:
    """`csrf` is bound to the login, and told to no other site; `places` are as in catalog.web.visitor."""

    name: str
    principals: frozenset[str]
    csrf: str = field(repr=False)
    places: dict[str, str] = field(default_factory=dict, hash=False)


Identity = Callable[[Request], Awaitable[User | None]]
"""Who a request is from; None where nobody is signed in. It asks whoever knows, and believes no header."""

Proof = Callable[[str, str], bool]
"""Whether this is the user's password. It is asked for where a sandbox's pages are the same site as these: a script of
theirs could fill in a form that a login alone makes count."""
