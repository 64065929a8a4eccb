"""`datalab convert`: any file to clean Parquet or CSV, without a lab."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ingest.convert
from catalog.model import Reading
from ingest.convert import convert as convert_files
from ingest.prove import prove
from ingest.settings import IngestSettings

TEXT = (
    "insee;date;montant;taux;actif;effectif\n01001;31/12/2023;1 234,50;0.5;oui;12\n2A004;01/02/2024;7,00;0.25;non;s\n"
)
SAID = {"source", "sha256", "encoding", "delimiter", "quote", "header_row", "rows_in", "rows_out", "rejects", "columns"}


@pytest.fixture
def convert(datalab, tmp_path):
    """Convert files of a folder into its folder `out`; what the command said."""

    def run(*arguments):
        return datalab("convert", *map(str, arguments), "--out", str(tmp_path / "out"), lab=tmp_path / "none")

    return run


def test_a_file_becomes_a_typed_table_and_a_receipt(convert, tmp_path):
    path = tmp_path / "aides.csv"
    path.write_bytes((TEXT + "a;b\n").encode("cp1252"))
    done = convert(path)
    assert (done.code, done.err.strip()) == (0, "")
    assert "1 table in" in done.out
    assert "2 rows, " in done.out
    table = pq.read_table(tmp_path / "out/aides.parquet")
    assert table.column_names == ["insee", "date", "montant", "taux", "actif", "effectif", "effectif_marker"]
    assert [str(table.column(name)[0]) for name in ("insee", "date", "montant", "actif")] == [
        "01001",
        "2023-12-31",
        "1234.50",
        "True",
    ]
    receipt = json.loads((tmp_path / "out/aides.receipt.json").read_text())
    assert receipt.keys() >= SAID | {"seconds"}
    assert receipt["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (receipt["rows_in"], receipt["rows_out"], receipt["rejects"]["count"]) == (3, 2, 1)
    assert receipt["rejects"]["first"][0]["line"] == 4
    assert [column["type"] for column in receipt["columns"]][:3] == ["commune", "date", "decimal(18,2)"]


def test_a_csv_is_written_as_machines_read_it_and_keeps_what_was_so_already(convert, tmp_path):
    path = tmp_path / "aides.csv"
    path.write_text(TEXT)
    assert convert(path, "--format", "csv").code == 0
    rows = list(csv.reader((tmp_path / "out/aides.csv").read_text().splitlines()))
    assert rows[1] == ["01001", "2023-12-31", "1234.50", "0.5", "true", "12", ""]
    assert rows[2] == ["2A004", "2024-02-01", "7.00", "0.25", "false", "", "s"]


def test_a_csv_holds_no_cell_that_a_spreadsheet_would_run(convert, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('a;b\n"=HYPERLINK(""http://x"")";-5\n@SUM;3\n')
    convert(path, "--format", "csv")
    rows = list(csv.reader((tmp_path / "out/x.csv").read_text().splitlines()))
    assert rows[1:] == [['\'=HYPERLINK("http://x")', "-5"], ["'@SUM", "3"]]


def test_a_csv_of_more_columns_than_the_engine_writes_at_once_is_written_in_its_memory(convert, tmp_path):
    path = tmp_path / "x.csv"
    names = [f"c{number}" for number in range(3_000)]
    rows = [[f"{row},{number % 10}" if number else f'"{row}"' for number in range(3_000)] for row in range(60)]
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows([names, *rows])
    done = convert(path, "--format", "csv")
    assert (done.code, done.err.strip()) == (0, "")
    with (tmp_path / "out/x.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [names, *[[cell.replace(",", ".") for cell in row] for row in rows]]


def test_a_file_that_fails_is_named_and_stops_no_other(convert, tmp_path):
    bad, good, none = tmp_path / "bad.csv", tmp_path / "good.csv", tmp_path / "none.csv"
    bad.write_bytes(b"a;b\n1;\x00\n")
    good.write_text("a;b\n1;2\n")
    done = convert(bad, good, none, tmp_path)
    assert done.code == 1
    assert f"failed: {bad}: a NUL byte" in done.err
    assert f"failed: {none}: cannot be read: No such file" in done.err
    assert f"failed: {tmp_path}: is a folder; name the files in it" in done.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.parquet", "good.receipt.json"]


def test_a_file_of_several_tables_becomes_a_folder(convert, tmp_path):
    path = tmp_path / "lot.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("communes.csv", "code;nom\n76001;A\n")
        archive.writestr("epci.csv", "siren;nom\n200000172;B\n")
    assert convert(path).code == 0
    assert sorted(path.name for path in (tmp_path / "out/lot").glob("*.parquet")) == [
        "communes.parquet",
        "epci.parquet",
    ]
    assert (tmp_path / "out/lot/epci.receipt.json").is_file()


def test_what_a_document_says_of_itself_hides_nothing_of_the_receipt(convert, tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"bytes": 5, "rows_in": 7, "total": 9, "r": [{"a": 1}]}')
    assert convert(path).code == 0
    receipt = json.loads((tmp_path / "out/x.receipt.json").read_text())
    assert (receipt["bytes"], receipt["rows_in"], receipt["total"]) == (path.stat().st_size, 1, "9")


def test_two_files_of_one_name_do_not_overwrite_each_other(convert, tmp_path):
    (tmp_path / "a").mkdir()
    for path in (tmp_path / "x.csv", tmp_path / "a/x.csv"):
        path.write_text(f"a;b\n{len(str(path))};2\n")
    done = convert(tmp_path / "x.csv", tmp_path / "a/x.csv")
    assert done.code == 1
    assert "is already made of" in done.err


def test_a_header_alone_is_a_table_without_rows(convert, tmp_path):
    path = tmp_path / "vide.csv"
    path.write_text("code;nom\n")
    assert convert(path).code == 0
    table = pq.read_table(tmp_path / "out/vide.parquet")
    assert (table.column_names, table.num_rows) == (["code", "nom"], 0)


def test_how_to_read_can_be_said_as_in_a_descriptor(convert, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("titre;2024\na;b\n1;2\n")
    assert convert(path, "--read", "{header_row: 2}").code == 0
    assert pq.read_table(tmp_path / "out/x.parquet").column_names == ["a", "b"]
    wrong = convert(path, "--read", "{headerrow: 2}")
    assert wrong.code == 2
    assert "--read:1: unknown key 'headerrow'; did you mean 'header_row'" in wrong.err


def test_nothing_but_the_tables_is_left_in_the_folder(convert, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a;b\n1;2\n")
    convert(path)
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["x.parquet", "x.receipt.json"]


def test_a_folder_that_cannot_be_written_to_is_named(datalab, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a;b\n1;2\n")
    done = datalab("convert", str(path), "--out", str(path))
    assert done.code == 1
    assert f"{path}: cannot be made a folder" in done.err


def test_a_table_that_the_file_has_not_is_an_error(convert, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a;b\n1;2\n")
    done = convert(path, "--read", "{table: Feuil1}")
    assert done.code == 1
    assert "no table 'Feuil1' in the file; it holds one table, which has no name" in done.err


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("a;b\n1;2\n")

    def grows(*arguments, **named):
        proven = prove(*arguments, **named)
        path.write_text("a;b\n1;2\n3;4\n")
        return proven

    monkeypatch.setattr("ingest.convert.prove", grows)
    (converted,) = convert_files([path], tmp_path / "out", "parquet", Reading(), IngestSettings())
    assert "the file changed while it was read" in converted.error
    assert not (tmp_path / "out/x.parquet").exists()


def test_a_csv_holds_no_row_that_was_rejected(convert, tmp_path):
    path = tmp_path / "gtfs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stops.txt", "stop_id,stop_name,stop_lat,stop_lon\n1,A,49.4,1.1\n2,B,no,1.1\n3,C,49.5,1.2\n")
        archive.writestr("routes.txt", "route_id,route_short_name,route_type\n1,A,3\n")
        archive.writestr("trips.txt", "route_id,service_id,trip_id\n1,1,1\n")
        times = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n1,8:00:00,8:00:00,1,1\n"
        archive.writestr("stop_times.txt", times)
        archive.writestr("agency.txt", "agency_name,agency_url,agency_timezone\nA,https://a.example,Europe/Paris\n")
    assert convert(path, "--format", "csv").code == 0
    receipt = json.loads((tmp_path / "out/gtfs/stops.receipt.json").read_text())
    with (tmp_path / "out/gtfs/stops.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (receipt["rows_out"], receipt["rejects"]["count"]) == (2, 1)
    assert [row["stop_id"] for row in rows] == ["1", "3"]


@pytest.mark.parametrize(("name", "form"), [("x.csv", "csv"), ("x.receipt.json", "parquet")])
def test_what_is_read_is_never_written_over(datalab, tmp_path, name, form):
    source, other = tmp_path / "x.csv", tmp_path / name
    source.write_text("a;b\n1;2\n")
    if other != source:
        other.write_text('[{"a": 1}]')
    before = {path: path.read_bytes() for path in (source, other)}
    files = [str(path) for path in before]
    ran = datalab("convert", *files, "--out", str(tmp_path), "--format", form, lab=tmp_path / "none")
    assert ran.code == 1
    assert f"{other} is {other}, which is read" in ran.err
    assert "write to another folder" in ran.err
    assert {path: path.read_bytes() for path in before} == before


def test_a_pipe_is_refused_and_not_waited_for(convert, tmp_path):
    os.mkfifo(tmp_path / "x.csv")
    ran = convert(tmp_path / "x.csv")
    assert ran.code == 1
    assert f"{tmp_path / 'x.csv'}: is no regular file" in ran.err


@pytest.mark.parametrize("broken", ["tables_in", "prove"])
def test_an_error_that_nobody_foresaw_stops_no_other_file(tmp_path, monkeypatch, broken):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("n;m\n1;2\n")
    work = getattr(ingest.convert, broken)
    calls = iter([True])

    def breaks(*arguments, **named):
        if next(calls, False):
            raise IndexError("of our own")
        return work(*arguments, **named)

    monkeypatch.setattr(ingest.convert, broken, breaks)
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    first, second = convert_files(files, tmp_path / "out", "parquet", Reading(), IngestSettings())
    assert first.error.startswith(f"{tmp_path / 'a.csv'}: the job broke off, which is an error of the DataLab's own:")
    assert "IndexError: of our own" in first.error
    assert (second.error, second.rows) == (None, 1)


def test_a_wide_table_of_texts_takes_no_more_memory_than_there_is(convert, tmp_path):
    width = 1100
    row = ";".join(f"texte numéro {one}" for one in range(width))
    (tmp_path / "large.csv").write_text(";".join(f"c{one}" for one in range(width)) + f"\n{row}" * 1500 + "\n")
    done = convert(tmp_path / "large.csv")
    assert (done.code, done.err.strip()) == (0, "")
    assert pq.read_metadata(tmp_path / "out/large.parquet").num_columns == width


def test_a_file_that_breaks_the_engine_fails_alone(tmp_path, monkeypatch):
    """A footer that counts less than nothing is refused before the engine sees it; others may not be."""
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    pq.write_table(pa.table({"n": range(100)}), good, use_dictionary=False)
    size = pq.read_metadata(good).row_group(0).column(0).total_compressed_size
    said = bytes((0x16, 2 * size & 0x7F | 0x80, 2 * size >> 7, 0x26))
    assert said in good.read_bytes()
    bad.write_bytes(good.read_bytes().replace(said, bytes((0x16, said[1] | 1, *said[2:]))))
    monkeypatch.setattr("ingest.readers.parquet._has_checksums", lambda *_: False)
    first, second = convert_files([bad, good], tmp_path / "out", "parquet", Reading(), IngestSettings())
    assert first.error.startswith(f"{bad}: ")
    assert (second.error, second.rows) == (None, 100)
