"""The lab's settings → JupyterHub's configuration, class by class. Pure: a test compares it with a literal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.hub.places import address
from sandbox.hub.roles import GATEWAY, LOOKOUT, PORTAL, roles

if TYPE_CHECKING:
    from catalog.lab import Lab
    from catalog.settings import CatalogSettings
    from sandbox.hub.places import Places
    from sandbox.hub.settings import HubSettings
    from sandbox.hub.tokens import ServiceTokens

HERE = Path(__file__).parent

SIGNED_IN = "/me"
"""Where the portal shows to somebody what they are granted; its cookie is sent nowhere else."""

API = "/api"
"""Where the gateway answers: it and the portal both have a /data of their own."""

_REFRESH = 5
"""Seconds after which the Hub asks again who a user is: who is gone by then is refused."""


@dataclass(frozen=True)
class Front:
    """Where the front door is seen from outside."""

    port: int
    domain: str | None
    public: str
    """Where browsers find it: the url of [catalog], or the domain's; https there makes every cookie one for TLS alone."""

    @classmethod
    def of(cls, port: int, settings: HubSettings, catalog: CatalogSettings) -> Front:
        """What the lab's settings say of it."""
        return cls(port, settings.domain, catalog.base if settings.domain is None else f"https://{settings.domain}/")

    @property
    def host(self) -> str:
        """The start of each absolute address; nothing where the browser's own serves for all."""
        return "" if self.domain is None else f"https://{self.domain}"

    def route(self, path: str) -> str:
        """A path as the proxy takes one."""
        return path if self.domain is None else f"{self.domain}{path}"


def hub_config(
    lab: Lab, settings: HubSettings, places: Places, tokens: ServiceTokens, front: Front
) -> dict[str, dict[str, Any]]:
    """Every option, by class; what is not here has JupyterHub's default."""
    return {
        "JupyterHub": {
            "bind_url": f"http://127.0.0.1:{front.port}/",
            "hub_bind_url": address(places.hub),
            "hub_connect_url": address(places.hub),
            "hub_socket_mode": 0o600,
            "hub_routespec": front.route("/hub/"),
            **({} if front.domain is None else {"subdomain_host": front.host, "cookie_host_prefix_enabled": True}),
            "db_url": f"sqlite:///{places.kept / 'hub.sqlite'}",
            "cookie_secret_file": str(places.kept / "cookie_secret"),
            "cookie_max_age_days": settings.session,
            "pid_file": "",
            "template_paths": [str(HERE / "templates")],
            "default_url": f"{front.host}{SIGNED_IN}/",
            "cleanup_servers": False,
            "cleanup_proxy": False,
            "concurrent_spawn_limit": 10,
            "last_activity_interval": 30,
            "trusted_downstream_ips": ["127.0.0.1", "::1"],
            **({"public_url": front.public} if front.public.startswith("https:") else {}),
            "services": _services(tokens, front),
            "load_roles": roles(settings.roles),
            "proxy_class": "sandbox.hub.proxy.LabProxy",
            "spawner_class": "sandbox.hub.spawner.LabSpawner",
            "authenticator_class": "sandbox.hub.login.LocalAuthenticator",
        },
        "LabProxy": {
            "should_start": False,
            "api_url": address(places.proxy),
            "auth_token": tokens.proxy,
            "extra_routes": routes(places, front),
        },
        "Authenticator": {
            "allow_all": True,
            "manage_groups": True,
            "auth_refresh_age": _REFRESH,
            "auth_refresh_strict": True,
            "refresh_pre_spawn": True,
        },
        "LocalAuthenticator": {"lab": lab},
        "LabSpawner": {
            "lab": lab,
            "places": places,
            "front": settings,
            "default_url": "/lab",
            "hub_connect_url": address(Path("/run/datalab/hub.sock")),
            "start_timeout": 120,
            "http_timeout": 120,
            "poll_interval": 15,
        },
    }


def routes(places: Places, front: Front) -> dict[str, str]:
    """What the proxy shows beside the Hub and the sandboxes; a sandbox that does not run is the Hub's to tell of."""
    shown = {"/": places.portal, f"{API}/": places.gateway, "/user/": places.hub}
    return {front.route(path): address(socket) for path, socket in shown.items()}


def _services(tokens: ServiceTokens, front: Front) -> list[dict[str, Any]]:
    return [
        {
            "name": PORTAL,
            "api_token": tokens.portal,
            "oauth_client_id": f"service-{PORTAL}",
            "oauth_redirect_uri": f"{front.host}{SIGNED_IN}/callback",
            "oauth_no_confirm": True,
            "display": False,
        },
        {"name": GATEWAY, "display": False},
        {"name": LOOKOUT, "api_token": tokens.lookout, "display": False},
    ]
