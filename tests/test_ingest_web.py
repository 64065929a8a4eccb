"""What is asked of the web is asked again where that helps, goes on where it broke off, and keeps its secrets."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest
from fixtures_web import Raw, certificate, reply, reset, serving_raw, to

from ingest.settings import IngestSettings
from ingest.sources import partial
from ingest.sources import web as asking
from ingest.sources.secret import secret
from ingest.sources.web import AGENT, Web
from policies.errors import SourceError

BODY = b"n;nom\n" + b"".join(b"%d;a\n" % n for n in range(100))
MODIFIED = "Mon, 02 Mar 2026 10:00:00 GMT"
LATER = "Mon, 02 Mar 2026 10:00:30 GMT"
LONG_AFTER = "Mon, 02 Mar 2026 11:00:00 GMT"
CUT = 300
FIRST = reply(BODY, etag='"a"')
HEAD = len(FIRST) - len(BODY)


@pytest.fixture
def raw():
    with serving_raw() as made:
        yield made


@pytest.fixture
def waits():
    return []


@pytest.fixture
def web(raw, waits):
    with Web(raw.url, settings(), waits.append) as made:
        yield made


def settings(**changes) -> IngestSettings:
    return IngestSettings(allow_hosts=("127.0.0.1", "localhost"), **changes)


def rest(start: int = CUT, body: bytes = BODY, total: int | None = None, **headers: object) -> bytes:
    span = f"bytes {start}-{len(body) - 1}/{total or len(body)}"
    return reply(body[start:], 206, **{"content_range": span, "etag": '"a"', **headers})


def refused(web: Web, raw: Raw, **asked) -> str:
    with pytest.raises(SourceError) as caught:
        web.get(raw.url, **asked)
    return str(caught.value)


def test_an_answer_has_the_body_unpacked_the_headers_and_where_it_came_from(raw, web):
    raw.answers = [to("/there?x=1"), reply(gzip.compress(b"{}"), content_encoding="gzip", link="<next>")]
    answer = web.get(raw.url, params={"limit": 5}, headers={"Accept": "application/json"})
    assert (answer.status, answer.body, answer.headers["Link"]) == (200, b"{}", "<next>")
    assert answer.url == f"http://127.0.0.1:{raw.port}/there?x=1"
    assert raw.asked[0]["target"] == "/data.csv?limit=5"
    assert (raw.asked[1]["accept"], raw.asked[1]["user-agent"]) == ("application/json", AGENT)
    assert AGENT.startswith("datalab/0")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again_after_longer_and_longer_waits(raw, web, waits, status):
    raw.answers = [reply(status=status)] * 3 + [reply(b"yes")]
    assert web.get(raw.url).body == b"yes"
    assert [0.25 <= waits[0] <= 0.5, 0.5 <= waits[1] <= 1, 1 <= waits[2] <= 2, len(waits)] == [True, True, True, 3]


def test_a_server_that_stays_busy_is_asked_so_many_times_and_no_more(raw, web, waits):
    raw.answers = [reply(status=503)]
    assert refused(web, raw) == f"{raw.url}: the server answered 503 Service Unavailable (asked 5 times)"
    assert (len(raw.asked), len(waits)) == (5, 4)


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 404, 410, 501])
def test_any_other_status_than_200_is_an_error_at_once(raw, web, status):
    raw.answers = [reply(status=status, content_length=None if status in {204, 304} else 0)]
    assert f"{raw.url}: the server answered {status}" in refused(web, raw)
    assert len(raw.asked) == 1


def test_a_refusal_is_an_answer_to_whom_it_may_be_one_but_not_where_a_secret_is_asked_for(raw, web):
    raw.answers = [reply(b'{"error": "x"}', 400)]
    answer = web.get(raw.url, headers=SECRETS, refusals=True)
    assert (answer.status, answer.body) == (400, b'{"error": "x"}')
    for status in (302, 401, 403, 429, 500, 501):
        raw.answers = [reply(status=status)]
        assert f"the server answered {status}" in refused(web, raw, refusals=True)


@pytest.mark.parametrize("said", ["7", "Mon, 02 Mar 2026 10:00:07 GMT", "Monday, 02-Mar-26 10:00:07 GMT"])
def test_the_wait_that_a_server_asks_for_is_waited(raw, web, waits, said):
    raw.answers = [reply(status=429, retry_after=said, date=MODIFIED), reply(b"yes")]
    assert web.get(raw.url).body == b"yes"
    assert waits == [7]


@pytest.mark.parametrize("said", ["soon", "-5", "", "1e3", "Mon, 99 Mar 2026", MODIFIED, "²"])
def test_a_wait_that_makes_no_sense_or_is_over_is_the_usual_one(raw, web, waits, said):
    raw.answers = [reply(status=503, retry_after=said, date=LATER), reply(b"yes")]
    assert web.get(raw.url).body == b"yes"
    assert 0.25 <= waits[0] <= 0.5


@pytest.mark.parametrize(
    ("said", "shown"), [("61", "61 s"), (LONG_AFTER, "3600 s"), ("9" * 5000, "999999999999 s")], ids=range(3)
)
def test_a_wait_longer_than_the_lab_has_patience_for_is_not_waited_but_told(raw, web, waits, said, shown):
    raw.answers = [reply(status=503, retry_after=said, date=MODIFIED)]
    assert f"503 Service Unavailable; the server asks to wait {shown}, but max_wait is 60" in refused(web, raw)
    assert (len(raw.asked), waits) == (1, [])


def test_a_wait_for_which_no_time_is_left_is_not_waited_but_told(raw, waits):
    raw.answers = [reply(status=503, retry_after="30"), reply(status=503)]
    with Web(raw.url, settings(timeout=20), waits.append) as web:
        assert "asks to wait 30 s, but max_wait is 60, and of timeout 20 s are left" in refused(web, raw)
    with Web(raw.url, settings(timeout=0.2), waits.append) as web:
        assert "no time is left to ask again" in refused(web, raw)
    assert waits == []


def test_a_connection_that_breaks_off_or_falls_silent_is_made_anew(raw, waits, monkeypatch):
    monkeypatch.setattr(asking, "_PATIENCE", 0.2)
    raw.answers = [reset, b"", raw.stall(b"HTTP/1.1 2"), raw.stall(FIRST[:-50]), FIRST]
    with Web(raw.url, settings(), waits.append) as hasty:
        assert hasty.get(raw.url).body == BODY
    assert len(waits) == 4


def test_a_page_of_more_than_a_page_may_have_is_refused_before_it_is_read(raw, waits):
    with Web(raw.url, settings(max_page_bytes=100)) as web:
        for page in (reply(content_length=101), reply(b"." * 101, content_length=None)):
            raw.answers = [page]
            assert "more than 100 bytes; raise max_page_bytes" in refused(web, raw)


def test_a_body_that_breaks_off_goes_on_where_it_broke_off(raw, web, waits, tmp_path):
    raw.answers = [FIRST[: HEAD + CUT], rest()[:-50], rest(len(BODY) - 50)]
    kept = web.download(raw.url, tmp_path / "body")
    assert (tmp_path / "body").read_bytes() == BODY
    assert (kept.name, kept.bytes, kept.sha256) == ("data.csv", len(BODY), hashlib.sha256(BODY).hexdigest())
    assert kept.etag == '"a"'
    assert [one.get("range") for one in raw.asked] == [None, f"bytes={CUT}-", f"bytes={len(BODY) - 50}-"]
    assert [one.get("if-range") for one in raw.asked] == [None, '"a"', '"a"']
    assert raw.asked[1]["accept-encoding"] == "identity"
    assert len(waits) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["body"]


def test_without_an_etag_the_date_of_the_last_change_says_what_to_go_on_with_if_it_is_old(raw, web, tmp_path):
    old = {"last_modified": MODIFIED, "date": LONG_AFTER}
    raw.answers = [reply(BODY, **old)[:-50], rest(len(BODY) - 50, etag='"b"', last_modified=MODIFIED)]
    web.download(raw.url, tmp_path / "body")
    assert raw.asked[1]["if-range"] == MODIFIED
    assert (tmp_path / "body").read_bytes() == BODY


@pytest.mark.parametrize(
    "headers",
    [{"etag": 'W/"a"'}, {}, {"last_modified": MODIFIED, "date": LATER}, {"last_modified": MODIFIED}],
    ids=["weak", "none", "fresh", "undated"],
)
def test_a_version_that_cannot_be_told_for_sure_is_not_gone_on_with_but_asked_for_again(raw, web, tmp_path, headers):
    raw.answers = [reply(BODY, **headers)[:-50], FIRST]
    web.download(raw.url, tmp_path / "body")
    assert "range" not in raw.asked[1]
    assert (tmp_path / "body").read_bytes() == BODY


@pytest.mark.parametrize(
    "answer",
    [
        rest(etag='"b"'),
        rest(etag=None),
        rest(CUT - 1),
        rest(CUT + 1),
        rest(total=10_000),
        rest(body=BODY + b"100;a\n"),
        rest(content_range=None),
        rest(content_range="bytes 300-"),
        rest(content_encoding="gzip"),
        reply(status=416, content_range=f"bytes */{CUT}"),
        reply(status=400),
    ],
    ids=[
        "changed",
        "untold",
        "before",
        "after",
        "beyond this",
        "longer",
        "nowhere",
        "half",
        "packed",
        "beyond",
        "unable",
    ],
)
def test_what_is_not_the_rest_of_the_same_version_is_not_put_to_it_but_all_is_asked_for(raw, web, tmp_path, answer):
    new = b"n;nom\n" + b"9;z\n" * 300
    raw.answers = [FIRST[: HEAD + CUT], answer, reply(new, etag='"b"')]
    kept = web.download(raw.url, tmp_path / "body")
    assert [one.get("range") for one in raw.asked] == [None, f"bytes={CUT}-", None]
    assert ((tmp_path / "body").read_bytes(), kept.etag) == (new, '"b"')


def test_a_server_that_gives_all_when_asked_for_the_rest_is_taken_at_its_word(raw, web, tmp_path):
    raw.answers = [FIRST[: HEAD + CUT], reply(b"n\n1\n", etag='"b"')]
    web.download(raw.url, tmp_path / "body")
    assert (tmp_path / "body").read_bytes() == b"n\n1\n"


def broken_off(raw: Raw, folder) -> None:
    """What a job leaves that was ended in the middle."""
    raw.answers = [FIRST[: HEAD + CUT]]
    (folder / "body").write_bytes(b"before")
    with Web(raw.url, settings(retries=0)) as web, pytest.raises(SourceError, match="cannot be fetched: peer closed"):
        web.download(raw.url, folder / "body")
    assert (folder / "body").read_bytes() == b"before"
    assert (folder / "body.part").read_bytes() == BODY[:CUT]
    raw.asked.clear()


def test_what_a_job_that_was_ended_left_is_gone_on_with_by_the_next(raw, web, tmp_path):
    broken_off(raw, tmp_path)
    raw.answers = [rest()]
    kept = web.changed(raw.url, tmp_path / "body", {}, {"If-None-Match": '"before"'})
    assert (raw.asked[0]["range"], "if-none-match" in raw.asked[0]) == (f"bytes={CUT}-", False)
    assert (tmp_path / "body").read_bytes() == BODY
    assert kept.sha256 == hashlib.sha256(BODY).hexdigest()


def test_when_the_time_is_over_the_part_that_came_is_kept_for_the_next_job(raw, web, tmp_path):
    raw.answers = [raw.stall(FIRST[: HEAD + CUT]), rest()]
    with Web(raw.url, settings(timeout=0.3)) as hasty, pytest.raises(SourceError, match="not here in time"):
        hasty.download(raw.url, tmp_path / "body")
    web.download(raw.url, tmp_path / "body")
    assert raw.asked[1]["range"] == f"bytes={CUT}-"
    assert (tmp_path / "body").read_bytes() == BODY


@pytest.mark.parametrize("spoilt", ["no note", "half a note", "a list", "another address", "another boot", "no part"])
def test_what_a_job_left_is_not_gone_on_with_where_it_is_not_clear_what_it_is(raw, web, tmp_path, monkeypatch, spoilt):
    broken_off(raw, tmp_path)
    note = tmp_path / "body.part.json"
    said = json.loads(note.read_text())
    match spoilt:
        case "no note":
            note.unlink()
        case "half a note":
            note.write_text(note.read_text()[:-5])
        case "a list":
            note.write_text("[]")
        case "another address":
            note.write_text(json.dumps({**said, "url": "http://other.invalid/"}))
        case "another boot":
            monkeypatch.setattr(partial, "_BOOT", note)
        case "no part":
            (tmp_path / "body.part").unlink()
    raw.answers = [FIRST]
    web.download(raw.url, tmp_path / "body")
    assert "range" not in raw.asked[0]
    assert (tmp_path / "body").read_bytes() == BODY


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(b"<html>" + BODY, etag='"a"'), "an HTML page"),
        (reply(BODY * 100, etag='"a"'), "more than 1000 bytes; raise max_bytes"),
        (reply(gzip.compress(bytes(10**6)), etag='"a"', content_encoding="gzip"), "more than 1000 bytes"),
        (reply(gzip.compress(BODY)[:-9], etag='"a"', content_encoding="gzip"), "the gzip body is cut off"),
        (reply(gzip.compress(BODY), etag='"a"', content_encoding="gzip")[:-9], "peer closed connection"),
    ],
    ids=["html", "large", "bomb", "packed and cut", "cut"],
)
def test_nothing_is_kept_of_a_body_that_is_refused(raw, tmp_path, answer, said):
    raw.answers = [answer]
    with Web(raw.url, settings(max_bytes=1000, retries=0)) as web, pytest.raises(SourceError, match=said):
        web.download(raw.url, tmp_path / "body")
    assert list(tmp_path.iterdir()) == []


def test_an_html_page_is_seen_also_where_it_broke_off_before_it_could_be_seen(raw, web, tmp_path):
    page = b"<html><title>Login</title>"
    raw.answers = [reply(page, etag='"a"')[: -len(page) + 3], rest(3, page)]
    with pytest.raises(SourceError, match="an HTML page"):
        web.download(raw.url, tmp_path / "body")


@pytest.mark.parametrize(
    ("headers", "path", "name"),
    [
        ({}, "/a/b%20c.csv?x=1.xls#y", "b c.csv"),
        ({}, "/", "body"),
        ({}, "/export", "export"),
        ({"content_disposition": 'attachment; filename="x y.xlsx"'}, "/export", "x y.xlsx"),
        ({"content_disposition": "attachment; filename*=UTF-8''donn%C3%A9es.csv"}, "/export", "données.csv"),
        ({"content_disposition": 'attachment; filename="../../etc/pass\\wd.csv"'}, "/export", "wd.csv"),
        ({"content_disposition": 'attachment; filename="x"'}, "/export.csv", "export.csv"),
        ({"content_disposition": "attachment; filename*=latin-nine''%E9"}, "/export.csv", "export.csv"),
        ({"content_disposition": "=?;;filename"}, "/export.csv", "export.csv"),
        ({"content_disposition": f"attachment; filename={'x' * 300}.csv"}, "/export", "x" * 196 + ".csv"),
    ],
)
def test_a_file_is_called_as_the_server_says_or_as_its_address(raw, web, tmp_path, headers, path, name):
    raw.answers = [reply(BODY, **headers)]
    assert web.download(f"http://127.0.0.1:{raw.port}{path}", tmp_path / "body").name == name


def test_a_file_keeps_its_name_when_only_its_first_part_came_with_it(raw, web, tmp_path):
    raw.answers = [
        reply(BODY, etag='"a"', content_disposition="attachment; filename=x.tsv")[: -len(BODY) + CUT],
        rest(),
    ]
    assert web.download(raw.url, tmp_path / "body").name == "x.tsv"


def test_the_name_is_that_of_the_first_address_where_a_redirect_leads_to_one_without_a_suffix(raw, web, tmp_path):
    raw.answers = [to("/storage/4711"), reply(BODY)]
    assert web.download(raw.url, tmp_path / "body").name == "data.csv"


SECRETS = {"Authorization": "Bearer s3cret", "apikey": "s3cret", "X-Token": "s3cret"}


def secrets_in(asked: dict[str, str]) -> list[str]:
    return [value for value in asked.values() if "s3cret" in value]


def test_secrets_go_with_a_redirect_on_thesame_server(raw, web):
    raw.answers = [to("/there"), reply(b"yes")]
    web.get(raw.url, headers=SECRETS)
    assert len(secrets_in(raw.asked[1])) == 3


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_secrets_go_to_no_other_host_or_port_and_do_not_come_back_from_there(raw, web, host):
    with serving_raw() as other:
        raw.answers = [to(f"http://{host}:{other.port}/there"), reply(b"yes")]
        other.answers = [to(raw.url)]
        assert web.get(raw.url, headers={**SECRETS, "Accept": "text/csv"}).body == b"yes"
        assert [len(secrets_in(one)) for one in (*raw.asked, *other.asked)] == [3, 0, 0]
        assert [one["accept"] for one in (*raw.asked, *other.asked)] == ["text/csv"] * 3


def test_secrets_do_not_go_from_https_to_http(raw, tmp_path, monkeypatch):
    authority, context = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with serving_raw(context) as safe:
        url = f"https://localhost:{safe.port}/"
        safe.answers = [to(f"http://localhost:{raw.port}/")]
        raw.answers = [reply(b"yes")]
        with Web(url, settings()) as web:
            assert web.get(url, headers=SECRETS).body == b"yes"
        assert [len(secrets_in(one)) for one in (*safe.asked, *raw.asked)] == [3, 0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.fr/x", "https://a.fr/y", True),
        ("https://a.fr/x", "https://a.fr:443/y", True),
        ("http://a.fr/x", "https://a.fr/x", True),
        ("https://a.fr/x", "http://a.fr/x", False),
        ("https://a.fr/x", "http://a.fr:443/x", False),
        ("http://a.fr:8080/x", "https://a.fr/x", False),
        ("https://a.fr/x", "https://b.a.fr/x", False),
        ("https://a.fr/x", "https://a.fr.evil.fr/x", False),
    ],
)
def test_a_server_is_the_same_by_scheme_host_and_port_or_as_itself_made_safe(one, other, same):
    assert asking.same_server(asking.httpx.URL(one), asking.httpx.URL(other)) is same


def test_a_refusal_is_told_in_the_servers_words_unless_they_may_hold_a_secret(raw, web):
    raw.answers = [reply(b'{"message":\n "no column\x1b[31m s3cret"}', 400)]
    assert refused(web, raw).endswith('in the descriptor. It says: {"message": "no column [31m s3cret"}')
    assert "s3cret" not in refused(web, raw, headers=SECRETS)
    for page in (b"<html>Oh", b"", b"." * 100_000):
        raw.answers = [reply(page, 400)]
        assert len(refused(web, raw)) < 600
    assert "400 Bad Request; expected" in refused(web, raw, headers=SECRETS)


def test_an_error_shows_nothing_of_a_secret_or_of_where_a_redirect_was_signed_for(raw, web):
    raw.answers = [to("http://u:s3cret@127.0.0.1:1/x?signature=s3cret#s3cret"), reply(status=401)]
    error = refused(web, raw, headers=SECRETS)
    assert "redirected to http://127.0.0.1:1/x: an address with a user name or password in it" in error
    assert "s3cret" not in error + refused(web, raw, headers=SECRETS)
    for broken in (b"s3cret\r\n\r\n", b"HTTP/1.1 200 OK\r\ns3cret\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: s3cret\0\r\n\r\n"):
        raw.answers = [broken]
        error = refused(web, raw, headers=SECRETS)
        assert "cannot be fetched: illegal" in error
        assert "s3cret" not in error


@pytest.mark.parametrize("value", ["s3cret\r\nX-Evil: 1", "s3cret\n", "é-s3cret", " s3cret", "s3cret\0"])
def test_a_secret_that_no_header_may_hold_is_refused_and_not_shown(raw, web, value):
    error = refused(web, raw, headers={"Authorization": value})
    assert "the value for Authorization has signs that no header may have" in error
    assert "s3cret" not in error
    assert raw.asked == []


def test_a_secret_is_what_the_environment_has(monkeypatch):
    monkeypatch.setenv("PORTAL_TOKEN", "s3cret")
    assert secret("PORTAL_TOKEN") == "s3cret"
    for unset in (lambda: monkeypatch.setenv("PORTAL_TOKEN", ""), lambda: monkeypatch.delenv("PORTAL_TOKEN")):
        unset()
        with pytest.raises(SourceError, match="has no PORTAL_TOKEN, which the descriptor names; set it"):
            secret("PORTAL_TOKEN")


def test_proxies_of_the_environment_are_not_used(raw, web, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    raw.answers = [reply(b"yes")]
    with Web(raw.url, settings()) as asked:
        assert asked.get(raw.url).body == b"yes"
