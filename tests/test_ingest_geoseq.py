"""Sequences of GeoJSON features, one a line or after RS (RFC 8142): the same table as of a FeatureCollection."""

from __future__ import annotations

import json

import pytest

from ingest.readers import jsontext


def feature(n: str = "1", place: str = "[0.1, 49.5]", more: str = "") -> str:
    point = f'{{"type": "Point", "coordinates": {place}}}'
    return f'{{"type": "Feature"{more}, "properties": {{"n": {n}, "code": "0{n}"}}, "geometry": {point}}}'


FEATURES = [feature("1", more=', "id": "a"'), feature("2.50"), feature("3", "[0.2, 49.6, 12]")]
LAMBERT = "[652000, 6862000]"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("".join(f"{one}\n" for one in FEATURES), "data.ndjson"),
        ("\n\n".join(FEATURES), "data.geojsonl"),
        ("\r\n".join(FEATURES), "data.json"),
        ("".join(f"\x1e{one}\n" for one in FEATURES), "data.geojsons"),
        ("".join("\x1e" + one.replace(", ", ",\n  ") + "\n" for one in FEATURES), "data.txt"),
    ],
)
def test_a_sequence_of_features_is_read_as_their_collection_is(folder, content, name):
    whole = folder.bring(f'{{"type": "FeatureCollection", "features": [{", ".join(FEATURES)}]}}', name="x.geojson")
    rows = folder.rows(columns="*, st_astext(geometry)")
    receipt = folder.bring(content, name=name)
    assert folder.rows(columns="*, st_astext(geometry)") == rows
    assert (receipt["format"], receipt["rows_in"], receipt["rows_out"]) == ("geojson", 3, 3)
    for key in ("columns", "dialect"):
        assert receipt[key] == whole[key]


def test_one_feature_on_a_line_has_the_columns_that_several_have(folder):
    several = folder.bring("\n".join([FEATURES[0]] * 2), name="data.ndjson")
    one = folder.bring(FEATURES[0], name="data.ndjson")
    assert [column["name"] for column in one["columns"]] == [column["name"] for column in several["columns"]]


def test_what_is_no_feature_is_rejected_by_its_line(folder):
    wrong = [
        "[1]",
        '{"type": "Feature", "geometry": ',
        feature(more=', "id": 1, "id": 2'),
        feature(more=', "id": "\\ud800"'),
        feature("1", "[2000, 49]"),
        feature("1", "[0]"),
        '{"type": "FeatureCollection", "features": []}',
    ]
    content = "\n".join([feature(), "", *wrong, *[feature()] * 8])
    receipt = folder.bring(content.encode() + b'\n{"a": "\xff"}\n', name="data.ndjson")
    assert [(one["line"], one["reason"].split(":")[0]) for one in receipt["rejects"]] == [
        (3, "expected a feature, an object"),
        (4, "no JSON"),
        (5, "the key 'id' stands twice in one object"),
        (6, "a text holds half a character"),
        (7, "it is at 2000, 49; expected longitude and latitude in degrees (EPSG"),
        (8, "the geometry has positions of [1] numbers; expected all of 2 or 3"),
        (9, "a collection of features stands among features"),
        (18, "not UTF-8"),
    ]
    assert (receipt["rows_in"], receipt["rows_out"]) == (17, 9)


def test_a_text_that_is_cut_before_the_next_rs_is_rejected_alone(folder):
    receipt = folder.bring(f"\x1e{feature()}\n\x1e{feature()[:30]}\x1e{feature()}\n", name="data.json")
    assert [one["line"] for one in receipt["rejects"]] == [2]
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 2)


def test_a_geometry_alone_is_a_row_of_a_sequence(folder):
    geometry = json.dumps({"type": "Point", "coordinates": [0.3, 49.5]})
    folder.bring(f"\x1e{feature()}\n\x1e{geometry}\n", name="data.json")
    assert folder.rows(columns="n, longitude, latitude") == [(1, 0.1, 49.5), (None, 0.3, 49.5)]


def test_the_system_of_a_sequence_may_be_declared_and_must_be(folder):
    content = f"\n{feature(place=LAMBERT)}\n{feature(place=LAMBERT)}\n"
    told = folder.bring(content, name="data.ndjson")
    assert "data.ndjson: the feature on line 2 is at 652000, 6862000; expected longitude and latitude" in told
    assert 'declare it: read: {crs: "EPSG:2154"}' in told
    receipt = folder.bring(content, name="data.ndjson", read={"crs": "EPSG:2154"})
    assert (receipt["dialect"]["crs"], receipt["dialect"]["crs_to"]) == ("EPSG:2154", "EPSG:4326")
    assert folder.rows(columns="round(longitude, 2), round(latitude, 2)") == [(2.35, 48.86)] * 2


def test_features_of_a_sequence_are_records_where_ndjson_is_declared(folder):
    receipt = folder.bring("\n".join(FEATURES), name="data.ndjson", read={"format": "ndjson"})
    assert "properties_n" in [column["name"] for column in receipt["columns"]]


def test_a_feature_of_more_values_than_fit_the_memory_is_refused_in_a_sequence(folder, monkeypatch):
    monkeypatch.setattr(jsontext, "_LONG", 100)
    monkeypatch.setattr(jsontext, "MAX_VALUES", 300)
    content = "\n".join([feature(), feature(f"[{', '.join(['1'] * 400)}]")])
    assert "line 2: a record of more than 300 values; that is no table" in folder.bring(content, name="data.ndjson")
