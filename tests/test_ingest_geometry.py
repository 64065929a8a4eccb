"""Coordinates of any system → longitude and latitude: the right way round, in the system's area, or an error."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest
import shapely

from ingest.geometry import Places, projection
from policies.errors import ReadingError

FILE = Path("x.zip")
ESRI_LAMBERT = (
    'PROJCS["RGF_1993_Lambert_93",GEOGCS["GCS_RGF_1993",DATUM["D_RGF_1993",'
    'SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Lambert_Conformal_Conic"],PARAMETER["False_Easting",700000.0],PARAMETER["False_Northing",6600000.0],'
    'PARAMETER["Central_Meridian",3.0],PARAMETER["Standard_Parallel_1",44.0],PARAMETER["Standard_Parallel_2",49.0],'
    'PARAMETER["Latitude_Of_Origin",46.5],UNIT["Meter",1.0]]'
)
ESRI_DEGREES = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)


def place(said, *shapes, declared=None, boxes=MappingProxyType({})):
    places = Places(FILE, projection(FILE, said, declared), len(shapes), boxes)
    given = [one if one is None or isinstance(one, str) else shapely.to_wkb(one) for one in shapes]
    placed = places.place(given, range(1, 99))
    return places, placed


@pytest.mark.parametrize(
    ("said", "x", "y"),
    [
        ("EPSG:2154", 652000, 6862000),
        (ESRI_LAMBERT, 652000, 6862000),
        ("EPSG:27572", 600340, 2428360),
        ("EPSG:3857", 261137, 6250480),
        ("EPSG:32631", 452000, 5411500),
        ("EPSG:4258", 2.345, 48.856),
        (ESRI_DEGREES, 2.345, 48.856),
        ("EPSG:4326", 2.345, 48.856),
        ("OGC:CRS84", 2.345, 48.856),
        ("EPSG:5698", 652000, 6862000),
    ],
)
def test_paris_is_where_it_is(said, x, y):
    _, placed = place(said, shapely.Point(x, y))
    assert placed.points[0] == pytest.approx((2.345, 48.856), abs=0.01)


@pytest.mark.parametrize(
    ("said", "crs", "converted"),
    [
        (ESRI_LAMBERT, "EPSG:2154", True),
        (ESRI_DEGREES, "EPSG:4326", False),
        ("EPSG:4326", "EPSG:4326", False),
        ("EPSG:27572", "EPSG:27572", True),
    ],
)
def test_the_receipt_names_the_system(said, crs, converted):
    dialect = projection(FILE, said, None).dialect
    assert dialect["crs"] == crs
    assert dialect.get("crs_to") == ("EPSG:4326" if converted else None)


def test_degrees_are_not_touched():
    shape = shapely.Point(0.1, 49.123456789012345)
    _, placed = place("EPSG:4326", shape)
    assert placed.wkb == [shapely.to_wkb(shape, flavor="iso", byte_order=1)]


def test_what_is_declared_goes_before_what_the_file_says():
    _, placed = place("EPSG:4326", shapely.Point(652000, 6862000), declared="EPSG:2154")
    assert placed.points[0] == pytest.approx((2.345, 48.856), abs=0.01)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (None, 'declare it: read: {crs: "EPSG:2154"}'),
        ("  ", "declare it"),
        ("EPSG:999999", "crs not found"),
        ("EPSG:4978", "neither projected nor geographic"),
        ("EPSG:5720", "neither projected nor geographic"),
        ("Lambert 93", "expected a code like EPSG:2154"),
        ("+proj=longlat +nadgrids=/etc/passwd", "expected a code like EPSG:2154"),
        ("PROJCS[", "cannot be taken"),
        (ESRI_LAMBERT.replace("RGF", "X") * 200, "so long"),
    ],
)
def test_an_unknown_system_is_refused(said, told):
    with pytest.raises(ReadingError, match="^x.zip: ") as caught:
        projection(FILE, said, None)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("said", "x", "y"),
    [
        ("EPSG:4326", 652000, 6862000),
        ("EPSG:4326", 2, 90.1),
        ("EPSG:2154", 2.3, 48.8),
        ("EPSG:2154", 1e300, 1e300),
        ("EPSG:4258", 652000, 6862000),
        ("EPSG:32620", 652000, 6862000000),
    ],
)
def test_a_file_of_coordinates_out_of_its_systems_area_is_refused(said, x, y):
    with pytest.raises(ReadingError, match="feature 2 is at .*; 2 of the 2 read are not there") as caught:
        place(said, shapely.Point(), shapely.Point(x, y), shapely.LineString([(x, y), (x, y)]))
    assert 'read: {crs: "EPSG:2154"}' in str(caught.value)


def test_most_places_out_of_the_area_are_refused_though_more_features_have_no_place():
    places, _ = place("EPSG:4326", None, None, None, shapely.Point(2000, 49), shapely.Point(3000, 49))
    with pytest.raises(ReadingError, match="feature 4 is at 2000, 49; .*; 2 of the 2 read are not there"):
        places.refuse_misplaced()


@pytest.mark.parametrize(
    ("said", "good", "bad", "why"),
    [
        ("EPSG:4326", (2, 48), (2000, 48), "it is at 2000, 48; expected longitude and latitude in degrees (EPSG:4326)"),
        ("EPSG:2154", (652000, 6862000), (0, 0), "it is at 0, 0; expected coordinates of EPSG:2154, which is for"),
    ],
)
def test_a_place_out_of_the_area_among_others_is_not_kept(said, good, bad, why):
    places, placed = place(said, shapely.Point(good), shapely.LineString([good, bad]), shapely.Point(good))
    places.refuse_misplaced()
    assert [reason is None for reason in placed.why] == [True, False, True]
    assert placed.why[1].startswith(why)
    assert placed.wkb[1] is None
    assert places.all_points


def test_a_place_that_is_on_the_globe_only_with_latitude_first_makes_all_doubtful():
    around = [shapely.Point(48.8, 2.3), shapely.Point(-17.5, -149.5), shapely.Point(43.3, 5.4)]
    places, _ = place("EPSG:4326", *around)
    with pytest.raises(ReadingError, match="feature 2 lies on no globe, but would if its latitude came first"):
        places.refuse_misplaced()
    places, _ = place("EPSG:4326", *around, boxes={"the dataset's `spatial`": (40, 0, 50, 10)})
    places.refuse_misplaced()


def test_geometry_past_the_antimeridian_stays():
    assert place("EPSG:4326", shapely.Point(183.8, -13.3))[1].points == [(183.8, -13.3)]


def test_heights_are_kept_and_not_converted():
    flat, high = shapely.Point(652000, 6862000), shapely.Point(652000, 6862000, 35.5)
    _, placed = place("EPSG:2154", flat, high)
    assert [shapely.from_wkb(one).has_z for one in placed.wkb] == [False, True]
    assert shapely.from_wkb(placed.wkb[1]).z == 35.5


def test_what_would_be_lost_is_said():
    measured = shapely.from_wkt("POINT M (2 48 7)")
    mixed = (
        '{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]},'
        '{"type":"LineString","coordinates":[[1,2,3],[1,3,4]]}]}'
    )
    assert "measures (M)" in place("EPSG:4326", measured)[1].why[0]
    _, placed = place("EPSG:4326", '{"type":"Point","coordinates":[1,2]}', '{"type":"Blob"}', mixed)
    assert placed.why[0] is None
    assert "broken" in placed.why[1]
    assert placed.wkb[1] is None


def test_only_layers_of_points_are_of_points():
    places, _ = place("EPSG:4326", shapely.Point(1, 2))
    assert places.all_points
    places, _ = place("EPSG:4326", shapely.Point(1, 2), shapely.LineString([(0, 0), (1, 1)]))
    assert not places.all_points
