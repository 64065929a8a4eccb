"""Delimited files as offices write them: read whole, or refused with the reason."""

from __future__ import annotations

import codecs

import pytest

from catalog.query import connect
from ingest.readers.csv import count_records
from ingest.run import ingest
from policies.model import RAW

STEWARD = frozenset({"everyone", "user:steward", "group:stewards"})
TEXT = "commune;nom;montant\n76351;Le Havre – cœur;12,50\n76540;Rouen « été »;7\n"


def bring(folder, content: str | bytes, **resource: object):
    folder.table("jeu", content, **resource)
    folder.grant("jeu", {}, {"to": "user:steward", "edition": RAW, "until": "2999-01-01"})
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    if outcome.error is not None:
        return outcome.error
    return folder.lab.lake.current("jeu", RAW).resources["t"].receipt


def rows(folder) -> list[tuple]:
    return connect(folder.lab, STEWARD).execute("SELECT * FROM jeu.t").fetchall()


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.encode("mac_roman"), "mac_roman"),
        (TEXT.replace("–", "-").replace("œ", "oe").encode("cp850"), "cp850"),
    ],
)
def test_the_encoding_is_found_and_the_text_is_right(folder, content, encoding):
    receipt = bring(folder, content)
    assert receipt["dialect"]["encoding"] == encoding
    assert rows(folder)[1][1] == "Rouen « été »"
    assert [column["type"] for column in receipt["columns"]] == ["text", "text", "decimal(18,2)"]


def test_an_accent_that_comes_late_decides_the_encoding(folder):
    content = b"a;b\n" + b"1;x\n" * 2_000_000 + "2;été\n".encode("cp1252")
    assert bring(folder, content)["dialect"]["encoding"] == "cp1252"


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_delimiter_and_the_line_end_are_found(folder, delimiter, end):
    lines = [["code", "nom"], ["01", "Ain, et; autres"], ["02", 'dit "Aisne"']]
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in line] for line in lines]
    receipt = bring(folder, end.join(delimiter.join(line) for line in quoted) + end)
    assert receipt["dialect"]["delimiter"] == delimiter
    assert rows(folder) == [("01", "Ain, et; autres"), ("02", 'dit "Aisne"')]


def test_titles_above_the_header_are_passed_over(folder):
    receipt = bring(folder, "Subventions 2024;;\nSource : Région;;\n\nnom;montant;an\nA;1;2024\nB;2;2024\n")
    assert receipt["dialect"]["header_row"] == 4
    assert rows(folder) == [("A", 1, 2024), ("B", 2, 2024)]


def test_a_declared_header_row_is_taken(folder):
    bring(folder, "a;b\nnom;montant\nA;1\n", read={"header_row": 2})
    assert rows(folder) == [("A", 1)]


def test_short_and_long_rows_are_rejected_with_their_line(folder):
    receipt = bring(folder, 'a;b;c\n1;"x\ny";3\n4;5\n6;7;8;9\n10;11;12\n13;14;15\n')
    assert (receipt["rows_in"], receipt["rows_out"]) == (5, 3)
    assert [(reject["line"], reject["text"]) for reject in receipt["rejects"]] == [(4, "4;5"), (5, "6;7;8;9")]
    assert "Expected Number of Columns: 3 Found: 2" in receipt["rejects"][0]["reason"]


def test_a_quote_within_a_field_is_text(folder):
    receipt = bring(folder, 'n;dim\n1;5" tuyau\n2;x\n3;12" de large\n')
    assert rows(folder) == [(1, '5" tuyau'), (2, "x"), (3, '12" de large')]
    assert receipt["rows_in"] == 3


def test_mixed_line_ends_are_read_by_the_careful_reader(folder):
    receipt = bring(folder, "a;b\n1;2\r\n3;4\n5;6\r\n")
    assert rows(folder) == [(1, 2), (3, 4), (5, 6)]
    assert receipt["rows_in"] == receipt["rows_out"] == 3


def test_a_quote_that_is_never_closed_is_named_with_its_line(folder):
    said = bring(folder, 'a;b\n1;2\n3;"4\n' + "5;6\n" * 50)
    assert "line 3: a quote is opened here and never closed" in said


def test_duplicate_empty_and_odd_names_become_distinct_ones(folder):
    receipt = bring(folder, "nom;Nom;;montant (€);a,b\nA;B;C;1;2\n")
    assert [column["name"] for column in receipt["columns"]] == ["nom", "Nom_2", "column_3", "montant_€", "a_b"]
    assert [column["source_name"] for column in receipt["columns"]] == ["nom", "Nom", "", "montant (€)", "a,b"]


def test_blank_lines_are_no_rows(folder):
    assert bring(folder, "a;b\n\n1;2\n\n\n3;4\n\n")["rows_in"] == 2


def test_a_file_of_one_column_is_read(folder):
    bring(folder, "code\n01001\n01002\n")
    assert rows(folder) == [("01001",), ("01002",)]


def test_formulas_are_stored_as_they_are(folder):
    bring(folder, 'a;b\n=HYPERLINK("http://x");1\n')
    assert rows(folder)[0][0] == '=HYPERLINK("http://x")'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("<!DOCTYPE html>\n<html><body>Se connecter</body></html>", "this is an HTML or XML page"),
        (b"PK\x03\x04" + b"x;y\n" * 9, "this is an archive"),
        (b"a;b\n1;\x00\n", "a NUL byte at offset 6"),
        ("a;b\n", "no row of data stands below the header"),
        ("a;b;c\n1;2\n3;4\n5;6;7\n", "2 of 3 rows were rejected, more than were kept; the first on line 2"),
    ],
)
def test_what_is_no_table_is_refused_and_the_last_good_snapshot_stays(folder, content, said):
    bring(folder, TEXT)
    assert said in bring(folder, content)
    assert len(rows(folder)) == 2


def test_records_are_counted_by_quotes_and_line_ends_across_chunks(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_bytes(b'a;b\r\n1;"x\r\n\r\ny"\r\n\r\n2;""\r\n"3";"q""r\n"\n4;5')
    for size in range(1, 12):
        monkeypatch.setattr("ingest.readers.csv._CHUNK", size)
        assert count_records(path, 1, '"') == 4, size
