"""Delimited files as offices write them: read whole, or refused with the reason."""

from __future__ import annotations

import codecs

import pytest

from ingest.readers.records import count_records

TEXT = "commune;nom;montant\n76351;Le Havre – cœur;12,50\n76540;Rouen « été »;7\n"


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
    receipt = folder.bring(content)
    assert receipt["dialect"]["encoding"] == encoding
    assert folder.rows()[1][1] == "Rouen « été »"
    assert [column["type"] for column in receipt["columns"]] == ["commune", "text", "decimal(18,2)"]


def test_an_accent_that_comes_late_decides_the_encoding(folder):
    content = b"a;b\n" + b"1;x\n" * 2_000_000 + "2;été\n".encode("cp1252")
    assert folder.bring(content)["dialect"]["encoding"] == "cp1252"


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_delimiter_and_the_line_end_are_found(folder, delimiter, end):
    lines = [["code", "nom"], ["01", "Ain, et; autres"], ["02", 'dit "Aisne"']]
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in line] for line in lines]
    receipt = folder.bring(end.join(delimiter.join(line) for line in quoted) + end)
    assert receipt["dialect"]["delimiter"] == delimiter
    assert folder.rows() == [("01", "Ain, et; autres"), ("02", 'dit "Aisne"')]


def test_titles_above_the_header_are_passed_over(folder):
    receipt = folder.bring("Subventions 2024;;\nSource : Région;;\n\nnom;montant;an\nA;1;2024\nB;2;2024\n")
    assert receipt["dialect"]["header_row"] == 4
    assert folder.rows() == [("A", 1, 2024), ("B", 2, 2024)]


def test_a_declared_header_row_is_taken(folder):
    folder.bring("a;b\nnom;montant\nA;1\n", read={"header_row": 2})
    assert folder.rows() == [("A", 1)]


def test_short_and_long_rows_are_rejected_with_their_line(folder):
    receipt = folder.bring('a;b;c\n1;"x\ny";3\n4;5\n6;7;8;9\n10;11;12\n13;14;15\n')
    assert (receipt["rows_in"], receipt["rows_out"]) == (5, 3)
    assert [(reject["line"], reject["text"]) for reject in receipt["rejects"]] == [(4, "4;5"), (5, "6;7;8;9")]
    assert "Expected Number of Columns: 3 Found: 2" in receipt["rejects"][0]["reason"]


def test_a_quote_within_a_field_is_text(folder):
    receipt = folder.bring('n;dim\n1;5" tuyau\n2;x\n3;12" de large\n')
    assert folder.rows() == [(1, '5" tuyau'), (2, "x"), (3, '12" de large')]
    assert receipt["rows_in"] == 3


def test_mixed_line_ends_are_read_by_the_careful_reader(folder):
    receipt = folder.bring("a;b\n1;2\r\n3;4\n5;6\r\n")
    assert folder.rows() == [(1, 2), (3, 4), (5, 6)]
    assert receipt["rows_in"] == receipt["rows_out"] == 3


def test_a_quote_that_is_never_closed_costs_its_own_row_alone(folder):
    receipt = folder.bring('a;b\n1;"2"\n3;"4\n' + "5;6\n" * 50)
    assert receipt["rows_out"] == 51
    assert [(reject["line"], reject["reason"]) for reject in receipt["rejects"]] == [
        (3, "a quote is opened here and never closed")
    ]


def test_duplicate_empty_and_odd_names_become_distinct_ones(folder):
    receipt = folder.bring("nom;Nom;;montant (€);a,b\nA;B;C;1;2\n")
    assert [column["name"] for column in receipt["columns"]] == ["nom", "Nom_2", "column_3", "montant_€", "a_b"]
    assert [column["source_name"] for column in receipt["columns"]] == ["nom", "Nom", "", "montant (€)", "a,b"]


def test_blank_lines_are_no_rows(folder):
    assert folder.bring("a;b\n\n1;2\n\n\n3;4\n\n")["rows_in"] == 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_of_a_file_of_one_column_are_no_rows_and_the_receipt_says_how_many(folder, end):
    receipt = folder.bring(end.join(["code", "", "01001", "", "", '""', "01002", ""]))
    assert folder.rows() == [("01001",), (None,), ("01002",)]
    assert (receipt["rows_in"], receipt["dialect"]["blank_lines"]) == (3, 3)
    assert "blank_lines" not in folder.bring("code\n01001\n01002\n")["dialect"]


def test_a_file_of_one_column_is_read(folder):
    folder.bring("code\n01001\n01002\n")
    assert folder.rows() == [("01001",), ("01002",)]


def test_formulas_are_stored_as_they_are(folder):
    folder.bring('a;b\n=HYPERLINK("http://x");1\n')
    assert folder.rows()[0][0] == '=HYPERLINK("http://x")'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("<!DOCTYPE html>\n<html><body>Se connecter</body></html>", "this is an HTML page"),
        (b"PK\x03\x04" + b"x;y\n" * 9, "the archive is cut or damaged"),
        (b"a;b\n1;\x00\n", "a NUL byte at offset 6"),
        ("a;b\n", "no row of data stands below the header"),
        ("a;b;c\n1;2\n3;4\n5;6;7\n", "2 of 3 rows were rejected, more than were kept; the first on line 2"),
    ],
)
def test_what_is_no_table_is_refused_and_the_last_good_snapshot_stays(folder, content, said):
    folder.bring(TEXT)
    assert said in folder.bring(content, refresh=True)
    assert len(folder.rows()) == 2


def test_records_are_counted_by_quotes_and_line_ends_across_chunks(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_bytes(b'a;b\r\n1;"x\r\n\r\ny"\r\n\r\n2;""\r\n"3";"q""r\n"\n4;5')
    for size in range(1, 12):
        monkeypatch.setattr("ingest.readers.records._CHUNK", size)
        assert count_records(path, 1, chr(34), ";") == 4, size


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("nom;v\nLópez;1\nFernández;2\nMuñoz;3\n", "cp1252"),
        ("nom;v\nMUÑOZ;1\nPEÑA;2\n", "cp1252"),
        ("nom;v\nCœur;1\nbœuf;2\n", "iso8859_15"),
        ("nom;v\nCœur;1\nl’été;2\n", "cp1252"),
        ("nom;v\nÉTÉ;1\nHAÏTI;2\n", "mac_roman"),
        ("nom;v\nÉTÉ;1\nNoël;2\n", "cp850"),
        ("nom;v\nRésidence;1\nB;3\n", "cp850"),
        ("nom;v\nÉvreux;1\nB;3\n", "cp850"),
    ],
)
def test_among_legacy_encodings_the_one_that_makes_words_is_taken(folder, text, encoding):
    assert folder.bring(text.encode(encoding))["dialect"]["encoding"] == encoding
    assert folder.rows()[0][0] == text.splitlines()[1].split(";")[0]


def test_one_broken_byte_in_utf_8_rejects_its_row_and_leaves_the_others_as_they_are(folder):
    content = "nom;v\nÉtretat;1\nFécamp;2\n".encode() + "Orbé;3\n".encode("cp1252") + b"Rouen;4\n"
    receipt = folder.bring(content)
    assert receipt["dialect"]["encoding"] == "utf-8"
    assert [row[0] for row in folder.rows()] == ["Étretat", "Fécamp", "Rouen"]
    assert [(reject["line"], reject["text"]) for reject in receipt["rejects"]] == [(4, "Orb\\xe9;3")]


@pytest.mark.parametrize("byte", [0x81, 0x8D, 0x8F, 0x90, 0x9D])
@pytest.mark.parametrize("end", ["\n", "\r"])
@pytest.mark.parametrize("declared", [None, "cp1252"])
@pytest.mark.parametrize("many", [0, 50_000])
def test_a_byte_that_cp1252_does_not_know_rejects_its_row_and_leaves_the_others_as_they_are(
    folder, byte, end, declared, many
):
    lines = ["nom;v", "Évreux – l’été;1", "Cœur de caf#;2", "Fécamp;3", *["Noël;4"] * many]
    content = end.join(lines).encode("cp1252").replace(b"#", bytes([byte]))
    receipt = folder.bring(content, read={"encoding": declared} if declared else {})
    assert receipt["dialect"]["encoding"] == "cp1252"
    assert folder.rows()[:2] == [("Évreux – l’été", 1), ("Fécamp", 3)]
    assert [(reject["line"], reject["reason"]) for reject in receipt["rejects"]] == [
        (3, f"the byte 0x{byte:02X} is none of cp1252")
    ]
    assert receipt["rows_in"] == 3 + many


def test_a_broken_byte_is_named_by_the_careful_reader_too(folder):
    said = "the byte 0xE9 is none of utf-8"
    content = codecs.BOM_UTF8 + "nom\nÉtretat\nFécamp\n".encode() + "Yébleron\n".encode("cp1252")
    assert [reject["reason"] for reject in folder.bring(content)["rejects"]] == [said]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rejects_have_the_line_they_stand_on_whatever_the_line_ends(folder, end):
    lines = ["a;b;c", "", "1;2;3", "4;5", "1;2;3", "", "4;5", "1;2;3", "4;5", "1;2;3"]
    receipt = folder.bring(end.join(lines) + end)
    assert [(reject["line"], reject["text"]) for reject in receipt["rejects"]] == [(4, "4;5"), (7, "4;5"), (9, "4;5")]


def test_a_delimiter_at_the_end_of_every_row_of_data_is_no_column(folder):
    receipt = folder.bring("code;nom;ville\n1;a;X;\n2;b;Y;\n3;c;Z;\n")
    assert folder.rows() == [("1", "a", "X"), ("2", "b", "Y"), ("3", "c", "Z")]
    assert receipt["dialect"]["row_ends"] == "a delimiter that is no cell"
    assert "row_ends" not in folder.bring("code;nom;ville\n1;a;X\n2;b;Y\n3;c;\n")["dialect"]


@pytest.mark.parametrize(
    "content",
    [
        "a;b;c\n1;2;3;4\n5;6;7;8\n9;10;11;12\n",
        "id;nom;;;\n1;a;b;c;d\n2;e;f;g;h\n3;e;f;g;h\n",
        "a;b;c;d;e\n1;2;3\n4;5;6\n7;8;9\n",
    ],
)
def test_a_row_that_may_be_the_header_is_never_passed_over_in_silence(folder, content):
    assert "declare header_row under read:" in folder.bring(content)


@pytest.mark.parametrize("above", ["\ufeff\ufeff", "\n\ufeff", "\ufeffTitre\n\n\ufeff"])
def test_a_mark_within_the_text_is_none_of_the_first_name(folder, above):
    for name in ("code", '"code"'):
        receipt = folder.bring(f"{above}{name};nom\n76351;Le Havre\n76540;Rouen\n")
        assert [column["source_name"] for column in receipt["columns"]] == ["code", "nom"]
        assert (receipt["rows_out"], receipt["rejected"]) == (2, 0)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (",nom\n0,Rouen\n1,Caen\n2,Lyon\n", ["", "nom"]),
        (",code,nom\n0,76351,Le Havre\n1,76540,Rouen\n2,27229,Évreux\n", ["", "code", "nom"]),
        ("Titre;;\n\n;2019;2020\nParis;12;13\nLyon;4;5\nLille;5;6\n", ["", "2019", "2020"]),
        ("code;nom;\n1;a;3\n2;d;4\n3;x;5\n", ["code", "nom", ""]),
    ],
)
def test_a_header_may_lack_one_name_right_above_data(folder, content, header):
    receipt = folder.bring(content)
    assert ([column["source_name"] for column in receipt["columns"]], receipt["rows_out"]) == (header, 3)


@pytest.mark.parametrize("above", [";Population;Surface\ndep;hab;km2", ";Surface;Surface", ";Population;Surface\n"])
def test_a_row_that_lacks_a_name_is_no_header_above_another_or_with_a_name_twice_or_above_a_blank_line(folder, above):
    assert "declare header_row under read:" in folder.bring(f"{above}\n27;12;13\n76;14;15\n14;16;17\n")


def test_a_row_with_a_stray_quote_is_rejected_alone_and_with_its_text(folder):
    receipt = folder.bring('m;b\n1.5;x\n1.5;"y"\n2;"abc"x\n3.125;z\n', columns={"m": {"type": "decimal"}})
    assert [(reject["line"], reject["text"]) for reject in receipt["rejects"]] == [(4, '2;"abc"x')]
    assert [str(row[0]) for row in folder.rows()] == ["1.500", "1.500", "3.125"]


@pytest.mark.parametrize("cell", [' "Le Bistrot; bar"', '"Le Bistrot; bar"  ', '\t"Le Bistrot; bar" '])
def test_blanks_beside_a_cell_within_quotes_are_none_of_it(folder, cell):
    for content in (f"n;nom;v\n1;{cell};2\n2;x;3\n", f"nom;n\n{cell};1\nz;3\n", f"n;nom\n1;{cell}\n2;x\n"):
        receipt = folder.bring(content)
        assert receipt["rejected"] == 0
        assert "Le Bistrot; bar" in folder.rows()[0]


def test_a_line_feed_in_the_first_record_of_a_quoted_file_with_crlf_is_kept(folder):
    content = codecs.BOM_UTF8 + b'"id";"adresse"\r\n"1";"Mairie\n1 rue X"\r\n"2";"b"\r\n"3";"c"\r\n'
    assert folder.bring(content)["rejected"] == 0
    assert folder.rows()[0] == (1, "Mairie\n1 rue X")


def test_one_column_with_commas_in_its_values_is_never_two(folder):
    said = folder.bring("nom\nDupont, Jean\nDurand, Paul\n")
    assert "a title, or a file of one column whose values hold a delimiter?" in said


def test_a_column_of_decimal_commas_alone_is_one_column(folder):
    folder.bring("montant\n1 234,50\n2 000,00\n")
    assert [str(row[0]) for row in folder.rows()] == ["1234.50", "2000.00"]


@pytest.mark.parametrize("text", ["stylo;5 €", "stylo;5€", "l’eau;1", "x;½"])
def test_a_single_sign_of_cp1252_is_read_as_that_sign(folder, text):
    receipt = folder.bring(f"nom;v\n{text}\nx;2\n".encode("cp1252"))
    assert receipt["dialect"]["encoding"] == "cp1252"
    assert ";".join(map(str, folder.rows()[0])) == text


def test_a_declared_encoding_takes_the_mark_away(folder):
    folder.bring(codecs.BOM_UTF8 + b"a;b\n1;2\n", read={"encoding": "utf-8"}, columns={"a": {"type": "integer"}})
    assert folder.rows() == [(1, 2)]


def test_utf_32_is_refused(folder):
    assert "this is UTF-32" in folder.bring("a;b\n1;2\n".encode("utf-32"))


def test_rejects_have_their_line_where_other_line_ends_stand_in_cells(folder):
    receipt = folder.bring('a;b;c\n1;"x\ry";3\n4;5\n4;5;bad\n1;2;3\n1;2;3\n', columns={"c": {"type": "integer"}})
    assert [reject["line"] for reject in receipt["rejects"]] == [4, 5]


def test_french_money_is_a_decimal(folder):
    assert folder.bring("n;m\n1;1 234,50\n2;12,00\n3;1 000 000,5\n")["columns"][1]["type"] == "decimal(18,2)"
    assert [str(row[1]) for row in folder.rows()] == ["1234.50", "12.00", "1000000.50"]


@pytest.mark.parametrize("encoding", ["ascii", "utf-16", "no-such-encoding"])
def test_a_declared_encoding_that_does_not_hold_is_an_error_that_says_so(folder, encoding):
    content = "nom;n\n" + "abcdefghijk;1\n" * 30_000 + "HAÏTI;2\n"
    assert f"cannot be read as {encoding}" in folder.bring(content, read={"encoding": encoding})


@pytest.mark.parametrize("cell", ["ligne1\nligne2 ; fin", 'dit ""Aisne""\nligne2 ; fin'])
def test_a_quoted_last_cell_of_two_lines_is_one_cell_though_both_lines_are_as_wide(folder, cell):
    receipt = folder.bring("nom;obs\n" + f'V0;"{cell}"\n' * 20)
    assert (receipt["dialect"]["quote"], receipt["rows_out"]) == ('"', 20)
    assert folder.rows()[0] == ("V0", cell.replace('""', '"'))


def test_no_space_is_the_delimiter_where_a_semicolon_stands_in_every_line(folder):
    receipt = folder.bring("nom;obs\n" + "V0;texte libre, suite\n" * 15 + "V1;texte libre; suite\n" * 5)
    assert (receipt["dialect"]["delimiter"], receipt["dialect"]["header_row"]) == (";", 1)
    assert (receipt["rows_out"], receipt["rejected"]) == (15, 5)


def test_a_header_that_stands_again_after_a_mark_is_still_the_header(folder):
    assert folder.bring("a;b\nx;y\n\ufeffz;t\n\ufeffa;b\nu;v\n")["dialect"]["header_row"] == 1
