"""The lab's settings → JupyterHub's configuration, class by class. Pure: a test compares it with a literal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.hub.front import API, SIGNED_IN
from sandbox.hub.oidc import oidc_config
from sandbox.hub.places import address
from sandbox.hub.roles import GATEWAY, LOOKOUT, PORTAL, roles
from sandbox.server import FIRST

if TYPE_CHECKING:
    from catalog.lab import Lab
    from sandbox.hub.front import Front
    from sandbox.hub.places import Places
    from sandbox.hub.settings import HubSettings
    from sandbox.hub.tokens import ServiceTokens

HERE = Path(__file__).parent

_WAYS = ("login.LocalAuthenticator", "oidc.OidcAuthenticator")
_REFRESH = 5
"""Seconds after which the Hub asks again who a user is: who is gone by then is refused."""


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
            "template_vars": {
                "lab_title": front.title,
                "portal": f"{front.host}{SIGNED_IN}/",
            },
            "default_url": f"{front.host}{SIGNED_IN}/",
            "cleanup_servers": False,
            "cleanup_proxy": False,
            "concurrent_spawn_limit": 10,
            "last_activity_interval": 30,
            "trusted_downstream_ips": ["127.0.0.1", "::1"],
            **({"public_url": front.public} if front.secure else {}),
            "tornado_settings": {"cookie_options": {"samesite": "Lax", **({"secure": True} if front.secure else {})}},
            "services": _services(tokens, front),
            "load_roles": roles(settings.roles),
            "proxy_class": "sandbox.hub.proxy.LabProxy",
            "spawner_class": "sandbox.hub.spawner.LabSpawner",
            "authenticator_class": f"sandbox.hub.{_WAYS[settings.oidc is not None]}",
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
        "Membership": {"lab": lab},
        **({} if settings.oidc is None else {"OidcAuthenticator": oidc_config(settings.oidc, front.public)}),
        "LabSpawner": {
            "lab": lab,
            "places": places,
            "front": settings,
            "default_url": FIRST,
            "hub_connect_url": address(Path("/run/datalab/hub.sock")),
            "start_timeout": 120,
            "http_timeout": 120,
            "poll_interval": max(1, min(15, int((settings.idle or 150) / 10))),
        },
    }


def routes(places: Places, front: Front) -> dict[str, str]:
    """What the proxy shows beside the Hub and the sandboxes; a sandbox that does not run is the Hub's to tell of."""
    shown = {front.route("/"): places.portal, front.route(f"{API}/"): places.gateway}
    rest = "/user/" if front.domain is None else "/"  # of any host
    return {path: address(socket) for path, socket in {**shown, rest: places.hub}.items()}


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
