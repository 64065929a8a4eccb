"""Logins by an OpenID Connect provider: it says who somebody is and in which groups, and the register keeps both.

What comes is a claim of another system, so it is bounded: a name has to be one that a principal can have, belongs to
the first `sub` that came with it, and never opens a local account; groups are those of a list, where there is one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from typing import TYPE_CHECKING, Any

from oauthenticator.generic import GenericOAuthenticator  # type: ignore[import-untyped]
from pydantic import TypeAdapter, ValidationError
from tornado import web
from traitlets import Any as AnyTrait

from policies.errors import DocumentError, UsageError
from policies.people import NAMES, Account
from policies.settings import Name
from sandbox.hub.membership import Membership
from sandbox.hub.signed import claims_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.lab import Lab
    from sandbox.hub.settings import OidcSettings

_NAME = TypeAdapter(Name)
_MOST_GROUPS = 200


def oidc_config(settings: OidcSettings, public: str) -> dict[str, Any]:
    """The options of `OidcAuthenticator`. Raises DocumentError where the environment has no secret."""
    secret = os.environ.get(settings.secret_env, "")
    if not secret:
        raise DocumentError(f"[hub.oidc] the client's secret is missing: set ${settings.secret_env}")
    return {
        "claims": settings,
        "login_service": settings.title,
        "client_id": settings.client_id,
        "client_secret": secret,
        "oauth_callback_url": f"{public}hub/oauth_callback",
        "authorize_url": str(settings.authorize_url),
        "token_url": str(settings.token_url),
        "userdata_url": str(settings.userinfo_url),
        "scope": list(settings.scopes),
        "username_claim": settings.username_claim,
        "enable_pkce": True,
        **({} if settings.logout_url is None else {"logout_redirect_url": str(settings.logout_url)}),
    }


def name_of(claimed: object) -> str:
    """The user's name that a claim gives: an address keeps its domain, as `ana-at-inrae.fr`. Raises UsageError."""
    name = str(claimed).strip().lower().replace("@", "-at-") if isinstance(claimed, str) else ""
    try:
        return _NAME.validate_python(name)
    except ValidationError:
        raise UsageError(f"the provider's name {str(claimed)[:80]!r} cannot be a user's: {NAMES}") from None


def groups_from(claimed: object, taken: tuple[str, ...]) -> tuple[str, ...]:
    """The policy's groups that a claim gives; Keycloak writes `/inrae`. What is no group, or not taken, is left out."""
    told = claimed if isinstance(claimed, list) else []
    names = {one.strip().lower().rpartition("/")[2] for one in told[:_MOST_GROUPS] if isinstance(one, str)}
    return tuple(sorted(name for name in names if _is_name(name) and (not taken or name in taken)))


def keep(lab: Lab, name: str, subject: str, groups: tuple[str, ...]) -> None:
    """Write down who has come. Raises UsageError if the name is another's."""

    def put(accounts: dict[str, Account]) -> None:
        known = accounts.get(name)
        if known is not None and (known.login != "oidc" or known.subject != subject):
            raise UsageError(f"{name!r} is somebody else here: another account of the provider, or a local one")
        if known is None or known.groups != groups:
            since = dt.datetime.now(dt.UTC) if known is None else known.changed
            accounts[name] = Account(groups=groups, login="oidc", subject=subject, first=False, changed=since)

    lab.people.change(put)


class OidcAuthenticator(Membership, GenericOAuthenticator):  # type: ignore[misc]
    """A provider's users. `claims` is the section [hub.oidc]."""

    claims: Any = AnyTrait(config=True)

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """What the provider says of who has come. Raises web.HTTPError where that should be signed, and is not."""
        if self.claims.jwks_url is None:
            told: dict[str, Any] = await GenericOAuthenticator.token_to_user(self, token_info)
            return told
        headers = self.build_userdata_request_headers(token_info["access_token"], token_info["token_type"])
        answer = await self.httpfetch(self.userdata_url, "Fetching user info", parse_json=False, headers=headers)
        keys = await self.httpfetch(str(self.claims.jwks_url), "Fetching the provider's keys")
        try:
            return claims_of(answer.body.decode("ascii", errors="replace").strip(), keys, self.client_id)
        except UsageError as error:
            raise web.HTTPError(403, str(error)) from None

    def user_info_to_username(self, user_info: Mapping[str, Any]) -> str:
        """The name. Raises web.HTTPError for one that no user can have."""
        try:
            return name_of(user_info.get(self.claims.username_claim))
        except UsageError as error:
            raise web.HTTPError(403, str(error)) from None

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Keep who has come. Raises web.HTTPError where the name is another's."""
        told = auth_model["auth_state"][self.user_auth_state_key]
        subject = told.get("sub")
        if not isinstance(subject, str) or not subject:
            raise web.HTTPError(403, "the provider does not say whom it means: the claim 'sub' is missing")
        groups = groups_from(told.get(self.claims.groups_claim), self.claims.groups)
        try:
            await asyncio.to_thread(keep, self.lab, auth_model["name"], subject, groups)
        except UsageError as error:
            raise web.HTTPError(403, str(error)) from None
        return {**auth_model, "auth_state": None}

    async def authenticate(self, handler: Any, data: Any = None, **given: Any) -> dict[str, Any]:
        """Who signs in, with the groups that count here: the provider's, or those of datalab.toml."""
        come = await GenericOAuthenticator.authenticate(self, handler, data, **given)
        return await self.let_in(handler, come["name"])

    async def _apply_managed_groups(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Nothing to do: `let_in` does."""
        return auth_model


def _is_name(name: str) -> bool:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return False
    return True
