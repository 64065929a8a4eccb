"""What is wrong with the CSV files that offices publish, one test a kind: read right, rejected, or refused with why."""

from __future__ import annotations

import codecs
import json

import pytest

from ingest.readers import careful
from ingest.wide import MOST_COLUMNS

BASE = "code;nom;montant\n76351;Le Havre;12\n76540;Rouen;7\n27229;Évreux;9\n14118;Caen;3\n"
ROWS = [("76351", "Le Havre", 12), ("76540", "Rouen", 7), ("27229", "Évreux", 9), ("14118", "Caen", 3)]
NOTE = "a note below the table"


def told(receipt: dict | str) -> list[tuple[int, str]]:
    assert isinstance(receipt, dict), receipt
    return [(reject["line"], reject["reason"]) for reject in receipt["rejects"]]


def names(receipt: dict | str) -> list[str]:
    assert isinstance(receipt, dict), receipt
    return [column["source_name"] for column in receipt["columns"]]


def test_without_a_header_the_data_start_on_line_1(folder):
    receipt = folder.bring(BASE.split("\n", 1)[1])
    assert names(receipt) == ["column_1", "column_2", "column_3"]
    assert (receipt["dialect"]["header_row"], receipt["dialect"]["data_row"]) == (None, 1)
    assert folder.rows() == [(int(code), nom, montant) for code, nom, montant in ROWS]


@pytest.mark.parametrize(
    "content",
    [
        "1;Rouen;;5\n2;Le Havre;3;4\n3;Caen;5;6\n4;Bayeux;3;3\n",
        "1;Rouen;NC;5\n2;Le Havre;3;4\n3;Caen;5;6\n4;Bayeux;3;3\n",
        "Rouen;oui\nCaen;non\nÉvreux;oui\nBayeux;non\n",
        "12;5\n7;8\n",
    ],
)
def test_a_first_row_of_data_is_no_header(folder, content):
    receipt = folder.bring(content)
    assert receipt["dialect"]["header_row"] is None
    assert receipt["rows_out"] == content.count("\n")


@pytest.mark.parametrize(
    "header", ["ville;2019;2020", "ville;1;2", "nom;avant;après", "dep;2020;2021", "Nom;T1 2020;T2 2020"]
)
def test_years_and_counted_columns_are_names(folder, header):
    receipt = folder.bring(f"{header}\nRouen;12;14\nCaen;3;5\nÉvreux;4;6\n")
    assert ";".join(names(receipt)) == header


def test_a_first_row_half_like_values_is_refused_with_what_to_declare(folder):
    said = folder.bring("code;417;x\n76351;12;14\n76540;3;5\n27229;4;6\n")
    assert "line 1 may be the names or the first row" in said
    assert "header_row: 0" in said


@pytest.mark.parametrize(("header", "cells"), [("code;nom;montant;total", 4), ("code;nom", 2), ("code;nom;a;b;c", 5)])
@pytest.mark.parametrize("rows", ["76351;Havre;12\n76540;Rouen;7\n76217;Dieppe;3\n", "a;b;c\nd;e;f\ng;h;i\n"])
def test_a_header_of_other_cells_than_the_rows_is_refused_with_how_many_and_what_helps(folder, header, cells, rows):
    content = f"{header}\n{rows}"
    said = folder.bring(content)
    assert said.startswith(("line 1 is the header and has", "line 1 may be the header, but has"), said.index("line 1"))
    assert f" has {cells} cells, the rows below 3; mend it in the source, or declare" in said
    assert "header_row under read: (0 reads the rows without names" in said
    assert "the declared header has" in folder.bring(content, read={"header_row": 1})
    receipt = folder.bring(content, read={"header_row": 0})
    assert receipt["rows_out"] == 3
    assert names(receipt) == ["column_1", "column_2", "column_3"]


def test_a_header_with_empty_names_may_be_declared(folder):
    content = "id;nom;;;\n1;a;b;c;d\n2;e;f;g;h\n3;e;f;g;h\n"
    assert "declare header_row under read: (1, with header_rows: 2 if" in folder.bring(content)
    assert folder.bring(content, read={"header_row": 1})["rows_out"] == 3


def test_a_header_alone_is_refused(folder):
    assert "no row of data stands below the header" in folder.bring("code;nom;montant\n")


def test_a_header_alone_converts_to_no_rows(folder, datalab, tmp_path):
    path = folder.write("seul.csv", "code;nom;montant\n")
    assert datalab("convert", str(path), "--out", str(tmp_path / "o")).code == 0
    assert json.loads((tmp_path / "o/seul.receipt.json").read_text())["rows_out"] == 0


def test_one_row_of_data_is_read(folder):
    folder.bring("code;nom;montant\n76351;Le Havre;12\n")
    assert folder.rows() == ROWS[:1]


@pytest.mark.parametrize(
    "above",
    [
        "Subventions de la Région\n",
        "Subventions;;\nAnnée 2024;;\n;;\n",
        "\n\nSubventions\n\n",
        "Édité le;24/11/2026\n\n",
        "# fait par un programme\n# a;b;c\n",
    ],
)
def test_what_stands_above_the_header_is_passed_over_and_kept_in_the_receipt(folder, above):
    receipt = folder.bring(above + BASE)
    if above.startswith("Édité"):  # two cells of three may be names
        assert "declare header_row under read:" in receipt
        return
    assert folder.rows() == ROWS
    assert receipt["dialect"]["above"].splitlines()[0] in above.replace(";", " | ")


def test_a_title_above_two_columns_is_one_where_a_column_of_numbers_stands_below(folder):
    receipt = folder.bring("Subventions 2024\nnom;montant\nA;1\nB;2\n")
    assert receipt["dialect"]["above"] == "Subventions 2024"
    assert folder.rows() == [("A", 1), ("B", 2)]


def test_blank_lines_anywhere_are_no_rows(folder):
    receipt = folder.bring("\n" + BASE.replace("\n", "\n\n") + "\n\n")
    assert folder.rows() == ROWS
    assert receipt["rows_in"] == 4


def test_a_row_of_units_is_kept_in_the_receipt_and_is_no_row(folder):
    receipt = folder.bring(BASE.replace("montant\n", "montant\n;;€\n"))
    assert receipt["dialect"]["units"] == " |  | €"
    assert folder.rows() == ROWS


@pytest.mark.parametrize(
    "below",
    [
        "Source : INSEE",
        "Source : INSEE;;",
        "\nDonnées au 1er janvier;;",
        ";;\nDonnées provisoires;;",
        "(1) montants en euros;;",
        "* estimation;;",
        "Note : voir la notice;;\n\nSource : Région;;",
        "Les montants sont arrondis à l’euro;;",
        "Provisoire;;",
        ";Source : INSEE;",
        "\nSource : INSEE, 2024",
        '"Source : ""INSEE"" ; Région";;',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_note_below_the_table_is_rejected_and_numbers_stay_numbers(folder, below, encoding):
    receipt = folder.bring((BASE + below + "\n").encode(encoding))
    assert folder.rows("jeu.t", "*")[:4] == ROWS
    notes = [reject for reject in receipt["rejects"] if reject["reason"] == NOTE]
    lines = (BASE + below).split("\n")
    assert notes
    assert [lines[reject["line"] - 1] for reject in notes] == [reject["text"] for reject in notes]
    assert receipt["rows_in"] == receipt["rows_out"] + len(receipt["rejects"])


def test_a_last_row_that_is_hardly_filled_is_a_row(folder):
    receipt = folder.bring(BASE + "50129;;\n")
    assert (receipt["rows_out"], receipt["rejected"]) == (5, 0)


def test_rows_of_another_table_below_are_rejected_and_counted(folder):
    receipt = folder.bring(BASE + "\nville;habitants\nRouen;110000\n")
    assert folder.rows() == ROWS
    assert [line for line, _ in told(receipt)] == [7, 8]


def test_a_header_of_two_rows_is_joined_where_it_is_declared(folder):
    content = "ville;2023;;2024;\n;H;F;H;F\nRouen;1;2;3;4\nCaen;1;2;3;4\n"
    assert "declare header_row under read:" in folder.bring(content)
    receipt = folder.bring(content, read={"header_row": 1, "header_rows": 2})
    assert names(receipt) == ["ville", "2023 H", "2023 F", "2024 H", "2024 F"]


def test_a_name_of_two_lines_is_one_name(folder):
    receipt = folder.bring('code;"nom\nde la commune";montant\n76351;Le Havre;12\n76540;Rouen;7\n')
    assert [column["name"] for column in receipt["columns"]] == ["code", "nom_de_la_commune", "montant"]


def test_the_types_in_the_names_of_dbase_are_taken_off(folder):
    assert names(folder.bring("NOM,C,254;POP,N,9,0\nRouen;1\nCaen;2\n")) == ["NOM", "POP"]


@pytest.mark.parametrize(
    "content",
    [
        BASE.replace("\n", ";\n"),
        BASE.replace("12\n", "12;\n"),
        "code;nom;montant\n" + BASE.split("\n", 1)[1].replace("\n", ";\n"),
    ],
)
def test_a_delimiter_too_many_at_the_end_is_no_cell(folder, content):
    assert folder.bring(content)["rejected"] == 0
    assert folder.rows() == ROWS


def test_ragged_rows_are_rejected_with_their_line_and_why(folder):
    receipt = folder.bring(BASE + "1;2\n1;2;3;4\n27229;Évreux;9\n")
    assert told(receipt) == [
        (6, "Expected Number of Columns: 3 Found: 2"),
        (7, "Expected Number of Columns: 3 Found: 4"),
    ]


WIDE = [f"{number};{number:02}:15;Lieu {number};" for number in range(10, 30)]
"""Rows whose last cell is empty."""


@pytest.mark.parametrize("cut", range(3))
@pytest.mark.parametrize("times", [1, 50, 2000])
def test_a_delimiter_too_many_within_a_row_that_ends_empty_moves_no_cell(folder, cut, times):
    cells = ["7", "07:15", "Lieu 7", ""]
    broken = ";".join([*cells[:cut], "", *cells[cut:]])
    receipt = folder.bring("\n".join(["n;heure;lieu;note", *WIDE * times, broken, *WIDE]) + "\n")
    assert told(receipt) == [(2 + len(WIDE) * times, "Expected Number of Columns: 4 Found: 5")]
    assert receipt["rows_out"] == len(WIDE) * (times + 1)


@pytest.mark.parametrize("rows", [["1;a;12;", "2;b;7"], ["1;a;12", "2;b;7;"]])
def test_a_delimiter_too_many_at_the_end_is_no_cell_where_the_last_column_is_always_filled(folder, rows):
    assert folder.bring("\n".join(["n;nom;v", *rows, "3;c;9", "4;d;3"]) + "\n")["rejected"] == 0
    assert folder.rows()[:2] == [(1, "a", 12), (2, "b", 7)]


def test_a_row_is_rejected_where_a_lost_delimiter_lets_a_quoted_cell_fall_apart(folder):
    rows = [f'{number};"Rue {number}; bâtiment A";{number},50;' for number in range(10, 30)]
    torn = '7"Rue 7; bâtiment A";7,50;'
    receipt = folder.bring("\n".join(["n;adresse;prix;note", *rows[:9], torn, *rows[9:]]) + "\n")
    assert [line for line, _ in told(receipt)] == [11]
    assert receipt["rows_out"] == len(rows)


@pytest.mark.parametrize("torn", ['7;Vis 5" x;Tube 6";', '7;Vis 5";Tube "x";'])
def test_quotes_within_several_cells_beside_quoted_ones_are_not_guessed(folder, torn):
    rows = [f'{number};"Rue {number}; bâtiment A";texte;' for number in range(10, 30)]
    receipt = folder.bring("\n".join(["n;adresse;objet;note", *rows, torn]) + "\n")
    assert [reason.split(":")[0] for _, reason in told(receipt)] == ["quotes within several cells"]


def test_a_quote_too_many_among_the_names_is_refused_and_takes_no_row_away(folder):
    rows = "76351;12;Le Havre\n14118;3;Caen\n" + '76540;7;"Rouen"\n' + "27229;9;Évreux\n50129;4;Bréhal\n" * 9
    content = f'code;montant;"nom\n{rows}'
    assert "line 1: a quote too many among the names" in folder.bring(content)


@pytest.mark.parametrize("delimiter", [",", "|", " "])
def test_names_parted_otherwise_than_the_rows_are_refused(folder, delimiter):
    rows = "76351;Le Havre;12\n76540;Rouen;7\n27229;Évreux;9\n"
    said = folder.bring(delimiter.join(["code", "nom", "montant"]) + "\n" + rows)
    assert f"line 1 may be the header, parted by {delimiter!r}" in said
    assert folder.bring(f"Trois villes normandes bien choisies\n{rows}")["rows_out"] == 3


@pytest.mark.parametrize("times", [2, 3])
def test_names_that_stand_again_right_below_are_no_row(folder, times):
    header, rows = BASE.split("\n", 1)
    assert names(folder.bring(f"{header}\n" * times + rows)) == ["code", "nom", "montant"]
    assert folder.rows() == ROWS
    assert folder.bring("nom;ville\n" * times + "Paul;Caen\nAnne;Rouen\n")["rows_out"] == times + 1


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_names_of_the_next_file_of_several_put_together_are_rejected_and_types_stay(folder, mark):
    receipt = folder.bring(mark + BASE + mark + BASE)
    assert told(receipt) == [(6, "the names again, as above the table")]
    assert folder.rows() == ROWS * 2


def test_a_row_that_is_as_the_first_one_stays_a_row_where_all_are_texts(folder):
    receipt = folder.bring("nom;ville\nPaul;Caen\nnom;ville\nAnne;Rouen\n")
    assert receipt["rejected"] == 0


def test_commas_with_spaces_in_a_column_of_texts_do_not_make_its_name_a_title(folder):
    content = "adresse\n1, rue Verte, Caen\n2, rue Basse, Rouen\n"
    assert "'adresse' may be a title, or the name of one column" in folder.bring(content)
    assert folder.bring(content, read={"delimiter": ";"})["rows_out"] == 2


@pytest.mark.parametrize(
    ("broken", "rejected"),
    [
        ('2;"b;b\n', 1),  # opened, never closed before the next quote
        ('2;b"b;b\n', 0),  # within a cell it is text
        ('2;"b"b;b\n', 1),
        ('2;"b";"b\n', 1),
        ('"2;b;b\n', 1),
    ],
)
def test_a_quote_too_many_costs_its_row_alone(folder, broken, rejected):
    rows = [f'{number};"nom; {number}";"x"\n' for number in range(10, 30)]
    receipt = folder.bring("n;nom;v\n" + "".join(rows[:10]) + broken + "".join(rows[10:]))
    assert receipt["rows_out"] == 21 - rejected
    assert [line for line, _ in told(receipt)] == [12] * rejected


def test_two_quotes_too_many_do_not_make_one_cell_of_the_rows_between(folder):
    content = 'n;v;w\n1;"a";x\n2;"b;x\n3;c;x\n4;d";x\n5;"e";x\n6;f;x\n7;g;x\n'
    receipt = folder.bring(content)
    assert [line for line, _ in told(receipt)] == [3]
    assert "a cell that holds whole rows" in receipt["rejects"][0]["reason"]
    assert [row[0] for row in folder.rows()] == [1, 3, 4, 5, 6, 7]
    assert folder.bring(content, read={"quote": '"'})["rows_out"] == 5


def test_a_cell_of_several_lines_with_some_delimiters_is_a_cell(folder):
    folder.bring('n;v;w\n1;"a; b\nc\nd; e";x\n2;b;x\n3;c;x\n')
    assert folder.rows()[0] == (1, "a; b\nc\nd; e", "x")


@pytest.mark.parametrize(
    "cell", ["a;b\nd;e;f\ng;h", "a;b\nc;d;e\nf;g;h\ni;j", "Accueil ; lundi\nmardi ; midi ; soir\n12 ; place X"]
)
def test_a_cell_of_many_lines_is_one_cell_where_none_looks_as_the_columns_values_do(folder, cell):
    rows = [f'{number};"nom; {number}";{number},50\n' for number in range(10, 30)]
    content = "n;nom;v\n" + "".join(rows[:10]) + f'7;"{cell}";3,20\n' + "".join(rows[10:])
    receipt = folder.bring(content)
    assert (receipt["rows_out"], receipt["rejected"]) == (21, 0)
    assert folder.rows()[10][1] == cell


def test_rows_between_two_quotes_too_many_are_rows_though_some_cells_are_odd(folder):
    content = 'n;v;w\n1;"a";1,5\n2;"b;NC\n3;c;2,5\n4;d";3,5\n5;"e";2,0\n6;f;NC\n7;g;1,0\n'
    receipt = folder.bring(content)
    assert [line for line, _ in told(receipt)] == [3]
    assert [row[0] for row in folder.rows()] == [1, 3, 4, 5, 6, 7]


def test_a_quote_that_is_not_closed_at_the_end_of_the_file_costs_the_last_row(folder):
    receipt = folder.bring('n;v\n1;"a"\n2;"b"\n3;"c')
    assert told(receipt) == [(4, "a quote is opened here and never closed")]


def test_a_quote_that_is_not_closed_before_100_mb_is_an_error_with_its_line(folder):
    content = b'n;v\n1;"a"\n2;"b' + b"x" * 100_000_000 + b"\n3;c\n"
    assert "line 3: a quote is opened here and never closed, or the line has more than" in folder.bring(content)


def test_a_line_of_100_mb_is_an_error_with_its_line(folder):
    content = b"n;v\n1;a\n2;b" + b"x" * 100_000_000 + b"\n3;c\n"
    assert "line 3" in folder.bring(content)


def test_quotes_that_wrap_nothing_are_text(folder):
    receipt = folder.bring('nom;n\n"Bistrot;1\nx;2\ny;3\n')
    assert receipt["dialect"]["quote"] is None
    assert folder.rows()[0] == ('"Bistrot', 1)


def test_quotes_that_wrap_something_late_are_quotes(folder):
    late = "".join(f"x{n};{n}\n" for n in range(40_000)) + '"a;b";9\n'
    receipt = folder.bring('nom;n\n"Bistrot;1\n' + late)
    assert receipt["dialect"]["quote"] == '"'
    assert receipt["rejected"] == 1


def test_a_space_after_each_delimiter_is_none_of_the_cell(folder):
    receipt = folder.bring('code, nom, montant\n76351, "Le Havre, 76", 12\n76540, Rouen, 7\n')
    assert receipt["dialect"]["delimiter"] == ", "
    assert folder.rows() == [("76351", "Le Havre, 76", 12), ("76540", "Rouen", 7)]


@pytest.mark.parametrize("quoted", [False, True])
def test_a_space_after_each_delimiter_is_found_where_quoted_cells_hold_some_and_last_ones_are_empty(folder, quoted):
    text = '"Vis, écrous, etc."' if quoted else "Vis"
    rows = "".join(f"{number}, {text}, {number}.5, \n" for number in range(10, 20))
    receipt = folder.bring(f"n, objet, prix, note\n{rows}")
    assert (receipt["dialect"]["delimiter"], receipt["rejected"]) == (", ", 0)
    assert names(receipt) == ["n", "objet", "prix", "note"]
    assert folder.rows()[0][1] == text.strip('"')


def test_a_colon_within_cells_below_is_no_delimiter_where_the_first_row_has_none(folder):
    rows = "".join(f"{number:02}:{number}\n" for number in range(10, 50))
    assert names(folder.bring(f"heure\n{rows}")) == ["heure"]


def test_apostrophes_may_be_quotes(folder):
    receipt = folder.bring("code;nom\n'76351';'Le Havre; 76'\n'76540';'Rouen l''été'\n")
    assert receipt["dialect"]["quote"] == "'"
    assert folder.rows() == [("76351", "Le Havre; 76"), ("76540", "Rouen l'été")]


def test_a_backslash_may_escape_quotes_and_is_a_sign_elsewhere(folder):
    receipt = folder.bring('n;nom\n1;"dit \\"x\\" ici"\n2;"c:\\dossier"\n3;"un \\"deux\\" trois"\n')
    assert receipt["dialect"]["escape"] == "\\"
    assert folder.rows() == [(1, 'dit "x" ici'), (2, "c:\\dossier"), (3, 'un "deux" trois')]


@pytest.mark.parametrize("delimiter", [" ", "~", "^", ":", "||", "::", ";;", ",,", "\t\t"])
def test_rare_delimiters_are_found(folder, delimiter):
    lines = ["code", "nom", "montant"], ["76351", "Havre", "12"], ["76540", "Rouen", "7"], ["27229", "Évreux", "9"]
    receipt = folder.bring("\n".join(delimiter.join(line) for line in lines) + "\n")
    assert receipt["dialect"]["delimiter"] == delimiter
    assert folder.rows()[0] == ("76351", "Havre", 12)


def test_a_space_may_part_quoted_texts_with_commas(folder):
    folder.bring('n nom prix\n1 "Le Havre, 76" 1,5\n2 "Rouen, rive droite, nord" 2,5\n3 Caen 3,5\n')
    assert folder.rows()[1][:2] == (2, "Rouen, rive droite, nord")


@pytest.mark.parametrize("space", ["", " "])
def test_the_line_that_tells_excel_the_delimiter_is_none_of_the_table(folder, space):
    receipt = folder.bring(f"sep=,{space}\r\na,b;c\r\n1,2;3\r\n2,3;4\r\n")
    assert receipt["dialect"]["delimiter"] == ","
    assert names(receipt) == ["a", "b;c"]


@pytest.mark.parametrize("ends", [["\r"], ["\r\n"], ["\n", "\r\n"], ["\r", "\n"], ["\n", "\r\n", "\r"]])
def test_all_line_ends_and_mixed_ones_are_read(folder, ends):
    lines = BASE.splitlines()
    folder.bring("".join(line + ends[number % len(ends)] for number, line in enumerate(lines)))
    assert folder.rows() == ROWS


@pytest.mark.parametrize("at", [0, 30, 70])
def test_a_nul_byte_is_an_error_with_its_place(folder, at):
    content = BASE.encode()
    line = content[:at].count(b"\n") + 1
    said = f"sources/data.csv: a NUL byte at offset {at}, on line {line}: "
    assert folder.bring(content[:at] + b"\0" + content[at:]).startswith(said)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("text", [BASE, "nom\nÉvreux\nCaen\nRouen\n", BASE.replace(";", "||")])
@pytest.mark.parametrize("below", ["", "\nSource : INSEE\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_nul_byte_in_a_file_of_declared_encoding_is_an_error_with_its_line(folder, end, text, below, encoding):
    content = (text + below).replace("\n", end).replace("Caen", "Ca\0en").encode(encoding)
    said = folder.bring(content, read={"encoding": encoding})
    line = text[: text.index("Caen")].count("\n") + 1
    assert said.startswith("sources/data.csv: ")
    assert "a NUL byte" in said
    assert f"line {line}: " in said


def test_a_row_in_another_encoding_is_rejected_with_its_line(folder):
    receipt = folder.bring((BASE + "50129;Bréhal;7\n").encode() + "14047;Bény-Bocage;8\n".encode("cp1252"))
    assert [line for line, _ in told(receipt)] == [7]
    assert len(folder.rows()) == 5


def test_the_mark_of_another_file_in_the_middle_and_line_separators_in_cells_are_kept(folder):
    folder.bring(codecs.BOM_UTF8 + BASE.encode() + "\ufeff14047;a\u2028b\x0bc\x85d;8\n".encode())
    assert folder.rows()[4] == ("\ufeff14047", "a\u2028b\x0bc\x85d", 8)


def test_a_comment_between_rows_is_rejected(folder):
    receipt = folder.bring("# notes\n" + BASE.replace("27229", "# plus bas\n27229"))
    assert [line for line, _ in told(receipt)] == [5]
    assert folder.rows() == ROWS


def test_a_header_that_begins_with_a_hash_is_one(folder):
    assert names(folder.bring("#id;nom;v\n1;a;2\n2;b;3\n3;c;4\n")) == ["#id", "nom", "v"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "mac_roman", "cp850"])
@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_old_encodings_and_old_line_ends_are_found_together(folder, encoding, end):
    content = BASE.replace("Rouen", "Forêt d’Eu".replace("’", "'")).replace("\n", end).encode(encoding)
    assert folder.bring(content)["dialect"]["encoding"] == encoding
    assert folder.rows()[1:3] == [("76540", "Forêt d'Eu", 7), ("27229", "Évreux", 9)]


def test_a_formula_is_stored_as_it_is_and_leaves_as_text(folder, datalab, tmp_path):
    content = 'n;lien\n1;"=HYPERLINK(""http://x"")"\n2;@a\n3;+b\n'
    folder.bring(content)
    assert folder.rows()[0][1] == '=HYPERLINK("http://x")'
    path = folder.write("f.csv", content)
    assert datalab("convert", str(path), "--out", str(tmp_path / "o"), "--format", "csv").code == 0
    assert '"\'=HYPERLINK(""http://x"")"' in (tmp_path / "o/f.csv").read_text()


def test_codes_stay_text_and_numbers_dates_and_markers_are_understood(folder):
    receipt = folder.bring(
        "commune;dep;siret;tel;montant;loyer;depuis\n"
        "01001;2A;21760351800011;0235193434;1\u00a0234,50;12,5;03/04/2024\n"
        "2A004;01;21760540600013;0232768000;12,00;NC;13/04/2024\n"
        "76540;76;21760540600013;0232768001;1\u202f000\u202f000,00;s;25/12/2024\n"
    )
    types = {column["name"]: column["type"] for column in receipt["columns"]}
    assert (types["commune"], types["tel"]) == ("commune", "phone")
    assert folder.rows("jeu.t", "siret")[0] == ("21760351800011",)
    assert (types["montant"], types["depuis"]) == ("decimal(18,2)", "date")
    assert folder.rows("jeu.t", "commune, loyer, loyer_marker")[1:] == [("2A004", None, "NC"), ("76540", None, "s")]


def test_a_date_of_two_digit_years_is_one_only_where_it_is_declared(folder):
    content = "n;d\n1;03/04/24\n2;13/04/24\n"
    folder.bring(content)
    assert folder.rows()[0][1] == "03/04/24"
    folder.bring(content, columns={"d": {"type": "date"}})
    assert str(folder.rows()[0][1]) == "2024-04-03"


def test_a_cell_of_a_megabyte_is_read(folder):
    folder.bring("n;v\n1;" + "é" * 500_000 + "\n2;b\n")
    assert folder.rows("jeu.t", "length(v)") == [(500_000,), (1,)]


def test_a_table_wider_than_the_engine_writes_at_once_is_put_together(folder):
    width = 2500
    rows = [
        [f"texte {place}" if place % 3 == 0 else str(number + place) for place in range(width)] for number in (7, 8)
    ]
    lines = [[f"c{place}" for place in range(width)], *rows, ["trop", "court"]]
    receipt = folder.bring("\n".join(map(";".join, lines)) + "\n", columns={"c2498": {"type": "integer"}})
    assert (receipt["rows_out"], [line for line, _ in told(receipt)]) == (2, [4])
    assert folder.rows("jeu.t", "c0, c1, c1000, c2498") == [
        ("texte 0", 8, 1007, 2505),
        ("texte 0", 9, 1008, 2506),
    ]


def test_more_columns_than_a_table_may_have_are_refused(folder):
    header = ";".join(f"c{place}" for place in range(MOST_COLUMNS + 1))
    said = folder.bring(f"{header}\n" + ";" * MOST_COLUMNS + "\n")
    assert f"{MOST_COLUMNS + 1} columns; at most {MOST_COLUMNS} are read" in said


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "iso8859_15", "utf-16", "mac_roman"])
def test_a_row_that_breaks_its_declared_type_has_its_line_whatever_the_encoding(folder, encoding):
    content = "a;b\n\u00c9vreux;1.5\nZo\u00e9;x\nYves;2\n".encode(encoding)
    receipt = folder.bring(content, columns={"b": {"type": "decimal"}}, read={"encoding": encoding})
    assert [line for line, _ in told(receipt)] == [3]
    assert receipt["rows_out"] == 2


@pytest.mark.parametrize("rows", ["1;a\n2;b\n3;c\n", "x;a\ny;b\nz;c\n"])
def test_a_cell_too_long_that_holds_lines_with_delimiters_is_refused_and_not_made_rows(folder, monkeypatch, rows):
    monkeypatch.setattr(careful, "MAX_RECORD", 50_000)
    cell = "Une remarque; avec un point-virgule ici\n" * 2_000
    said = folder.bring(f'n;v\n{rows}4;"{cell}"\n{rows}')
    assert "line 5: a quote is opened here and never closed, or the line has more than 50,000 signs" in said
