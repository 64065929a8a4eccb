from __future__ import annotations

import json

import pyarrow as pa
import pytest
import shapely
from fixtures_portal import COMMUNES, commit, policy, wkb, write
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from catalog.entries import EVERYONE, entries
from catalog.lab import Lab
from catalog.metadata import Spatial
from catalog.territory import CORNERS, Territories, simplified
from policies.errors import DocumentError

HERE = 'spatial: {name: "Rouen et Le Havre", communes: ["76540", "76351"]}'


@pytest.fixture
def lab(open_lab):
    """The lab, with two communes' contours that everyone is granted, and Elbeuf's, in two parts, that are not."""
    write(open_lab.root, "contours", COMMUNES, policy("contours", ["code", "forme"]))
    shapes = pa.table(
        {
            "code": ["76540", "76351"],
            "forme": pa.array(
                [wkb("POLYGON((1 49, 1.2 49, 1.2 49.2, 1 49))"), wkb("POLYGON((0 49.4, 0.2 49.4, 0 49.6, 0 49.4))")],
                pa.binary(),
            ),
        }
    )
    commit(open_lab, "contours", "open", "contours", shapes, [("code", "VARCHAR"), ("forme", "GEOMETRY")], {})
    return open_lab


def resolve(lab, spatial, table="contours.contours.code"):
    return Territories(lab, lab.granted(EVERYONE), {"commune": table}).place(Spatial.model_validate(spatial))


def test_codes_become_the_shape_that_the_labs_own_contours_have(lab):
    place = resolve(lab, {"name": "Rouen et Le Havre", "communes": ["76540", "76351"]})
    assert place.unknown == ()
    assert place.bbox == (0.0, 49.0, 1.2, 49.6)
    assert shapely.from_wkt(place.wkt).geom_type == "MultiPolygon"
    assert json.loads(place.geojson)["type"] == "MultiPolygon"
    assert place.shape.area == pytest.approx(0.04)


def test_a_code_without_contour_is_named_and_the_declared_box_stands(lab):
    told = {"name": "X", "communes": ["76540", "27229"], "bbox": (0, 49, 2, 50)}
    place = resolve(lab, told)
    assert place.unknown == ("commune 27229",)
    assert place.bbox == (0, 49, 2, 50)
    assert place.shape.bounds == (0, 49, 2, 50)
    assert resolve(lab, {key: value for key, value in told.items() if key != "bbox"}).shape is None


def test_contours_that_everyone_is_not_granted_tell_nobody_where_data_lie(lab):
    (lab.root / "policies" / "contours.yaml").unlink()
    assert resolve(lab, {"name": "Rouen", "communes": ["76540"]}).unknown == ("commune 76540",)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("contours.contours.insee", "no column 'insee'; it has code, forme"),
        ("subventions.versements.nomBeneficiaire", "subventions.versements has no geometry"),
    ],
)
def test_a_table_that_is_none_of_contours_is_named_with_the_setting(lab, table, said):
    with pytest.raises(DocumentError, match=rf"datalab.toml: \[catalog.territories\] commune = '{table}': .*{said}"):
        resolve(lab, {"name": "Rouen", "communes": ["76540"]}, table)


def test_an_entry_lies_where_its_descriptor_says_by_codes(lab):
    settings = (lab.root / "datalab.toml").read_text()
    (lab.root / "datalab.toml").write_text(f'{settings}[catalog.territories]\ncommune = "contours.contours.code"\n')
    path = lab.root / "datasets" / "subventions.yaml"
    text = path.read_text()
    path.write_text(text.replace('spatial: {name: "Normandie", bbox: [-1.95, 48.17, 1.81, 50.08]}', HERE))
    found = {entry.slug: entry.place for entry in entries(Lab.open(lab.root), EVERYONE)}
    assert found["subventions"].bbox == (0.0, 49.0, 1.2, 49.6)
    assert found["communes"].bbox == (-1.95, 48.17, 1.81, 50.08)


def test_who_is_granted_contours_alone_does_not_see_by_them_where_other_data_lie(lab):
    settings = (lab.root / "datalab.toml").read_text()
    (lab.root / "datalab.toml").write_text(f'{settings}[catalog.territories]\ncommune = "contours.contours.code"\n')
    write(
        lab.root,
        "contours",
        COMMUNES,
        policy("contours", ["code", "forme"], to="user:anne", until="until: 2999-01-01, "),
    )
    path = lab.root / "datasets" / "subventions.yaml"
    path.write_text(path.read_text().replace('spatial: {name: "Normandie", bbox: [-1.95, 48.17, 1.81, 50.08]}', HERE))
    found = {entry.slug: entry for entry in entries(Lab.open(lab.root), EVERYONE | {"user:anne"})}
    assert "contours" in found
    assert found["subventions"].place.shape is None
    assert found["subventions"].place.unknown == ("commune 76540", "commune 76351")


@pytest.mark.parametrize(
    ("spatial", "said"),
    [
        ({"name": "X"}, "expected `bbox"),
        ({"name": "X", "bbox": (2, 48, 1, 50)}, "WEST, SOUTH, EAST, NORTH"),
        ({"name": "X", "bbox": (700000, 6600000, 710000, 6610000)}, "in degrees"),
        ({"name": "X", "departements": ["2a"]}, "departements"),
        ({"name": "X", "communes": ["1001"]}, "communes"),
    ],
)
def test_a_territory_that_is_nowhere_or_has_a_wrong_code_is_refused(spatial, said):
    with pytest.raises(ValidationError, match=said):
        Spatial.model_validate(spatial)


def test_codes_of_corsica_and_overseas_are_codes():
    told = {"name": "X", "communes": ["2A004", "97105", "01001"], "departements": ["2B", "974"], "regions": ["01"]}
    assert Spatial.model_validate(told).codes["departement"] == ("2B", "974")


@settings(deadline=None)
@given(st.integers(3, 1000), st.floats(0.01, 20))
def test_a_simplified_shape_has_few_corners_and_lies_where_the_shape_does(corners, radius):
    shape = shapely.point_on_surface(shapely.box(0, 0, 1, 1)).buffer(radius, quad_segs=corners)
    made = simplified(shape)
    assert shapely.get_num_coordinates(made) <= CORNERS
    assert made.symmetric_difference(shape).area <= 0.3 * shape.area
