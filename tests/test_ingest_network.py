"""A server that misbehaves on purpose, and addresses that a fetch must not reach: each is refused, with its cause."""

from __future__ import annotations

import gzip
import socket
import threading
import time

import httpx
import pytest
from fixtures_web import Raw, certificate, reply, serving_raw, to

from ingest.settings import IngestSettings
from ingest.sources.guarded import GuardedTransport, checked_addresses, is_public
from ingest.sources.web import Web
from policies.errors import SourceError

BODY = b"n;nom\n1;a\n2;b\n"
PACKED = gzip.compress(BODY)
CHUNKED = {"transfer_encoding": "chunked", "content_length": None}
STORED = b"\0\1\0\xfe\xffn"  # a block of one byte, as deflate has it
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def raw():
    with serving_raw() as made:
        yield made


def settings(*hosts: str, **changes) -> IngestSettings:
    return IngestSettings(allow_hosts=hosts, **{"retries": 1, "max_bytes": 10_000, **changes})


def fetched(raw: Raw, target, **changes) -> bytes:
    with Web(raw.url, settings("127.0.0.1", **changes), lambda _: None) as web:
        web.download(raw.url, target)
    return target.read_bytes()


def refused(raw: Raw, folder, **changes) -> str:
    with pytest.raises(SourceError) as caught:
        fetched(raw, folder / "body", **changes)
    assert not (folder / "body").exists()
    assert str(caught.value).startswith(raw.url)
    return str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(BODY, content_length=99), "peer closed connection without sending complete message body"),
        (reply(BODY, content_length=9), "more comes than the 9 bytes that the server says"),
        (reply(BODY, content_length=0), "more comes than the 0 bytes that the server says"),
        (reply(BODY, content_length=-14), "bad Content-Length"),
        (reply(BODY, content_length="14, 9"), "conflicting Content-Length"),
        (reply(BODY, content_length="0x0e"), "bad Content-Length"),
        (reply(BODY, content_length="9" * 5000), "bad Content-Length"),
        (reply(BODY, content_length="9" * 18), "more than 10000 bytes"),
        (reply(b"e\r\n" + BODY + b"\r\n", **CHUNKED), "incomplete chunked read"),
        (reply(b"e\r\n" + BODY[:-3], **CHUNKED), "incomplete chunked read"),
        (reply(b"-e\r\n" + BODY + b"\r\n0\r\n\r\n", **CHUNKED), "illegal chunk header"),
        (reply(b"9\r\n" + BODY + b"\r\n0\r\n\r\n", **CHUNKED), "malformed chunk footer"),
        (reply(BODY, transfer_encoding="gzip, chunked"), "Only Transfer-Encoding: chunked is supported"),
        (reply(PACKED[:-9], content_encoding="gzip"), "the gzip body is cut off"),
        (reply(PACKED, content_encoding="gzip", content_length=len(PACKED) - 9), "more comes than the"),
        (reply(gzip.compress(bytes(1 << 24)), content_encoding="gzip"), "more than 10000 bytes"),
        (reply(gzip.compress(gzip.compress(bytes(1 << 24))), content_encoding="gzip, gzip"), "as 'gzip, gzip'"),
        (reply(BODY, content_encoding="br"), "packs the file as 'br'"),
        (reply(b"<!DOCTYPE html>\n<title>Login</title>", content_type="text/csv"), "an HTML page"),
        (reply(b"<!-- a comment -->\n<html><p>Login"), "an HTML page"),
        (reply(b"<?xml version='1.0'?>\n<!-- " + b"-" * 2000 + b" -->\n<html xmlns='x'>"), "an HTML page"),
        (reply(b"\xef\xbb\xbf\n<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'><div>Login"), "an HTML page"),
        (reply("\ufeff<!doctype html><html>".encode("utf-16-le")), "an HTML page"),
        (reply("\ufeff<HTML><HEAD>".encode("utf-16-be")), "an HTML page"),
        (OK + b"X: " + b"-" * (1 << 20) + b"\r\n\r\n", "Receive buffer too long"),
        (OK + b"X: -\r\n" * 1_000_000 + b"\r\n" + BODY, "Receive buffer too long"),
        (OK + b"X\xff\0: -\r\n\r\n" + BODY, "illegal header line"),
        (OK + b"X: a\0b\r\n\r\n" + BODY, "illegal header line"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "illegal status line"),
        (BODY, "without sending a response"),
        (b"HTTP/1.1 999999 X\r\n\r\n", "illegal status line"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "answered 304"),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\n\r\n", "answered 206"),
        (b"", "without sending a response"),
        (to("/data.csv"), "more than 5 redirects"),
        (
            to("file:///etc/passwd"),
            "redirected to file://127.0.0.1/etc/passwd: only http and https addresses are fetched",
        ),
        (to("ftp://example.org/"), "only http and https addresses are fetched"),
        (to("gopher://127.0.0.1:6379/_FLUSHALL"), "only http and https addresses are fetched"),
        (to("http://"), "cannot be fetched"),
        (to("http://[::1"), "Invalid URL in location header"),
        (to("http://a b/"), "has no address"),
        (to("http://127.0.0.1:99999/"), "cannot be fetched"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_that_is_broken_is_refused_with_its_cause(raw, tmp_path, answer, said):
    raw.answers = [answer]
    assert said in refused(raw, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        b"<!-- <html> -->\n<villes><ville/></villes>",
        b"<?xml version='1.0'?><table><tr/></table>",
        b"<table><tr/></table>",
        b"<html;nom\n1;a\n",
    ],
)
def test_what_is_no_page_for_a_browser_is_fetched_though_it_has_tags(raw, tmp_path, body):
    raw.answers = [reply(body)]
    assert fetched(raw, tmp_path / "body") == body


def test_a_file_larger_than_allowed_by_its_length_is_refused_before_its_body(raw, tmp_path):
    raw.answers = [raw.stall(reply(content_length=10_001))]
    assert "more than 10000 bytes" in refused(raw, tmp_path, timeout=20)


def test_what_comes_after_the_length_that_was_said_is_seen_also_when_it_comes_late(raw, tmp_path):
    asked = threading.Event()

    def late(sock: socket.socket, _: dict[str, str]) -> None:
        sock.sendall(reply(BODY[:9]))
        while not raw.over.is_set() and not asked.is_set():
            sock.sendall(BODY[9:])
            asked.wait(0.01)

    raw.answers = [late]
    try:
        assert "more comes than the 9 bytes" in refused(raw, tmp_path)
    finally:
        asked.set()


def test_a_server_that_keeps_the_connection_open_gives_its_file_all_the_same(raw, tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.sources.guarded._EXCESS", 0.05)
    raw.answers = [raw.stall(reply(BODY))]
    assert fetched(raw, tmp_path / "body") == BODY


def test_what_a_server_says_before_its_answer_is_not_taken_for_the_answer(raw, tmp_path):
    raw.answers = [b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 2 + reply(BODY)]
    assert fetched(raw, tmp_path / "body") == BODY


def test_a_body_that_ends_with_the_connection_is_taken_as_it_comes(raw, tmp_path):
    raw.answers = [b"HTTP/1.0 200 OK\r\n\r\n" + BODY]
    assert fetched(raw, tmp_path / "body") == BODY


def drip(start: bytes, piece: bytes):
    def answer(sock: socket.socket, _: dict[str, str]) -> None:
        sock.sendall(start)
        while True:
            sock.sendall(piece)
            time.sleep(0.02)

    return answer


@pytest.mark.parametrize(
    "manner",
    [
        drip(b"H", b""),
        drip(OK, b"X"),
        drip(reply(content_length=10_000), b"1"),
        drip(reply(**CHUNKED), b"1\r\n1\r\n"),
        drip(reply(**CHUNKED), b"0"),
        drip(reply(PACKED[:10], content_length=9999, content_encoding="gzip"), STORED),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(to("/there", 302)[:-2], b"X: -\r\n"),
    ],
    ids=["status", "headers", "body", "chunks", "chunk size", "gzip", "continue", "redirect"],
)
def test_a_server_that_goes_on_for_ever_is_left_when_the_time_is_over(raw, tmp_path, manner):
    raw.answers = [manner]
    assert "not here in time; raise timeout" in refused(raw, tmp_path, timeout=0.3)


@pytest.mark.parametrize("start", [b"", OK, reply(BODY)[:-5], reply(PACKED, content_encoding="gzip")[:-5]])
def test_a_server_that_falls_silent_is_left_when_the_time_is_over(raw, tmp_path, start):
    raw.answers = [raw.stall(start)]
    assert "not here in time; raise timeout" in refused(raw, tmp_path, timeout=0.2)


INNER = {
    "127.0.0.1": "127.0.0.1",
    "127.1": "127.0.0.1",
    "2130706433": "127.0.0.1",
    "0x7f000001": "127.0.0.1",
    "0x7f.1": "127.0.0.1",
    "017700000001": "127.0.0.1",
    "127.255.255.254": "127.255.255.254",
    "0": "0.0.0.0",  # noqa: S104  nothing listens there
    "0.0.0.0": "0.0.0.0",  # noqa: S104
    "10.1.2.3": "10.1.2.3",
    "172.16.0.1": "172.16.0.1",
    "192.168.1.1": "192.168.1.1",
    "169.254.169.254": "169.254.169.254",
    "100.64.0.1": "100.64.0.1",
    "198.18.0.1": "198.18.0.1",
    "224.0.0.1": "224.0.0.1",
    "240.0.0.1": "240.0.0.1",
    "255.255.255.255": "255.255.255.255",
    "[::]": "::",
    "[::1]": "::1",
    "[0:0:0:0:0:0:0:1]": "::1",
    "[::ffff:127.0.0.1]": "::ffff:127.0.0.1",
    "[::ffff:7f00:1]": "::ffff:127.0.0.1",
    "[::ffff:10.0.0.1]": "::ffff:10.0.0.1",
    "[::127.0.0.1]": "::127.0.0.1",
    "[64:ff9b::7f00:1]": "64:ff9b::7f00:1",
    "[64:ff9b::192.168.1.1]": "64:ff9b::c0a8:101",
    "[64:ff9b:1::8.8.8.8]": "64:ff9b:1::808:808",
    "[2002:7f00:1::]": "2002:7f00:1::",
    "[2001::1]": "2001::1",
    "[2001:db8::1]": "2001:db8::1",
    "[fe80::1]": "fe80::1",
    "[fec0::1]": "fec0::1",
    "[fc00::1]": "fc00::1",
    "[fd12:3456::1]": "fd12:3456::1",
    "[ff02::1]": "ff02::1",
}
"""Hosts as an address may write them, and what the machine takes them for."""


@pytest.mark.parametrize("host", INNER)
def test_a_redirect_to_an_inner_address_is_refused_however_it_is_written(raw, tmp_path, host):
    url = f"http://localhost:{raw.port}/"
    raw.answers = [to(f"http://{host}:{raw.port}/")]
    with Web(url, settings("localhost")) as web, pytest.raises(SourceError) as caught:
        web.download(url, tmp_path / "body")
    assert f"{url}: redirected to http://{host}:{raw.port}/: " in str(caught.value)
    assert f" is {INNER[host]}, an inner address" in str(caught.value)
    assert len(raw.asked) == 1


def test_an_address_with_a_leading_zero_is_octal_to_some_and_so_none(raw, tmp_path):
    raw.answers = [to("http://0177.0.0.1/")]
    assert "Invalid IPv4 address: '0177.0.0.1'" in refused(raw, tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "100.64.0.1", "[64:ff9b::10.0.0.1]"])
def test_a_descriptor_that_names_an_inner_address_is_refused_too(host):
    url = f"http://{host}/"
    with pytest.raises(SourceError, match="an inner address"), Web(url, settings()) as web:
        web.get(url)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "193.51.192.1", "2001:4860:4860::8888", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_an_address_of_the_internet_is_public(address):
    assert is_public(address)


def test_a_connector_without_http_gets_the_checked_addresses_to_connect_to():
    found = ["8.8.8.8", "2001:4860:4860::8888"]
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return found

    assert checked_addresses("db.invalid", 5432, settings(), "db", None, resolve) == found
    assert asked == [("db.invalid", 5432)]
    found.append("127.0.0.1")
    with pytest.raises(SourceError, match="^db: db.invalid is 127.0.0.1, an inner address"):
        checked_addresses("db.invalid", 5432, settings(), "db", None, resolve)
    assert checked_addresses("db.invalid", 5432, settings("db.invalid"), "db", None, resolve) == found


def test_a_name_that_turns_inward_after_the_check_changes_nothing(raw):
    turns = [["127.0.0.1"], ["10.0.0.1"]]
    transport = GuardedTransport(raw.url, settings("lab.invalid"), lambda *_: turns.pop(0))
    raw.answers = [reply(BODY)]
    with httpx.Client(transport=transport, trust_env=False) as client:
        assert client.get(f"http://lab.invalid:{raw.port}/").content == BODY
    assert len(turns) == 1


@pytest.mark.parametrize("host", ["nowhere.invalid", "a b", "x" * 300, "é" * 100, "a..b", "-"])
def test_a_host_without_an_address_is_named(host):
    def none(*_: object) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(SourceError, match="^db: the host .* has no address"):
        checked_addresses(host, 80, settings(), "db", None, none)


def test_a_name_server_that_never_answers_is_left_when_the_time_is_over(tmp_path):
    over = threading.Event()

    def silent(*_: object) -> list[str]:
        over.wait()
        return []

    with pytest.raises(SourceError, match="^db: the name server does not answer for 'db.invalid'"):
        checked_addresses("db.invalid", 80, settings(), "db", 0.05, silent)
    transport = GuardedTransport("http://lab.invalid/", settings(timeout=0.1), silent)
    with httpx.Client(transport=transport, trust_env=False) as client, pytest.raises(SourceError, match="name server"):
        client.get("http://lab.invalid/")
    over.set()


def test_a_certificate_that_has_expired_is_refused(tmp_path, monkeypatch):
    for days, said in ((1, None), (-1, "certificate has expired")):
        authority, context = certificate(tmp_path, "localhost", days)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        with serving_raw(context) as safe:
            safe.answers = [reply(BODY)]
            url = f"https://localhost:{safe.port}/"
            with Web(url, settings("localhost")) as web:
                if said is None:
                    assert web.get(url).body == BODY
                else:
                    with pytest.raises(SourceError, match=said):
                        web.get(url)
                    assert safe.asked == []


def test_a_certificate_that_no_authority_knows_is_refused(tmp_path):
    _, context = certificate(tmp_path, "localhost")
    with serving_raw(context) as safe, Web("https://localhost/", settings("localhost")) as web:
        with pytest.raises(SourceError, match="certificate verify failed: self-signed certificate"):
            web.get(f"https://localhost:{safe.port}/")
        assert safe.asked == []
