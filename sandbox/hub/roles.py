"""What the Hub lets each of the lab's users do, by the groups they are in: as little as their work needs.

    everyone who signs in   the portal, with what they are granted
    partner, researcher     a sandbox of their own, tokens for programs, the gateway
    steward                 tokens, the gateway
    admin                   see who is there, and stop a sandbox; not enter one, nor act as somebody else

What somebody may open is never decided here: that is the policy's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.hub.settings import RoleSettings

PORTAL, GATEWAY, LOOKOUT = "portal", "gateway", "lookout"
"""The Hub's services; the last is `datalab serve` itself, which has the proxy's routes renewed."""

_USER = ("read:users!user", f"access:services!service={PORTAL}")
_PROGRAMS = ("tokens!user", f"access:services!service={GATEWAY}")
_SANDBOX = ("servers!user", "access:servers!user", "users:activity!user")
_ADMIN = ("admin-ui", "list:users", "list:groups", "read:users:activity", "read:servers", "delete:servers", "read:hub")


def roles(settings: RoleSettings) -> list[dict[str, Any]]:
    """The roles as `JupyterHub.load_roles` takes them."""
    return [
        {"name": "user", "scopes": list(_USER)},
        {"name": "partner", "scopes": [*_SANDBOX, *_PROGRAMS], "groups": list(settings.partner)},
        {"name": "researcher", "scopes": [*_SANDBOX, *_PROGRAMS], "groups": list(settings.researcher)},
        {"name": "steward", "scopes": list(_PROGRAMS), "groups": list(settings.steward)},
        {"name": "administrator", "scopes": list(_ADMIN), "groups": list(settings.admin)},
        {"name": LOOKOUT, "scopes": ["proxy"], "services": [LOOKOUT]},
    ]
