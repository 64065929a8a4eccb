"""GeoJSON: every value as it was written, every feature there or rejected."""

from __future__ import annotations

import json
import math

import pyarrow.parquet as pq
import pytest

from catalog.model import Reading
from ingest.convert import convert
from ingest.settings import IngestSettings

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
    assert folder.rows(columns="CAST(id AS VARCHAR), n") == [("7001", 1)]


def test_an_id_beside_a_property_of_that_name_and_other_members_are_kept(folder):
    bring(folder, collection(feature('{"id": 5}', more=', "id": "real-1", "foo": "bar"')))
    assert folder.rows(columns="CAST(id AS VARCHAR), feature_id, foo") == [("5", "real-1", "bar")]


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
        ('{"type": "Topology", "features": [1]}', "expected an object of the type FeatureCollection"),
        ('{"type": "FeatureCollection"}', "expected a list of features"),
        (collection(feature('{"a": NaN}')), "NaN is no JSON"),
        (collection(feature('{"a": 1, "a": 2}')), "the key 'a' stands twice"),
        ("[" * 100_000, "cannot be read as GeoJSON"),
        (collection(feature('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}")), "levels deep"),
        (
            collection(feature("{}", '{"type": "Point", "coordinates": [652000.5, 6862000.1]}')),
            "feature 1 is at 652000.5",
        ),
        (
            collection(feature(), crs={"type": "name", "properties": {"name": "EPSG:2154"}}),
            "expected coordinates of EPSG:2154",
        ),
        (collection(feature("{}", '{"type": "LineString", "coordinates": [[1, 2], [652000, 6862000]]}')), "at 652000"),
        (collection(feature(), crs={"type": "name", "properties": None}), "names no system"),
        (
            collection(feature(), crs={"type": "name", "properties": {"name": "EPSG:999999"}}),
            "declare the right system",
        ),
        (collection(feature())[:-3], "cannot be read as GeoJSON"),
        (collection(feature('{"a": "\\ud800"}')), "half a character"),
        (collection(feature('{"a\\uD800": "x"}')), "half a character"),
        (collection(feature(geometry='{"type": "Point", "coordinates": [1, 49], "k\\ud800": 1}')), "half a character"),
        (collection(), "no record with a value in it"),
        ('<OGRVRTDataSource><!-- "type":"Feature" --></OGRVRTDataSource>', "cannot be read as GeoJSON"),
    ],
)
def test_what_is_no_feature_collection_in_degrees_is_refused(folder, content, said):
    assert said in bring(folder, content, read={"format": "geojson"})


def test_a_collection_without_properties_is_a_table_of_geometries(folder):
    bring(folder, collection(feature(), feature()))
    assert folder.rows(columns="st_astext(geometry)") == [("POINT (0.1 49.5)",)] * 2


def test_numbers_are_kept_as_they_were_written(folder):
    written = '{"x": {"a": 1.10, "b": 1e5, "c": -0, "d": -0.0}, "type": "Feature", "n": 1.10}'
    receipt = bring(folder, collection(feature(written)))
    assert (receipt["rows_in"], receipt["rows_out"]) == (1, 1)
    ((x, kind, n),) = folder.rows(columns="x, type, n")
    assert (x, kind, str(n)) == ('{"a": 1.10, "b": 1e5, "c": -0, "d": -0.0}', "Feature", "1.10")


@pytest.mark.parametrize("content", [feature('{"n": 1}'), POINT])
def test_a_feature_or_a_geometry_alone_is_one_row(folder, content):
    assert bring(folder, content, read={"format": "geojson"})["rows_in"] == 1
    assert folder.rows(columns="longitude, latitude") == [(0.1, 49.5)]


@pytest.mark.parametrize(
    "name",
    [
        "EPSG:2154",
        "urn:ogc:def:crs:EPSG::2154",
        "urn:ogc:def:crs:EPSG:6.9:2154",
        "urn:x-ogc:def:crs:EPSG:2154",
        "http://www.opengis.net/def/crs/EPSG/0/2154",
    ],
)
def test_coordinates_in_another_system_are_converted(folder, name):
    lambert = feature('{"n": 1}', '{"type": "Point", "coordinates": [652000, 6862000]}')
    receipt = bring(folder, collection(lambert, crs={"type": "name", "properties": {"name": name}}))
    assert (receipt["dialect"]["crs"], receipt["dialect"]["crs_to"]) == ("EPSG:2154", "EPSG:4326")
    assert folder.rows(columns="round(longitude, 2), round(latitude, 2)") == [(2.35, 48.86)]


def test_a_system_that_is_declared_is_honoured(folder):
    lambert = feature('{"n": 1}', '{"type": "Point", "coordinates": [652000, 6862000]}')
    bring(folder, collection(lambert), read={"crs": "EPSG:2154"})
    assert folder.rows(columns="round(longitude, 2), round(latitude, 2)") == [(2.35, 48.86)]


def test_points_have_longitude_and_latitude_unless_they_have_their_own(folder):
    bring(folder, collection(feature('{"n": 1}'), feature('{"n": 2}', "null")))
    assert folder.rows(columns="longitude, latitude") == [(0.1, 49.5), (None, None)]
    receipt = bring(folder, collection(feature('{"Longitude": "est"}')))
    assert [column["name"] for column in receipt["columns"]] == ["Longitude", "geometry"]


def test_features_are_read_across_chunks(folder, monkeypatch):
    monkeypatch.setattr("ingest.readers.jsontext._CHUNK", 97)
    receipt = bring(folder, collection(*(feature(f'{{"n": {number}, "type": "Feature"}}') for number in range(40))))
    assert (receipt["rows_in"], receipt["rows_out"]) == (40, 40)
    assert folder.rows(columns="n") == [(number,) for number in range(40)]


def point(x: float, y: float) -> str:
    return f'{{"type": "Point", "coordinates": [{x}, {y}]}}'


@pytest.mark.parametrize("place", [point(49.18, 0.37), '{"type": "LineString", "coordinates": [[49, 0], [49.5, 0.5]]}'])
def test_latitude_first_is_refused_where_only_that_lies_in_the_datasets_territory(folder, place):
    told = bring(folder, collection(feature('{"n": 1}', "null"), feature('{"n": 2}', place)))
    assert "no feature lies where the dataset's `spatial` says (-2..1.9° E, 48.2..50.1° N), but feature 2 would" in told


def test_latitude_first_is_refused_where_only_that_lies_in_the_files_own_bbox(folder):
    far = collection(feature("{}", point(-20.9, 55.4)), bbox=[55, -21.5, 56, -20.5])
    assert "no feature lies where its bbox says (55..56° E, -21.5..-20.5° N), but feature 1 would" in bring(folder, far)
    high = collection(feature("{}", point(-20.9, 55.4)), bbox=[55, -21.5, 0, 56, -20.5, 9])
    assert "no feature lies where its bbox says" in bring(folder, high)


@pytest.mark.parametrize(
    "own",
    [
        '{"latitude": 44.84, "longitude": -0.58}',
        '{"lat": "44.84001", "lon": "-0.58"}',
        '{"geo_point_2d": {"lon": -0.58, "lat": 44.84}}',
    ],
)
def test_latitude_first_is_refused_where_the_features_own_values_say_so(folder, own):
    told = bring(folder, collection(feature("{}", "null"), feature(own, point(44.84, -0.58))))
    assert "feature 2 is at longitude 44.84, latitude -0.58, but its values say the reverse" in told
    assert isinstance(bring(folder, collection(feature(own, point(-0.58, 44.84)))), dict)


@pytest.mark.parametrize(
    "content",
    [
        collection(feature(), feature("{}", point(49.18, 0.37))),  # one lies there as it is
        collection(feature("{}", point(2.35, 43.0))),  # elsewhere, either way
        collection(feature(), bbox=[0, 49, "x", 50]),
        collection(feature('{"lat": "nord", "lon": 1}')),
        collection(feature('{"geo_point_2d": "{x"}')),
    ],
)
def test_what_does_not_contradict_its_axes_is_kept(folder, content):
    assert isinstance(bring(folder, content), dict)


@pytest.mark.parametrize("place", ["feature", "geometry"])
def test_a_feature_with_a_system_of_its_own_is_rejected(folder, place):
    own = ', "crs": {"type": "name", "properties": {"name": "EPSG:3857"}}'
    other = feature(more=own) if place == "feature" else feature(geometry=POINT[:-1] + own + "}")
    same = feature(geometry=POINT[:-1] + own.replace("EPSG:3857", "urn:ogc:def:crs:OGC:1.3:CRS84") + "}")
    receipt = bring(folder, collection(feature('{"n": 1}'), feature(), other, same))
    assert [reject["line"] for reject in receipt["rejects"]] == [3]
    assert "it has a system of its own" in receipt["rejects"][0]["reason"]


@pytest.mark.parametrize(
    ("geometry", "kept"),
    [
        ('{"type": "Point", "coordinates": []}', "POINT EMPTY"),
        ('{"type": "MultiPolygon", "coordinates": [[]]}', "MULTIPOLYGON (EMPTY)"),
        ('{"type": "GeometryCollection", "geometries": []}', "GEOMETRYCOLLECTION EMPTY"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}', "POLYGON ((0 0, 0 1, 1 1, 0 0))"),
        (
            '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}',
            "POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0))",
        ),
        ('{"type": "LineString", "coordinates": [[0, 1, 2], [1, 2, 3]]}', "LINESTRING Z (0 1 2, 1 2 3)"),
        ('{"type": "Point", "coordinates": [180, -90]}', "POINT (180 -90)"),
        ('{"type": "Point", "coordinates": [1e-1, 4.95E1]}', "POINT (0.1 49.5)"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [1, 0]]]}', None),
        ('{"type": "LineString", "coordinates": [[0, 0]]}', None),
        ('{"type": "Point", "coordinates": [0.1, 49.5, null]}', None),
        ('{"type": "Point", "coordinates": ["0.1", "49.5"]}', None),
        ('{"type": "Point", "coordinates": [[0.1, 49.5]]}', None),
        ('{"type": "Point", "coordinates": {"x": 1}}', None),
        ('{"type": "Point", "coordinates": [1e400, 49]}', None),
        (f'{{"type": "Point", "coordinates": [{"9" * 400}, 49]}}', None),
        ('{"type": "Point"}', None),
        ("{}", None),
    ],
)
def test_a_geometry_is_kept_as_it_is_or_rejected(folder, geometry, kept):
    receipt = bring(
        folder, collection(feature('{"n": 1}', "null"), feature('{"n": 2}', "null"), feature("{}", geometry))
    )
    if kept is None:
        assert [reject["line"] for reject in receipt["rejects"]] == [3]
    else:
        assert folder.rows(columns="st_astext(geometry)")[2] == (kept,)


@pytest.mark.parametrize(
    ("place", "said"), [("[0, 91]", "0, 91"), ("[361, 0]", "361, 0"), ("[-2000, 49]", "-2000, 49")]
)
def test_a_place_on_no_globe_is_rejected_with_its_feature_alone(folder, place, said):
    wrong = feature('{"n": 2}', f'{{"type": "Point", "coordinates": {place}}}')
    receipt = bring(folder, collection(feature('{"n": 1}'), wrong, feature('{"n": 3}')))
    assert [(one["line"], one["reason"]) for one in receipt["rejects"]] == [
        (2, f"it is at {said}; expected longitude and latitude in degrees (EPSG:4326)")
    ]
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 2)
    assert folder.rows(columns="n, longitude, latitude") == [(1, 0.1, 49.5), (3, 0.1, 49.5)]


def test_a_file_of_places_on_no_globe_is_refused_with_how_to_declare_its_system(folder):
    lambert = feature(geometry='{"type": "Point", "coordinates": [652000, 6862000]}')
    told = bring(folder, collection(feature(), lambert, lambert))
    assert "data.geojson: feature 2 is at 652000, 6862000; expected longitude and latitude in degrees" in told
    assert '2 of the 3 read are not there. If they are in another system, declare it: read: {crs: "EPSG:2154"}' in told


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_an_error(folder, constant):
    told = bring(folder, collection(feature("{}", f'{{"type": "Point", "coordinates": [{constant}, 49]}}')))
    assert f"{constant} is no JSON" in told


def test_features_without_properties_a_geometry_or_a_type_are_rows(folder):
    odd = [
        '{"type": "Feature", "properties": {"n": 1}}',
        f'{{"geometry": {POINT}}}',
        feature("null"),
        feature("[1, 2]"),
    ]
    bring(folder, collection(*odd))
    assert folder.rows(columns="n, properties, st_astext(geometry)") == [
        (1, None, None),
        (None, None, "POINT (0.1 49.5)"),
        (None, None, "POINT (0.1 49.5)"),
        (None, "[1, 2]", "POINT (0.1 49.5)"),
    ]


def test_what_a_collection_says_of_itself_stands_in_the_receipt(folder):
    receipt = bring(folder, collection(feature('{"n": 1}'), name="gares", numberMatched=1200, links=[{"href": "x"}]))
    assert receipt["dialect"] == {
        "name": "gares",
        "numberMatched": "1200",
        "encoding": "utf-8",
        **{key: receipt["dialect"][key] for key in receipt["dialect"] if key.startswith("crs")},
    }
    many = {f"m{number}": number for number in range(60)}
    assert "more than 50 members stand beside the features" in bring(folder, collection(feature(), **many))


@pytest.mark.parametrize(
    "content",
    [
        collection(feature(f'{{"a": "{"x" * 3000}"}}')),
        collection(feature(f'{{"{"x" * 3000}": 1}}')),
        collection(feature('{"a": 1}'), name="x" * 3000),
        collection(feature("{}", f'{{"type": "MultiPoint", "coordinates": [{", ".join(["[1, 2]"] * 400)}]}}')),
    ],
)
def test_a_feature_longer_than_a_record_may_be_is_refused(folder, content, monkeypatch):
    monkeypatch.setattr("ingest.readers.jsontext._CHUNK", 97)
    monkeypatch.setattr("ingest.readers.jsontext.MAX_RECORD", 2000)
    assert "data.geojson: a record of more than 2000 signs; that is no table" in bring(folder, content)
    monkeypatch.setattr("ingest.readers.jsontext.MAX_RECORD", 4000)
    assert "signs" not in str(bring(folder, content)).split("a name of")[0]


def test_a_feature_of_more_values_than_fit_the_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr("ingest.readers.jsontext._CHUNK", 97)
    monkeypatch.setattr("ingest.readers.jsontext._LONG", 100)
    monkeypatch.setattr("ingest.readers.jsontext.MAX_VALUES", 300)
    points = ", ".join(["[1, 2]"] * 400)
    many = collection(feature('{"n": 1}'), feature("{}", f'{{"type": "MultiPoint", "coordinates": [{points}]}}'))
    assert "a record of more than 300 values; that is no table" in bring(folder, many)
    assert bring(folder, collection(*(feature('{"n": 1}') for _ in range(200))))["rows_in"] == 200


def test_a_name_longer_than_any_is_refused(folder):
    assert "feature 1 has a name of 2000 signs" in bring(folder, collection(feature(f'{{"{"x" * 2000}": 1}}')))


def test_features_with_large_geometries_are_placed_a_few_at_a_time(folder, monkeypatch):
    monkeypatch.setattr("ingest.readers.layer._SIGNS", 100)
    bring(folder, collection(*(feature(f'{{"n": {number}}}') for number in range(40))))
    assert folder.rows(columns="n") == [(number,) for number in range(40)]


def test_long_outlines_are_written_in_groups_of_few_rows_that_fit_in_the_memory(tmp_path):
    line = [[round(math.sin(turn / 500), 6), round(48 + turn / 40_000, 6)] for turn in range(40_000)]
    shape = json.dumps({"type": "LineString", "coordinates": line})
    features = ", ".join(f'{{"type": "Feature", "properties": {{"n": {n}}}, "geometry": {shape}}}' for n in range(60))
    (tmp_path / "x.geojson").write_text(f'{{"type": "FeatureCollection", "features": [{features}]}}', encoding="utf-8")
    (done,) = convert([tmp_path / "x.geojson"], tmp_path / "out", "parquet", Reading(), IngestSettings(memory_mb=200))
    assert (done.error, done.rows) == (None, 60)
    with pq.ParquetFile(tmp_path / "out/x.parquet") as file:
        assert max(file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)) < 60
        assert file.read(["n"]).column(0).to_pylist() == list(range(60))
