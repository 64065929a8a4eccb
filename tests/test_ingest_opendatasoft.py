"""Opendatasoft: the export of a dataset, whole, whatever else the portal says apart from it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixtures_api import SETTINGS, Asked, Said

from catalog.sources import OpendatasoftSource
from ingest.sources.opendatasoft import fetch_opendatasoft
from policies.errors import SourceError

PAGES = Path(__file__).parent / "pages"
DATASET = json.loads((PAGES / "ods-dataset.json").read_text())
SHAPES = {"label": "Contour", "type": "geo_shape", "annotations": {}, "name": "contour", "description": None}
HOME = f"/api/explore/v2.1/catalog/datasets/{DATASET['dataset_id']}"


class Portal:
    """A portal with the dataset of the pages; `totals` are how many records it says there are, the last for good."""

    def __init__(self, *totals: int, fields: list[dict] | None = None) -> None:
        self.totals = list(totals) or [3]
        self.dataset = {**DATASET, "fields": DATASET["fields"] + (fields or [])}
        self.exports = {form: (PAGES / f"ods-export.{form}").read_bytes() for form in ("jsonl", "geojson")}

    def __call__(self, asked: Asked) -> object:
        if asked.path == HOME:
            return self.dataset
        if asked.path == f"{HOME}/records":
            assert asked.parameters["limit"] == "0"
            total = self.totals.pop(0) if len(self.totals) > 1 else self.totals[0]
            return {"total_count": total, "results": []}
        form = asked.path.removeprefix(f"{HOME}/exports/")
        return Said(self.exports[form]) if form in self.exports else Said({"message": "Unknown dataset"}, 404)


@pytest.fixture
def bring(api, tmp_path):
    def run(**source: object):
        full = {"opendatasoft": api.url, "dataset": DATASET["dataset_id"], **source}
        return fetch_opendatasoft(OpendatasoftSource(**full), tmp_path, SETTINGS)

    return run


def test_a_dataset_is_its_json_lines_as_the_portal_writes_them(api, bring):
    api.answer = portal = Portal()
    one = bring()
    assert one.format == "ndjson"
    assert one.parts[0].path.read_bytes() == portal.exports["jsonl"]
    assert one.place == f"{api.url}{HOME}/exports/jsonl"
    assert bring().sha256 == one.sha256


@pytest.mark.parametrize(
    ("shapes", "source", "form"),
    [(1, {}, "geojson"), (2, {}, "ndjson"), (1, {"select": "code"}, "ndjson"), (1, {"export": "jsonl"}, "ndjson")],
)
def test_a_dataset_of_one_field_of_shapes_is_geojson(api, bring, shapes, source, form):
    api.answer = Portal(fields=[SHAPES] * shapes)
    assert bring(**source).format == form


def test_parquet_can_be_asked_for_and_its_rows_are_counted(api, bring, tmp_path):
    api.answer = portal = Portal()
    pq.write_table(pa.table({"code": ["01001", "2A004", "76540"]}), tmp_path / "x.parquet")
    portal.exports["parquet"] = (tmp_path / "x.parquet").read_bytes()
    assert bring(export="parquet").format == "parquet"
    portal.exports["parquet"] = b"PAR1 and no more"
    with pytest.raises(SourceError, match="the export is not whole"):
        bring(export="parquet")


def test_a_query_is_sent_with_all_that_is_asked_and_the_key_in_a_header_alone(api, bring, monkeypatch):
    monkeypatch.setenv("ODS_KEY", "s3cret")
    api.answer = Portal()
    assert (
        "s3cret"
        not in bring(
            where="population > 10 AND nom LIKE 'É%'", select="code, nom", apikey="ODS_KEY", export="jsonl"
        ).place
    )
    assert len(api.asked) == 3
    for asked in api.asked:
        assert asked.parameters["where"] == "population > 10 AND nom LIKE 'É%'"
        assert asked.parameters["select"] == "code, nom"
        assert asked.headers["Authorization"] == "Apikey s3cret"
        assert "s3cret" not in asked.query


def test_an_export_of_other_records_than_the_portal_says_is_an_error_and_what_was_there_stays(api, bring, tmp_path):
    api.answer = Portal()
    before = bring().sha256
    for totals in ((4,), (2,), (3, 4, 3, 4, 3, 4)):
        api.answer = Portal(*totals)
        with pytest.raises(SourceError, match="the export has 3, 3 times"):
            bring()
    api.answer = Portal()
    assert (tmp_path / "export.jsonl").read_bytes() == (PAGES / "ods-export.jsonl").read_bytes()
    assert bring().sha256 == before


def test_an_export_made_while_the_dataset_changes_is_asked_for_again(api, bring):
    api.answer = Portal(2, 3, 3)
    assert bring().parts[0].path.read_bytes() == (PAGES / "ods-export.jsonl").read_bytes()
    assert sum("/exports/" in one.path for one in api.asked) == 2


@pytest.mark.parametrize(("form", "fields"), [("jsonl", []), ("geojson", [SHAPES])])
def test_an_export_that_is_cut_at_a_record_is_seen(api, bring, form, fields):
    api.answer = portal = Portal(fields=fields)
    whole = portal.exports[form]
    portal.exports[form] = whole[: whole.rindex(b'{"type": "Feature"' if fields else b'{"code"')]
    with pytest.raises(SourceError, match="and the export has 2|the export is not whole"):
        bring()


def test_an_export_of_100_000_levels_is_an_error_before_it_fills_the_memory(api, bring):
    api.answer = portal = Portal(fields=[SHAPES])
    portal.exports["geojson"] = b'{"type": "FeatureCollection", "features": [' + b"[" * 100_000
    with pytest.raises(SourceError, match="nested more than 200 levels deep"):
        bring()


def test_an_export_with_half_a_character_is_an_error(api, bring):
    api.answer = portal = Portal(fields=[SHAPES])
    portal.exports["geojson"] = portal.exports["geojson"].replace(b'"Feature"', b'"\\udc00"', 1)
    with pytest.raises(SourceError, match="the export is not whole"):
        bring()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Said({"error_code": "ODSQLError", "message": "ODSQL query is malformed"}, 400), "the server answered 400"),
        (Said(b"<!DOCTYPE html>"), "found an HTML page"),
        ({"results": []}, "no total_count; is this an Opendatasoft portal"),
    ],
)
def test_a_portal_that_answers_otherwise_is_an_error(api, bring, said, message):
    api.answer = lambda _: said
    with pytest.raises(SourceError, match=message):
        bring(export="jsonl")


def test_a_dataset_without_fields_is_an_error(api, bring):
    api.answer = lambda _: {"results": []}
    with pytest.raises(SourceError, match="has no fields; is this an Opendatasoft portal"):
        bring()
