"""Archives: the tables of what is in them, and what must not be unpacked."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import warnings
import zipfile
import zlib

import pyarrow as pa
import pyogrio
import pytest
import shapely

from ingest.archive import Left, gunzip, members, unpack
from ingest.settings import IngestSettings
from policies.errors import ReadingError

CSV = "code;nom\n01;Ain\n2A;Corse-du-Sud\n"
SMALL = IngestSettings(max_bytes=100_000, max_files=10)


def zipped(files: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(*entries: tarfile.TarInfo, **files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in entries:
            archive.addfile(info)
    return packed.getvalue()


def refused(tmp_path, content: bytes, settings: IngestSettings = SMALL) -> str:
    """Why it is not unpacked; nothing may then lie outside of the folder."""
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(ReadingError) as caught:
        unpack(path, tmp_path / "in" / "out", settings)
    assert {one.name for one in tmp_path.iterdir()} <= {"a.zip", "in"}
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


# What is read


def test_one_file_with_one_table_is_that_table(folder):
    receipt = folder.bring(zipped({"deep/depts.csv": CSV}), name="data.zip")
    assert (receipt["format"], receipt["rows_in"], receipt["dialect"]["file"]) == ("csv", 2, "deep/depts.csv")
    assert folder.rows() == [("01", "Ain"), ("2A", "Corse-du-Sud")]


def test_of_several_files_one_is_chosen_by_its_name(folder):
    content = zipped({"a/depts.csv": CSV, "b/other.json": '[{"x": 1}]'})
    assert "holds 2 tables: 'depts', 'other'; choose one" in folder.bring(content, name="data.zip")
    assert isinstance(folder.bring(content, name="data.zip", read={"table": "other"}), dict)
    assert folder.rows() == [(1,)]


def test_files_of_one_name_are_told_apart_by_their_folders_and_endings(folder):
    said = folder.bring(zipped({"2023/d.csv": CSV, "2024/d.csv": CSV, "2024/d.json": "[]"}), name="data.zip")
    assert "'2023/d', '2024/d.csv', '2024/d.json'" in said


def test_what_goes_with_the_data_is_left_out_and_named(folder):
    files = {"d.csv": CSV, "LISEZMOI.txt": "x", "notice.pdf": "x", "__MACOSX/._d.csv": "x", ".DS_Store": "x"}
    receipt = folder.bring(zipped(files), name="data.zip")
    assert receipt["dialect"]["left_out"] == "LISEZMOI.txt, notice.pdf, __MACOSX/._d.csv, .DS_Store"


PROSE = "EXPLICATIONS\n\nCe jeu de données présente les bornes, par commune.\nIl est mis à jour chaque mois.\n"


@pytest.mark.parametrize("text", [PROSE, "Une seule ligne, qui explique le fichier.\n", PROSE.encode("utf-16")])
@pytest.mark.parametrize("pack", [lambda text: zipped({"d.csv": CSV, "a.txt": text}), None])
def test_prose_in_an_archive_is_left_out_and_named(folder, text, pack):
    content = text if isinstance(text, bytes) else text.encode()
    made = tarred(**{"d.csv": CSV.encode(), "a.txt": content}) if pack is None else pack(content)
    receipt = folder.bring(made, name="data")
    assert (receipt["rows_in"], receipt["dialect"]["left_out"]) == (2, "a.txt")


def test_prose_alone_is_no_data_and_a_declared_format_makes_it_a_table(folder):
    content = zipped({"a.txt": PROSE})
    assert "holds no data, only a.txt" in folder.bring(content, name="data.zip")
    said = folder.bring(content, name="data.zip", read={"format": "csv", "header_row": 0, "delimiter": "|"})
    assert said["rows_in"] == 3


@pytest.mark.parametrize(
    "text",
    ["01001\n01002\n", "nom\nSaint Martin de Ré\nSaint Lô\n", "code;texte\n1;Une phrase, ici.\n2;Une autre.\n"],
)
def test_a_text_of_rows_in_an_archive_is_a_table(folder, text):
    assert "holds 2 tables: 'd', 'a'; choose one" in folder.bring(
        zipped({"d.csv": CSV, "a.txt": text}), name="data.zip"
    )


def test_an_archive_without_data_says_what_is_in_it(folder):
    assert "holds no data, only a.pdf, b.md" in folder.bring(zipped({"a.pdf": "x", "b.md": "x"}), name="data.zip")
    assert "holds no data, nothing" in folder.bring(zipped({}), name="data.zip")


def test_a_declared_format_is_that_of_the_files_in_the_archive(folder):
    receipt = folder.bring(zipped({"d.dat": CSV}), name="data.zip", read={"format": "csv"})
    assert receipt["rows_in"] == 2


def test_an_error_names_the_archive_and_the_file_in_it_and_no_passing_file(folder):
    said = folder.bring(zipped({"d/x.json": "[1, 2"}), name="data.zip")
    assert said.startswith("sources/data.zip: d/x.json: cannot be read as JSON")
    assert str(folder.root) not in said


def test_a_broken_file_stops_no_other(folder):
    content = zipped({"good.csv": CSV, "bad.json": "[1, 2", "bad.xlsx": "PK\x03\x04"})
    assert isinstance(folder.bring(content, name="data.zip", read={"table": "good"}), dict)
    said = folder.bring(content, name="data.zip", read={"table": "bad.xlsx"})
    assert said.startswith("sources/data.zip: bad.xlsx: ")


def test_rejects_of_a_packed_file_are_counted(folder):
    receipt = folder.bring(zipped({"d.csv": CSV + "03;Allier;x\n"}), name="data.zip")
    assert (receipt["rows_in"], receipt["rows_out"], receipt["rejects"][0]["line"]) == (3, 2, 4)


@pytest.mark.parametrize("name", ["depts.csv.gz", "depts.csv"])
def test_a_gz_is_what_is_in_it_whatever_its_name(folder, name):
    assert folder.bring(gzip.compress(CSV.encode()), name=name)["rows_in"] == 2


def test_a_tar_gz_is_an_archive(folder):
    content = gzip.compress(tarred(**{"a.csv": CSV.encode(), "b.csv": b"x;y\n1;2\n"}))
    assert "'a', 'b'" in folder.bring(content, name="data.tgz")
    assert folder.bring(content, name="data.tgz", read={"table": "b"})["rows_in"] == 1


def test_a_tar_from_before_posix_is_an_archive(folder):
    content = bytearray(tarred(**{"depts.csv": CSV.encode()}))
    content[257:512] = bytes(255)  # v7 has neither mark nor owner there
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    assert folder.bring(bytes(content), name="data.tar")["rows_in"] == 2


def test_a_path_longer_than_the_system_takes_is_refused(tmp_path):
    assert "which is no name of a file" in refused(tmp_path, zipped({"/".join(["d" * 99] * 50): "x"}))


def test_archives_in_archives_are_read_to_a_depth(folder):
    inner = zipped({"d.csv": CSV})
    receipt = folder.bring(zipped({"i.zip": zipped({"j.zip": inner, "a.md": "x"}), "b.md": "x"}), name="data.zip")
    assert (receipt["rows_in"], receipt["dialect"]["file"]) == (2, "i.zip/j.zip/d.csv")
    assert receipt["dialect"]["left_out"] == "b.md, a.md"
    said = folder.bring(zipped({"h.zip": zipped({"i.zip": zipped({"j.zip": inner})})}), name="data.zip")
    assert "h.zip: i.zip: j.zip: an archive in 3 archives" in said


def test_of_very_many_files_one_is_read(folder):
    files = {f"{one}.csv": CSV for one in range(150)}
    assert folder.bring(zipped(files), name="data.zip", read={"table": "149"})["dialect"]["file"] == "149.csv"


def test_a_shapefile_in_an_archive_is_read_with_what_belongs_to_it(folder, tmp_path):
    table = pa.table({"nom": ["Rouen"], "geometry": [shapely.to_wkb(shapely.Point(1.1, 49.4))]})
    pyogrio.write_arrow(
        table, tmp_path / "villes.shp", geometry_name="geometry", geometry_type="Point", crs="EPSG:4326"
    )
    files = {f"geo/{one.name}": one.read_bytes() for one in tmp_path.glob("villes.*")}
    content = zipped({**files, "d.csv": CSV})
    receipt = folder.bring(content, name="data.zip", read={"table": "villes"})
    assert (receipt["format"], receipt["dialect"]["file"]) == ("shapefile", "geo/villes.shp")
    assert folder.rows(columns="nom") == [("Rouen",)]


# What is refused


@pytest.mark.parametrize("name", ["../x.csv", "a/../../x.csv", "/tmp/x.csv", "..\\x.csv", "C:\\x.csv", "C:/x.csv"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    assert "a path that leaves its folder" in refused(tmp_path, zipped({name: CSV}))


def test_a_name_that_is_none_is_refused(tmp_path):
    assert "which is no name of a file" in refused(tmp_path, zipped({"a\nb.csv": CSV}))
    assert "which is no name of a file" in refused(tmp_path, zipped({"a" * 300: CSV}))


@pytest.mark.parametrize(
    "names", [("a.csv", "a.csv"), ("a.csv", "A.CSV"), ("a.csv", "./a.csv"), ("é.csv", "e\u0301.csv")]
)
def test_a_name_that_stands_twice_is_refused(tmp_path, names):
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w") as archive:
        warnings.simplefilter("ignore")
        for name in names:
            archive.writestr(name, CSV)
    assert "stands twice in the archive" in refused(tmp_path, packed.getvalue())


def test_a_file_that_is_also_a_folder_is_refused(tmp_path):
    assert "is a file and a folder" in refused(tmp_path, zipped({"a": CSV, "a/b.csv": CSV}))


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o020644])
def test_a_link_fifo_or_device_in_a_zip_is_refused(tmp_path, mode):
    info = zipfile.ZipInfo("x.csv")
    info.create_system, info.external_attr = 3, mode << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "'x.csv' is a link or a device" in refused(tmp_path, packed.getvalue())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_link_fifo_or_device_in_a_tar_is_refused(tmp_path, kind):
    info = tarfile.TarInfo("x.csv")
    info.type, info.linkname = kind, "/etc/passwd"
    assert "'x.csv' is a link or a device" in refused(tmp_path, tarred(info))


@pytest.mark.parametrize("name", ["../x.csv", "/tmp/x.csv"])
def test_a_tar_that_climbs_is_refused(tmp_path, name):
    assert "a path that leaves its folder" in refused(tmp_path, tarred(**{name: b"x"}))


def test_an_encrypted_file_is_refused(tmp_path):
    content = bytearray(zipped({"a.csv": CSV}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "'a.csv' is encrypted" in refused(tmp_path, bytes(content))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    assert "larger than [ingest] max_bytes" in refused(tmp_path, zipped({"a.csv": bytes(1_000_000)}))
    assert not (tmp_path / "in").exists()


def test_a_file_that_lies_about_its_size_is_refused(tmp_path):
    content = zipped({"a.csv": bytes(1_000_000)})
    assert "the archive is cut or damaged" in refused(
        tmp_path, content.replace(struct.pack("<L", 1_000_000), b"\1\0\0\0")
    )
    assert sum(one.stat().st_size for one in (tmp_path / "in").rglob("*.csv")) <= 1


def test_too_many_files_are_refused(tmp_path):
    assert "more files than [ingest] max_files" in refused(tmp_path, zipped({f"{one}.csv": "" for one in range(11)}))
    assert "more files than [ingest] max_files" in refused(tmp_path, tarred(**{f"{one}.csv": b"" for one in range(11)}))


def test_what_is_nested_counts_together(folder):
    folder.write("datalab.toml", "[ingest]\nmax_bytes = 100000\n")
    inner = {f"{one}.zip": zipped({"d.csv": bytes(60_000)}) for one in range(2)}
    content = zipped(inner, zipfile.ZIP_STORED)
    said = folder.bring(content, name="data.zip", read={"table": "1"})
    assert "1.zip: unpacked it is larger than [ingest] max_bytes" in said


def overlapping() -> bytes:
    """Two entries of the list of files that have the same bytes, as in Fifield's bomb."""
    one = zipped({"a.csv": CSV})
    at = one.index(b"PK\x01\x02")
    entry = one[at : one.index(b"PK\x05\x06")]
    listing = entry + entry.replace(b"a.csv", b"b.csv")
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 2, 2, len(listing), at, 0)
    return one[:at] + listing + end


def test_files_that_overlap_are_refused(tmp_path):
    assert "'b.csv' overlaps another file" in refused(tmp_path, overlapping())


def test_a_list_of_files_too_long_for_memory_is_refused(tmp_path):
    content = bytearray(zipped({"a.csv": CSV}))
    struct.pack_into("<L", content, content.index(b"PK\x05\x06") + 12, 2**31)
    assert "list of files is too long" in refused(tmp_path, bytes(content))


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_cut_zip_is_refused(tmp_path, share):
    content = zipped({f"{one}.csv": os.urandom(500) for one in range(5)})
    assert "the archive is cut or damaged" in refused(tmp_path, content[: int(len(content) * share)])


def test_a_flipped_bit_in_a_zip_is_found(tmp_path):
    content = bytearray(zipped({"a.csv": CSV * 10}, zipfile.ZIP_STORED))
    content[60] ^= 1
    assert "a.csv: the archive is cut or damaged: Bad CRC-32" in refused(tmp_path, bytes(content))


@pytest.mark.parametrize("cut", [512, 1500, 2048])
def test_a_cut_or_damaged_tar_is_refused(tmp_path, cut):
    content = tarred(**{"a.csv": b"x" * 600, "b.csv": b"y" * 600})
    assert "the archive is cut or damaged" in refused(tmp_path, content[:cut])
    assert "the archive is cut or damaged" in refused(tmp_path, content[:1536] + b"\xff" * 512 + content[2048:])


def test_a_tar_header_too_long_for_memory_is_refused(tmp_path):
    info = tarfile.TarInfo("a.csv")
    info.pax_headers = {"comment": "x" * 100_000}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    assert "the archive is cut or damaged: a header of" in refused(tmp_path, packed.getvalue())


def gunzipped(tmp_path, content: bytes) -> str:
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(ReadingError) as caught:
        gunzip(path, tmp_path / "out", Left.of(SMALL))
    return str(caught.value)


def test_a_damaged_gzip_is_refused(tmp_path):
    whole = gzip.compress(CSV.encode() * 100)
    assert "cut or damaged" in gunzipped(tmp_path, whole[:-10])
    (tmp_path / "out").unlink()
    wrong = whole[:-8] + struct.pack("<L", zlib.crc32(b"")) + whole[-4:]
    assert "cut or damaged: CRC check failed" in gunzipped(tmp_path, wrong)
    (tmp_path / "out").unlink()
    assert "cut or damaged" in gunzipped(tmp_path, whole + b"more")


def test_a_gzip_bomb_is_refused_on_the_way(tmp_path):
    assert "larger than [ingest] max_bytes" in gunzipped(tmp_path, gzip.compress(bytes(10_000_000)))
    assert (tmp_path / "out").stat().st_size <= SMALL.max_bytes


def test_what_was_counted_stays_counted(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a.csv": bytes(60_000)}))
    left = Left.of(SMALL)
    members(path, left)
    with pytest.raises(ReadingError):
        members(path, left)
