"""The section `[hub]` of datalab.toml: the front door, who may do what there, and the sizes of sandboxes.

[hub]
domain = "datalab.region.fr"    # each user's sandbox gets a host below it; docs/hub.md says what is lost without
sandboxes = 30
ask = "la cellule données, donnees@region.fr"

[hub.sizes]
petit = {memory = "1GiB", cpus = 1}
grand = {memory = "8GiB", cpus = 4}
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ByteSize, Field, HttpUrl, StringConstraints

from policies.document import Model
from policies.settings import Name

_MIB = 1024**2
_TIB = 1024**4


class Size(Model):
    """What one sandbox of this size may use, instead of what [sandbox] says."""

    memory: Annotated[ByteSize, Field(ge=256 * _MIB, le=_TIB)]
    cpus: float = Field(ge=0.1, le=1024)
    pids: int = Field(512, ge=32, le=32768)


class RoleSettings(Model):
    """Whose groups give which of the Hub's roles; who is in none of them may sign in, and no more."""

    admin: tuple[Name, ...] = ("admins",)
    steward: tuple[Name, ...] = ("stewards",)
    partner: tuple[Name, ...] = ("partners",)
    researcher: tuple[Name, ...] = ("researchers",)


class OidcSettings(Model):
    """An OpenID Connect provider that says who somebody is; the client's secret stands in the environment."""

    title: str = "OpenID Connect"
    authorize_url: HttpUrl
    token_url: HttpUrl
    userinfo_url: HttpUrl
    jwks_url: HttpUrl | None = None
    """Where the provider's keys are, if what `userinfo_url` answers is a signed JWT."""
    logout_url: HttpUrl | None = None
    client_id: Annotated[str, StringConstraints(min_length=1)]
    secret_env: str = "DATALAB_OIDC_SECRET"  # noqa: S105  the name of a variable, not a secret
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    username_claim: Annotated[str, StringConstraints(min_length=1)] = "preferred_username"
    groups_claim: Annotated[str, StringConstraints(min_length=1)] = "groups"
    groups: tuple[Name, ...] = ()
    """The only groups that are taken from the claim, so that a provider cannot make somebody a steward; none: all."""


class HubSettings(Model):
    """The front door."""

    port: int | None = Field(None, ge=0, le=65535)
    """The port on 127.0.0.1; None: that of [catalog]."""
    domain: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")] | None = None
    sandboxes: int = Field(30, ge=1, le=10_000)
    """So many run at most, of all users together."""
    warm: int = Field(2, ge=0, le=100)
    """So many jails are kept warm for who asks next; each takes the memory of a JupyterLab. As root alone."""
    idle: float = Field(3600, ge=0, le=30 * 86400)
    """Seconds without anybody and without a busy kernel after which a sandbox is stopped; 0: never."""
    notice: float = Field(300, ge=0, le=86400)
    """So many seconds before it is stopped for that, a sandbox is told."""
    grace: float = Field(10, ge=0, le=600)
    """Seconds that a sandbox has to end by itself when it is stopped."""
    session: float = Field(1, gt=0, le=30)
    """Days after which one has to sign in again."""
    ask: str = "the lab's administrators"
    """Whom a page names when something has to be asked for."""
    sizes: dict[Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,30}$")], Size] = {}
    roles: RoleSettings = RoleSettings()
    oidc: OidcSettings | None = None
