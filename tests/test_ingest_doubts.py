"""What a person sees at once in an odd file is read; what the first rows leave in doubt is refused, or declared."""

from __future__ import annotations

import pytest

HEADER = ["jour", "ville", "montant"]
ROWS = [["2024-01-02", "Le Havre", "12"], ["2024-01-03", "Évreux", "7"], ["2024-01-04", "Caen", "3"]] * 2
READ = [("Le Havre", 12), ("Évreux", 7), ("Caen", 3)] * 2


def parted(rows: list[list[str]], delimiter: str = ";") -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


def seen(folder) -> list[tuple]:
    return folder.rows("jeu.t", "ville, montant")


@pytest.mark.parametrize("delimiter", ["::", "~", "^", "#", "&", "\x01", "\x1f", ",\t", "\t,", "||"])
@pytest.mark.parametrize("montant", ["12", "12,5", "a, b"])
def test_rare_delimiters_are_found_beside_commas_in_cells(folder, delimiter, montant):
    rows = [[*row[:2], montant] for row in ROWS]
    receipt = folder.bring(parted([HEADER, *rows], delimiter))
    assert (receipt["dialect"]["delimiter"].strip(), receipt["rejected"]) == (delimiter.strip(), 0)
    assert folder.rows("jeu.t", "ville") == [(city,) for city, _ in READ]
    assert [column["name"] for column in receipt["columns"]] == HEADER


@pytest.mark.parametrize("blanks", [" ; ", " ;", ";  ", ";\t", "\t; ", "   ;\t "])
@pytest.mark.parametrize("quote", ["", '"'])
def test_blanks_beside_every_delimiter_are_none_of_the_cells(folder, blanks, quote):
    rows = [[f"{quote}{cell}{quote}" for cell in row] for row in [HEADER, *ROWS]]
    receipt = folder.bring(parted(rows, blanks))
    assert [column["name"] for column in receipt["columns"]] == HEADER
    assert seen(folder) == READ
    assert receipt["dialect"]["delimiter"] == f"{' ' * (blanks[0] != ';')};{' ' * (blanks[-1] != ';')}"


def test_blanks_within_quotes_stay_where_blanks_stand_beside_every_delimiter(folder):
    rows = [[f'"{day}"', f'" {city} ; ""nord"" ; x "', amount] for day, city, amount in ROWS]
    assert folder.bring(parted([HEADER, *rows], "  ; "))["rejected"] == 0
    assert seen(folder)[0] == (' Le Havre ; "nord" ; x ', 12)


def test_backquotes_may_be_quotes(folder):
    receipt = folder.bring("code;nom\n`76351`;`Le Havre; 76`\n`76540`;`Rouen ``rive`` droite`\n")
    assert receipt["dialect"]["quote"] == "`"
    assert folder.rows() == [("76351", "Le Havre; 76"), ("76540", "Rouen `rive` droite")]


def test_rows_that_stand_each_within_quotes_are_rows(folder):
    cells = [HEADER, *([day, f'"{city}, nord"', amount] for day, city, amount in ROWS)]
    lines = [line.replace('"', '""') for line in parted(cells, ",").splitlines()]
    receipt = folder.bring("".join(f'"{line}"\n' for line in lines))
    assert (receipt["dialect"]["delimiter"], receipt["rejected"]) == (",", 0)
    assert seen(folder)[0] == ("Le Havre, nord", 12)


def test_a_column_of_cells_within_quotes_with_two_commas_in_some_is_a_column(folder):
    receipt = folder.bring('"adresse"\n"1, rue Verte, Caen"\n"2, rue Basse, Rouen"\n"Mairie"\n')
    assert (len(receipt["columns"]), receipt["rows_out"]) == (1, 3)


@pytest.mark.parametrize("cell", ['"dit "oui" hier"', '"un 5" tuyau"'])
def test_quotes_within_a_quoted_cell_that_are_not_doubled_are_text_where_the_row_is_sure(folder, cell):
    rows = [[day, f'"{city}"', amount] for day, city, amount in ROWS]
    receipt = folder.bring(parted([HEADER, *rows[:3], ["2024-02-01", cell, "9"], *rows[3:]]))
    assert receipt["rejected"] == 0
    assert seen(folder)[3] == (cell[1:-1], 9)


@pytest.mark.parametrize("cell", ['""oui"', '"oui"x', '"oui" ; "non"', '"oui";"non"x'])
def test_quotes_that_may_be_read_in_two_ways_are_rejected(folder, cell):
    rows = [[day, f'"{city}"', amount] for day, city, amount in ROWS]
    receipt = folder.bring(parted([HEADER, *rows[:3], ["2024-02-01", cell, "9"], *rows[3:]]))
    assert [reject["line"] for reject in receipt["rejects"]] == [5]
    assert seen(folder) == READ


@pytest.mark.parametrize("sign", ["/", "-", "_", "\\t"])
def test_a_sign_that_parts_every_line_alike_is_refused_with_how_to_declare_it(folder, sign):
    content = parted([["nom", "ville", "metier"], *([f"Paul {city}", city, "maire"] for _, city, _ in ROWS)], sign)
    assert f"declare delimiter: {sign[0]!r} under read:" in folder.bring(content)
    assert folder.bring(content, read={"delimiter": sign})["columns"][1]["name"] == "ville"
    assert len(folder.bring(content, read={"delimiter": ";"})["columns"]) == 1


@pytest.mark.parametrize(("start", "end"), ["””", "**", "«»", "“”", "[]"])
def test_cells_within_signs_that_are_no_quotes_are_refused(folder, start, end):
    content = parted([[f"{start}{cell}{end}" for cell in row] for row in [HEADER, *ROWS]])
    assert f"the cells stand within {start} and {end}" in folder.bring(content)
    assert folder.bring(content, read={"quote": '"'})["rows_out"] == 6


def test_a_column_that_holds_the_signs_between_cells_is_refused(folder):
    said = folder.bring(parted([[f"|{cell}|" for cell in row] for row in [HEADER, *ROWS]], ","))
    assert "column 3 holds nothing but ',': declare the delimiter and the quote" in said


def test_a_second_row_of_names_is_refused_with_how_to_declare_it(folder):
    content = parted([HEADER, ["date", "commune", "somme"], *ROWS])
    said = folder.bring(content)
    assert "line 2 has words above columns of figures" in said
    assert "header_rows: 2" in said
    joined = folder.bring(content, read={"header_row": 1, "header_rows": 2})
    assert [column["source_name"] for column in joined["columns"]] == ["jour date", "ville commune", "montant somme"]
    assert folder.bring(content, read={"data_row": 3})["dialect"]["above"] == "date | commune | somme"
    assert seen(folder) == READ
    assert folder.bring(content, read={"data_row": 2})["rows_out"] == 7


@pytest.mark.parametrize("codes", [["AN20", "LIBGEO", "P20_POP"], ["AN", "LIBGEO", "C20_MEN_S1"]])
def test_a_second_row_of_names_may_hold_figures_as_those_of_insee_do(folder, codes):
    content = parted([HEADER, codes, *ROWS])
    assert "line 2 has words above columns of figures" in folder.bring(content)
    assert folder.bring(content, read={"data_row": 3})["rows_out"] == 6
    assert seen(folder) == READ


@pytest.mark.parametrize("first", [["1er mai", "Bayeux", "beaucoup"], ["mardi", "Bayeux", "2 ou 3"]])
def test_a_first_row_of_words_that_begin_with_figures_is_a_row(folder, first):
    assert folder.bring(parted([HEADER, first, *ROWS]))["rows_out"] == 7


def test_a_first_row_with_a_code_like_those_below_it_is_a_row(folder):
    rows = [[f"W76{at}", city, amount, amount] for at, (_, city, amount) in enumerate(ROWS)]
    assert folder.bring(parted([["rna", "ville", "a", "b"], ["W760", "Bayeux", "peu", "rien"], *rows]))["rows_out"] == 7


@pytest.mark.parametrize(
    "first", [["NC", "Bayeux", "s"], ["2024-01-01", "Bayeux", "beaucoup"], ["?", "Caen", "?"], ["", "x", ""]]
)
def test_a_first_row_with_a_marker_or_one_odd_cell_is_a_row(folder, first):
    assert folder.bring(parted([HEADER, first, *ROWS]))["rows_out"] == 7


@pytest.mark.parametrize("gap", ["", "\n", "\n\n"])
def test_another_table_as_wide_below_is_refused(folder, gap):
    other = parted([["age", "nom", "code"], *([str(at), "Paul", f"A{at}"] for at in range(5))])
    said = folder.bring(parted([HEADER, *ROWS]) + gap + other)
    assert f"line {8 + len(gap)} may be the names of another table" in said


def test_the_rows_of_a_narrower_table_below_are_rejected(folder):
    receipt = folder.bring(parted([HEADER, *ROWS]) + parted([["nom", "age"], ["Paul", "33"], ["Anne", "44"]]))
    assert [reject["line"] for reject in receipt["rejects"]] == [8, 9, 10]
    assert seen(folder) == READ


@pytest.mark.parametrize("row", [["Eure", "Orne", "Manche"], ["inconnu", "Caen", "inconnu"]])
@pytest.mark.parametrize("more", [ROWS, [*ROWS[:2], ["jeudi", "Vire", "peu"], ["mardi", "Sées", "rien"]]])
def test_a_row_of_words_among_figures_is_a_row_where_the_columns_go_on_alike(folder, row, more):
    assert folder.bring(parted([HEADER, *ROWS, row, *more]))["rows_out"] == 7 + len(more)


@pytest.mark.parametrize("values", [["2024-01-02", "2024-01-03", "2024-01-04"], ["02-35-19", "02-32-76", "02-32-77"]])
@pytest.mark.parametrize("header", ["", "date-de-fin\n"])
def test_codes_with_as_many_signs_as_the_name_are_one_column(folder, values, header):
    receipt = folder.bring(header + "\n".join(values) + "\n")
    assert (len(receipt["columns"]), receipt["rows_out"]) == (1, 3)


@pytest.mark.parametrize("sign", [",", "\t", "|"])
@pytest.mark.parametrize("width", [2, 3])
def test_a_declared_delimiter_that_stands_nowhere_is_refused_where_another_parts_the_lines(folder, sign, width):
    content = parted([row[1 : width + 1] for row in [[*HEADER, "note"], *([*row, "vu"] for row in ROWS)]], sign)
    said = folder.bring(content, read={"delimiter": ";"})
    assert f"each line has {width} parts between {sign!r} and none between the declared ';'" in said
    receipt = folder.bring(content, read={"delimiter": ";", "names": ["tout"]})
    assert ([column["name"] for column in receipt["columns"]], receipt["rows_out"]) == (["tout"], 6)
    assert len(folder.bring(content, read={"delimiter": sign})["columns"]) == width


def test_a_column_of_texts_with_commas_is_one_where_another_delimiter_is_declared(folder):
    content = "remarque\nvu, et payé\nrien\nà voir, ou non\n"
    assert folder.bring(content, read={"delimiter": ";"})["rows_out"] == 3


def test_names_within_brackets_above_plain_values_are_names(folder):
    assert folder.bring(parted([[f"[{name}]" for name in HEADER], *ROWS]))["rows_out"] == 6


@pytest.mark.parametrize("line", ["2024-01-02;Le Havre;12", "76351;Le Havre", "Caen;12,5"])
def test_a_single_row_with_a_figure_may_be_names_or_data_and_is_refused(folder, line):
    assert "line 1 may be the names or the only row" in folder.bring(f"{line}\n")
    assert folder.bring(f"{line}\n", read={"header_row": 0})["rows_out"] == 1


@pytest.mark.parametrize("line", ["commune;2019;2020", "nom;ville", "nom;1;2;3", "T1 2020;T2 2020"])
def test_a_header_alone_with_years_or_counted_names_is_one(folder, line):
    assert "no row of data stands below the header" in folder.bring(f"{line}\n")


def test_a_file_of_nothing_but_delimiters_is_empty(folder):
    assert "the file is empty: no cell says anything" in folder.bring(";;\n;;\n;;\n")


@pytest.mark.parametrize("encoding", ["cp037", "cp500", "cp1140"])
def test_ebcdic_is_refused_and_may_be_declared(folder, encoding):
    content = parted([HEADER, *ROWS], ";").encode(encoding)
    assert "this may be EBCDIC; declare its encoding" in folder.bring(content)
    assert folder.bring(content, read={"encoding": encoding})["rows_out"] == 6


@pytest.mark.parametrize("text", ["nom\nCaen\nCafé", "État\nCaen\nRouen"])
@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "cp850"])
def test_the_only_accent_may_be_the_first_or_the_last_sign_of_the_file(folder, text, encoding):
    folder.bring(text.encode(encoding), read={"header_row": 0})
    assert [row[0] for row in folder.rows()] == text.split("\n")


def test_a_grave_accent_alone_is_likelier_than_a_german_sound(folder):
    assert folder.bring("nom;n\nLefèvre;1\nMartin;2\n".encode("cp850"))["dialect"]["encoding"] == "cp850"


@pytest.mark.parametrize("more", ["", "zz"])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("at", range(4))
def test_a_cell_too_many_moves_no_other_in_a_table_of_few_rows(folder, more, place, at):
    rows = [
        ["2024-01-02", "12:00", "Caen", "7.5", ""],
        *([f"2024-01-0{n}", "13:00", "Vire", f"{n}.5", "vu"] for n in "345"),
    ]
    rows = [*rows[1 : at + 1], rows[0], *rows[at + 1 :]]
    header = ["jour", "heure", "ville", "montant", "note"]
    broken = [*rows[at][:place], more, *rows[at][place:]]
    receipt = folder.bring(parted([header, *rows[:at], broken, *rows[at + 1 :]], ","))
    assert [reject["line"] for reject in receipt["rejects"]] == [at + 2]
    assert folder.rows("jeu.t", "ville, note") == [("Vire", "vu")] * 3


@pytest.mark.parametrize("header", ["nom;ville;metier", "nom\tville\tmetier", "nom:ville:metier", '"nom,ville,metier"'])
def test_names_parted_otherwise_above_a_table_of_texts_are_refused(folder, header):
    rows = "Paul,Caen,juge\nAnne,Rouen,maire\nLuc,Vire,maire\n"
    assert "line 1 may be the header, parted by" in folder.bring(f"{header}\n{rows}")
    assert folder.bring(f"Liste des élus\nnom,ville,metier\n{rows}")["rows_out"] == 3


def test_a_quote_too_many_in_the_last_name_takes_no_row_away(folder):
    content = 'nom,ville,"metier\nPaul,Caen,juge\nAnne,Rouen,maire\nLuc,Vire,"juge, avocat"\n'
    assert "line 1: a quote too many among the names" in folder.bring(content)
