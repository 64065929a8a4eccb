"""The gateway behind the Hub: the Hub's tokens count beside the lab's own, until they are revoked or scoped down."""

from __future__ import annotations

import contextlib
import datetime as dt
from urllib.parse import urljoin

import httpx
import pytest
from fixtures_hub import SECONDS, xsrf

from sandbox.hub import accounts, tokens
from sandbox.sql.tokens import Tokens

ASKED = {"sql": "SELECT count(*) AS n FROM irve.bornes", "purpose": "mobility"}


def sql(served, token, **asked):
    said = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{served.url}/api/sql", json={**ASKED, **asked}, headers=said, timeout=SECONDS)


@pytest.fixture(scope="module")
def ada(served):
    return served.login("ada")


def test_a_token_of_the_hub_asks_as_its_user(served, ada):
    answer = sql(served, served.token(ada, "ada"))
    assert answer.status_code == 200, answer.text
    assert answer.json() == [{"n": 3}]  # raw, which is the partners' for mobility
    last = served.audit("query")[-1]
    assert (last["who"], last["origin"], last["purpose"]) == ("user:ada", "127.0.0.1", "mobility")


def test_a_token_of_the_labs_own_counts_as_before(served):
    token = Tokens(served.lab).create("ada", dt.date(2999, 1, 1), None)
    assert sql(served, token).json() == [{"n": 3}]


def test_a_token_that_was_scoped_down_opens_no_gateway_and_no_portal(served, ada):
    narrow = served.token(ada, "ada", "read:users:name!user")
    assert sql(served, narrow).status_code == 401
    wide = served.token(ada, "ada", "access:services!service=gateway")
    assert sql(served, wide).status_code == 200
    cookie = {"Cookie": f"datalab-portal={wide}"}
    assert httpx.get(f"{served.url}/me/", headers=cookie).status_code == 303
    whole = served.token(ada, "ada")
    assert httpx.get(f"{served.url}/me/", headers={"Cookie": f"datalab-portal={whole}"}).status_code == 200


def test_a_revoked_token_is_refused(served, ada):
    token = served.token(ada, "ada")
    assert sql(served, token).status_code == 200
    listed = ada.get("/hub/api/users/ada/tokens").json()["api_tokens"]
    last = max(listed, key=lambda one: (one["created"], int(one["id"].removeprefix("a"))))
    guard = {"X-XSRFToken": xsrf(ada.get("/hub/home"))}
    assert ada.delete(f"/hub/api/users/ada/tokens/{last['id']}", headers=guard).status_code == 204
    assert served.until(lambda: sql(served, token).status_code == 401)


@pytest.mark.parametrize("token", ["x", "0" * 32, "a" * 10_000, "\u00e9", "../users/ada", "dlab_00000000_" + "x" * 43])
def test_what_is_no_token_is_refused(served, token):
    said = {"Authorization": b"Bearer " + token.encode()}
    answer = httpx.post(f"{served.url}/api/sql", json=ASKED, headers=said, timeout=SECONDS)
    assert answer.status_code in {400, 401, 431}


def test_a_header_of_any_length_stops_nobody_else(served):
    said = {"Authorization": "Bearer " + "a" * 100_000}
    with contextlib.suppress(httpx.TransportError):  # the proxy hangs up on whoever still writes
        assert httpx.post(f"{served.url}/api/sql", json=ASKED, headers=said, timeout=SECONDS).status_code == 431
    assert served.until(lambda: sql(served, "x").status_code == 401)


def test_a_service_of_the_hub_is_nobody(served):
    assert sql(served, tokens.read(served.places).portal).status_code == 401


def test_who_is_gone_is_gone_at_every_door(served):
    accounts.add(served.lab, "gone", ("partners",))
    accounts.choose(served.lab, "gone", "here but for a while")
    browser = served.login("gone", "here but for a while")
    token = served.token(browser, "gone")
    assert sql(served, token).status_code == 200
    browser.get("/me/", follow_redirects=True)
    accounts.remove(served.lab, "gone")
    assert sql(served, token).status_code == 401
    assert browser.get("/me/").status_code == 403
    assert served.until(lambda: browser.get("/hub/home").status_code == 302)
    said = {"Authorization": f"token {token}"}
    assert served.until(lambda: httpx.get(f"{served.url}/hub/api/user", headers=said).status_code in {401, 403})


def test_a_new_password_ends_the_sessions_of_the_old_one(served):
    accounts.add(served.lab, "eva")
    accounts.choose(served.lab, "eva", "here but for a while")
    browser = served.login("eva", "here but for a while")
    assert browser.get("/hub/home").status_code == 200
    accounts.renew(served.lab, "eva")
    assert served.until(lambda: browser.get("/hub/home").status_code == 302)


def test_the_gateways_addresses_lead_on_below_its_own(served, ada):
    token = served.token(ada, "ada")
    said = {"Authorization": f"Bearer {token}"}
    index = httpx.get(f"{served.url}/api/", headers=said).json()
    assert httpx.get(f"{served.url}/api/{index['openapi']}").status_code == 200
    page = httpx.get(f"{served.url}/api/data/irve/open/bornes/rows?page_size=1", headers=said, timeout=SECONDS).json()
    following = urljoin(served.url, page["links"]["next"])
    assert following.startswith(f"{served.url}/api/data/irve/open/bornes/rows?")
    assert httpx.get(following, headers=said, timeout=SECONDS).status_code == 200
