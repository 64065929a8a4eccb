"""A granted table as a Parquet file: in parts, once and again, and for nobody else."""

from __future__ import annotations

import io

import pyarrow.parquet as pq
import pytest

ADDRESS = "/data/irve/open/bornes"


def test_the_file_is_the_tables_own_and_can_be_asked_for_in_parts(gateway):
    whole = gateway.get(ADDRESS)
    assert pq.read_table(io.BytesIO(whole.content))["id"].to_pylist() == ["a", "b"]
    assert whole.headers["content-disposition"] == 'attachment; filename="irve.bornes.open-v0.parquet"'
    part = gateway.get(ADDRESS, Range="bytes=-8")
    assert (part.status_code, part.content) == (206, whole.content[-8:])
    assert gateway.get(ADDRESS, Range=f"bytes={len(whole.content)}-").status_code == 416
    assert gateway.get(f"{ADDRESS}.parquet").content == whole.content


@pytest.mark.parametrize(
    "said", ["bytes=9-1", "bytes=a-b", "bytes=" + ",".join(["0-0"] * 2000), "lines=1-2", "bytes=--1"]
)
def test_tricks_with_ranges_get_the_file_or_a_refusal_and_no_more_than_it_holds(gateway, said):
    whole = gateway.get(ADDRESS)
    answer = gateway.get(ADDRESS, Range=said)
    assert answer.status_code in {200, 206, 400, 416}
    assert len(answer.content) <= 2 * len(whole.content)


def test_who_has_the_file_already_is_told_so(gateway):
    etag = gateway.get(ADDRESS).headers["etag"]
    assert gateway.get(ADDRESS, **{"If-None-Match": etag}).status_code == 304
    assert gateway.get(ADDRESS, **{"If-None-Match": '"other"'}).status_code == 200


def test_the_tables_of_an_edition_are_listed_at_its_address(gateway):
    (table,) = gateway.get("/data/irve/open").json()
    assert gateway.get(f"/{table['parquet']}").status_code == 200


def test_a_table_with_geometry_is_geoparquet(gateway):
    answer = gateway.get("/data/irve/raw/bornes?purpose=mobility", "ada")
    assert b"geo" in pq.read_metadata(io.BytesIO(answer.content)).metadata


def test_what_is_not_granted_is_not_there_and_no_address_becomes_a_path(gateway):
    for address in (
        "/data/irve/raw",
        "/data/irve/raw/bornes",
        "/data/secret/raw/bornes",
        "/data/irve/open/_delta_log",
        "/data/irve/open/..%2f..%2fraw%2fbornes",
        "/data/irve/..%2f..%2f..%2fdatalab.toml/x",
        "/data/irve/open/%00",
        "/data/" + "x" * 5000 + "/open/bornes",
    ):
        answer = gateway.get(address, "eve")
        assert answer.status_code == 404, address
        assert str(gateway.lab.root) not in answer.text


def test_each_file_that_goes_out_has_its_line_in_the_log(gateway):
    gateway.get("/data/irve/raw/bornes?purpose=mobility", "ada", Range="bytes=0-3")
    event = gateway.audit()[-1]
    assert (event["what"], event["who"], event["purpose"], event["reason"]) == (
        "open",
        "user:ada",
        "mobility",
        "bytes=0-3",
    )
    assert event["editions"] == [{"dataset": "irve", "edition": "raw", "resource": "bornes", "version": 0}]


def test_any_page_may_read_what_everyone_is_granted_and_nothing_between_keeps_it(gateway):
    headers = gateway.get(ADDRESS).headers
    assert headers["access-control-allow-origin"] == "*"
    assert "private" in headers["cache-control"]
    assert "authorization" in headers["vary"].lower()
