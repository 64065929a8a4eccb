"""Logins by an OpenID Connect provider, a real one from PyPI: groups by claim, and nobody by another's name."""

from __future__ import annotations

import asyncio
import base64
import hmac
import http.server
import json
import socket
import subprocess
import sys
import threading
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fixtures_hub import hub_lab, serving
from tornado import web

from policies.errors import DocumentError, UsageError
from sandbox.hub.oidc import OidcAuthenticator, groups_from, keep, name_of, oidc_config
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


class Provider:
    """A provider that answers as ProConnect does, on a real port: its keys, and a signed JWT for who has the token."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.said = ""
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # the library's name
                ours = self.headers["Authorization"] == "Bearer t0k"
                text = provider.said if ours else "no"
                body = json.dumps(provider.keys).encode() if self.path == "/jwks" else text.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def keys(self):
        told = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**told, "kid": "k1", "use": "sig"}]}

    def sign(self, key=None, algorithm="RS256", kid="k1", **claims):
        told = {"sub": "1", "email": "ana@inrae.fr", "aud": "datalab", "exp": int(time.time()) + 60, **claims}
        kept = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(kept, key or self.key, algorithm=algorithm, headers={"kid": kid})


@pytest.fixture(scope="module")
def signing():
    made = Provider()
    yield made
    made.server.shutdown()
    made.server.server_close()


def authenticator(signing):
    urls = {"userinfo_url": f"{signing.url}/userinfo", "jwks_url": f"{signing.url}/jwks"}
    settings = OidcSettings.model_validate({**URLS, **urls, "client_id": "datalab"})
    return OidcAuthenticator(claims=settings, client_id="datalab", userdata_url=str(settings.userinfo_url))


def said_by(signing, text):
    signing.said = text
    return asyncio.run(authenticator(signing).token_to_user({"access_token": "t0k", "token_type": "Bearer"}))


def test_what_is_signed_by_the_providers_key_for_this_client_is_believed(signing):
    told = said_by(signing, signing.sign(given_name="Ana"))
    assert (told["sub"], told["email"], told["given_name"]) == ("1", "ana@inrae.fr", "Ana")


def encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def wrongly_signed(signing):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = signing.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    right = signing.sign()
    head, body, mark = right.split(".")
    yield "another's key", signing.sign(other)
    yield "a key that it does not have", signing.sign(other, kid="k2")
    yield "no signature", jwt.encode({"sub": "1", "aud": "datalab"}, None, algorithm="none", headers={"kid": "k1"})
    secretly = b'{"alg": "HS256", "kid": "k1"}'
    as_secret = f"{encoded(secretly)}.{body}"
    yield "its public key as a secret", f"{as_secret}.{encoded(hmac.digest(public, as_secret.encode(), 'sha256'))}"
    yield "for another client", signing.sign(aud="other")
    yield "for nobody", signing.sign(aud=None)
    yield "of nobody", signing.sign(sub=None)
    yield "too late", signing.sign(exp=int(time.time()) - 600)
    yield "changed", f"{head}.{body[:-2]}{'AA' if body[-2:] != 'AA' else 'BB'}.{mark}"
    yield "without its mark", f"{head}.{body}."
    yield "plain JSON", '{"sub": "1", "email": "ana@inrae.fr"}'
    yield "nothing", ""


def test_whatever_else_is_said_of_a_user_lets_nobody_in(signing):
    for what, text in wrongly_signed(signing):
        with pytest.raises(web.HTTPError, match="not signed by it for this lab") as refused:
            said_by(signing, text)
        assert refused.value.status_code == 403, what
