"""What a file is, by its bytes first and then by its name."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import get_args

import pytest

from catalog.model import Format
from ingest.formats import READERS, format_of
from policies.errors import ReadingError

CSV = b"code;nom\n01;Ain\n"
PNG = b"\x89PNG\r\n\x1a\n"
POINT = '{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [0, 49]}}'


def zipped(*names: str, **files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return packed.getvalue()


def found(tmp_path, content: bytes | str, name: str = "data") -> str:
    path = tmp_path / "bytes"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return format_of(path, name)


def refused(tmp_path, content: bytes | str, name: str = "data") -> str:
    with pytest.raises(ReadingError) as caught:
        found(tmp_path, content, name)
    assert str(caught.value).startswith(f"{tmp_path / 'bytes'}: ")
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"PAR1....", "parquet"),
        (b"PARE....", "parquet"),
        (b"SQLite format 3\0", "gpkg"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
        (b"\0\0\x27\x0a", "shapefile"),
        (gzip.compress(CSV), "gzip"),
        (tarred(), "tar"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
        (zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), "ods"),
        (
            zipped("communes.shp", "communes.dbf", "communes.shx", "communes.prj", "communes.shp.xml", "a.pdf"),
            "shapefile",
        ),
        (zipped("a/x.shp", "a/x.dbf", "b/y.shp", "b/y.dbf"), "shapefile"),
        (zipped("x.shp", "x.dbf", "other.csv"), "zip"),
        (zipped("doc.kml", "files/icon.png"), "kml"),
        (zipped("other.kml"), "kml"),
        (zipped("stops.txt", "trips.txt"), "gtfs"),
        (zipped("feed/stops.txt", "feed/agency.txt"), "gtfs"),
        (zipped("stops.txt"), "zip"),
        (zipped("stops.txt", "other/trips.txt"), "zip"),
        (zipped("a.csv"), "zip"),
        (b"<?xml version='1.0'?><!-- c --><kml xmlns='x'/>", "kml"),
        ("\ufeff<gpx>", "gpx"),
        (b"<gml:FeatureCollection xmlns:gml='x'>", "gml"),
        (b"<wfs:FeatureCollection>", "gml"),
        (b"<?xml version='1.0'?><table><tr/></table>", "xml"),
        ("<?xml version='1.0' encoding='utf-16'?><root/>".encode("utf-16"), "xml"),
        (b"<root/>", "xml"),
        ('{"results": [{"a": 1}]}', "json"),
        ('  [{"a": 1}]', "json"),
        ("[]", "json"),
        ('[{"a": 1}]'.encode("utf-16"), "json"),
        ('{"a": 1}\n{"a": 2}\n', "ndjson"),
        ('\n{"a": 1}\r\n\r\n{"a"', "ndjson"),
        ('{"a": 1,\n"b": {\n}}', "json"),
        (f'{{"type": "FeatureCollection", "features": [{POINT}]}}', "geojson"),
        (f'{{"features": [{POINT}], "type": "FeatureCollection"}}', "geojson"),
        ('{"name": "x", "crs": {"type": "name"}, "type":"FeatureCollection"', "geojson"),
        (f"{POINT}\n{POINT}\n", "geojson"),
        (POINT, "geojson"),
        (f"\x1e{POINT}\n", "geojson"),
        (f'\ufeff\x1e{{"cut\n\x1e{POINT}\n', "geojson"),
        ('\x1e{"a": 1}\n', "ndjson"),
        ('{"type": "Feature", "key": "DL-12"}\n{"type": "Bug"}\n', "ndjson"),
        ('{"results": [{"type": "FeatureCollection"}]}', "json"),
        ('{"results": {"type": "FeatureCollection", "features": []}}', "json"),
        ('{"features": [{"attributes": {"a": 1}}]}', "json"),
        (CSV, "csv"),
        (b"", "csv"),
        (b"[id];[nom]\n1;x\n", "csv"),
        (b"{id};x\n", "csv"),
    ],
)
def test_the_bytes_say_what_a_file_is(tmp_path, content, form):
    assert found(tmp_path, content) == form
    suffix = {"gzip": ".csv", "csv": ".txt"}.get(form, ".dat")
    assert found(tmp_path, content, f"data{suffix}") == form


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        ('{"a": 1}\n{"a": 2}\n', "x.json", "ndjson"),
        ('{"a": 1}', "x.ndjson", "ndjson"),
        ('{"a": 1}', "x.json", "json"),
        ('[{"a": 1}]', "x.ndjson", "json"),
        (f"{POINT}\n", "x.ndjson", "geojson"),
        (f"{POINT}\n{POINT}\n", "x.ndjson", "geojson"),
        ('{"cut": ', "x.geojsonl", "geojson"),
        ("1", "x.json", "json"),
        ('{"name": "its type stands last", "features": [', "x.geojson", "geojson"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "x.xls", "xlsx"),
        (zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), "x.xls", "ods"),
        (CSV, "x.xls", "csv"),
        (CSV, "x.TSV", "csv"),
        ("<5;x\n1;2", "x.csv", "csv"),
        ("", "x.json", "json"),
    ],
)
def test_the_name_decides_where_the_bytes_do_not(tmp_path, content, name, form):
    assert found(tmp_path, content, name) == form


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.7", "this is a PDF; expected a table"),
        (b"Rar!\x1a\x07", "this is a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "this is a 7z archive"),
        (PNG, "this is a PNG image"),
        (b"\xff\xd8\xff\xe0", "this is a JPEG image"),
        (b"<!DOCTYPE html><html>", "this is an HTML page, whatever its name"),
        (b"<table><tr><td>1</td></tr></table>", "this is an HTML page"),
        ("<html><body>".encode("utf-16-le"), "this is an HTML page"),
        ("<html><body>".encode("utf-16-be"), "this is an HTML page"),
        (b"<!-- x --><HTML xmlns:x='urn:schemas-microsoft-com:office:excel'>", "this is an HTML page"),
        (b"<?xml version='1.0'?><Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'/>", "Excel 2003"),
        (zipped("[Content_Types].xml", "word/document.xml"), "a document of Office, but no .xlsx"),
        (zipped(mimetype=b"application/vnd.oasis.opendocument.text"), "no spreadsheet"),
        (zipped("x.gdb/a00000001.gdbtable", "x.gdb/gdb"), "an Esri file geodatabase; export its layers as GeoPackage"),
        (zipped("../x.csv"), "a path that leaves its folder"),
        (zipped("a.csv")[:60], "the archive is cut or damaged"),
    ],
)
@pytest.mark.parametrize("name", ["x.xls", "x.csv", "x"])
def test_what_is_no_table_is_refused_whatever_its_name(tmp_path, content, said, name):
    assert said in refused(tmp_path, content, name)


@pytest.mark.parametrize("name", ["x.zip", "x.xlsx", "x.parquet", "x.gpkg", "x.kml", "x.xml", "x.gz"])
def test_a_name_that_promises_what_the_bytes_are_not_is_refused(tmp_path, name):
    assert f"named .{name.split('.')[1]}, but its bytes are not that" in refused(tmp_path, "not found", name)


def test_an_xls_that_is_html_is_refused_by_the_ingest(folder):
    said = folder.bring("<html><table><tr><td>1</td></tr></table></html>", name="data.xls")
    assert said == (
        "sources/data.xls: this is an HTML page, whatever its name, with a table in it, as some programs save for "
        "Excel: open it in a spreadsheet and save it as .xlsx or CSV; check the source's address"
    )


def test_an_xml_of_a_doctype_without_an_end_is_told_in_bounded_time(tmp_path):
    assert found(tmp_path, b"<!DOCTYPE x [" + b"<!" * 1_000_000) == "xml"
    assert found(tmp_path, b"<?" * 1_000_000) == "xml"


def test_ndjson_named_json_is_read_as_ndjson(folder):
    assert folder.bring('{"a": 1}\n{"a": 2}\n', name="data.json")["format"] == "ndjson"


def test_every_format_that_a_descriptor_may_name_has_a_reader():
    assert set(READERS) == set(get_args(Format))


@pytest.mark.parametrize(
    ("name", "content", "read", "said"),
    [
        ("x.csv", CSV, {"crs": "EPSG:2154"}, "read: crs says nothing of csv"),
        ("x.csv", CSV, {"records": "a.b"}, "read: records says nothing of csv"),
        ("x.csv", CSV, {"table": "X"}, "no table 'X' in the file; it holds one table, which has no name"),
        ("x.json", '[{"a": 1}]', {"header_row": 1}, "read: header_row says nothing of json"),
        ("x.json", '[{"a": 1}]', {"delimiter": ";"}, "read: delimiter says nothing of json"),
        ("x.ndjson", '{"a": 1}\n{"a": 2}', {"records": "a"}, "read: records says nothing of ndjson"),
        ("x.geojson", POINT, {"header_rows": 1}, "read: header_rows says nothing of geojson"),
        ("x.xml", "<r><i><a>1</a></i><i><a>2</a></i></r>", {"quote": ""}, "read: quote says nothing of xml"),
        ("x.zip", zipped(**{"x.csv": CSV}), {"crs": "EPSG:2154"}, "x.csv: read: crs says nothing of csv"),
    ],
)
def test_what_is_declared_of_the_reading_and_means_nothing_is_an_error(folder, name, content, read, said):
    assert said in folder.bring(content, name=name, read=read)
