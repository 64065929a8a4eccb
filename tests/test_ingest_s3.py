from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from fixtures_servers import PASSWORD

from catalog.sources import S3Source
from ingest.settings import IngestSettings
from ingest.sources.s3 import fetch_s3
from policies.errors import SourceError

ALLOWED = IngestSettings(allow_hosts=("localhost",))
KEYS = {"access_key": "S3_ACCESS", "secret_key": "S3_SECRET"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("S3_ACCESS", "lecteur")
    monkeypatch.setenv("S3_SECRET", PASSWORD)


@pytest.fixture
def put(s3):
    """Put objects into a bucket that holds nothing else."""

    def empty(bucket: str) -> None:
        while held := s3.client.list_objects_v2(Bucket=bucket).get("Contents"):
            s3.client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": one["Key"]} for one in held]})

    def put(objects: dict[str, bytes], bucket: str = "ouvert") -> None:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda one: s3.client.put_object(Bucket=bucket, Key=one[0], Body=one[1]), objects.items()))

    for bucket in ("ouvert", "public"):
        empty(bucket)
    return put


@pytest.fixture
def get(s3, tmp_path):
    def fetch(key: str, bounds: IngestSettings = ALLOWED, **changes: object):
        return fetch_s3(S3Source(**{"s3": s3.url, "bucket": "ouvert", "key": key, **KEYS, **changes}), tmp_path, bounds)

    return fetch


def refused(get, key, **changes):
    with pytest.raises(SourceError) as error:
        get(key, **changes)
    assert PASSWORD not in str(error.value)
    return str(error.value)


def contents(fetched):
    return {part.name: part.path.read_bytes() for part in fetched.parts}


def inodes(fetched):
    """A copy that is written again is another file."""
    return {part.name: part.path.stat().st_ino for part in fetched.parts}


def test_an_object_is_fetched_and_only_a_changed_one_again(put, get):
    put({"mesures/2024.csv": b"a\n1\n"})
    first = get("mesures/2024.csv")
    assert contents(first) == {"2024.csv": b"a\n1\n"}
    assert first.etag is not None
    assert first.place.endswith("/ouvert/mesures/2024.csv")
    before = inodes(first)
    second = get("mesures/2024.csv")
    assert inodes(second) == before
    assert second.sha256 == first.sha256
    put({"mesures/2024.csv": b"a\n2\n"})
    assert contents(get("mesures/2024.csv")) == {"2024.csv": b"a\n2\n"}


def test_a_copy_that_was_damaged_is_fetched_again(put, get):
    put({"a.csv": b"a\n1\n"})
    get("a.csv").parts[0].path.write_bytes(b"a\n9\n")
    assert contents(get("a.csv")) == {"a.csv": b"a\n1\n"}


def test_a_glob_gives_every_match_and_fetches_the_changed_alone(put, get, tmp_path):
    objects = {f"mesures/2024-{month:02}.csv": f"a\n{month}\n".encode() for month in range(1, 13)}
    put(
        {**objects, "mesures/2023-01.csv": b"a\n0\n", "mesures/2024-vieux/1.csv": b"a\n0\n", "mesures/2024-01.txt": b""}
    )
    first = get("mesures/2024-*.csv")
    assert contents(first) == objects
    assert get("mesures/2024-*.csv").sha256 == first.sha256
    before = inodes(first)
    put({"mesures/2024-03.csv": b"a\n33\n"})
    second = get("mesures/2024-*.csv")
    assert contents(second) == {**objects, "mesures/2024-03.csv": b"a\n33\n"}
    assert {name for name, inode in inodes(second).items() if inode != before[name]} <= {"mesures/2024-03.csv"}
    assert second.sha256 != first.sha256
    assert len(list((tmp_path / "files").iterdir())) == 12


def test_an_object_that_is_gone_is_no_part_any_more(put, get, s3, tmp_path):
    put({"a/1.csv": b"1", "a/2.csv": b"2"})
    get("a/*")
    s3.client.delete_object(Bucket="ouvert", Key="a/1.csv")
    assert contents(get("a/*")) == {"a/2.csv": b"2"}
    assert len(list((tmp_path / "files").iterdir())) == 1


def test_keys_with_all_kinds_of_characters_are_found(put, get):
    names = ["é tude/a+b.csv", "é tude/100%.csv", "é tude/a&b=c.csv", "é tude/<x>.csv", "é tude/d'été~(1)!.csv"]
    put({name: name.encode() for name in names})
    assert contents(get("é tude/*.csv")) == {name: name.encode() for name in names}
    assert [get(name).parts[0].path.read_bytes() for name in names] == [name.encode() for name in names]


def test_a_long_listing_is_read_to_its_end(put, get):
    put({f"n/{number:04}": b"" for number in range(1005)})
    assert len(get("n/*").parts) == 1005


def test_a_public_bucket_needs_no_key(put, get):
    put({"a.csv": b"a\n"}, "public")
    assert contents(get("a.csv", bucket="public", access_key=None, secret_key=None)) == {"a.csv": b"a\n"}
    assert "403" in refused(get, "a.csv", access_key=None, secret_key=None)


@pytest.mark.parametrize(
    ("key", "changes", "said"),
    [
        ("rien.csv", {}, "NoSuchKey"),
        ("rien-*.csv", {}, "no object of the bucket matches"),
        ("a.csv", {"bucket": "nulle-part"}, "403 AccessDenied"),
        ("a.csv", {"bucket": "ferme"}, "403 AccessDenied"),
        ("*.csv", {"bucket": "ferme"}, "403 AccessDenied"),
        ("a.csv", {"secret_key": "S3_WRONG"}, "SignatureDoesNotMatch"),
        ("a.csv", {"bucket": "nulle-part", "access_key": "S3_ADMIN"}, "404 NoSuchBucket"),
        ("*.csv", {"secret_key": "S3_NOT_SET"}, "S3_NOT_SET"),
    ],
)
def test_what_cannot_be_had_is_said(put, get, monkeypatch, key, changes, said):
    put({"a.csv": b"a\n"})
    monkeypatch.setenv("S3_WRONG", f"not {PASSWORD}")
    monkeypatch.setenv("S3_ADMIN", "region")
    assert said in refused(get, key, **changes)


def test_one_key_without_the_other_is_an_error_of_the_descriptor():
    with pytest.raises(ValueError, match="secret_key"):
        S3Source(s3="http://localhost", bucket="a", key="b", access_key="S3_ACCESS")


def test_a_store_that_is_down_or_inner_is_refused(get):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert f"http://localhost:{port}/ouvert/a.csv" in refused(get, "a.csv", s3=f"http://localhost:{port}")
    assert "allow_hosts" in refused(get, "a.csv", bounds=IngestSettings())


def test_more_bytes_or_files_than_allowed_are_refused_and_the_copies_stay(put, get):
    put({"a/1.csv": b"1" * 600, "a/2.csv": b"2" * 600})
    before = contents(get("a/*"))
    small = IngestSettings(allow_hosts=("localhost",), max_bytes=1000)
    assert "max_bytes" in refused(get, "a/*", bounds=small)
    put({"a/1.csv": b"1" * 1001})
    assert "max_bytes" in refused(get, "a/1.csv", bounds=small)
    few = IngestSettings(allow_hosts=("localhost",), max_files=1)
    assert "max_files" in refused(get, "a/*", bounds=few)
    put({"a/1.csv": b"1" * 600})
    assert contents(get("a/*")) == before


@pytest.fixture
def answer(tmp_path):
    """What is made of answers that no good store gives, or that are given once and no more."""

    def fetch(key: str, *bodies: bytes, status: str = "200 OK", times: int = 1):
        def serve() -> None:
            for body in bodies:
                with server.accept()[0] as client:
                    client.recv(65536)
                    head = f'HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nETag: "1"\r\nConnection: close\r\n\r\n'
                    client.sendall(head.encode() + body)

        with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
            server.settimeout(30)
            threads.submit(serve)
            source = S3Source(s3=f"http://localhost:{server.getsockname()[1]}", bucket="ouvert", key=key)
            return [fetch_s3(source, tmp_path, ALLOWED) for _ in range(times)][-1]

    return fetch


def test_an_object_whose_etag_the_listing_repeats_is_not_asked_for(answer):
    listing = b'<L><Contents><Key>a.csv</Key><ETag>"1"</ETag><Size>1</Size></Contents></L>'
    assert contents(answer("*.csv", listing, b"a", listing, times=2)) == {"a.csv": b"a"}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]><ListBucketResult>&x;</ListBucketResult>',
        b"<ListBucketResult><Contents><Key>a.csv</Key><Size>-1</Size></Contents></ListBucketResult>",
        b"<ListBucketResult>" + b"<a>" * 100_000,
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ],
)
def test_a_listing_that_is_none_is_refused(answer, body):
    with pytest.raises(SourceError, match="S3-compatible"):
        answer("*.csv", body)


def test_an_error_without_xml_is_told_by_its_status(answer):
    with pytest.raises(SourceError, match="answered 418 I'm a teapot; check bucket"):
        answer("a.csv", b"<html>tea", status="418 I'm a teapot")


BUSY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\nRetry-After: 7\r\nConnection: close\r\n\r\nbusy"


@pytest.fixture
def hindered(s3, tmp_path):
    """Fetch from the store by a way on which each of these goes wrong once: `busy`, or `cut` within the answer."""

    def fetch(key: str, *goes: str, retries: int = 4):
        port, waits = int(s3.url.rpartition(":")[2]), []

        def serve(server: socket.socket) -> None:
            left = list(goes)
            while True:
                with server.accept()[0] as client, contextlib.suppress(OSError):
                    asked = client.recv(65536)
                    if not asked:
                        return
                    how = left.pop(0) if left else "well"
                    if how == "busy":
                        client.sendall(BUSY)
                        continue
                    with socket.create_connection(("127.0.0.1", port)) as store:
                        store.sendall(asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                        answer = b"".join(iter(partial(store.recv, 65536), b""))
                    client.sendall(answer[: -2 if how == "cut" else None])

        with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
            server.settimeout(30)
            over = threads.submit(serve, server)
            own = f"http://localhost:{server.getsockname()[1]}"
            bounds = IngestSettings(allow_hosts=("localhost",), retries=retries)
            try:
                source = S3Source(**{"s3": own, "bucket": "ouvert", "key": key, **KEYS})
                return fetch_s3(source, tmp_path, bounds, waits.append), waits
            finally:
                socket.create_connection(server.getsockname()).close()
                over.result(30)

    return fetch


def test_what_fails_in_passing_is_asked_for_anew_and_comes_whole(put, hindered):
    put({"a/1.csv": b"a\n1\n" * 1000, "a/2.csv": b"a\n2\n"})
    fetched, waits = hindered("a/1.csv", "cut", "busy")
    assert contents(fetched) == {"1.csv": b"a\n1\n" * 1000}
    assert (len(waits), waits[1]) == (2, 7)
    fetched, waits = hindered("a/*", "busy", "cut", "well", "cut")
    assert contents(fetched) == {"a/1.csv": b"a\n1\n" * 1000, "a/2.csv": b"a\n2\n"}
    assert len(waits) == 3


def test_a_store_that_stays_busy_is_told_by_its_words_after_so_many_tries(put, hindered):
    put({"a.csv": b"a\n1\n"})
    with pytest.raises(SourceError, match=r"the store answered 503 Slow Down \(asked 3 times\)"):
        hindered("a.csv", "busy", "busy", "busy", retries=2)
