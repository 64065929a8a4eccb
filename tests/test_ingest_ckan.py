"""CKAN: files and the DataStore's rows, from a real one; and what a portal may answer instead."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
from ckanapi import RemoteCKAN
from fixtures_api import SETTINGS, Asked, Said

from catalog.sources import CkanSource
from ingest.run import ingest
from ingest.sources import ckan as connector
from ingest.sources.ckan import fetch_ckan
from policies.errors import SourceError
from policies.model import RAW

NAMED = "CKAN_TOKEN"
FIELDS = [
    {"id": "code", "type": "text"},
    {"id": "part", "type": "numeric"},
    {"id": "grand", "type": "int8"},
    {"id": "vu", "type": "timestamp"},
    {"id": "a, b", "type": "text"},
]
ROW = {"code": "01001", "part": "1.10", "grand": 9007199254740993, "vu": "2026-01-02T03:04:05", "a, b": 'x"\n,é'}
CUT = '{"code":"01001", "part":1.10, "grand":9007199254740993, "vu":"2026-01-02T03:04:05.000", "a, b":"x\\"\\n,é"}'


@pytest.fixture
def call(ckan):
    """Calls an action of an empty CKAN as its sysadmin, who has made one private and one open dataset."""
    ckan.reset()
    remote = RemoteCKAN(ckan.url, apikey=ckan.token)

    def run(action: str, **data: object):
        return remote.call_action(action, data, requests_kwargs={"timeout": 60})

    run("organization_create", name="region")
    run("package_create", name="ouvert", owner_org="region")
    run("package_create", name="prive", owner_org="region", private=True)
    return run


def rows_of(path) -> list[str]:
    return path.read_text().splitlines()


def test_the_datastores_rows_come_in_order_with_their_values_as_they_are(ckan, call, tmp_path, monkeypatch):
    rows = [{**ROW, "grand": number} for number in range(25)]
    made = call("datastore_create", resource={"package_id": "ouvert"}, fields=FIELDS, records=[ROW, *rows], force=True)
    source = CkanSource(ckan=ckan.url, resource=made["resource_id"], datastore=True)
    monkeypatch.setattr(connector, "_ROWS", 10)
    one = fetch_ckan(source, tmp_path, SETTINGS)
    assert one.format == "ndjson"
    first, *others = rows_of(one.parts[0].path)
    assert first == CUT
    assert [json.loads(line)["grand"] for line in others] == list(range(25))
    assert fetch_ckan(source, tmp_path, SETTINGS).sha256 == one.sha256


def test_a_private_resource_needs_a_token(ckan, call, tmp_path, monkeypatch):
    made = call("datastore_create", resource={"package_id": "prive"}, fields=FIELDS, records=[ROW], force=True)
    source = {"ckan": ckan.url, "resource": made["resource_id"], "datastore": True}
    with pytest.raises(SourceError, match="the server answered 403 Forbidden; it asks for a secret"):
        fetch_ckan(CkanSource(**source), tmp_path, SETTINGS)
    monkeypatch.setenv("CKAN_TOKEN", ckan.token)
    one = fetch_ckan(CkanSource(**source, token=NAMED), tmp_path, SETTINGS)
    assert rows_of(one.parts[0].path) == [CUT]


def test_what_is_not_there_is_named(ckan, call, tmp_path):
    with pytest.raises(SourceError, match=f"{ckan.url}/.*the server answered 404: Not found"):
        fetch_ckan(CkanSource(ckan=ckan.url, resource="nulle-part"), tmp_path, SETTINGS)
    made = call("resource_create", package_id="ouvert", url="http://127.0.0.1:9/x.csv", format="CSV")
    with pytest.raises(SourceError, match="has no rows in the DataStore; take its file"):
        fetch_ckan(CkanSource(ckan=ckan.url, resource=made["id"], datastore=True), tmp_path, SETTINGS)


def test_an_uploaded_file_comes_with_the_token_and_a_file_elsewhere_without(ckan, call, api, tmp_path, monkeypatch):
    monkeypatch.setenv("CKAN_TOKEN", ckan.token)
    upload = tmp_path / "communes.csv"
    upload.write_bytes(b"code;nom\n01001;x\n")
    remote = RemoteCKAN(ckan.url, apikey=ckan.token)
    with upload.open("rb") as file:
        made = remote.call_action("resource_create", {"package_id": "prive"}, files={"upload": file})
    one = fetch_ckan(CkanSource(ckan=ckan.url, resource=made["id"], token=NAMED), tmp_path, SETTINGS)
    assert one.parts[0].path.read_bytes() == upload.read_bytes()
    assert one.parts[0].name == "communes.csv"
    api.answer = lambda _: Said(b"code;nom\n01001;y\n")
    made = call("resource_create", package_id="prive", url=f"{api.url}/donnees", format="CSV")
    one = fetch_ckan(CkanSource(ckan=ckan.url, resource=made["id"], token=NAMED), tmp_path, SETTINGS)
    assert one.parts[0].name == "donnees.csv"
    assert "Authorization" not in api.asked[0].headers


class Portal:
    """A portal whose rows change as they are read; what it answers has the form of CKAN 2.12."""

    def __init__(self, rows: int, change=lambda _: None, **result: object) -> None:
        self.rows = list(range(1, rows + 1))
        self.change, self.result, self.times = change, result, 0

    def __call__(self, asked: Asked) -> object:
        if asked.path.endswith("/resource_show"):
            return {"success": True, "result": {"id": "r", "datastore_active": True}}
        self.times += 1
        if self.times == 2:
            self.change(self.rows)
        start, size = int(asked.parameters["offset"]), int(asked.parameters["limit"])
        records = [{"_id": number, "n": number} for number in self.rows[start : start + size]]
        return {"success": True, "result": {"records": records, "total": len(self.rows), **self.result}}


@pytest.mark.parametrize(
    "change",
    [lambda rows: rows.pop(0), lambda rows: rows.append(99), lambda rows: (rows.pop(0), rows.append(99))],
    ids=["one row went", "one row came", "one went and one came, so that the total stayed"],
)
def test_rows_that_change_as_they_are_read_are_read_again(api, tmp_path, monkeypatch, change):
    monkeypatch.setattr(connector, "_ROWS", 4)
    api.answer = portal = Portal(10, change)
    one = fetch_ckan(CkanSource(ckan=api.url, resource="r", datastore=True), tmp_path, SETTINGS)
    assert [json.loads(line)["n"] for line in rows_of(one.parts[0].path)] == portal.rows


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Portal(3, total=4), "counts 4 records, and 3 came"),
        (Portal(3, total_was_estimated=True), "only estimates how many rows"),
        (Portal(3, records=[{"_id": {"n": 1}}]), "a row has no number as its _id"),
        (Portal(3, records=None), "counts 3 records, and 0 came"),
        (lambda _: {"success": False, "error": {"message": "non"}}, "the portal refuses: non"),
        (lambda _: Said(b"<!DOCTYPE html><title>Portail"), "expected JSON, found an HTML page"),
        (lambda _: {"success": True, "result": []}, "expected a resource of CKAN"),
    ],
)
def test_a_portal_that_answers_otherwise_is_an_error(api, tmp_path, answer, said):
    api.answer = answer
    with pytest.raises(SourceError, match=said):
        fetch_ckan(CkanSource(ckan=api.url, resource="r", datastore=True), tmp_path, SETTINGS)


@pytest.mark.parametrize(
    "url", ["donnees.csv", "file:///etc/passwd", "http://a:b@example.org/x.csv", "http://\ud800", ""]
)
def test_a_resource_whose_address_is_none_is_an_error(api, tmp_path, url):
    api.answer = lambda _: Said(json.dumps({"success": True, "result": {"id": "r", "url": url}}).encode())
    with pytest.raises(SourceError, match="is no web address"):
        fetch_ckan(CkanSource(ckan=api.url, resource="r"), tmp_path, SETTINGS)


def test_the_datastores_rows_become_a_table_whose_codes_stay_texts(ckan, call, folder):
    made = call("datastore_create", resource={"package_id": "ouvert"}, fields=FIELDS, records=[ROW] * 2, force=True)
    settings = folder.root / "datalab.toml"
    settings.write_text(settings.read_text() + '[ingest]\nallow_hosts = ["127.0.0.1"]\n')
    source = {"ckan": ckan.url, "resource": made["resource_id"], "datastore": True}
    folder.describe("jeu", {"t": {"source": source}})
    folder.grant("jeu", {}, {"to": "user:steward", "edition": RAW, "until": "2999-01-01"})
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    assert (outcome.error, outcome.rows_in) == (None, 2)
    (one, _) = folder.rows("jeu.t", "code, part, grand, vu")
    assert one == ("01001", Decimal("1.10"), 9007199254740993, dt.datetime.fromisoformat(ROW["vu"]))
