"""Sources on the web, against a real server: asked again when changed, refused when they are no data."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from catalog.query import connect
from ingest.run import ingest

CSV = b"n;nom\n1;a\n2;b\n"


@dataclass
class Site:
    """A web server that answers what a test sets, and keeps the headers it was asked with."""

    port: int = 0
    body: bytes = CSV
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    etag: bool = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/data.csv"


@pytest.fixture
def site():
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            made.asked.append(dict(self.headers))
            tag = f'"{hashlib.sha256(made.body).hexdigest()[:12]}"'
            if made.etag and self.headers.get("If-None-Match") == tag:
                self.send_response(304)
                self.end_headers()
                return
            self.send_response(made.status)
            if made.etag:
                self.send_header("ETag", tag)
            for name, value in made.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in made.headers:
                self.send_header("Content-Length", str(len(made.body)))
            self.end_headers()
            self.wfile.write(made.body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(folder, site):
    folder.describe("jeu", {"t": {"source": {"url": site.url}}})
    folder.grant("jeu", {"open": {"t": {"keep": ["n", "nom"]}}})
    settings = folder.root / "datalab.toml"
    settings.write_text(
        settings.read_text() + '[ingest]\nallow_hosts = ["127.0.0.1"]\nmax_bytes = 100000\ntimeout = 20\n'
    )

    def once():
        (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
        return outcome

    return once


def rows(folder) -> int:
    return connect(folder.lab, frozenset({"everyone"})).execute("SELECT count(*) FROM jeu.t").fetchall()[0][0]


def test_a_file_that_has_not_changed_is_asked_for_with_its_etag_and_not_sent_again(folder, site, fetch):
    assert fetch().status == "ingested"
    assert fetch().status == "unchanged"
    assert "If-None-Match" not in site.asked[0]
    assert site.asked[1]["If-None-Match"].startswith('"')
    site.body += b"3;c\n"
    assert fetch().status == "ingested"
    assert rows(folder) == 3


def test_the_same_bytes_without_an_etag_are_unchanged_too(site, fetch):
    site.etag = False
    assert [fetch().status, fetch().status] == ["ingested", "unchanged"]


def test_a_304_for_a_copy_that_is_gone_or_spoilt_is_never_believed(folder, site, fetch):
    fetch()
    body = folder.root / "var/sources/jeu/t/body"
    body.write_bytes(b"spoilt")
    assert fetch().status == "unchanged"
    assert "If-None-Match" not in site.asked[1]
    assert body.read_bytes() == CSV


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": 404}, "the server answered 404"),
        ({"status": 500}, "the server answered 500"),
        ({"body": b"<!DOCTYPE html><title>Login</title>"}, "an HTML page (a login, an error?), not with data"),
        ({"body": b"n;nom\n" + b"1;a\n" * 30_000}, "more than 100000 bytes"),
        ({"headers": {"Content-Length": "99999"}}, "cannot be fetched"),
        ({"status": 302, "headers": {"Location": "file:///etc/passwd"}}, "only http and https addresses are fetched"),
        ({"status": 302, "headers": {"Location": "/data.csv"}}, "more than 5 redirects"),
        ({"status": 302, "headers": {"Location": "http://[::ffff:127.0.0.1]/"}}, "an inner address"),
        ({"status": 302, "headers": {"Location": "http://2130706433/"}}, "an inner address"),
    ],
)
def test_an_answer_that_is_no_data_is_refused_and_the_last_good_snapshot_stays(folder, site, fetch, change, said):
    fetch()
    site.etag = False
    for name, value in change.items():
        setattr(site, name, value)
    outcome = fetch()
    assert outcome.status == "failed"
    assert said in outcome.error
    assert outcome.error.startswith(site.url)
    assert rows(folder) == 2


def test_an_inner_address_is_refused_unless_the_lab_allows_it_by_name(folder, site, fetch):
    settings = folder.root / "datalab.toml"
    settings.write_text(settings.read_text().replace('["127.0.0.1"]', "[]"))
    error = fetch().error
    assert "127.0.0.1, an inner address" in error
    assert 'allow_hosts = ["127.0.0.1"]' in error
    assert site.asked == []


def test_a_server_that_is_not_there_is_named(folder, site, fetch):
    folder.describe("jeu", {"t": {"source": {"url": "http://127.0.0.1:9/data.csv"}}})
    assert "http://127.0.0.1:9/data.csv: cannot be fetched" in fetch().error
