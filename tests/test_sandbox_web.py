"""The airlock's pages, on a real server behind the portal's real login; whose a cookie is, the Hub's part, is told."""

from __future__ import annotations

import html
import os
import re
import struct
import zlib

import httpx
import pytest
from fixtures_airlock import GOOD, SMALL
from fixtures_portal import Portal
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from catalog.web.texts import TEXTS as PORTAL
from sandbox.airlock.outbox import opened_outbox
from sandbox.airlock.submission import MOVES
from sandbox.hub import accounts
from sandbox.hub.client import Known
from sandbox.hub.front import Front
from sandbox.hub.signin import create_app
from sandbox.hub.throttle import Throttle
from sandbox.web.app import HERE as ROOT
from sandbox.web.app import create_app as create_pages
from sandbox.web.texts import TEXTS
from sandbox.web.upload import parts
from sandbox.web.view import OWN, STEWARDS

PASSWORD = "correct horse battery"  # noqa: S105  of this test
USERS = """
[policies.users]
ada = ["partners"]
bob = []
eve = []
anne = ["stewards"]
basile = ["stewards"]
"""
TOKENS = {name: f"{name}-0123456789abcdef" for name in ("ada", "bob", "eve", "anne", "basile")}


class Hub:
    """Says whose a token is, as the Hub would."""

    def whose(self, token: str) -> Known | None:
        names = [name for name, known in TOKENS.items() if known == token]
        return Known(names[0], frozenset({"access:services"})) if names else None


class Site:
    """The portal with its airlock, and what a browser does there as somebody."""

    def __init__(self, lab, domain=None):
        front = Front(0, domain, "http://127.0.0.1/" if domain is None else f"https://{domain}/")
        self.cookie = "datalab-portal" if domain is None else "__Host-datalab-portal"
        self.running = Portal(lab, create_app(lab, Hub(), "secret", front))
        self.base = f"http://127.0.0.1:{self.running.port}"

    def ask(self, user, path, method="GET", **more):
        headers = {"Origin": self.base, **more.pop("headers", {})}
        cookies = {} if user is None else {self.cookie: TOKENS[user]}
        with httpx.Client(base_url=self.base, cookies=cookies, timeout=60) as http:
            return http.request(method, f"/me/airlock/{path}", headers=headers, **more)

    def page(self, user, number):
        answer = self.ask(user, number, params={"lang": "en"})
        assert answer.status_code == 200
        return answer.text

    def fields(self, user, number):
        """What the page's form says without being filled in."""
        return dict(re.findall(r'name="(csrf|seen)" value="([0-9a-f]+)"', self.page(user, number)))

    def say(self, user, number, word, *, why="so it is", password=PASSWORD, despite=(), fields=None, **more):
        fields = self.fields(user, number) if fields is None else fields
        data = {**fields, "word": word, "why": why, "password": password, "despite": list(despite)}
        return self.ask(user, number, "POST", data=data, **more)


@pytest.fixture
def people(lab):
    path = lab.root / "datalab.toml"
    path.write_text(re.sub(r"\n\[policies.users\]\n(.+\n)+", USERS, path.read_text()))
    return lab


@pytest.fixture
def site(people):
    running = Site(people, "lab.example")
    yield running
    running.running.stop()


def told(answer) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", answer.text))


def test_a_steward_reads_asks_and_releases_and_the_requester_follows(airlock, site):
    airlock.opened("ada", "irve/open", purpose="mobility")
    airlock.put("ada", "t.csv", SMALL, why="for report 7", editions=["irve/open"])
    fields = dict(re.findall(r'name="(csrf)" value="([0-9a-f]+)"', site.ask("anne", "").text))
    assert site.ask("anne", "collect", "POST", data=fields).status_code == 303
    listed = site.ask("anne", "", params={"lang": "en"}).text
    assert all(part in listed for part in ("t.csv", "ada", "for report 7", "small-cells", "waits for a decision"))
    page = site.page("anne", 1)
    for part in ("for report 7", "irve/open", "mobility", "cells that count fewer than 10 units: 1", "Est | 120"):
        assert part in page
    assert site.say("anne", 1, "ask", why="what is n?").status_code == 303
    assert "what is n?" in site.page("ada", 1)
    assert site.say("ada", 1, "answer", why="stations").status_code == 303
    assert site.say("anne", 1, "approve", why="no persons", despite=["small-cells"]).status_code == 303
    assert airlock.releases() == {"1/t.csv": SMALL}
    assert "no persons" in site.page("ada", 1)
    assert [(one.what, one.who, one.origin) for one in airlock.events()] == [
        ("request", "user:ada", airlock.events()[0].origin),
        ("review", "user:anne", "127.0.0.1"),
        ("review", "user:ada", "127.0.0.1"),
        ("release", "user:anne", "127.0.0.1"),
    ]
    assert airlock.store.one(1).said[-1].account == "anne"


def test_every_text_is_there_in_both_languages_and_used():
    sources = [*ROOT.glob("*.py"), *(ROOT / "templates").glob("*.html")]
    written = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.name != "texts.py")
    made = re.compile(r"(state|severity|word|do|airlock)_.+")
    keys = [key for key in TEXTS["fr"] if key not in PORTAL["fr"]]
    assert [key for key in keys if not made.fullmatch(key) and not re.search(rf"\b{key}\b", written)] == []
    assert all(TEXTS[lang][f"state_{state}"] for lang in TEXTS for state in MOVES)
    assert all(TEXTS[lang][f"do_{word}"] for lang in TEXTS for word in (*OWN, *STEWARDS))


def test_it_speaks_both_languages(airlock, site):
    airlock.take("ada")
    for user in ("ada", "anne"):
        for path in ("", "1"):
            french, english = (site.ask(user, path, params={"lang": lang}) for lang in ("fr", "en"))
            assert '<html lang="fr">' in french.text
            assert '<html lang="en">' in english.text
            assert f'href="/me/airlock/{path}?lang=en"' in french.text


def test_who_is_not_signed_in_is_sent_to_the_login_and_no_header_signs_in(airlock, site):
    airlock.take("ada")
    headers = {"X-Forwarded-User": "anne", "Remote-User": "anne", "Authorization": f"token {TOKENS['anne']}"}
    for path in ("", "1", "1/file"):
        answer = site.ask(None, path, headers=headers)
        assert (answer.status_code, "t.csv" in answer.text) == (303, False)
        assert "/hub/api/oauth2/authorize" in answer.headers["location"]
    assert site.ask(None, "1", "POST", data={"word": "approve"}, headers=headers).status_code == 401


def test_others_than_the_requester_and_stewards_learn_nothing(airlock, site):
    airlock.take("ada")
    for path in ("1", "1/file", "2", "0", "99999999999999999999"):
        assert site.ask("bob", path).status_code == 404
    assert "t.csv" not in site.ask("bob", "").text
    assert site.ask("bob", "collect", "POST", data=site.fields("ada", 1)).status_code == 403
    assert site.ask("ada", "1/file").status_code == 404  # the requester has it already, and it is not served here
    assert site.ask("anne", "1/file").content == GOOD  # the control


def test_a_requester_reads_nothing_of_others_and_decides_nothing(airlock, site):
    for user in ("ada", "bob"):
        airlock.opened(user, "irve/open")
    airlock.take("ada", why="the first one")
    airlock.approve(1)
    airlock.take("bob", content=GOOD.replace(b"120", b"117"))
    mine, stewards = site.page("bob", 2), site.page("anne", 2)
    for part in ("release 1", "the first one", "Est | 120", "117 and 120"):
        assert part in stewards
        assert part not in mine
    assert "differencing" in mine
    for word in ("approve", "refuse", "ask"):
        assert site.say("bob", 2, word, despite=["differencing"]).status_code == 403
        assert f'value="{word}"' not in mine
    for word in ("answer", "withdraw"):
        assert site.say("anne", 2, word).status_code == 403
    assert airlock.store.one(2).state == "checked"


def test_a_stewards_own_file_is_for_another_steward(airlock, site):
    airlock.take("anne")
    assert "1/file" not in site.page("anne", 1)
    assert site.say("anne", 1, "approve").status_code == 403
    assert airlock.releases() == {}
    assert site.say("basile", 1, "approve").status_code == 303


def test_two_reviewers_are_two_logins(airlock, site):
    airlock.lab.settings["airlock"] = {"two_reviewers": ["irve/raw"]}
    airlock.opened("ada", "irve/raw")
    airlock.take("ada")
    assert site.say("anne", 1, "approve").status_code == 303
    assert "1 of 2" in site.page("basile", 1)
    again = site.say("anne", 1, "approve")
    assert (again.status_code, "needs another person" in told(again)) == (403, True)
    assert airlock.releases() == {}
    assert site.say("basile", 1, "approve").status_code == 303
    assert airlock.releases() == {"1/t.csv": GOOD}


def test_a_check_that_found_something_is_ticked_or_nothing_leaves(airlock, site):
    airlock.take("ada", content=SMALL)
    answer = site.say("anne", 1, "approve")
    assert (answer.status_code, "small-cells" in told(answer)) == (403, True)
    assert airlock.releases() == {}
    airlock.take("ada", "all.zip", b"PK\3\4")
    assert 'value="approve"' not in site.page("anne", 2)
    assert site.say("anne", 2, "approve").status_code == 403


def test_a_page_that_is_no_longer_true_is_refused_and_says_so(airlock, site):
    airlock.take("ada")
    read = site.fields("anne", 1)
    airlock.speak(1, "ask", "basile", why="what is n?")
    airlock.speak(1, "answer", "ada", why="stations")
    for word in ("approve", "refuse"):
        answer = site.say("anne", 1, word, fields=read)
        assert (answer.status_code, "read it again" in told(answer)) == (409, True)
    assert airlock.store.one(1).state == "answered"
    assert site.say("anne", 1, "approve").status_code == 303  # the control


@pytest.mark.parametrize("seen", ["", "0" * 64, "x"])
def test_a_word_without_the_page_it_was_read_on_is_refused(airlock, site, seen):
    airlock.take("ada")
    fields = {**site.fields("anne", 1), "seen": seen}
    assert site.say("anne", 1, "approve", fields=fields).status_code in (400, 409)
    assert airlock.releases() == {}


def test_a_copy_that_was_swapped_is_neither_shown_nor_released(airlock, site):
    airlock.take("ada")
    copy = airlock.store.copy(1)
    copy.chmod(0o600)
    copy.write_bytes(b"other")
    assert site.ask("anne", "1/file").status_code == 403
    answer = site.say("anne", 1, "approve")
    assert (answer.status_code, "not what was taken" in told(answer)) == (403, True)
    assert airlock.releases() == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_on_another_site_decides_nothing(airlock, site, headers):
    airlock.take("ada")
    assert site.say("anne", 1, "approve", headers=headers).status_code == 403
    assert airlock.releases() == {}
    assert site.say("anne", 1, "approve").status_code == 303  # the control


def test_a_form_of_another_login_decides_nothing(airlock, site):
    airlock.take("ada")
    anne, basile = site.fields("anne", 1), site.fields("basile", 1)
    assert anne["csrf"] != basile["csrf"]
    for csrf in (basile["csrf"], "", "é"):
        assert site.say("anne", 1, "approve", fields={**anne, "csrf": csrf}).status_code == 403
    assert airlock.releases() == {}


def test_nothing_is_decided_by_a_get_or_by_a_form_that_is_none(airlock, site):
    airlock.take("ada")
    fields = {**site.fields("anne", 1), "word": "approve", "why": "fine"}
    site.ask("anne", "1", params=fields)
    site.ask("anne", "collect", params=fields)
    assert site.ask("anne", "1", "PUT", data=fields).status_code == 405
    assert site.ask("anne", "1", "POST", json=fields).status_code == 400
    assert site.ask("anne", "1", "POST", data={**fields, "why": "x" * 100_000}).status_code == 413
    many = "&".join(f"a{number}=1" for number in range(100_000))[: 60 * 1024]
    plain = {"Content-Type": "application/x-www-form-urlencoded"}
    assert site.ask("anne", "1", "POST", content=many, headers=plain).status_code == 400
    assert site.ask("anne", "1", "POST", content=b"why=%ff", headers=plain).status_code == 400
    assert site.ask("anne", "1", "POST", data={**fields, "word": "check"}).status_code == 400
    assert site.ask("anne", "1", "POST", data={**fields, "why": ["a", "b"]}).status_code == 400
    assert airlock.store.one(1).state == "checked"
    assert airlock.releases() == {}


SCRIPT = "<script>alert(1)</script>"


def test_what_a_stranger_wrote_stays_text(airlock, site):
    airlock.take("ada", "t.txt", f"{SCRIPT}\n".encode(), why=f"{SCRIPT}\u202e")
    for page in (site.page("anne", 1), site.ask("anne", "").text, site.page("ada", 1)):
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "\u202e" not in page
    answer = site.ask("anne", "1/file")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert airlock.events()[-1].what == "open"


def test_a_notebook_is_shown_as_text_and_an_unknown_kind_only_kept(airlock, site):
    airlock.take("ada", "n.ipynb", b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    assert site.ask("anne", "1/file").headers["content-type"] == "text/plain; charset=utf-8"
    airlock.take("ada", "page.html", SCRIPT.encode())
    answer = site.ask("anne", "2/file")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


def png() -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_a_picture_is_shown_from_its_own_address_under_a_policy_that_lets_nothing_run(airlock, site):
    airlock.take("ada", "plot.png", png())
    assert '<img src="/me/airlock/1/file?lang=en"' in site.page("anne", 1)
    answer = site.ask("anne", "1/file")
    assert (answer.headers["content-type"], answer.content) == ("image/png", png())
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_every_page_forbids_scripts_frames_and_caches(airlock, site):
    airlock.take("ada")
    for path in ("", "1", "7"):
        answer = site.ask("anne", path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "no-store" in answer.headers["cache-control"]
        assert "<script" not in answer.text


def test_pages_are_read_by_their_headings_labels_and_captions(airlock, site):
    airlock.take("ada", content=SMALL)
    for path in ("", "1"):
        page = site.ask("anne", path).text
        assert page.count("<h1>") == 1
        assert page.count("<table>") == page.count("<caption")
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        for labelled in re.findall(r' (?:for|aria-labelledby|aria-describedby)="([^"]+)"', page):
            assert labelled in ids
        for image in re.findall(r"<img [^>]+>", page):
            assert 'alt="' in image
        for column in re.findall(r"<th[ >][^>]*", page):
            assert "scope=" in column


def test_what_cannot_be_checked_is_told_to_a_steward(airlock, site, monkeypatch):
    airlock.take("ada")
    monkeypatch.setattr("sandbox.command.unusable", lambda: "no bubblewrap here")
    answer = site.say("anne", 1, "approve")
    assert (answer.status_code, "no bubblewrap here" in told(answer)) == (503, True)
    assert airlock.releases() == {}


def bring(site, user, content=b"PK\0\r\n--x\r\n", name="own.zip", **more):
    fields = dict(re.findall(r'name="(csrf)" value="([0-9a-f]+)"', site.ask("ada", "").text))
    data = {**fields, "why": "their own survey", **more.pop("data", {})}
    return site.ask(user, "in", "POST", data=data, files={"file": (name, content)}, **more)


def test_a_file_of_ones_own_comes_in_by_the_page_once_somebody_else_lets_it(airlock, site):
    answer = bring(site, "ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "/me/airlock/1")
    assert "Bring a file in" in site.ask("ada", "", params={"lang": "en"}).text
    assert site.say("ada", 1, "approve").status_code == 403
    assert "their own survey" in site.page("anne", 1)
    assert site.ask("anne", "1/file").content == b"PK\0\r\n--x\r\n"
    assert site.say("anne", 1, "approve", why="agreement 12").status_code == 303
    with opened_outbox(airlock.lab.var / "homes" / "ada", name="inbox") as inbox:
        assert os.listdir(inbox) == ["own.zip"]  # noqa: PTH208  a descriptor
    assert airlock.releases() == {}
    assert [(one.what, one.who) for one in airlock.events()] == [
        ("request", "user:ada"),
        ("open", "user:anne"),
        ("accept", "user:anne"),
    ]


def test_what_is_brought_is_bounded_and_of_this_login(airlock, site):
    airlock.lab.settings["airlock"] = {"size": 1024, "waiting": 1}
    assert bring(site, "ada", b"x" * 2000).status_code == 413
    assert bring(site, "ada", b"x" * 200_000).status_code == 413
    assert bring(site, "bob").status_code == 403  # with ada's token
    assert bring(site, "ada", headers={"Origin": "https://evil.example"}).status_code == 403
    assert bring(site, None).status_code == 401
    for name in ("../x", "..", "a\x00b", "-x", "x" * 300):
        assert bring(site, "ada", name=name).status_code == 400, name
    assert bring(site, "ada", data={"why": ""}).status_code == 400
    assert airlock.store.all() == ()
    assert bring(site, "ada").status_code == 303  # the control
    full = bring(site, "ada", name="two.zip")
    assert (full.status_code, "[airlock] waiting" in told(full)) == (400, True)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_every_byte_that_a_browser_sends_comes_through(content, why):
    request = httpx.Request("POST", "http://x", data={"csrf": "c", "why": why}, files={"file": ("a.bin", content)})
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    assert parts(request.read(), boundary) == ({"csrf": ["c"], "why": [why]}, "a.bin", content)


@given(st.binary(max_size=200))
def test_no_bytes_are_taken_for_a_form_that_are_none(content):
    with pytest.raises(HTTPException):
        parts(content, b"xyz")


def test_without_a_domain_a_decision_takes_the_password(airlock, people):
    accounts.add(people, "anne")
    accounts.choose(people, "anne", PASSWORD)
    site = Site(people)
    try:
        airlock.take("ada")
        for password in ("", "wrong horse battery", TOKENS["anne"]):
            answer = site.say("anne", 1, "approve", password=password)
            assert (answer.status_code, "not your password" in told(answer)) == (403, True)
        assert site.say("basile", 1, "approve").status_code == 403  # whose account has none
        assert airlock.releases() == {}
        assert site.say("anne", 1, "approve").status_code == 303
        assert airlock.releases() == {"1/t.csv": GOOD}
    finally:
        site.running.stop()


def test_a_password_that_is_guessed_has_to_wait(airlock, people, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("sandbox.hub.signin.Throttle", lambda: Throttle(clock=lambda: now[0]))
    accounts.add(people, "anne")
    accounts.choose(people, "anne", PASSWORD)
    site = Site(people)
    try:
        airlock.take("ada")
        fields = site.fields("anne", 1)
        for _ in range(6):
            site.say("anne", 1, "approve", password=TOKENS["eve"], fields=fields)
        assert site.say("anne", 1, "approve", fields=fields).status_code == 403
        assert airlock.releases() == {}
        now[0] = 600.0
        assert site.say("anne", 1, "approve", fields=fields).status_code == 303  # the control
    finally:
        site.running.stop()


def test_pages_without_a_login_show_nothing_by_themselves(airlock):
    async def nobody(_):
        return None

    airlock.take("ada")
    running = Portal(airlock.lab, create_pages(airlock.lab, nobody, stewards=frozenset({"everyone"})))
    try:
        for path in ("/airlock/", "/airlock/1", "/airlock/1/file"):
            assert running.http.get(path).status_code == 401
        assert running.http.post("/airlock/1", data={"word": "approve"}).status_code == 401
    finally:
        running.stop()
