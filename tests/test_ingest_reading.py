"""What `read:` declares of the rows of a file overrules what is found, in each of the readers."""

from __future__ import annotations

import pytest
from test_ingest_excel import workbook

from policies.errors import DocumentError

PARTED = [(";", "duckdb"), ("||", "python")]
"""A delimiter that the engine reads by itself, and one that it does not."""


def bring(folder, delimiter: str, lines: list[str], read: dict | None = None, end: str = "\n") -> dict | str:
    content = end.join(lines).replace(";", delimiter) + end
    return folder.bring(content, read={"delimiter": delimiter, **(read or {})})


def names(receipt: dict | str) -> list[str]:
    assert isinstance(receipt, dict), receipt
    return [column["name"] for column in receipt["columns"]]


def told(receipt: dict | str, *keys: str) -> tuple[object, ...]:
    assert isinstance(receipt, dict), receipt
    return tuple(receipt["dialect"].get(key) for key in keys)


@pytest.mark.parametrize(("delimiter", "reader"), PARTED)
@pytest.mark.parametrize("header", [[], ["Nom;Nom;"], ["NOM,C,9;AGE,N,3;VIL,C,20"], ["nom;âge;ville"]])
def test_declared_names_are_those_of_the_columns_whatever_the_file_calls_them(folder, delimiter, reader, header):
    read = {"names": ["nom", "age", "ville"], "header_row": len(header)}
    receipt = bring(folder, delimiter, [*header, "Paul;33;Caen", "Anne;44;Rouen"], read)
    assert names(receipt) == ["nom", "age", "ville"]
    written = " | ".join(header[0].split(";")) if header else None
    assert told(receipt, "reader", "header") == (reader, written)
    assert folder.rows() == [("Paul", 33, "Caen"), ("Anne", 44, "Rouen")]


@pytest.mark.parametrize(("delimiter", "reader"), PARTED)
def test_declared_names_tell_the_width_where_the_header_lacks_one(folder, delimiter, reader):
    lines = ["n;nom", "1;Paul;", "2;Anne;", "3;Eve;"]
    receipt = bring(folder, delimiter, lines, {"names": ["n", "nom", "note"], "header_row": 1})
    assert (names(receipt), receipt["rejected"]) == (["n", "nom", "note"], 0)
    assert folder.rows()[0] == (1, "Paul", None)
    assert told(receipt, "reader", "header") == (reader, "n | nom")


def test_names_of_another_number_or_twice_the_same_are_refused(folder):
    lines = ["a;b", "1;2", "3;4"]
    assert "3 names are declared, the rows below 2" in bring(folder, ";", lines, {"names": ["x", "y", "z"]})
    with pytest.raises(DocumentError, match="'X' stands twice"):
        bring(folder, ";", lines, {"names": ["x", "X"]})


def test_names_that_stand_again_are_known_by_what_the_file_calls_them(folder):
    lines = ["A,N,3;B,N,3", "1;2", "A,N,3;B,N,3", "3;4", "5;6"]
    receipt = bring(folder, ";", lines)
    assert [reject["reason"] for reject in receipt["rejects"]] == ["the names again, as above the table"]
    assert bring(folder, ";", lines, {"names": ["x", "y"]})["rejected"] == 1


@pytest.mark.parametrize(("delimiter", "reader"), PARTED)
def test_a_declared_data_row_passes_over_what_is_between_and_keeps_it_in_the_receipt(folder, delimiter, reader):
    lines = ["nom;poids", "texte;en livres", "Paul;70", "Anne;60"]
    receipt = bring(folder, delimiter, lines, {"header_row": 1, "data_row": 3})
    assert folder.rows() == [("Paul", 70), ("Anne", 60)]
    assert told(receipt, "reader", "data_row", "above") == (reader, 3, "texte | en livres")


@pytest.mark.parametrize(("delimiter", "reader"), PARTED)
def test_a_declared_data_row_makes_a_row_of_what_looks_like_units(folder, delimiter, reader):
    lines = ["code;valeur", "h;-", "m;12", "s;13"]
    assert told(bring(folder, delimiter, lines), "units") == ("h | -",)
    receipt = bring(folder, delimiter, lines, {"data_row": 2})
    assert told(receipt, "reader", "units") == (reader, None)
    assert [row[0] for row in folder.rows()] == ["h", "m", "s"]


def test_a_data_row_that_cannot_be_is_refused(folder):
    lines = ["titre;", "a;b", "1;2", "3;4"]
    assert "no row starts on line 9, the declared data_row" in bring(folder, ";", lines, {"data_row": 9})
    said = bring(folder, ";", lines, {"header_row": 2, "data_row": 2})
    assert "line 2, the declared data_row, is not below the names on line 2" in said


@pytest.mark.parametrize(("delimiter", "reader"), PARTED)
def test_declared_footer_rows_are_notes_and_none_are_where_it_is_0(folder, delimiter, reader):
    lines = ["nom;v", *(f"ville {number};{number}" for number in range(9)), "Total;36", "", "Source : INSEE"]
    receipt = bring(folder, delimiter, lines, {"footer_rows": 2})
    assert [(one["line"], one["text"]) for one in receipt["rejects"]] == [
        (11, f"Total{delimiter}36"),
        (13, "Source : INSEE"),
    ]
    assert told(receipt, "reader", "footer_rows") == (reader, 2)
    assert told(bring(folder, delimiter, lines), "footer_rows") == (1,)
    none = bring(folder, delimiter, [*lines[:-2], "Source;"], {"footer_rows": 0})
    assert (none["rows_out"], none["rejected"]) == (11, 0)
    assert "footer_rows is 40, but only 12 lines" in bring(folder, delimiter, lines, {"footer_rows": 40})


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
@pytest.mark.parametrize(("declared", "end"), [("crlf", "\r\n"), ("lf", "\n"), ("cr", "\r")])
def test_a_declared_newline_alone_ends_rows_and_others_are_signs_of_cells(folder, encoding, declared, end):
    other = "\n" if end != "\n" else "\r"
    lines = ["nom;n", f"Évreux{other}(27);1", "Caen;2", "Rouen;3;4", "Bayeux;5", f"Source : INSEE{other}2024"]
    content = (end.join(lines) + end).encode(encoding)
    receipt = folder.bring(content, read={"newline": declared, "encoding": encoding})
    assert folder.rows() == [(f"Évreux{other}(27)", 1), ("Caen", 2), ("Bayeux", 5)]
    assert told(receipt, "newline") == (declared,)
    assert [reject["line"] for reject in receipt["rejects"]] == [5, 7, 8]


def test_a_newline_that_is_the_only_one_is_read_by_the_engine(folder):
    lines = ["nom;n", "Caen;2", "Rouen;3"]
    assert told(bring(folder, ";", lines, {"newline": "crlf"}, "\r\n"), "reader", "newline") == ("duckdb", "crlf")
    assert "no line ends in lf, the declared newline" in bring(folder, ";", lines, {"newline": "lf"}, "\r\n")


@pytest.mark.parametrize(
    ("content", "newline"),
    [
        ("a;b\n1;2\n3;4\n", "lf"),
        ("a;b\r\n1;2\r\n3;4", "crlf"),
        ("a;b\r1;2\r3;4\r", "cr"),
        ('a;b\r\n1;"x\ny"\r\n3;"z\nz"\r\n', "crlf"),
        ("a;b\r\n1;2\r\n3;4\n", "crlf, lf"),
    ],
)
def test_the_line_ends_stand_in_the_receipt(folder, content, newline):
    assert told(folder.bring(content), "newline") == (newline,)


def test_a_sheet_takes_the_same_words(folder):
    content = workbook(["nom", "poids"], ["texte", "en livres"], ["Paul", 70], ["Anne", 60], ["Total", 130])
    read = {"names": ["qui", "combien"], "header_row": 1, "data_row": 3, "footer_rows": 1}
    receipt = folder.bring(content, name="x.xlsx", read=read)
    assert names(receipt) == ["qui", "combien"]
    assert folder.rows() == [("Paul", 70), ("Anne", 60)]
    assert [reject["line"] for reject in receipt["rejects"]] == [5]
    assert "3 names are declared, the table has 2 columns" in folder.bring(
        content, name="x.xlsx", read={"names": ["a", "b", "c"]}
    )


@pytest.mark.parametrize("key", [{"names": ["a"]}, {"data_row": 2}, {"footer_rows": 1}, {"newline": "lf"}])
def test_what_means_nothing_of_a_format_is_refused(folder, key):
    said = folder.bring('[{"a": 1}, {"a": 2}]', name="x.json", read=key)
    assert f"read: {next(iter(key))} says nothing of json" in said


def test_convert_takes_the_same_words(folder, datalab, tmp_path):
    path = folder.write("x.csv", "A,N,3;B,N,3\n1;2\n3;4\nTotal;6\n")
    read = "{names: [un, deux], footer_rows: 1, newline: lf}"
    ran = datalab("convert", str(path), "--out", str(tmp_path / "o"), "--format", "csv", "--read", read)
    assert (ran.code, (tmp_path / "o/x.csv").read_text()) == (0, "un,deux\n1,2\n3,4\n")
