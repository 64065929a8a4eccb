"""Logins by an OpenID Connect provider, a real one from PyPI: groups by claim, and nobody by another's name."""

from __future__ import annotations

import socket
import subprocess
import sys

import httpx
import pytest
from fixtures_hub import hub_lab, serving

from policies.errors import DocumentError, UsageError
from sandbox.hub.oidc import groups_from, keep, name_of, oidc_config
from sandbox.hub.settings import OidcSettings

URLS = {word: f"https://id.example/{word}" for word in ("authorize_url", "token_url", "userinfo_url")}


@pytest.fixture(scope="module")
def provider():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()


@pytest.fixture(scope="module")
def front(provider, tmp_path_factory):
    with socket.socket() as free:  # the provider sends browsers back there, so the port has to be known before
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    section = f"""
[catalog]
url = "http://127.0.0.1:{port}/"

[hub]
port = {port}

[hub.oidc]
authorize_url = "{provider}/oauth2/authorize"
token_url = "{provider}/oauth2/token"
userinfo_url = "{provider}/userinfo"
client_id = "datalab"
username_claim = "email"
groups = ["partners", "researchers"]
"""
    lab, _ = hub_lab(tmp_path_factory.mktemp("oidc") / "lab", section)
    with serving(lab, port=port, DATALAB_OIDC_SECRET="of the client") as served:  # noqa: S106  nobody else's
        yield served


def come(front, provider, sub: str, **claims: object) -> tuple[httpx.Client, httpx.Response]:
    """Sign in at the provider as `sub`, and end where it leads."""
    front.until(lambda: httpx.put(f"{provider}/users/{sub}", json=claims).status_code < 300)
    browser = front.browser()
    there = browser.get("/hub/oauth_login", follow_redirects=True)
    assert there.url.port == int(provider.rpartition(":")[2]), there.text
    return browser, browser.post(str(there.url), data={"sub": sub}, follow_redirects=True)


def test_a_user_of_the_provider_comes_in_with_the_groups_of_its_claim_that_are_taken(front, provider):
    browser, page = come(front, provider, "1", email="Ana@inrae.fr", groups=["/partners", "stewards", "x y"])
    assert page.status_code == 200, page.text
    assert page.url.path == "/me/"
    assert "<strong>ana-at-inrae.fr</strong>" in page.text
    assert front.lab.people.of_user("ana-at-inrae.fr") == {"everyone", "user:ana-at-inrae.fr", "group:partners"}
    assert browser.get("/me/for/mobility/data/irve/raw/bornes.csv").status_code == 200
    assert browser.get("/hub/spawn").status_code == 200


def test_groups_are_those_of_the_last_login(front, provider):
    come(front, provider, "2", email="ben@inrae.fr", groups=["partners", "researchers"])
    come(front, provider, "2", email="ben@inrae.fr", groups=["researchers"])
    assert front.lab.people.users()["ben-at-inrae.fr"] == ("researchers",)


def test_nobody_comes_in_by_the_name_of_another(front, provider):
    come(front, provider, "3", email="cleo@inrae.fr", groups=[])
    browser, page = come(front, provider, "4", email="cleo@inrae.fr", groups=["partners"])
    assert page.status_code == 403
    assert "is somebody else here" in page.text
    assert browser.get("/hub/home").status_code == 302
    assert front.lab.people.users()["cleo-at-inrae.fr"] == ()


def test_a_login_is_finished_only_in_the_browser_that_began_it(front):
    answer = front.browser().get("/hub/oauth_callback?code=stolen&state=stolen")
    assert answer.status_code == 400


def test_who_was_taken_away_is_out_and_comes_back_only_by_the_provider(front, provider):
    browser, _ = come(front, provider, "5", email="dan@inrae.fr", groups=["partners"])
    assert browser.get("/hub/home").status_code == 200
    front.lab.people.change(lambda accounts: accounts.pop("dan-at-inrae.fr"))
    assert front.until(lambda: browser.get("/hub/home").status_code == 302)


@pytest.mark.parametrize("claimed", [None, "", 7, ["ada"], "a" * 64, "1ada", "\u0430da", "ada\nbob", "../ada", "a b"])
def test_a_name_that_no_user_can_have_is_refused(claimed):
    with pytest.raises(UsageError, match="cannot be a user's: expected at most 63 of a-z"):
        name_of(claimed)


def test_a_local_account_is_never_opened_by_the_provider(tmp_path):
    lab, _ = hub_lab(tmp_path / "lab")
    with pytest.raises(UsageError, match="'ada' is somebody else here"):
        keep(lab, "ada", "sub-of-mallory", ("partners",))
    keep(lab, "zoe", "1", ())
    with pytest.raises(UsageError, match="'zoe' is somebody else here"):
        keep(lab, "zoe", "2", ())


def test_groups_of_a_claim_are_bounded():
    assert groups_from(["/a/inrae", "INRAE", "ok", 3, None, "no good", ""], ()) == ("inrae", "ok")
    assert groups_from(["inrae", "stewards"], ("inrae",)) == ("inrae",)
    assert groups_from("stewards", ()) == ()
    assert groups_from(None, ()) == ()
    assert len(groups_from([f"g{number}" for number in range(10_000)], ())) == 200


def test_a_renamed_or_misspelt_key_of_the_section_is_an_error_not_an_open_door(folder, datalab):
    folder.write("datalab.toml", "[hub.oidc]\n" + "\n".join(f'{key} = "{url}"' for key, url in URLS.items()))
    settings = folder.root / "datalab.toml"
    settings.write_text(settings.read_text() + '\nclient_id = "x"\nallowed_groups = ["inrae"]\n')
    ran = datalab("serve")
    assert ran.code == 1
    assert "[hub] unknown key 'oidc.allowed_groups'; did you mean" in ran.err


def test_without_the_clients_secret_nothing_is_served_and_the_secret_is_in_no_error(monkeypatch):
    monkeypatch.delenv("DATALAB_OIDC_SECRET", raising=False)
    settings = OidcSettings.model_validate({**URLS, "client_id": "x"})
    with pytest.raises(DocumentError, match=r"secret is missing: set \$DATALAB_OIDC_SECRET"):
        oidc_config(settings, "https://lab.example/")
    monkeypatch.setenv("DATALAB_OIDC_SECRET", "s3cret")
    made = oidc_config(settings, "https://lab.example/")
    assert (made["oauth_callback_url"], made["client_secret"]) == ("https://lab.example/hub/oauth_callback", "s3cret")
