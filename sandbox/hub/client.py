"""How portal and gateway ask the Hub whose a token is, and the portal for a token when somebody has signed in.

Answers are kept for a moment: what is revoked is refused after LAG seconds at most. Where the Hub does not answer,
nobody is anybody.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from policies.errors import RemoteError

if TYPE_CHECKING:
    from pathlib import Path

LAG = 5.0
"""Seconds for which an answer is kept."""

_MOST = 1000
_SECONDS = 10
_FORM = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True)
class Known:
    """A user of the Hub, by a token of theirs."""

    name: str
    scopes: frozenset[str]

    def may(self, service: str) -> bool:
        """Whether the token is good for a service: one that was scoped down may not be."""
        return not self.scopes.isdisjoint({"access:services", f"access:services!service={service}"})


class HubClient:
    """The Hub, on its socket. Safe between threads; its methods block."""

    def __init__(self, socket: Path) -> None:
        """Nothing is asked yet."""
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://hub/hub/api", timeout=_SECONDS
        )
        self._guard = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Known | None]] = OrderedDict()

    def whose(self, token: str) -> Known | None:
        """The user that a token is of; None for one that is none, or is a service's. Raises RemoteError."""
        if not _FORM.fullmatch(token):
            return None
        key = hashlib.sha256(token.encode()).hexdigest()  # tokens themselves are kept nowhere
        with self._guard:
            held = self._kept.get(key)
        if held is not None and time.monotonic() - held[0] < LAG:
            return held[1]
        answer = self._ask("GET", "/user", headers={"Authorization": f"token {token}"})
        known = _known(answer.json()) if answer.status_code == httpx.codes.OK else None
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise RemoteError(f"the Hub answered {answer.status_code} when asked whose a token is")
        with self._guard:
            self._kept.pop(key, None)
            self._kept[key] = (time.monotonic(), known)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return known

    def token_for(self, code: str, *, client: str, secret: str, redirect: str) -> str | None:
        """The token for the code that the Hub gave a browser; None if it is none. Raises RemoteError."""
        form = {
            "client_id": client,
            "client_secret": secret,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
        }
        answer = self._ask("POST", "/oauth2/token", data=form)
        if answer.status_code != httpx.codes.OK:
            return None
        token = answer.json().get("access_token")
        return token if isinstance(token, str) else None

    def renew_routes(self, token: str) -> bool:
        """Have the Hub tell a new proxy its routes; whether it did."""
        try:
            return self._ask("POST", "/proxy", headers={"Authorization": f"token {token}"}).is_success
        except RemoteError:
            return False

    def _ask(self, method: str, path: str, **told: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **told)
        except httpx.HTTPError as error:
            raise RemoteError(f"the Hub does not answer: {type(error).__name__}") from None


def _known(told: dict[str, Any]) -> Known | None:
    if told.get("kind") != "user" or not isinstance(told.get("name"), str):
        return None
    return Known(told["name"], frozenset(told.get("scopes", ())))
