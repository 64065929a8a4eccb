"""Shapefiles, GeoPackage, KML, GPX and GML: every feature there or rejected, nothing changed, no other file or host."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import warnings
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pyogrio.raw
import pytest
import shapely
from pyproj import Transformer

from catalog.model import Reading
from ingest.convert import convert
from ingest.desk import open_desk
from ingest.formats import tables_in
from ingest.settings import IngestSettings
from ingest.table import chosen
from ingest.wkb import is_flat

LAMBERT = "EPSG:2154"
ROUEN = shapely.Point(562000, 6928000)
HAVRE = shapely.Point(494000, 6936000)
HOUSE = shapely.from_wkt(
    "MULTIPOLYGON (((562000 6928000, 562000 6929000, 563000 6929000, 562000 6928000)), "
    "((570000 6928000, 570000 6929000, 571000 6929000, 570000 6928000)))"
)


def write(path, shapes, crs=LAMBERT, driver=None, kind=None, layer=None, append=False, options=None, **fields):
    """A file that GDAL writes of these geometries and columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.raw.write(
            str(path),
            geometry=np.array([None if one is None else shapely.to_wkb(one, flavor="iso") for one in shapes], object),
            field_data=[np.array(values) for values in fields.values()],
            fields=np.array(list(fields), object),
            geometry_type=kind or shapes[0].geom_type,
            crs=crs,
            driver=driver,
            layer=layer,
            append=append,
            dataset_options=options,
        )
    return path


def packed(*files, **contents) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for file in files:
            archive.write(file, file.name)
        for name, content in contents.items():
            archive.writestr(name, content)
    return made.getvalue()


def shapefile(folder, shapes=(ROUEN, HAVRE), name="lieux", crs=LAMBERT, kind=None, **fields):
    """The paths of a shapefile's files, by their endings."""
    folder.mkdir(exist_ok=True)
    write(folder / f"{name}.shp", shapes, crs=crs, kind=kind, **(fields or {"code": ["01001", "76217"]}))
    return {one.suffix: one for one in sorted(folder.iterdir()) if one.stem == name}


def read(path, folder):
    """The only table of the file, and its rows as they are read: texts, and geometry as WKT."""
    with open_desk(folder, IngestSettings()) as desk:
        table = chosen(tables_in(path, path.name, Reading(), desk), None)
        shown = "* REPLACE (st_astext(st_geomfromwkb(geometry)) AS geometry)"
        return table, desk.con.execute(f"SELECT {shown} FROM {table.source}").fetchall()


def bring(folder, content, name="lieux.zip", **resource):
    return folder.bring(content, name=name, **resource)


def near(text: str, lon: float, lat: float) -> bool:
    point = shapely.from_wkt(text)
    return abs(point.x - lon) < 0.01 and abs(point.y - lat) < 0.01


# Shapefiles


def test_files_beside_a_zipped_shapefile_or_in_a_kmz_that_are_not_read_are_named(folder, tmp_path):
    parts = shapefile(tmp_path / "a", nom=["Rouen", "Le Havre"])
    beside = {"LISEZMOI.txt": "x", "lieux.shp.xml": "<metadata/>", "__MACOSX/._lieux.shp": "x"}
    receipt = bring(folder, packed(*parts.values(), **beside))
    assert (receipt["rows_out"], receipt["dialect"]["left_out"]) == (2, "LISEZMOI.txt, __MACOSX/._lieux.shp")
    assert "left_out" not in bring(folder, packed(*parts.values()))["dialect"]
    forced = bring(folder, packed(*parts.values(), **{"d.csv": "a;b\n1;2\n"}), read={"format": "shapefile"})
    assert forced["dialect"]["left_out"] == "d.csv"
    mapped = bring(folder, packed(**{"doc.kml": kml(placemark("a")), "files/icon.png": "x"}), name="x.kmz")
    assert (mapped["rows_out"], mapped["dialect"]["left_out"]) == (1, "files/icon.png")


def test_a_zipped_shapefile_in_lambert_93_becomes_longitude_and_latitude(folder, tmp_path):
    parts = shapefile(tmp_path / "a", nom=["Rouen", "Le Havre"], n=np.array([1, 2], np.int64))
    receipt = bring(folder, packed(*parts.values()))
    assert (receipt["format"], receipt["rows_in"], receipt["rows_out"]) == ("shapefile", 2, 2)
    assert receipt["dialect"]["crs"] == LAMBERT
    assert receipt["dialect"]["crs_to"] == "EPSG:4326"
    rows = folder.rows(columns="nom, n, st_astext(geometry), longitude, latitude")
    assert [row[:2] for row in rows] == [("Rouen", 1), ("Le Havre", 2)]
    assert near(rows[0][2], 1.09, 49.43)
    assert (rows[1][3], rows[1][4]) == pytest.approx((0.14, 49.49), abs=0.02)


def test_digits_stay_text_and_numbers_keep_every_digit(folder, tmp_path):
    parts = shapefile(tmp_path / "a", code=["01001", "76217"], n=np.array([2**53 + 1, 1]), x=np.array([0.1, 1e-7]))
    bring(folder, packed(*parts.values()))
    assert tuple(map(str, folder.rows(columns="code, n, x")[0])) == ("01001", str(2**53 + 1), "0.1")


def dbf(fields, records, driver=0, start=b" ") -> bytes:
    """A .dbf of fields (name, type, width, decimals) and of records, each the bytes of its fields."""
    size = 1 + sum(width for _, _, width, _ in fields)
    head = struct.pack("<B3sIHH17xBxx", 3, b"\x7c\1\1", len(records), 33 + 32 * len(fields), size, driver)
    for name, kind, width, decimals in fields:
        head += struct.pack("<11sc4xBB14x", name, kind, width, decimals)
    body = b"".join(
        start + b"".join(value.ljust(field[2]) for value, field in zip(record, fields, strict=True))
        for record in records
    )
    return head + b"\r" + body + b"\x1a"


def replaced(parts, content, **more):
    """The shapefile with another .dbf."""
    others = [path for suffix, path in parts.items() if suffix not in {".dbf", ".cpg"}]
    return packed(*others, **{"lieux.dbf": content, **more})


@pytest.mark.parametrize(
    ("encoding", "driver", "more"),
    [
        ("cp1252", 0, {}),
        ("cp1252", 0x57, {}),
        ("cp1252", 0, {"lieux.cpg": "ISO-8859-1"}),
        ("cp1252", 0, {"lieux.cpg": "ANSI 1252"}),
        ("utf-8", 0, {"lieux.cpg": "UTF-8"}),
        ("utf-8", 0x57, {}),
        ("cp850", 0x02, {}),
    ],
)
def test_the_attributes_encoding_is_that_of_the_cpg_or_of_the_driver_or_as_it_looks(
    folder, tmp_path, encoding, driver, more
):
    texts = ["Forêt-la-Folie", "Bœuf à l’œil"] if encoding != "cp850" else ["Forêt-la-Folie", "Beuf à l'eil"]
    content = dbf([(b"nom", b"C", 40, 0)], [[text.encode(encoding)] for text in texts], driver)
    receipt = bring(folder, replaced(shapefile(tmp_path / "a"), content, **more))
    assert receipt["dialect"]["encoding"] == encoding
    assert [row[0] for row in folder.rows(columns="nom")] == texts


def test_every_kind_of_field_is_read_as_it_is_written(folder, tmp_path):
    fields = [(b"big", b"N", 20, 0), (b"f", b"F", 24, 15), (b"d", b"D", 8, 0), (b"l", b"L", 1, 0), (b"z", b"N", 5, 1)]
    records = [
        [b"12345678901234567890", b"1.234500000000000e+002", b"20240131", b"T", b".5"],
        [b"****", b"  2.500000000000000", b"00000000", b"?", b"-12.0"],
    ]
    receipt = bring(folder, replaced(shapefile(tmp_path / "a"), dbf(fields, records)))
    types = {column["name"]: column["type"] for column in receipt["columns"]}
    assert (types["d"], types["l"]) == ("date", "boolean")
    assert [tuple(map(str, row)) for row in folder.rows(columns="big, f, d, l, z")] == [
        ("12345678901234567890", "123.45", "2024-01-31", "True", "0.5"),
        ("None", "2.50", "None", "None", "-12.0"),
    ]


def test_a_text_in_a_field_of_numbers_is_no_zero(folder, tmp_path):
    content = dbf([(b"n", b"N", 6, 0)], [[b"abc"], [b"7"]])
    bring(folder, replaced(shapefile(tmp_path / "a"), content))
    assert folder.rows(columns="n") == [("abc",), ("7",)]


def test_records_that_were_deleted_are_no_rows(folder, tmp_path):
    content = bytearray(dbf([(b"n", b"N", 6, 0)], [[b"1"], [b"2"]]))
    content[65] = ord("*")
    receipt = bring(folder, replaced(shapefile(tmp_path / "a"), bytes(content)))
    assert (receipt["rows_in"], receipt["rows_out"]) == (1, 1)
    assert folder.rows(columns="n") == [(2,)]


def test_a_text_that_its_encoding_has_not_is_a_reject(folder, tmp_path):
    content = dbf([(b"nom", b"C", 10, 0)], [["Forêt".encode()], ["Forêt".encode("cp1252")]])
    receipt = bring(folder, replaced(shapefile(tmp_path / "a"), content, **{"lieux.cpg": "utf-8"}))
    assert [reject["line"] for reject in receipt["rejects"]] == [2]
    assert "cannot be read as utf-8" in receipt["rejects"][0]["reason"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [(".prj", 'read: {crs: "EPSG:2154"}'), (".dbf", "without lieux.dbf"), (".shx", "without lieux.shx")],
)
def test_a_shapefile_without_one_of_its_files_is_refused(folder, tmp_path, missing, said):
    parts = shapefile(tmp_path / "a")
    assert said in bring(folder, packed(*(path for suffix, path in parts.items() if suffix != missing)))


def test_a_system_that_is_declared_stands_for_the_prj(folder, tmp_path):
    parts = shapefile(tmp_path / "a", code=["a", "b"])
    del parts[".prj"]
    receipt = bring(folder, packed(*parts.values()), read={"crs": LAMBERT})
    assert receipt["rows_out"] == 2
    assert near(folder.rows(columns="st_astext(geometry)")[0][0], 1.09, 49.43)


def test_a_wrong_system_is_refused(folder, tmp_path):
    parts = shapefile(tmp_path / "a", crs="EPSG:4326")
    assert "feature 1 is at 562000, 6928000; expected longitude and latitude" in bring(folder, packed(*parts.values()))
    parts = shapefile(tmp_path / "b", shapes=(shapely.Point(1.09, 49.43),), code=["x"])
    assert "expected coordinates of EPSG:2154" in bring(folder, packed(*parts.values()))


def test_several_shapefiles_in_one_zip_are_several_tables(tmp_path):
    content = packed(
        *shapefile(tmp_path / "a", name="lieux").values(), *shapefile(tmp_path / "a", name="îles d'or").values()
    )
    (tmp_path / "deux.zip").write_bytes(content)
    done = list(convert([tmp_path / "deux.zip"], tmp_path / "out", "parquet", Reading(), IngestSettings()))
    assert {(one.table, one.rows, one.error) for one in done} == {("lieux", 2, None), ("îles d'or", 2, None)}


def test_a_cut_shapefile_is_refused(folder, tmp_path):
    parts = shapefile(tmp_path / "a")
    for suffix in (".shp", ".shx", ".dbf"):
        whole = parts[suffix].read_bytes()
        parts[suffix].write_bytes(whole[:-20])
        said = bring(folder, packed(*parts.values()))
        assert isinstance(said, str), suffix
        assert "-shapefiles" not in said, "a passing folder says nothing to a steward"
        parts[suffix].write_bytes(whole)


def test_a_bare_shp_is_refused(folder, tmp_path):
    assert "in one .zip" in bring(folder, shapefile(tmp_path / "a")[".shp"].read_bytes(), name="lieux.shp")


def test_heights_stay_and_measures_are_not_lost_in_silence(folder, tmp_path):
    high = [shapely.Point(562000, 6928000, 12.5), shapely.Point(494000, 6936000, 3)]
    bring(folder, packed(*shapefile(tmp_path / "a", shapes=high, kind="Point Z").values()))
    assert [one[0].split()[1] for one in folder.rows(columns="st_astext(geometry)")] == ["Z", "Z"]


@pytest.mark.parametrize(("first", "second"), [(-1e39, 7), (7, -1e39), (0, 7)])
def test_measures_are_not_lost_in_silence(folder, tmp_path, first, second):
    assert "lieux.shp has measures (M)" in bring(folder, measured(tmp_path, first, second))


@pytest.mark.parametrize(("measure", "said"), [(0, "all 0, left out"), (-1e39, None)])
def test_measures_that_are_none_are_left_out(folder, tmp_path, measure, said):
    assert bring(folder, measured(tmp_path, measure, measure))["dialect"].get("measures") == said
    assert near(folder.rows(columns="st_astext(geometry)")[0][0], 1.09, 49.43)


def measured(tmp_path, first, second) -> bytes:
    """A shapefile of two points with these measures."""
    parts = shapefile(tmp_path / "a")
    head = struct.pack(">i20xi", 9994, (100 + 2 * 36) // 2) + struct.pack("<ii64x", 1000, 21)
    points = [
        struct.pack(">ii", at, 14) + struct.pack("<i3d", 21, 562000, 6928000, one)
        for at, one in ((1, first), (2, second))
    ]
    parts[".shp"].write_bytes(head + b"".join(points))
    parts[".shx"].write_bytes(struct.pack(">i20xi", 9994, 58) + head[28:] + struct.pack(">iiii", 50, 14, 68, 14))
    return packed(*parts.values())


def test_polygons_and_features_without_geometry_are_read(folder, tmp_path):
    parts = shapefile(tmp_path / "a", shapes=(HOUSE, None), kind="MultiPolygon", code=["a", "b"])
    bring(folder, packed(*parts.values()))
    ((kind,), none) = folder.rows(columns="st_astext(geometry)")
    assert kind.startswith("MULTIPOLYGON")
    assert none == (None,)
    assert all(pyogrio.list_drivers().get(driver) for driver in ("GPKG", "GML"))


# GeoPackage


def test_each_layer_of_a_geopackage_is_a_table(tmp_path):
    path = write(tmp_path / "x.gpkg", (ROUEN, HAVRE), layer="lieux", code=["01001", "76217"])
    write(path, (HOUSE,), layer='mai"sons', append=True, n=[7])
    done = list(convert([path], tmp_path / "out", "parquet", Reading(), IngestSettings()))
    assert [(one.table, one.rows, one.error) for one in done] == [("lieux", 2, None), ('mai"sons', 1, None)]


def geopackage(folder, statements=(), shapes=(ROUEN, HAVRE), crs=LAMBERT, **fields):
    """The bytes of a GeoPackage that GDAL wrote, and on which these statements were run then."""
    path = write(folder / "made.gpkg", shapes, crs=crs, layer="lieux", **(fields or {"code": ["01001", "76217"]}))
    con = sqlite3.connect(path)
    for (trigger,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        con.execute(f'DROP TRIGGER "{trigger}"')
    for statement in statements:
        con.execute(statement)
    con.commit()
    con.close()
    return path.read_bytes()


def test_a_geopackage_keeps_the_types_it_has(folder, tmp_path):
    content = geopackage(tmp_path, code=["01001", "76217"], n=np.array([2**60 + 1, 2]), x=np.array([0.1, 2.5]))
    receipt = bring(folder, content, name="x.gpkg")
    assert (receipt["format"], receipt["dialect"]["crs"]) == ("gpkg", LAMBERT)
    assert folder.rows(columns="code, n, x") == [("01001", 2**60 + 1, 0.1), ("76217", 2, 2.5)]
    assert near(folder.rows(columns="st_astext(geometry)")[0][0], 1.09, 49.43)


def test_a_text_in_a_column_of_integers_stays_a_text(folder, tmp_path):
    content = geopackage(tmp_path, ["UPDATE lieux SET n = 'inconnu' WHERE n = 2"], n=np.array([1, 2]))
    bring(folder, content, name="x.gpkg")
    assert folder.rows(columns="n") == [("1",), ("inconnu",)]


def test_dates_and_booleans_of_a_geopackage_are_proven(folder, tmp_path):
    statements = [
        "ALTER TABLE lieux ADD COLUMN jour DATE",
        "ALTER TABLE lieux ADD COLUMN quand DATETIME",
        "ALTER TABLE lieux ADD COLUMN ouvert BOOLEAN",
        "UPDATE lieux SET jour = '2024-01-31', quand = '2024-01-31T12:00:00.000Z', ouvert = 1",
    ]
    receipt = bring(folder, geopackage(tmp_path, statements), name="x.gpkg")
    types = {column["name"]: column["type"] for column in receipt["columns"]}
    assert (types["jour"], types["quand"], types["ouvert"]) == ("date", "timestamp", "boolean")


NESTED = b"GP\0\x01" + struct.pack("<i", 2154) + (b"\1\7\0\0\0" + struct.pack("<I", 1)) * 200_000


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["DROP TABLE gpkg_contents"], "no GeoPackage"),
        (["DELETE FROM gpkg_contents"], "no layer of features"),
        (["UPDATE gpkg_contents SET table_name = 'x'"], "no table of the file"),
        (["UPDATE gpkg_geometry_columns SET srs_id = -1"], "nothing says in what system"),
        (["UPDATE gpkg_geometry_columns SET srs_id = 4326"], "feature 1 is at 562000"),
        (["UPDATE gpkg_geometry_columns SET column_name = 'x'"], "no column 'x'"),
        ([f"UPDATE lieux SET geom = x'{NESTED.hex()}'"], "its geometry is broken"),
        (["UPDATE lieux SET geom = 'POINT (1 2)'"], "none of GeoPackage's"),
        (
            [
                "ALTER TABLE lieux RENAME TO l",
                "CREATE VIEW lieux AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n",
                "UPDATE gpkg_contents SET table_name = 'lieux'",
            ],
            "no table of the file",
        ),
    ],
)
def test_a_geopackage_that_is_wrong_is_refused(folder, tmp_path, statements, said):
    assert said in bring(folder, geopackage(tmp_path, statements), name="x.gpkg")


def test_a_broken_geopackage_is_refused(folder, tmp_path):
    content = geopackage(tmp_path)
    assert "damaged" in bring(folder, content[:2000], name="x.gpkg")
    assert isinstance(bring(folder, content[:16] + b"\xff" * 20_000, name="x.gpkg"), str)


def test_a_database_without_geography_is_no_geopackage(folder, tmp_path):
    con = sqlite3.connect(tmp_path / "x.db")
    con.execute("CREATE TABLE t AS SELECT 1 AS a")
    con.commit()
    con.close()
    assert "no gpkg_contents (its tables: t)" in bring(folder, (tmp_path / "x.db").read_bytes(), name="x.gpkg")


def test_well_known_binary_is_walked_without_recursion():
    parts = [HOUSE, ROUEN, shapely.LineString([(0, 0), (1, 1)])]
    whole = shapely.to_wkb(shapely.GeometryCollection(parts), flavor="iso")
    assert is_flat(whole)
    assert is_flat(shapely.to_wkb(HOUSE, byte_order=0))
    assert not is_flat(whole[:-1])
    assert not is_flat(NESTED[8:])


# KML


def kml(*placemarks: str, before: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"<name>Ville</name>{''.join(placemarks)}</Document></kml>"
    )


def placemark(name: str, shape: str = "<Point><coordinates>1.09,49.43</coordinates></Point>", more: str = "") -> str:
    return f"<Placemark><name>{name}</name>{more}{shape}</Placemark>"


def test_the_placemarks_of_a_kml_are_rows(folder):
    more = (
        "<description><![CDATA[<b>été</b>]]></description><ExtendedData>"
        '<Data name="insee"><value>01001</value></Data>'
        '<SchemaData schemaUrl="#s"><SimpleData name="n">12</SimpleData></SchemaData></ExtendedData>'
    )
    receipt = bring(folder, kml(placemark("a", more=more), placemark("b")), name="x.kml")
    assert (receipt["format"], receipt["rows_in"], receipt["dialect"]["crs"]) == ("kml", 2, "EPSG:4326")
    assert folder.rows(columns="name, description, insee, n, longitude, latitude") == [
        ("a", "<b>été</b>", "01001", 12, 1.09, 49.43),
        ("b", None, None, None, 1.09, 49.43),
    ]


def test_the_shapes_of_kml_are_read_and_others_rejected(folder):
    ring = "<LinearRing><coordinates> 0,49,5\n1,49,5 1,50,5 0,49,5 </coordinates></LinearRing>"
    polygon = f"<Polygon><outerBoundaryIs>{ring}</outerBoundaryIs></Polygon>"
    shapes = [
        polygon,
        f"<MultiGeometry>{polygon}{polygon}</MultiGeometry>",
        "<LineString><coordinates>0,49 1,49</coordinates></LineString>",
        "",
        "<Model/>",
        "<Point><coordinates>un,deux</coordinates></Point>",
    ]
    receipt = bring(folder, kml(*(placemark(str(at), shape) for at, shape in enumerate(shapes))), name="x.kml")
    assert [reject["line"] for reject in receipt["rejects"]] == [5, 6]
    kinds = [row[0] and row[0].split(" (")[0] for row in folder.rows(columns="st_astext(geometry)")]
    assert kinds == [
        "POLYGON Z",
        "MULTIPOLYGON Z",
        "LINESTRING",
        None,
    ]


def test_each_folder_of_a_kml_is_a_table(tmp_path):
    content = kml(
        f"<Folder><name>Lycées</name>{placemark('a')}{placemark('b')}</Folder>",
        f"<Folder><name>Gares</name><Folder><name>TER</name>{placemark('c')}</Folder></Folder>",
        placemark("d"),
    )
    (tmp_path / "x.kml").write_text(content, encoding="utf-8")
    done = list(convert([tmp_path / "x.kml"], tmp_path / "out", "parquet", Reading(), IngestSettings()))
    assert [(one.table, one.rows, one.error) for one in done] == [
        ("Lycées", 2, None),
        ("Gares/TER", 1, None),
        ("Ville", 1, None),
    ]


def test_a_kmz_is_the_kml_in_it(folder):
    assert bring(folder, packed(**{"doc.kml": kml(placemark("a"))}), name="x.kmz")["rows_out"] == 1


def test_a_kmz_that_unpacks_to_too_much_is_refused(folder):
    folder.write("datalab.toml", "[ingest]\nmax_bytes = 100000\n[policies.users]\nsteward = ['stewards']\n")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", kml(placemark("a" * 1_000_000)))
    assert "max_bytes" in bring(folder, made.getvalue(), name="x.kmz")


# GPX

GPX = """<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">
<wpt lat="49.43" lon="1.09"><ele>12.50</ele><time>2024-01-31T12:00:00Z</time><name>Rouen</name>
<extensions><code>01001</code></extensions></wpt>
<trk><name>Seine</name><trkseg><trkpt lat="49" lon="1"><ele>3</ele></trkpt><trkpt lat="49.5" lon="1.5"/></trkseg>
<trkseg><trkpt lat="49" lon="2"/></trkseg></trk></gpx>"""


def test_waypoints_tracks_and_their_points_are_tables(tmp_path):
    (tmp_path / "x.gpx").write_text(GPX)
    done = list(convert([tmp_path / "x.gpx"], tmp_path / "out", "parquet", Reading(), IngestSettings()))
    assert [(one.table, one.rows, one.error) for one in done] == [
        ("waypoints", 1, None),
        ("tracks", 1, None),
        ("track_points", 3, None),
    ]


def test_the_values_of_points_are_as_they_are_written(folder):
    bring(folder, GPX, name="x.gpx", read={"table": "waypoints"})
    rows = folder.rows(columns="ele, name, extensions_code, longitude, latitude")
    assert [tuple(map(str, row)) for row in rows] == [("12.50", "Rouen", "01001", "1.09", "49.43")]
    bring(folder, GPX, name="x.gpx", read={"table": "tracks"})
    assert folder.rows(columns="name, st_astext(geometry)") == [("Seine", "MULTILINESTRING ((1 49, 1.5 49.5))")]
    bring(folder, GPX, name="x.gpx", read={"table": "track_points"})
    assert folder.rows(columns="trk, segment, point, latitude") == [(1, 1, 1, 49), (1, 1, 2, 49.5), (1, 2, 1, 49)]


# GML


TWO = "MULTIPOLYGON (((0 49, 0 50, 1 50, 0 49), (0.1 49.4, 0.1 49.5, 0.2 49.5, 0.1 49.4)), ((2 49, 2 50, 3 50, 2 49)))"


@pytest.mark.parametrize("form", ["GML2", "GML3", "GML3Deegree", "GML3.2"])
@pytest.mark.parametrize("crs", [LAMBERT, "EPSG:4326", "EPSG:3035"])
@pytest.mark.parametrize("kind", ["POINT (1.5 49.25)", "LINESTRING (0 49, 1 49.5)", "MULTIPOLYGON"])
def test_what_gdal_writes_as_gml_is_what_we_read(tmp_path, form, crs, kind):
    degrees = shapely.from_wkt(TWO if kind == "MULTIPOLYGON" else kind)
    to = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    there = shapely.transform(degrees, lambda xy: np.column_stack(to.transform(xy[:, 0], xy[:, 1])))
    write(tmp_path / "x.gml", (there,), crs=crs, driver="GML", layer="lieux", options={"FORMAT": form}, code=["01001"])
    table, ((*_, wkt),) = read(tmp_path / "x.gml", tmp_path)
    found = shapely.from_wkt(wkt)
    assert (table.rows_in, table.dialect["crs"], found.geom_type) == (1, crs, degrees.geom_type)
    assert found.hausdorff_distance(degrees) < 1e-6


def gml(*features: str, srs: str = "urn:ogc:def:crs:EPSG::4326", attributes: str = "", before: str = "") -> str:
    members = "".join(f"<gml:featureMember>{one}</gml:featureMember>" for one in features)
    return (
        f'<?xml version="1.0"?>{before}<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs" '
        f'xmlns:gml="http://www.opengis.net/gml" xmlns:xlink="http://www.w3.org/1999/xlink" {attributes}>'
        f'<gml:boundedBy><gml:Envelope srsName="{srs}"/></gml:boundedBy>{members}</wfs:FeatureCollection>'
    )


def spot(shape: str = "<gml:Point><gml:pos>49.43 1.09</gml:pos></gml:Point>", values: str = "", name: str = "lieu"):
    return f'<{name} gml:id="l.1">{values}<geom>{shape}</geom></{name}>'


def test_the_axes_of_gml_are_those_that_its_system_is_named_by(folder):
    bring(folder, gml(spot()), name="x.gml")
    assert folder.rows(columns="id, longitude, latitude") == [("l.1", 1.09, 49.43)]
    swapped = spot("<gml:Point><gml:pos>1.09 49.43</gml:pos></gml:Point>")
    for srs in ("EPSG:4326", "http://www.opengis.net/gml/srs/epsg.xml#4326", "urn:ogc:def:crs:OGC:1.3:CRS84"):
        bring(folder, gml(swapped, srs=srs), name="x.gml")
        assert folder.rows(columns="longitude, latitude") == [(1.09, 49.43)], srs


def test_how_many_features_a_server_has_in_all_stands_in_the_receipt(folder):
    dialect = bring(folder, gml(spot(), attributes='numberMatched="2500" numberReturned="1"'), name="x.gml")["dialect"]
    assert (dialect["numberMatched"], dialect["numberReturned"]) == ("2500", "1")


def test_what_stands_in_a_feature_is_kept(folder):
    values = '<nom lang="fr">Éu</nom><tel>01</tel><tel>02</tel><adresse><rue>Haute</rue></adresse><vide/>'
    bring(folder, gml(spot(values=values)), name="x.gml")
    assert folder.rows(columns="nom, nom_lang, tel, adresse_rue, vide") == [("Éu", "fr", '["01", "02"]', "Haute", None)]


ARC = "<gml:Curve><gml:segments><gml:Arc><gml:posList>1 2 3 4 5 6</gml:posList></gml:Arc></gml:segments></gml:Curve>"


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (ARC, "Arc"),
        ('<gml:MultiPoint><gml:pointMember xlink:href="#p"/></gml:MultiPoint>', "refers to another"),
        ("<gml:LineString><gml:posList>1 2 3</gml:posList></gml:LineString>", "3 numbers make no positions of 2"),
        ("<gml:Point><gml:pos>NaN 2</gml:pos></gml:Point>", "broken"),
        ("<gml:Polygon/>", "no outer ring"),
    ],
)
def test_a_gml_geometry_that_cannot_be_kept_is_a_reject(folder, shape, said):
    receipt = bring(folder, gml(spot(), spot(shape), spot()), name="x.gml")
    assert isinstance(receipt, dict), receipt
    assert [reject["line"] for reject in receipt["rejects"]] == [2]
    assert said in receipt["rejects"][0]["reason"]


def test_each_kind_of_feature_of_a_gml_is_a_table(tmp_path):
    (tmp_path / "x.gml").write_text(gml(spot(), spot(name="gare"), spot()))
    done = list(convert([tmp_path / "x.gml"], tmp_path / "out", "parquet", Reading(), IngestSettings()))
    assert [(one.table, one.rows, one.error) for one in done] == [("lieu", 2, None), ("gare", 1, None)]


def test_a_gml_of_two_systems_or_of_none_is_refused(folder):
    lambert = spot('<gml:Point srsName="EPSG:2154"><gml:pos>562000 6928000</gml:pos></gml:Point>')
    degrees = spot('<gml:Point srsName="EPSG:4326"><gml:pos>1 49</gml:pos></gml:Point>')
    assert "2 systems: EPSG:2154, EPSG:4326" in bring(folder, gml(lambert, degrees), name="x.gml")
    bare = gml(spot()).replace(' srsName="urn:ogc:def:crs:EPSG::4326"', "")
    assert "nothing says in what system" in bring(folder, bare, name="x.gml")


# XML that is hostile

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
FILE = '<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>'
REMOTE = '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'


@pytest.mark.parametrize("before", [BOMB, FILE, REMOTE])
@pytest.mark.parametrize("name", ["x.kml", "x.gpx", "x.gml"])
def test_a_document_type_is_refused(folder, before, name):
    made = {
        "x.kml": kml(placemark("&c;"), before=before),
        "x.gpx": GPX.replace("<gpx", f"{before}<gpx").replace("Rouen", "&c;"),
        "x.gml": gml(spot(values="<nom>&c;</nom>"), before=before),
    }
    assert "document type (DTD)" in bring(folder, made[name], name=name)


def test_a_schema_that_a_gml_names_is_not_fetched(folder, tmp_path):
    (tmp_path / "x.xsd").write_text("<broken")
    location = (
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="http://x {tmp_path}/x.xsd http://y http://127.0.0.1:9/y.xsd"'
    )
    assert bring(folder, gml(spot(), attributes=location), name="x.gml")["rows_out"] == 1


@pytest.mark.parametrize("name", ["x.kml", "x.gpx", "x.gml"])
def test_a_cut_or_deep_document_is_refused(folder, name):
    whole = {"x.kml": kml(placemark("a")), "x.gpx": GPX, "x.gml": gml(spot())}[name]
    assert "it may be cut" in bring(folder, whole[:-10], name=name)
    deep = whole.replace("</", "<a>" * 100_000 + "</", 1)
    assert "levels deep" in bring(folder, deep, name=name)


def test_a_file_of_gdals_own_formats_is_not_opened_by_them(folder, tmp_path):
    (tmp_path / "secret.csv").write_text("secret\n1\n")
    vrt = (
        '<OGRVRTDataSource><OGRVRTLayer name="secret">'
        f"<SrcDataSource>{tmp_path}/secret.csv</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    for kind in ("kml", "gml", "gpx", "gpkg", "shapefile"):
        assert isinstance(bring(folder, vrt, name="x.dat", read={"format": kind}), str), kind
    parts = shapefile(tmp_path / "a")
    parts[".shp"].write_text(vrt)
    assert "lieux.shp is cut, or no part of a shapefile" in bring(folder, packed(*parts.values()))


# What is written


def test_geoparquet_has_its_metadata(tmp_path):
    path = write(tmp_path / "x.gpkg", (ROUEN, HAVRE), layer="lieux", code=["01001", "76217"])
    (done,) = convert([path], tmp_path / "out", "parquet", Reading(), IngestSettings())
    geo = json.loads(pq.read_metadata(done.out).metadata[b"geo"])
    assert geo["version"].startswith("1.")
    assert geo["primary_column"] == "geometry"
    column = geo["columns"]["geometry"]
    assert (column["encoding"], column["geometry_types"], column.get("crs")) == ("WKB", ["Point"], None)
    (csv,) = convert([path], tmp_path / "csv", "csv", Reading(), IngestSettings())
    assert "POINT (1.0" in csv.out.read_text()


# What has no place, and what is no name


def test_an_empty_point_is_a_row_without_a_place(tmp_path):
    write(tmp_path / "a.gpkg", [ROUEN, shapely.from_wkt("POINT EMPTY")], crs=LAMBERT, code=["01001", "76217"])
    table, rows = read(tmp_path / "a.gpkg", tmp_path)
    seen = [dict(zip([column.name for column in table.columns], row, strict=True)) for row in rows]
    assert [(one["code"], one["longitude"] is None, one["latitude"] is None) for one in seen] == [
        ("01001", False, False),
        ("76217", True, True),
    ]
    assert table.counted() == 2


def test_a_code_page_that_is_no_name_is_refused(folder, tmp_path):
    parts = shapefile(tmp_path / "a")
    parts[".cpg"].write_bytes(b"UTF\x00-8")
    assert "declare its encoding under read:" in bring(folder, packed(*parts.values()))
