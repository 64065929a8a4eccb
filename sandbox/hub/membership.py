"""What both ways to sign in have in common: who exists is asked of the lab, each time, and not of the Hub's memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jupyterhub.auth import Authenticator  # type: ignore[import-untyped]
from traitlets import Any as AnyTrait

from policies.audit.event import Event
from policies.errors import DatalabError, UsageError

if TYPE_CHECKING:
    from catalog.lab import Lab


def groups_of(lab: Lab, name: str) -> list[str]:
    """The policy's groups of a user, as the Hub takes them. Raises UsageError if the lab has no such user."""
    return sorted(one.removeprefix("group:") for one in lab.people.of_user(name) if one.startswith("group:"))


class Membership(Authenticator):  # type: ignore[misc]
    """Users of the lab, with their groups of now. `lab` is given by the configuration."""

    lab: Any = AnyTrait(config=True)

    def __init__(self, **given: Any) -> None:
        """As the Hub makes one."""
        super().__init__(**given)
        self._changed: dict[str, object] = {}

    def normalize_username(self, username: str) -> str:
        """The name as it came: another case is another name, which nobody has."""
        return username

    def validate_username(self, username: str) -> bool:
        """Whether the lab has this user."""
        try:
            self.lab.people.of_user(username)
        except DatalabError:
            return False
        return True

    async def tell(self, who: str, handler: Any, reason: str) -> None:
        """Write a line into the audit log; a name that is none of the lab's is a stranger's text, and not for it."""
        event = Event(what="login", door="portal", who=who, origin=handler.request.remote_ip or None, reason=reason)
        await asyncio.to_thread(self.lab.audit.write, event)

    async def let_in(self, handler: Any, name: str) -> dict[str, Any]:
        """The Hub's word for a user who has proven who they are."""
        await self.tell(f"user:{name}", handler, "signed in")
        self._changed[name] = self._stamp(name)
        return {"name": name, "groups": groups_of(self.lab, name)}

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> dict[str, Any] | bool:  # noqa: ARG002
        """The groups of now; False once the user is gone, or their password is another: they sign in again."""
        try:
            groups = groups_of(self.lab, user.name)
        except UsageError:
            return False
        now = self._stamp(user.name)
        if self._changed.setdefault(user.name, now) != now:
            return False
        return {"name": user.name, "groups": groups}

    def _stamp(self, name: str) -> object:
        account = self.lab.people.accounts().get(name)
        return None if account is None else account.changed
