"""The Hub's configuration as data: every option is one that JupyterHub has, and none gives more than is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures_hub import hub_lab, serving
from traitlets.utils.importstring import import_item

from policies.errors import SandboxError
from sandbox.hub.config import hub_config
from sandbox.hub.front import Front
from sandbox.hub.membership import Membership
from sandbox.hub.oidc import OidcAuthenticator
from sandbox.hub.places import Places, address, places_of
from sandbox.hub.proxy import LabProxy, command
from sandbox.hub.roles import roles
from sandbox.hub.settings import HubSettings, OidcSettings, RoleSettings
from sandbox.hub.spawner import LabSpawner
from sandbox.hub.tokens import ServiceTokens, made, read

PLACES = Places(Path("/r"), Path("/k"))
TOKENS = ServiceTokens("p" * 64, "q" * 64, "l" * 64)
OIDC = {word: f"https://id.example/{word}" for word in ("authorize_url", "token_url", "userinfo_url")}


def config(settings=None, front=None, lab=None):
    return hub_config(
        lab, settings or HubSettings(), PLACES, TOKENS, front or Front(8420, None, "http://127.0.0.1:8420/")
    )


def test_every_option_is_one_that_the_hub_has(monkeypatch):
    monkeypatch.setenv("DATALAB_OIDC_SECRET", "s")
    classes = {
        "JupyterHub": import_item("jupyterhub.app.JupyterHub"),
        "Authenticator": import_item("jupyterhub.auth.Authenticator"),
        "Membership": Membership,
        "LabProxy": LabProxy,
        "LabSpawner": LabSpawner,
        "OidcAuthenticator": OidcAuthenticator,
    }
    oidc = HubSettings(domain="lab.example", oidc=OidcSettings.model_validate({**OIDC, "client_id": "c"}))
    for settings in (HubSettings(), oidc):
        told = config(settings, Front(1, settings.domain, "https://lab.example/"))
        for name, options in told.items():
            known = set(classes[name].class_traits(config=True))
            assert set(options) <= known, (name, set(options) - known)  # a misspelt one is ignored in silence


def test_nothing_but_the_proxy_has_a_port():
    told = config()
    unix = "http+unix://%2Fr%2F"
    assert told["JupyterHub"]["hub_bind_url"] == f"{unix}hub.sock"
    assert told["LabProxy"]["api_url"] == f"{unix}proxy.sock"
    assert told["LabProxy"]["extra_routes"] == {
        "/": f"{unix}portal.sock",
        "/api/": f"{unix}gateway.sock",
        "/user/": f"{unix}hub.sock",
    }


def test_with_a_domain_each_address_has_a_host_and_cookies_hold_to_it():
    settings = HubSettings(domain="lab.example")
    told = config(settings, Front(1, "lab.example", "https://lab.example/"))
    hub = told["JupyterHub"]
    assert (hub["subdomain_host"], hub["cookie_host_prefix_enabled"]) == ("https://lab.example", True)
    assert hub["public_url"] == "https://lab.example/"
    assert hub["hub_routespec"] == "lab.example/hub/"
    assert set(told["LabProxy"]["extra_routes"]) == {"lab.example/", "lab.example/api/", "/"}
    assert hub["services"][0]["oauth_redirect_uri"] == "https://lab.example/me/callback"


def test_no_role_gives_what_would_make_somebody_another():
    given = {one["name"]: set(one["scopes"]) for one in roles(RoleSettings())}
    assert set(given) == {"user", "partner", "researcher", "steward", "administrator", "lookout"}
    for name, scopes in given.items():
        for scope in scopes:
            of_others = "!user" not in scope and "!service" not in scope
            powerful = scope.startswith(
                ("admin:", "access:", "tokens", "users", "groups", "servers", "shares", "inherit")
            )
            assert not (of_others and powerful), (name, scope)
    assert given["lookout"] == {"proxy"}
    assert not any(scope.startswith("servers") for scope in given["user"] | given["steward"])


def test_the_services_have_no_more_than_they_prove_themselves_with():
    services = {one["name"]: one for one in config()["JupyterHub"]["services"]}
    assert set(services) == {"portal", "gateway", "lookout"}
    assert "api_token" not in services["gateway"]
    granted = [name for one in roles(RoleSettings()) for name in one.get("services", ())]
    assert granted == ["lookout"]


def test_the_tokens_between_the_processes_are_private_and_new_at_each_start(tmp_path):
    lab, _ = hub_lab(tmp_path / "lab")
    places = places_of(lab)
    first = made(places)
    assert read(places) == first
    assert made(places) != first
    assert places.tokens.stat().st_mode & 0o777 == 0o600
    assert places.run.stat().st_mode & 0o777 == 0o700


def test_a_lab_that_lies_too_deep_has_its_sockets_elsewhere_and_always_in_the_same_place(tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    lab, _ = hub_lab(deep / "lab")
    places = places_of(lab)
    try:
        assert not places.run.is_relative_to(lab.var)
        assert places_of(lab) == places
        longest = places.sandbox("a" * 63) / "told" / "hub.sock"
        assert len(str(longest)) <= 107
        places.run.rename(places.run.with_name("moved"))
        places.run.symlink_to("/etc")
        with pytest.raises(SandboxError, match="belongs to another account"):
            places_of(lab)
        places.run.unlink()
        places.run.with_name("moved").rename(places.run)
    finally:
        for folder in (places.run / "s", places.run):
            folder.rmdir()


def test_a_missing_proxy_is_an_error_that_says_how_to_get_it(monkeypatch, tmp_path):
    assert command(PLACES, 1, hosts=True)[-1] == "--host-routing"
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    with pytest.raises(SandboxError, match="the proxy is not installed, or no Node is there to run it: `make setup`"):
        command(PLACES, 1, hosts=False)


def test_a_socket_is_written_as_the_hub_reads_one():
    assert address(Path("/a b/c.sock")) == "http+unix://%2Fa%20b%2Fc.sock"


def test_with_a_domain_the_proxy_tells_hosts_apart(tmp_path):
    lab, _ = hub_lab(tmp_path / "lab", '[hub]\ndomain = "lab.example"\n')
    with serving(lab) as served:
        browser = served.browser()

        def get(host: str, path: str):
            return browser.get(path, headers={"Host": host, "X-Forwarded-Proto": "https"})

        assert 'href="/me/"' in get("lab.example", "/").text
        assert get("lab.example", "/api/openapi.json").status_code == 200
        login = get("lab.example", "/hub/login")
        assert login.status_code == 200
        cookies = login.headers.get_list("set-cookie")
        assert cookies
        assert all("Secure" in cookie and "SameSite=Lax" in cookie for cookie in cookies)
        to_hub = get("lab.example", "/me/")
        assert to_hub.headers["Location"].startswith("https://lab.example/hub/api/oauth2/authorize?")
        (state,) = to_hub.headers.get_list("set-cookie")
        assert state.startswith("__Host-datalab-portal-state=")
        assert "Secure" in state
        assert "Path=/;" in state
        for host in ("ada.lab.example", "elsewhere.example"):  # no sandbox runs there, and no portal ever does
            answer = get(host, "/user/ada/lab")
            assert answer.status_code in {302, 303, 404}, answer.text
            assert answer.headers.get("Location", "https://lab.example/").startswith(("https://lab.example/", "/hub/"))
            assert 'href="/me/"' not in get(host, "/").text
