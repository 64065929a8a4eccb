"""Long arrays of coordinates: read apart, and the same as they are when they are read with all else."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest
import shapely

from ingest.readers import coordinates, jsontext
from ingest.readers.coordinates import Coordinates, SlimText
from ingest.readers.jsontext import JsonDecoder

FILE = Path("x.geojson")
RING = [[0, 0], [0.1, 1], [1, 1.30], [0, 0]]
HIGH = [[0, 0, 5], [0, 1, 1e1], [1, 1, -0.0]]
SHAPES = [
    ("MultiPoint", HIGH),
    ("LineString", RING),
    ("MultiLineString", [RING, HIGH[:0] + RING[:2]]),
    ("Polygon", [RING, RING]),
    ("MultiPolygon", [[RING], [RING, RING]]),
]


@pytest.fixture
def short(monkeypatch):
    """Arrays of any length are long."""
    monkeypatch.setattr(coordinates, "_LONG", 1)


def drawn(content: str, chunk: int = 1 << 20) -> tuple[dict, bytes | None]:
    aside = Coordinates(FILE)
    text = SlimText(FILE, io.StringIO(content), aside)
    slim = "".join(iter(lambda: text.read(chunk), ""))
    value = JsonDecoder().decode(slim)
    return value, aside.drawn(value)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("kind", "places"), SHAPES)
@pytest.mark.parametrize("chunk", [1, 2, 50, 1 << 20])
@pytest.mark.parametrize("indent", [None, 3])
def test_a_geometry_is_what_geos_reads_wherever_a_piece_ends(kind, places, chunk, indent):
    geometry = {"type": kind, "coordinates": places}
    content = json.dumps({"type": "Feature", "properties": {"a": "x"}, "geometry": geometry}, indent=indent)
    _, shape = drawn(content, chunk)
    assert shape == shapely.to_wkb(shapely.from_geojson(json.dumps(geometry)), flavor="iso")


@pytest.mark.usefixtures("short")
def test_every_double_is_the_one_that_was_written():
    rng = random.Random(5)  # noqa: S311  the same each time
    texts = [f"{rng.uniform(-180, 180):.{rng.randrange(1, 25)}f}" for _ in range(4000)]
    texts += [f"{rng.random()!r}e{rng.randrange(-300, 200)}" for _ in range(1000)] + ["123456789012345678901", "-0"]
    texts += texts[-1:] * (len(texts) % 2)
    pairs = ",".join(f"[{x}, {y}]" for x, y in zip(texts[::2], texts[1::2], strict=True))
    _, shape = drawn(f'{{"type": "MultiPoint", "coordinates": [{pairs}]}}')
    assert shapely.get_coordinates(shapely.from_wkb(shape)).ravel().tolist() == [float(one) for one in texts]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "array",
    [
        "[]",
        "[[]]",
        "[[0, 0], [0, 1], [1, 1], [0, 0]]",
        "[[[0, 0], [0, 1], [1, 1], [1, 0]]]",
        "[[[0, 0], [0, 1], [0, 0]]]",
        "[[[0, 0], [0, 1, 2], [1, 1], [0, 0]]]",
        "[[[0, 0], [0, 1], [1e999, 1], [0, 0]]]",
        "[[[0, 0], [[0, 1]], [1, 1], [0, 0]]]",
        "[[[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]]",
        '[[[0, 0], ["0", 1], [1, 1], [0, 0]]]',
        "[[[0, 0], [null, 1], [1, 1], [0, 0]]]",
    ],
)
def test_what_is_unusual_is_put_back_as_it_was_written(array):
    value, shape = drawn(f'{{"type": "Feature", "geometry": {{"type": "Polygon", "coordinates": {array}}}}}')
    assert shape is None
    assert value["geometry"]["coordinates"] == JsonDecoder().decode(array)


@pytest.mark.usefixtures("short")
def test_coordinates_that_are_no_geometry_of_the_feature_keep_their_text():
    texts = r'"a\"coordinates": [4], "text": "\"coordinates\": [1, 2]"'
    said = f'{{"coordinates": [1.10, 2e0], "in": [{{"coordinates" : [3]}}], {texts}}}'
    part = '{"type": "LineString", "coordinates": [[0, 0], [1, 1]]}'
    geometry = f'{{"type": "GeometryCollection", "geometries": [{part}]}}'
    content = f'{{"properties": {said}, "geometry": {geometry}, "coordinates": []}}'
    value, shape = drawn(content)
    assert shape is None
    assert value == JsonDecoder().decode(content)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "wrong", ["[01, 2]", "[1., 2]", "[.5, 2]", "[+1, 2]", "[1,, 2]", "[1 2]", "[1, 2]]", "[1, 2], [3, 4"]
)
@pytest.mark.parametrize("lines", [False, True])
def test_an_array_that_is_no_json_is_no_feature(folder, wrong, lines):
    good = '{"type": "Feature", "properties": {}, "geometry": {"type": "MultiPoint", "coordinates": [[1, 2]]}}'
    bad = good.replace("[1, 2]", wrong)
    if lines:
        receipt = folder.bring(f"{good}\n{bad}\n{good}", name="x.ndjson")
        assert [(one["line"], one["reason"].split(":")[0]) for one in receipt["rejects"]] == [(2, "no JSON")]
    else:
        content = f'{{"type": "FeatureCollection", "features": [{good}, {bad}]}}'
        assert "x.geojson: cannot be read as GeoJSON" in folder.bring(content, name="x.geojson")


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("lines", [False, True])
def test_rows_and_rejects_are_those_of_short_arrays(folder, monkeypatch, lines):
    def feature(number: int, array: str) -> str:
        geometry = f'{{"type": "LineString", "coordinates": {array}}}'
        return f'{{"type": "Feature", "properties": {{"n": {number}, "coordinates": [1.0]}}, "geometry": {geometry}}}'

    arrays = [
        "[[0, 1], [2, 3]]",
        "[[0, 1, 9], [2, 3, 9.5]]",
        "[]",
        "[[0, 1], [2, 3]]",
        "[[0, 1]]",
        "[[0, 1], [2000, 3]]",
    ]
    features = [feature(number, array) for number, array in enumerate([*arrays, "[[0, 1], [2]]"])]
    whole = f'{{"type": "FeatureCollection", "features": [{", ".join(features)}]}}'
    content, name = ("\n".join(features), "x.ndjson") if lines else (whole, "x.geojson")
    receipt = folder.bring(content, name=name)
    rows = folder.rows()
    assert (receipt["rows_in"], receipt["rows_out"]) == (7, 4)
    monkeypatch.setattr(coordinates, "_LONG", 1 << 20)
    assert folder.bring(content, name=name)["rejects"] == receipt["rejects"]
    assert folder.rows() == rows


@pytest.mark.usefixtures("short")
def test_arrays_of_more_signs_than_a_record_may_have_are_refused(folder, monkeypatch):
    part = '{"type": "MultiPoint", "coordinates": [[1, 2], [1, 2], [1, 2], [1, 2]]}'
    geometry = f'{{"type": "GeometryCollection", "geometries": [{", ".join([part] * 100)}]}}'
    content = f'{{"type": "FeatureCollection", "features": [{{"type": "Feature", "geometry": {geometry}}}]}}'
    monkeypatch.setattr(coordinates, "MAX_RECORD", 1000)
    assert "x.geojson: a record of more than 1000 signs" in folder.bring(content, name="x.geojson")
    monkeypatch.setattr(coordinates, "MAX_RECORD", 2000)
    assert folder.bring(content, name="x.geojson")["rows_in"] == 1
    monkeypatch.setattr(jsontext, "MAX_RECORD", 30)
    assert "x.geojson: a record of more than 30 signs" in folder.bring(content, name="x.geojson")
