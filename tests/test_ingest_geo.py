"""GeoJSON: every value as it was written, every feature there or rejected."""

from __future__ import annotations

import json

import pytest

from ingest.readers.geo import count_features

POINT = '{"type": "Point", "coordinates": [0.1, 49.5]}'


def collection(*features: str, **members: object) -> str:
    more = "".join(f', "{name}": {json.dumps(value)}' for name, value in members.items())
    return f'{{"type": "FeatureCollection"{more}, "features": [{", ".join(features)}]}}'


def feature(properties: str = "{}", geometry: str = POINT, more: str = "") -> str:
    return f'{{"type": "Feature"{more}, "properties": {properties}, "geometry": {geometry}}}'


def bring(folder, content, **resource):
    return folder.bring(content, name="data.geojson", **resource)


def values(folder, *written: str) -> list:
    """What becomes of one property with these JSON values."""
    assert isinstance(bring(folder, collection(*(feature(f'{{"v": {value}}}') for value in written))), dict)
    return [row[0] for row in folder.rows(columns="v")]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (["1", "2"], [1, 2]),
        (['"01"', '"02"'], ["01", "02"]),
        (['"1"', '"2"'], ["1", "2"]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["9007199254740993", "0.5"], ["9007199254740993.0", "0.5"]),
        (["true", "7"], ["true", "7"]),
        (["true", "false"], [True, False]),
        (["27", '"2A"'], ["27", "2A"]),
        (['{"a": 1.10}', "[1, 1e400]"], ['{"a": 1.10}', "[1, 1e400]"]),
        (["null", '""'], [None, None]),
        (['"2024-01-31"', '"2024-02-29"'], ["2024-01-31", "2024-02-29"]),
    ],
)
def test_a_property_keeps_its_values(folder, written, kept):
    assert [value if isinstance(value, bool | int | None) else str(value) for value in values(folder, *written)] == kept


def test_the_features_own_id_is_kept(folder):
    bring(folder, collection(feature('{"n": 1}', more=', "id": 7001')))
    assert folder.rows(columns="id, n") == [("7001", 1)]


def test_an_id_beside_a_property_of_that_name_and_other_members_are_kept(folder):
    bring(folder, collection(feature('{"id": 5}', more=', "id": "real-1", "foo": "bar"')))
    assert folder.rows(columns="id, feature_id, foo") == [("5", "real-1", "bar")]


def test_positions_of_unequal_or_four_numbers_are_rejected(folder):
    line = '{"type": "LineString", "coordinates": [[1, 2, 3], [4, 5]]}'
    four = '{"type": "Point", "coordinates": [1, 2, 3, 4]}'
    receipt = bring(folder, collection(*(feature('{"n": 1}', one) for one in (POINT, POINT, POINT, line, four))))
    assert [reject["line"] for reject in receipt["rejects"]] == [4, 5]


def test_a_geometry_in_two_and_three_dimensions_or_none_is_kept(folder):
    high = '{"type": "Point", "coordinates": [0.1, 49.5, 12]}'
    bring(folder, collection(feature('{"n": 1}'), feature('{"n": 2}', high), feature('{"n": 3}', "null")))
    assert folder.rows(columns="st_astext(geometry)") == [("POINT (0.1 49.5)",), ("POINT Z (0.1 49.5 12)",), (None,)]


def test_a_geometry_that_is_none_is_rejected_with_its_feature(folder):
    wrong = '{"type": "Blob", "coordinates": [1, 2]}'
    receipt = bring(folder, collection(feature('{"n": 1}'), feature('{"n": 2}', wrong), feature('{"n": 3}')))
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 2)
    assert receipt["rejects"][0]["line"] == 2
    assert "geometry is none of GeoJSON's" in receipt["rejects"][0]["reason"]
    assert '"n": 2' in receipt["rejects"][0]["text"]


def test_a_declared_type_rejects_the_feature_that_breaks_it(folder):
    content = collection(*(feature(f'{{"n": {value}}}') for value in ("1", '"x"', "3")))
    receipt = bring(folder, content, columns={"n": {"type": "integer"}})
    assert [(reject["line"], reject["reason"]) for reject in receipt["rejects"]] == [
        (2, "n: expected integer, found x")
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a;b\n1;2\n", "cannot be read as GeoJSON"),
        (POINT, "expected an object of the type FeatureCollection"),
        (collection(feature('{"a": NaN}')), "NaN is no JSON"),
        (collection(feature('{"a": 1, "a": 2}')), "the key 'a' stands twice"),
        ("[" * 100_000, "cannot be read as GeoJSON"),
        (
            collection(feature("{}", '{"type": "Point", "coordinates": [652000.5, 6862000.1]}')),
            "feature 1 is at 652000.5",
        ),
        (
            collection(feature(), crs={"type": "name", "properties": {"name": "EPSG:2154"}}),
            "coordinates are in EPSG:2154",
        ),
        (collection(feature("{}", '{"type": "LineString", "coordinates": [[1, 2], [652000, 6862000]]}')), "at 652000"),
        (collection(feature(), crs={"type": "name", "properties": None}), "coordinates are in"),
        (collection(feature('{"a": "\\ud800"}')), "half a character"),
        (collection(), "no row of data"),
        ('<OGRVRTDataSource><!-- "type":"Feature" --></OGRVRTDataSource>', "cannot be read as GeoJSON"),
    ],
)
def test_what_is_no_feature_collection_in_degrees_is_refused(folder, content, said):
    assert said in bring(folder, content)


def test_a_collection_without_properties_is_a_table_of_geometries(folder):
    bring(folder, collection(feature(), feature()))
    assert folder.rows(columns="st_astext(geometry)") == [("POINT (0.1 49.5)",)] * 2


def test_features_are_counted_across_chunks(tmp_path, monkeypatch):
    path = tmp_path / "x.geojson"
    path.write_text(collection(*(feature(f'{{"n": {number}}}') for number in range(40))))
    for size in (50, 64, 97, 1 << 20):
        monkeypatch.setattr("ingest.readers.geo._CHUNK", size)
        assert count_features(path) == 40
