"""Where the front door is seen from outside, and which address is whose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.settings import CatalogSettings

if TYPE_CHECKING:
    from sandbox.hub.settings import HubSettings

SIGNED_IN = "/me"
"""Where the portal shows to somebody what they are granted; its cookie is sent nowhere else."""

API = "/api"
"""Where the gateway answers: it and the portal both have a /data of their own."""


@dataclass(frozen=True)
class Front:
    """Where the front door is seen from outside."""

    port: int
    domain: str | None
    public: str
    """Where browsers find it: the url of [catalog], or the domain's; https there keeps every cookie to TLS."""
    title: str = CatalogSettings().title
    """What the lab is called."""

    @classmethod
    def of(cls, port: int, settings: HubSettings, catalog: CatalogSettings) -> Front:
        """What the lab's settings say of it."""
        public = catalog.base if settings.domain is None else f"https://{settings.domain}/"
        return cls(port, settings.domain, public, catalog.title)

    @property
    def secure(self) -> bool:
        """Whether browsers come by TLS alone."""
        return self.public.startswith("https:")

    @property
    def host(self) -> str:
        """The start of each absolute address; nothing where the browser's own serves for all."""
        return "" if self.domain is None else f"https://{self.domain}"

    def route(self, path: str) -> str:
        """A path as the proxy takes one."""
        return path if self.domain is None else f"{self.domain}{path}"
