"""Sources on the web, against a real server: asked again when changed, refused when they are no data."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore
import httpx
import pytest
from fixtures_web import reply, serving_raw, to
from pydantic import ValidationError

from catalog.query import connect
from catalog.sources import HttpSource
from ingest.run import ingest
from ingest.settings import IngestSettings
from ingest.sources.guarded import GuardedTransport
from policies.errors import SourceError

CSV = b"n;nom\n1;a\n2;b\n"
PACKED = gzip.compress(CSV)
GZIP = {"Content-Encoding": "gzip"}


@dataclass
class Site:
    """A web server that answers what a test sets, and keeps the headers it was asked with.

    `pause` is how long it thinks before each answer, in seconds; what it drips it sends as ten bytes a second.
    """

    port: int = 0
    body: bytes = CSV
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    etag: bool = True
    pause: float = 0
    drips: str = ""
    dripped: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/data.csv"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with contextlib.suppress(OSError):  # the client may have had enough
            self.answer(self.server.site)

    def answer(self, site: Site):
        site.asked.append(dict(self.headers))
        time.sleep(site.pause)
        if site.drips == "headers":
            self.drip(b"HTTP/1.0 200 OK\r\nX-Drip: " + b"-" * 100)
            return
        tag = f'"{hashlib.sha256(site.body).hexdigest()[:12]}"'
        if site.etag and self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(site.status)
        headers = {"Content-Length": str(len(site.body)), **({"ETag": tag} if site.etag else {}), **site.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if site.drips == "body":
            self.drip(site.body)
        else:
            self.wfile.write(site.body)

    def drip(self, data: bytes):
        for byte in data:
            self.server.site.dripped += 1
            self.wfile.write(bytes([byte]))
            time.sleep(0.1)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(site: Site, tls: ssl.SSLContext | None = None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = site
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site():
    with serving(Site()) as made:
        yield made


@pytest.fixture
def fetch(folder, site):
    folder.describe("jeu", {"t": {"source": {"url": site.url}}})
    folder.grant("jeu", {"open": {"t": {"keep": ["n", "nom"]}}})
    settings = folder.root / "datalab.toml"
    settings.write_text(
        settings.read_text() + '[ingest]\nallow_hosts = ["127.0.0.1"]\nmax_bytes = 100000\ntimeout = 20\nretries = 0\n'
    )

    def once():
        (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
        return outcome

    return once


def set_in(folder, before: str, after: str) -> None:
    settings = folder.root / "datalab.toml"
    settings.write_text(settings.read_text().replace(before, after))


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


@pytest.mark.parametrize("harm", [lambda body: body.unlink(), lambda body: body.write_bytes(b"spoilt")])
def test_a_304_for_a_copy_that_is_gone_or_spoilt_is_never_believed(folder, site, fetch, harm):
    fetch()
    body = folder.root / "var/sources/jeu/t/body"
    harm(body)
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
        ({"status": 302, "headers": {"Location": "http://[::1"}}, "cannot be fetched: Invalid URL in location header"),
        ({"body": PACKED[: len(PACKED) // 2], "headers": GZIP}, "the gzip body is cut off"),
        ({"body": PACKED + PACKED[:-1], "headers": GZIP}, "the gzip body is cut off"),
        ({"body": b"", "headers": GZIP}, "the gzip body is cut off"),
        ({"body": PACKED[:-8] + bytes(8), "headers": GZIP}, "no good gzip"),
        ({"body": PACKED + b"and more", "headers": GZIP}, "no good gzip"),
        ({"body": gzip.compress(b"<html>"), "headers": GZIP}, "an HTML page"),
        ({"headers": {"Content-Encoding": "br"}}, "packs the file as 'br', but gzip was asked for"),
        ({"headers": {"Content-Encoding": "gzip, gzip"}}, "packs the file as 'gzip, gzip'"),
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
    set_in(folder, '["127.0.0.1"]', "[]")
    error = fetch().error
    assert "127.0.0.1, an inner address" in error
    assert 'allow_hosts = ["127.0.0.1"]' in error
    assert site.asked == []


def test_a_server_that_is_not_there_is_named(folder, site, fetch):
    folder.describe("jeu", {"t": {"source": {"url": "http://127.0.0.1:9/data.csv"}}})
    assert "http://127.0.0.1:9/data.csv: cannot be fetched" in fetch().error


def test_a_gzip_body_is_unpacked_also_when_it_is_several_one_after_the_other(folder, site, fetch):
    site.headers = GZIP
    site.body = PACKED + gzip.compress(b"3;c\n")
    assert fetch().status == "ingested"
    assert rows(folder) == 3


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(site, fetch):
    site.headers = GZIP
    site.body = gzip.compress(bytes(1 << 26))
    tracemalloc.start()
    try:
        error = fetch().error
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "more than 100000 bytes" in error
    assert peak < 1 << 24


@pytest.mark.parametrize(
    "manner",
    [
        {"drips": "headers"},
        {"drips": "body", "body": CSV * 10},
        {"pause": 0.2, "status": 302, "headers": {"Location": "/data.csv"}},
    ],
    ids=["headers", "body", "redirects"],
)
def test_a_server_that_never_stops_answering_is_left_when_the_time_is_over(folder, site, fetch, manner):
    set_in(folder, "timeout = 20", "timeout = 0.6")
    for name, value in manner.items():
        setattr(site, name, value)
    error = fetch().error
    assert error.startswith(site.url)
    assert error.endswith("not here in time; raise timeout in [ingest] of datalab.toml")
    assert site.dripped < 100


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing_is_left_when_the_time_is_over(folder, fetch, scheme):
    set_in(folder, "timeout = 20", "timeout = 0.6")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/data.csv"
        folder.describe("jeu", {"t": {"source": {"url": url}}})
        assert fetch().error == f"{url}: not here in time; raise timeout in [ingest] of datalab.toml"


def through(url: str, addresses: list[str], *allowed: str) -> tuple[httpx.Response, list[str]]:
    """What `url` answers where all names have these addresses, and the names that were looked up."""
    asked = []

    def resolve(host, port):
        asked.append(host)
        return list(addresses)

    transport = GuardedTransport(url, IngestSettings(allow_hosts=allowed), resolve)
    with httpx.Client(transport=transport, trust_env=False) as client:
        return client.get(url), asked


def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_the_one_connected_to(site):
    answer, asked = through(f"http://lab.invalid:{site.port}/", ["127.0.0.1"], "lab.invalid")
    assert answer.content == CSV
    assert asked == ["lab.invalid"]
    assert site.asked[0]["Host"] == f"lab.invalid:{site.port}"


def test_an_address_that_does_not_answer_is_followed_by_the_next(site):
    answer, _ = through(f"http://lab.invalid:{site.port}/", ["127.0.0.2", "127.0.0.1"], "lab.invalid")
    assert answer.content == CSV


def test_a_name_with_one_inner_address_among_public_ones_is_refused_and_nothing_is_connected_to(site):
    with pytest.raises(SourceError, match="lab.invalid is 127.0.0.1, an inner address"):
        through(f"http://lab.invalid:{site.port}/", ["8.8.8.8", "127.0.0.1"], "other.invalid")
    assert site.asked == []


def test_the_certificate_is_checked_for_the_name_and_not_for_the_address(tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=lab"
    names = ["-addext", "subjectAltName=DNS:lab.invalid", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request.split(), *names], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(Site(), server) as site:
        answer, _ = through(f"https://lab.invalid:{site.port}/", ["127.0.0.1"], "lab.invalid")
        assert answer.content == CSV
        with pytest.raises(httpcore.ConnectError, match="Hostname mismatch"):
            through(f"https://other.invalid:{site.port}/", ["127.0.0.1"], "other.invalid")


@pytest.mark.parametrize("secret", ["alice:s3cret@", "s3cret@", ":s3cret@"])
def test_a_name_or_password_in_an_address_is_refused_and_never_repeated(site, fetch, secret):
    with pytest.raises(ValidationError, match="secrets do not belong in a descriptor"):
        HttpSource(url=f"http://{secret}127.0.0.1:{site.port}/data.csv")
    site.status, site.headers = 302, {"Location": f"http://{secret}127.0.0.1:{site.port}/"}
    error = fetch().error
    assert "an address with a user name or password in it is not fetched" in error
    assert "s3cret" not in error


def test_a_server_that_was_busy_gives_the_file_when_it_is_asked_again(folder, fetch):
    set_in(folder, "retries = 0", "retries = 1")
    with serving_raw() as raw:
        folder.describe("jeu", {"t": {"source": {"url": raw.url}}})
        raw.answers = [reply(status=503, retry_after=0), reply(CSV)]
        assert fetch().status == "ingested"
        assert [one["target"] for one in raw.asked] == ["/data.csv"] * 2


def test_a_file_that_broke_off_is_gone_on_with_when_it_is_ingested_again(folder, fetch):
    whole = reply(CSV, etag='"a"')
    with serving_raw() as raw:
        folder.describe("jeu", {"t": {"source": {"url": raw.url}}})
        raw.answers = [whole[:-4], reply(CSV[-4:], 206, etag='"a"', content_range="bytes 10-13/14"), reply(status=304)]
        assert "peer closed connection" in fetch().error
        assert fetch().status == "ingested"
        assert rows(folder) == 2
        assert fetch().status == "unchanged"
        assert [(one.get("range"), one.get("if-none-match")) for one in raw.asked] == [
            (None, None),
            ("bytes=10-", None),
            (None, '"a"'),
        ]


def test_the_authorization_is_what_the_environment_has_and_goes_to_the_source_alone(folder, site, fetch, monkeypatch):
    monkeypatch.setenv("PORTAL_TOKEN", "Bearer s3cret")
    with serving_raw() as raw:
        folder.describe("jeu", {"t": {"source": {"url": raw.url, "authorization": "PORTAL_TOKEN"}}})
        raw.answers = [to(site.url)]
        assert fetch().status == "ingested"
        assert raw.asked[0]["authorization"] == "Bearer s3cret"
        assert "Authorization" not in site.asked[0]
    monkeypatch.delenv("PORTAL_TOKEN")
    assert fetch().error == "the environment has no PORTAL_TOKEN, which the descriptor names; set it"


def test_a_copy_of_another_address_is_never_taken_for_this_one(folder, site, fetch):
    fetch()
    tag = f'"{hashlib.sha256(CSV).hexdigest()[:12]}"'
    with serving_raw() as raw:
        folder.describe("jeu", {"t": {"source": {"url": raw.url}}})
        raw.answers = [reply(CSV + b"3;c\n", etag=tag)]
        assert fetch().status == "ingested"
        assert "if-none-match" not in raw.asked[0]
        assert rows(folder) == 3


def test_a_file_is_read_as_what_the_server_calls_it(folder, fetch):
    with serving_raw() as raw:
        folder.describe("jeu", {"t": {"source": {"url": raw.url.replace("data.csv", "export?id=5")}}})
        raw.answers = [
            reply(b'{"n": 1, "nom": "a"}\n', content_disposition='attachment; filename="x.ndjson"'),
        ]
        assert fetch().status == "ingested"
        assert rows(folder) == 1
