"""How the Hub asks for local accounts: a name and a password, and at the first time another password first.

A session begins only once the password is its user's own. The Hub's session id is made anew when somebody signs in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jupyterhub.handlers.login import LoginHandler  # type: ignore[import-untyped]
from tornado import web

from policies.errors import UsageError
from sandbox.hub import accounts
from sandbox.hub.membership import Membership
from sandbox.hub.throttle import Throttle

if TYPE_CHECKING:
    from catalog.lab import Lab
    from policies.people import Account

_REFUSED = "Nom ou mot de passe incorrect — wrong name or password"
_WAIT = "Trop d’échecs, attendez {seconds} s — too many failures, wait {seconds} s"


class LocalAuthenticator(Membership):
    """The accounts of `datalab user`."""

    def __init__(self, **given: Any) -> None:
        """As the Hub makes one."""
        super().__init__(**given)
        self.throttle = Throttle()

    async def opened(self, handler: Any, data: dict[str, str]) -> Account | None:
        """The account that name and password open; None if they do not. Raises web.HTTPError while one has to wait."""
        name, origin = data.get("username", ""), handler.request.remote_ip or ""
        whos = (f"name:{name[:64]}", f"address:{origin}")
        pause = self.throttle.wait(*whos)
        if pause > 0:
            raise web.HTTPError(429, _WAIT.format(seconds=int(pause) + 1))
        self.throttle.failed(*whos)  # before the work, so that many at once do not get through
        account = await asyncio.to_thread(accounts.verified, self.lab, name, data.get("password", ""))
        if account is None or not self.validate_username(name):
            who = f"user:{name}" if self.validate_username(name) else "everyone"
            await self.tell(who, handler, "refused: wrong name or password")
            return None
        self.throttle.succeeded(*whos)
        return account

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """Who signs in; None for a wrong password, and for one that is to be changed first."""
        account = await self.opened(handler, data)
        if account is None or account.first:
            return None
        return await self.let_in(handler, data["username"])

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:  # noqa: ARG002  as the Hub calls it
        """The two pages."""
        return [("/login", LocalLoginHandler), ("/password", PasswordHandler)]


class FreshSession(LoginHandler):  # type: ignore[misc]
    """A login after which no session id is one that was there before it."""

    def set_login_cookie(self, user: Any) -> None:
        """As the Hub does, with a new session id."""
        if self.request.method == "POST":
            self.set_session_cookie()
        super().set_login_cookie(user)


class LocalLoginHandler(FreshSession):
    """The login page."""

    async def post(self) -> None:
        """Sign in, or ask for another password where the first one was given."""
        data = {name: self.get_body_argument(name, "", strip=False) for name in ("username", "password")}
        authenticator: LocalAuthenticator = self.authenticator
        account = await authenticator.opened(self, data)
        if account is None:
            self.set_status(403)
            self.finish(await self._render(login_error=_REFUSED, username=data["username"][:64]))
        elif account.first:
            self.finish(await self.render_password(data["username"]))
        else:
            user = await self.auth_to_user(await authenticator.let_in(self, data["username"]))
            self.set_login_cookie(user)
            self.redirect(self.get_next_url(user))

    async def render_password(self, username: str, error: str | None = None) -> str:
        """The page where a password is changed."""
        html: str = await self.render_template(
            "password.html",
            username=username,
            error=error,
            shortest=accounts.SHORTEST,
            next=self.get_argument("next", ""),
        )
        return html


class PasswordHandler(LocalLoginHandler):
    """The page where a password is changed: the first one must be, any other may be."""

    async def get(self) -> None:
        """Ask for both."""
        user = self.current_user
        self.finish(await self.render_password("" if user is None else user.name))

    async def post(self) -> None:
        """Change it, and sign in."""
        names = ("username", "password", "new", "again")
        data = {name: self.get_body_argument(name, "", strip=False) for name in names}
        authenticator: LocalAuthenticator = self.authenticator
        lab, name = authenticator.lab, data["username"]
        if await authenticator.opened(self, data) is None:
            wrong: str | None = _REFUSED
        elif data["new"] != data["again"]:
            wrong = "Les deux nouveaux mots de passe diffèrent — the two new passwords differ"
        elif data["new"] == data["password"]:
            wrong = "Choisissez-en un autre — choose another one"
        else:
            wrong = await asyncio.to_thread(_chosen, lab, name, data["new"])
        if wrong is not None:
            self.set_status(403)
            self.finish(await self.render_password(name[:64], wrong))
            return
        user = await self.auth_to_user(await authenticator.let_in(self, name))
        self.set_login_cookie(user)
        self.redirect(self.get_next_url(user))


def _chosen(lab: Lab, name: str, password: str) -> str | None:
    try:
        accounts.choose(lab, name, password)
    except UsageError as error:
        return str(error)
    return None
