"""Parquet: the file's own types kept or refused, never changed; what is damaged or hostile refused."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import struct
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from catalog.model import Reading
from ingest.convert import convert
from ingest.settings import IngestSettings

NS = 1_234_567_891_234_567_000
MOMENT = dt.datetime.fromisoformat("2009-02-13 23:31:31.234567")
LAST = dt.datetime.fromisoformat("9999-12-31")


def parquet(columns: dict[str, pa.Array] | pa.Table, **options: object) -> bytes:
    written = io.BytesIO()
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, written, **options)
    return written.getvalue()


def bring(folder, content, **resource):
    return folder.bring(content, name="data.parquet", **resource)


@pytest.mark.parametrize(
    ("array", "word", "kept"),
    [
        (pa.array([255, None], pa.uint8()), "integer", [255, None]),
        (pa.array([65535], pa.uint16()), "integer", [65535]),
        (pa.array([2**32 - 1], pa.uint32()), "integer", [2**32 - 1]),
        (pa.array([2**64 - 1], pa.uint64()), "decimal(20,0)", [Decimal(2**64 - 1)]),
        (pa.array([-128], pa.int8()), "integer", [-128]),
        (pa.array([2**63 - 1]), "integer", [2**63 - 1]),
        (pa.array([0.1, None]), "float", [0.1, None]),
        (pa.array([0.5], pa.float32()), "float", [0.5]),
        (pa.array([Decimal("1.10")], pa.decimal128(38, 2)), "decimal(38,2)", [Decimal("1.10")]),
        (pa.array([True, None]), "boolean", [True, None]),
        (pa.array([dt.date(2024, 2, 29)]), "date", [dt.date(2024, 2, 29)]),
        (pa.array([dt.date(2024, 2, 29)], pa.date64()), "date", [dt.date(2024, 2, 29)]),
        (pa.array([MOMENT], pa.timestamp("us")), "timestamp", [MOMENT]),
        (pa.array([1_000], pa.timestamp("ms")), "timestamp", [dt.datetime.fromisoformat("1970-01-01 00:00:01")]),
        (pa.array([NS], pa.timestamp("ns")), "timestamp", [MOMENT]),
        (pa.array([NS + 891, None], pa.timestamp("ns")), "text", ["2009-02-13 23:31:31.234567891", None]),
        (pa.array([NS], pa.timestamp("ns", "Europe/Paris")), "timestamp", [MOMENT.replace(tzinfo=dt.UTC)]),
        (pa.array([dt.time(1, 2, 3, 4)]), "text", ["01:02:03.000004"]),
        (pa.array([3_723_000_000_005], pa.time64("ns")), "text", ["01:02:03.000000005"]),
        (pa.array(["01001", None, ""]), "text", ["01001", None, ""]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "text", ["a", "b", "a"]),
        (pa.array(["é".encode(), None]), "text", ["é", None]),
        (pa.array([b"\xff\x00", None]), "text", ["/wA=", None]),
        (pa.array([[1, None], [], None]), "text", ["[1,null]", "[]", None]),
        (pa.array([{"a": Decimal("1.10"), "b": "é"}, None]), "text", ['{"a":"1.10","b":"é"}', None]),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "text", ['{"k":1}']),
    ],
    ids=str,
)
def test_a_type_is_kept_or_said_as_text(folder, array, word, kept):
    receipt = bring(folder, parquet({"v": array, "n": pa.array(range(len(array)))}))
    assert (receipt["format"], receipt["rows_in"], receipt["columns"][0]["type"]) == ("parquet", len(array), word)
    assert [row[0] for row in folder.rows(columns="v")] == kept


def test_a_system_of_coordinates_for_what_has_no_geometry_is_an_error(folder):
    said = bring(folder, parquet({"v": pa.array([1, 2])}), read={"crs": "EPSG:2154"})
    assert "read: crs says nothing of a Parquet without geometry" in said
    assert "read: encoding says nothing of parquet" in bring(folder, parquet({}), read={"encoding": "utf-8"})


def test_bytes_that_are_no_text_are_named(folder):
    assert bring(folder, parquet({"a b": pa.array([b"\xff"])}))["dialect"] == {"base64": "a b"}


def test_all_nulls_are_a_text_column(folder):
    assert bring(folder, parquet({"v": pa.nulls(2), "n": pa.array([1, 2])}))["columns"][0]["type"] == "text"


def test_names_are_made_fit_for_the_lake(folder):
    receipt = bring(folder, parquet({"Code (INSEE)": pa.array(["1"]), "code (insee)": pa.array(["2"])}))
    assert [one["name"] for one in receipt["columns"]] == ["Code_INSEE", "code_insee__1"]


def test_int96_times_are_kept_unless_they_have_nanoseconds(folder):
    def times(*values: int) -> bytes:
        return parquet({"v": pa.array(values, pa.timestamp("ns"))}, use_deprecated_int96_timestamps=True)

    assert isinstance(bring(folder, times(NS)), dict)
    assert folder.rows() == [(MOMENT,)]
    assert "column 'v' has INT96 times with nanoseconds" in bring(folder, times(NS, NS + 1))


def test_int96_times_past_2262_are_kept(folder):
    far = pa.array([LAST], pa.timestamp("us"))
    bring(folder, parquet({"v": far}, use_deprecated_int96_timestamps=True))
    assert folder.rows() == [(LAST,)]


def test_int96_times_that_are_damaged_are_refused(folder):
    content = parquet({"t": pa.array([MOMENT] * 9)}, use_deprecated_int96_timestamps=True, compression="zstd")
    packed = content.index(b"\x28\xb5\x2f\xfd")  # where the first page's zstd starts
    said = bring(folder, content[:packed] + bytes(4) + content[packed + 4 :])
    assert "data.parquet: cannot be read as Parquet, it may be damaged" in said


def test_decimals_of_more_digits_than_the_lake_has_are_refused(folder):
    said = bring(folder, parquet({"v": pa.array([Decimal("1.1")], pa.decimal256(50, 2))}))
    assert "column 'v' has decimals of 50 digits; write at most 38, or text" in said


def test_a_declared_type_that_the_file_does_not_have_is_refused(folder):
    said = bring(folder, parquet({"v": pa.array([1])}), columns={"v": {"type": "date"}})
    assert "column 'v' is declared date, but the file itself has it as integer" in said


# Geometry


def geoparquet(crs: object, *shapes: bytes | None, **changes: object) -> bytes:
    column = {"encoding": "WKB", "geometry_types": [], **({} if crs == "" else {"crs": crs}), **changes}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    table = pa.table({"n": pa.array(range(len(shapes))), "geometry": pa.array(shapes, pa.binary())})
    return parquet(table.replace_schema_metadata({"geo": json.dumps(geo)}))


def projjson(code: str) -> object:
    return json.loads(pyproj.CRS(code).to_json())


ROUEN = shapely.to_wkb(shapely.Point(1.1, 49.44))
LAMBERT = shapely.to_wkb(shapely.Point(562_150, 6_928_000))


@pytest.mark.parametrize("crs", ["", projjson("OGC:CRS84"), projjson("EPSG:4326")])
def test_geometry_in_degrees_is_kept(folder, crs):
    receipt = bring(folder, geoparquet(crs, ROUEN, None))
    assert receipt["columns"][1]["type"] == "geometry"
    assert folder.rows(columns="n, st_astext(geometry)") == [(0, "POINT (1.1 49.44)"), (1, None)]


def test_geometry_in_another_system_is_taken_to_degrees(folder):
    receipt = bring(folder, geoparquet(projjson("EPSG:2154"), LAMBERT, None))
    assert receipt["dialect"]["crs"] == "EPSG:2154"
    (text,), _ = folder.rows(columns="st_astext(geometry)")
    point = shapely.from_wkt(text)
    expected = pyproj.Transformer.from_crs(2154, 4326, always_xy=True).transform(562_150, 6_928_000)
    assert (point.x, point.y) == pytest.approx(expected)


def test_a_system_that_is_not_said_must_be_declared(folder):
    content = geoparquet(None, LAMBERT)
    assert "nothing says in what system its coordinates are" in bring(folder, content)
    assert bring(folder, content, read={"crs": "EPSG:2154"})["dialect"]["crs"] == "EPSG:2154"


def test_a_geometry_on_no_globe_is_rejected_by_its_row(folder):
    receipt = folder.bring(geoparquet("", ROUEN, shapely.to_wkb(shapely.Point(2000, 49)), ROUEN), name="x.parquet")
    assert [one["line"] for one in receipt["rejects"]] == [2]
    assert receipt["rejects"][0]["reason"].startswith("geometry: it is at 2000, 49; expected longitude and latitude")
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 2)


def test_a_geometry_that_loses_something_is_rejected_by_its_row(folder):
    measured = shapely.to_wkb(shapely.from_wkt("POINT M (1 49 3)"), flavor="iso")
    receipt = bring(folder, geoparquet("", ROUEN, measured, ROUEN))
    assert [(one["line"], one["text"]) for one in receipt["rejects"]] == [(2, "1")]
    assert "measures (M)" in receipt["rejects"][0]["reason"]
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (geoparquet("", b"no wkb"), "it may be damaged"),
        (geoparquet({"id": 5, "a": [[]]}, ROUEN), "nothing says in what system"),
        (geoparquet("", LAMBERT), "expected longitude and latitude in degrees"),
        (parquet(pa.table({"a": [1]}).replace_schema_metadata({"geo": "{nope"})), "not where its geometry is"),
    ],
)
def test_geometry_that_cannot_be_placed_is_refused(folder, content, said):
    assert said in bring(folder, content)


# What is damaged or hostile


def rows(**options: object) -> bytes:
    return parquet({"n": pa.array(range(5000)), "s": pa.array([f"v{one % 7}" for one in range(5000)])}, **options)


@pytest.mark.parametrize("kept", [4, 100, -1, -4, -8, -200])
def test_a_cut_file_is_refused(folder, kept):
    assert "cannot be read as Parquet, it may be cut" in bring(folder, rows()[:kept])


@pytest.mark.parametrize("length", [0, 1, 2**31 - 1, 2**32 - 1])
def test_a_footer_of_a_wrong_length_is_refused(folder, length):
    said = bring(folder, rows()[:-8] + struct.pack("<L", length) + b"PAR1")
    assert "cannot be read as Parquet, it may be cut" in said


def test_a_column_that_contradicts_itself_is_refused_and_ends_no_process(folder, datalab, tmp_path):
    good = parquet({"nom": pa.array(["a", "b"])})
    text, number = b"\x15\x0c\x25", b"\x15\x04\x25"  # its physical type, before it is said to be of any length
    path = folder.write("x.parquet", good[:-400] + good[-400:].replace(text, number))
    assert path.read_bytes() != good
    ran = datalab("convert", str(path), "--out", str(tmp_path / "out"))
    assert (ran.code, "x.parquet: cannot be read as Parquet, it may be damaged" in ran.err) == (1, True), ran.err


def test_a_column_of_less_than_no_bytes_is_refused_and_the_next_file_is_read(tmp_path):
    """The engine would never answer again: it holds the database for broken."""
    good = parquet({"n": pa.array(range(100))}, use_dictionary=False)
    size = pq.ParquetFile(io.BytesIO(good)).metadata.row_group(0).column(0).total_compressed_size
    low, high = 2 * size & 0x7F | 0x80, 2 * size >> 7  # a number of Thrift's, in zigzag: odd is negative
    assert bytes((0x16, low, high, 0x26)) in good
    bad = good.replace(bytes((0x16, low, high, 0x26)), bytes((0x16, low | 1, high, 0x26)))
    paths = [tmp_path / name for name in ("bad.parquet", "good.parquet")]
    for path, content in zip(paths, (bad, good), strict=True):
        path.write_bytes(content)
    first, second = convert(paths, tmp_path / "out", "parquet", Reading(), IngestSettings())
    assert "damaged: its footer says that a column has -" in first.error
    assert (second.error, second.rows) == (None, 100)


def test_a_name_that_is_no_text_is_refused(folder):
    content = parquet({"un_nom": pa.array([1])})
    assert "cannot be read as Parquet, it may be" in bring(folder, content.replace(b"un_nom", b"un_\xe1om"))


def test_a_flipped_bit_is_found_where_pages_have_checksums(folder):
    content = bytearray(rows(write_page_checksum=True, compression="none", use_dictionary=False))
    assert isinstance(bring(folder, bytes(content)), dict)
    content[2000] ^= 1
    assert "CRC checksum verification failed" in bring(folder, bytes(content))


def test_bits_flipped_anywhere_are_an_error_or_leave_a_table(folder):
    """The engine or Arrow say it in their own words, not with a crash or an exception of their own."""
    rng, whole = random.Random(1), parquet({"n": pa.array(range(50)), "l": pa.array([[one] for one in range(50)])})  # noqa: S311
    errors = 0
    for _ in range(40):
        content = bytearray(whole)
        content[rng.randrange(4, len(whole))] ^= 1 << rng.randrange(8)
        said = bring(folder, bytes(content))
        errors += isinstance(said, str)
        assert isinstance(said, dict) or said.startswith("sources/data.parquet: ")
    assert errors > 10


def test_more_rows_than_the_bounds_allow_are_refused(folder):
    folder.write("datalab.toml", "[ingest]\nmax_bytes = 100000\n")
    said = bring(folder, parquet({"n": pa.array([7] * 1_000_000)}))
    assert "its 1000000 rows are 1000000 bytes, past [ingest] max_bytes" in said


def test_an_encrypted_file_is_refused(folder):
    assert "it may be cut or encrypted" in bring(folder, b"PARE" + rows()[4:-4] + b"PARE")


def test_no_pickle_in_a_file_is_run(folder, tmp_path):
    """CVE-2023-47248: Arrow made a Python object of what an extension type's metadata said."""
    proof = tmp_path / "run"
    code = f"cbuiltins\nopen\n(S'{proof}'\nS'w'\ntR.".encode()
    field = pa.field(
        "v",
        pa.int64(),
        metadata={"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": code},
    )
    assert bring(folder, parquet(pa.table([pa.array([1])], schema=pa.schema([field]))))["rows_in"] == 1
    assert not proof.exists()
