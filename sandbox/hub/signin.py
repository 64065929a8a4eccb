"""The portal with a login: at /me each user of the Hub sees what they are granted, everywhere else it is everyone's.

    /me/…               what is granted for no purpose in particular
    /me/for/PURPOSE/…   what is granted for that purpose: to go there is to state it, and the audit log has it
    /me/callback        where the Hub sends a browser back to (OAuth 2.0, RFC 6749 4.1), with a code

The cookie is a token of the Hub that opens the portal alone. Without a domain it is sent to /me and nowhere else, so
never to somebody's sandbox, which is the same site then; with one, it is a __Host- cookie.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from catalog.web.app import create_app as create_portal
from catalog.web.headers import SecurityHeaders
from catalog.web.visitor import Visitor
from policies.errors import RemoteError, UsageError
from sandbox.hub import accounts, choices
from sandbox.hub.front import SIGNED_IN
from sandbox.hub.roles import PORTAL
from sandbox.hub.settings import HubSettings
from sandbox.hub.throttle import Throttle
from sandbox.web.app import AT as AIRLOCK
from sandbox.web.app import create_app as create_airlock
from sandbox.web.identity import User

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from catalog.lab import Lab
    from sandbox.hub.client import HubClient
    from sandbox.hub.front import Front

_PORTALS = 32
"""So many visitors' portals are kept ready."""

_STATE_SECONDS = 600
_LONGEST = 2000
_PLACES = {
    "my_sandbox": "/hub/spawn",
    "my_releases": f"{SIGNED_IN}{AIRLOCK}/",
    "my_tokens": "/hub/token",
    "my_password": "/hub/password",
    "sign_out": "/hub/logout",
}


def create_app(lab: Lab, hub: HubClient, secret: str, front: Front) -> Starlette:
    """The portal; `secret` is its own before the Hub. Raises DocumentError if a section of datalab.toml is wrong."""
    signed_in = _SignedIn(lab, hub, secret, front)
    return Starlette(
        routes=[
            Route(f"{SIGNED_IN}/callback", signed_in.callback),
            Route(SIGNED_IN, lambda _: RedirectResponse(f"{SIGNED_IN}/", 307)),
            Mount(SIGNED_IN, signed_in),
            Mount("/", create_portal(lab, Visitor(sign_in=f"{SIGNED_IN}/"))),
        ],
        middleware=[Middleware(SecurityHeaders)],
    )


class _SignedIn:
    """What lies below /me."""

    def __init__(self, lab: Lab, hub: HubClient, secret: str, front: Front) -> None:
        self.lab = lab
        self.hub = hub
        self.secret = secret
        self.front = front
        self.settings = lab.section("hub", HubSettings)
        self.portals: OrderedDict[Visitor, ASGIApp] = OrderedDict()
        self.cookie = "datalab-portal" if front.domain is None else "__Host-datalab-portal"
        self.cookies_at = SIGNED_IN if front.domain is None else "/"
        known = {word: path for word, path in _PLACES.items() if self.settings.oidc is None or word != "my_password"}
        self.places = {word: f"{front.host}{path}" for word, path in known.items()}
        self.throttle = Throttle()
        self.airlock = create_airlock(
            lab,
            self.who,
            stewards=frozenset(f"group:{one}" for one in self.settings.roles.steward),
            # Without a domain of their own, sandboxes are the same site: a script of theirs could fill in a form
            proof=self.proves if front.domain is None else None,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show a visitor their own portal, or ask who they are."""
        request = Request(scope, receive)
        try:
            known = await run_sync(self.hub.whose, request.cookies.get(self.cookie, ""))
        except RemoteError:
            answer: Response = PlainTextResponse("Réessayez dans un moment — try again in a moment", 503)
            await answer(scope, receive, send)
            return
        if known is None or not known.may(PORTAL):
            await self._ask_who(request)(scope, receive, send)
            return
        rest = scope["path"].removeprefix(SIGNED_IN)
        if rest.startswith(f"{AIRLOCK}/"):
            await self.airlock({**scope, "root_path": SIGNED_IN}, receive, send)
            return
        purpose, below = _purpose(rest)
        try:
            visitor = await run_sync(self._visitor, known.name, purpose)
        except UsageError:
            answer = PlainTextResponse("Ce compte n’existe plus — this account is gone", 403)
            await answer(scope, receive, send)
            return
        inner = {**scope, "root_path": f"{SIGNED_IN}{below}"}
        await self._portal(visitor)(inner, receive, _private(send))

    async def who(self, request: Request) -> User | None:
        """Who asks, for the airlock's pages."""
        token = request.cookies.get(self.cookie, "")
        known = await run_sync(self.hub.whose, token)
        if known is None or not known.may(PORTAL):
            return None
        try:
            principals = await run_sync(self.lab.people.of_user, known.name)
        except UsageError:
            return None
        csrf = hmac.new(self.secret.encode(), f"airlock {token}".encode(), "sha256").hexdigest()
        return User(name=known.name, principals=principals, csrf=csrf, places=self.places)

    def proves(self, name: str, password: str) -> bool:
        """Whether this is the user's password; who fails again and again has to wait."""
        if self.throttle.wait(name) > 0:
            return False
        good = accounts.verified(self.lab, name, password) is not None
        (self.throttle.succeeded if good else self.throttle.failed)(name)
        return good

    async def callback(self, request: Request) -> Response:
        """Take the code that the Hub gave, if this browser asked for it, and go where it wanted to go."""
        told, _, where = request.cookies.get(self._state_cookie, "").partition(".")
        given = request.query_params.get("state", "")
        code = request.query_params.get("code", "")
        if not told or not secrets.compare_digest(told.encode(), given.encode()) or not 0 < len(code) <= _LONGEST:
            answer: Response = PlainTextResponse("Connexion non demandée ici — not a login that began here", 403)
            return self._forget_state(answer)
        try:
            token = await run_sync(self._token_for, code)
        except RemoteError:
            return PlainTextResponse("Réessayez dans un moment — try again in a moment", 503)
        if token is None:
            return self._forget_state(PlainTextResponse("Connexion refusée — the login was refused", 403))
        answer = RedirectResponse(_where(where), 303, headers={"Cache-Control": "no-store"})
        self._keep(request, answer, self.cookie, token, int(self.settings.session * 86400), self.cookies_at)
        return self._forget_state(answer)

    def _token_for(self, code: str) -> str | None:
        return self.hub.token_for(code, client=f"service-{PORTAL}", secret=self.secret, redirect=self._redirect)

    @property
    def _redirect(self) -> str:
        return f"{self.front.host}{SIGNED_IN}/callback"

    @property
    def _state_cookie(self) -> str:
        return f"{self.cookie}-state"

    def _ask_who(self, request: Request) -> Response:
        """Send a browser to the Hub, with a state that comes back with it; a program is told 401."""
        accepted = request.headers.get("accept", "*/*")
        if request.method != "GET" or not ("text/html" in accepted or "*/*" in accepted):
            return PlainTextResponse("Connectez-vous — sign in", 401, headers={"Cache-Control": "no-store"})
        state = secrets.token_urlsafe(24)
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = {
            "client_id": f"service-{PORTAL}",
            "redirect_uri": self._redirect,
            "response_type": "code",
            "state": state,
        }
        answer = RedirectResponse(
            f"{self.front.host}/hub/api/oauth2/authorize?{urlencode(asked)}", 303, headers={"Cache-Control": "no-store"}
        )
        kept = base64.urlsafe_b64encode(here.encode()).decode() if len(here) <= _LONGEST else ""
        self._keep(request, answer, self._state_cookie, f"{state}.{kept}", _STATE_SECONDS, self.cookies_at)
        return answer

    def _keep(self, request: Request, answer: Response, name: str, value: str, seconds: int, path: str) -> None:
        secure = self.front.secure or request.url.scheme == "https"
        answer.set_cookie(name, value, max_age=seconds, path=path, httponly=True, samesite="lax", secure=secure)

    def _forget_state(self, answer: Response) -> Response:
        answer.delete_cookie(self._state_cookie, path=self.cookies_at)
        return answer

    def _visitor(self, name: str, purpose: str | None) -> Visitor:
        offer = choices.offer(self.lab, self.settings, name)
        purposes = tuple(one for one in offer.purposes if one is not None)
        return Visitor(
            name=name,
            principals=self.lab.people.of_user(name),
            purpose=purpose,
            purposes=purposes,
            home=SIGNED_IN,
            places=self.places,
        )

    def _portal(self, visitor: Visitor) -> ASGIApp:
        made = self.portals.pop(visitor, None) or create_portal(self.lab, visitor)
        self.portals[visitor] = made
        while len(self.portals) > _PORTALS:
            self.portals.popitem(last=False)
        return made


def _purpose(path: str) -> tuple[str | None, str]:
    """The purpose that an address below /me states, and the part of it that does."""
    parts = path.split("/", 3)
    if len(parts) == 4 and parts[1] == "for" and parts[2].replace("-", "").isalnum() and parts[2].isascii():  # noqa: PLR2004
        return parts[2], f"/for/{parts[2]}"
    return None, ""


def _where(kept: str) -> str:
    """Where the browser wanted to go: below /me, whatever the cookie says."""
    try:
        where = base64.urlsafe_b64decode(kept.encode()).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        where = ""
    plain = where.isprintable() and "\\" not in where and "//" not in where.partition("?")[0]
    return where if plain and where.startswith(f"{SIGNED_IN}/") else f"{SIGNED_IN}/"


def _private(send: Send) -> Send:
    """Answers that are one visitor's are kept by no cache between."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Cache-Control"] = "private, no-cache"
        await send(message)

    return sending
