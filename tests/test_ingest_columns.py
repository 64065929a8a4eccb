"""Text until proven: what a column becomes, and that no value is changed on the way."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import prove
from ingest.kept import Kept


def column(folder, values: list[str], name: str = "v", **resource: object) -> tuple[str, list]:
    """The proven type of a column with these values, and the values as they are in the lake."""
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([["n", name], *([str(i), value] for i, value in enumerate(values))])
    receipt = folder.bring(text.getvalue(), **resource)
    return receipt["columns"][1]["type"], [row[1] for row in folder.rows()]


@pytest.mark.parametrize(
    ("values", "proven"),
    [
        (["1", "-20", "0"], "integer"),
        (["1 234", "12", "1 234 567"], "integer"),
        (["01", "2"], "text"),
        (["1", "12345678901234567890"], "text"),
        (["1.5", "2", "-0.25"], "decimal(18,2)"),
        (["1,5", "2"], "decimal(18,1)"),
        (["1,5", "2.5"], "text"),
        (["1.234", "12.500"], "text"),
        (["0.123", "12.500"], "decimal(18,3)"),
        (["48.856614", "2.3522219"], "float"),
        (["1e3", "2.5"], "float"),
        (["43.190533000000002", "5.6"], "decimal(18,15)"),
        (["0.03333333333333333", "0.5", "-12"], "float"),
        (["0.1000000000000000055511151231257827", "5.6"], "decimal(38,34)"),
        (["2E3", "1E10"], "text"),
        (["1E1", "7"], "text"),
        (["oui", "NON"], "boolean"),
        (["true", "false", "peut-être"], "text"),
        (["2024-01-31", "2024-02-29"], "date"),
        (["2024-01-31", "2023-02-29"], "text"),
        (["31/01/2024", "01/02/2024"], "date"),
        (["01/31/2024", "02/28/2024"], "date"),
        (["03/04/24", "04/04/24"], "text"),
        (["2024-01-31T10:00:00", "2024-01-31 10:00:00.25"], "timestamp"),
        (["2024-01-31T10:00:00+02:00", "2024-01-31T08:00:00Z"], "timestamp"),
        (["31/01/2024 10:00", "01/02/2024 23:59"], "timestamp"),
        (["Le Havre", "12"], "text"),
        (["NaN", "inf"], "text"),
        (["0x1F", "1_000"], "text"),
        (["+1", "+2"], "text"),
        (["", ""], "text"),
        ([" 12", "13 "], "integer"),
    ],
)
@pytest.mark.parametrize("few", [0, 500])
def test_a_column_has_the_narrowest_type_that_keeps_every_value(folder, monkeypatch, values, proven, few):
    # Large tables, such as one of more than no value, are proven by other SQL
    monkeypatch.setattr(prove, "_FEW", few)
    assert column(folder, values)[0] == proven


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("code_insee", ["76540", "76217"]),
        ("idBeneficiaire", ["123", "456"]),
        ("SIREN", ["120027016", "210600045"]),
        ("numéro", ["21060004500392"]),
        ("producteur", ["12002701600357", "21060004500392"]),
        ("CP", ["76600"]),
    ],
)
def test_digits_that_are_a_name_stay_text(folder, name, values):
    assert column(folder, values, name)[1] == values


def test_the_number_that_a_program_gave_to_a_row_is_a_number(folder):
    assert column(folder, ["1", "2"], "id") == ("integer", [1, 2])


def test_markers_become_null_and_stay_in_a_column_beside(folder):
    receipt = folder.bring("commune;naissances\n76001;12\n76002;s\n76003;NC\n76004;\n")
    assert folder.rows(columns="naissances, naissances_marker") == [(12, None), (None, "s"), (None, "NC"), (None, None)]
    told = {one["name"]: one for one in receipt["columns"]}
    assert told["naissances"]["markers"] == {"NC": 1, "s": 1}
    assert (told["naissances"]["type"], told["naissances"]["nulls"]) == ("integer", 3)


def test_a_marker_that_comes_late_is_kept_too(folder):
    folder.bring("n;v\n" + "1;2\n" * 30_000 + "1;n.d.\n")
    assert folder.rows(columns="v, v_marker")[-1] == (None, "n.d.")


def test_only_declared_markers_count_where_some_are_declared(folder):
    receipt = folder.bring("n;v\n1;-999\n2;s\n3;4\n", read={"missing": ["-999"]})
    assert receipt["columns"][1]["type"] == "text"
    folder.bring("n;v\n1;-999\n2;3\n", read={"missing": ["-999"]})
    assert folder.rows(columns="v, v_marker") == [(None, "-999"), (3, None)]


def test_what_a_spreadsheet_made_of_codes_stays_as_it_is_written(folder):
    assert column(folder, ["2.13002E+13", "2.13003E+13"], "siret") == ("text", ["2.13002E+13", "2.13003E+13"])


def test_a_computed_value_keeps_the_digits_of_its_float(folder):
    texts = ["0.03333333333333333", "3.3333333333333335", "0.5"]
    assert [repr(value) for value in column(folder, texts)[1]] == texts


def test_a_marker_in_a_declared_column_is_kept_beside_and_rejects_no_row(folder):
    content = "n;lat;v\n1;48,5;12\n2;NC;s\n3;97;x1\n"
    receipt = folder.bring(content, columns={"lat": {"type": "latitude"}, "v": {"type": "integer"}})
    assert folder.rows() == [(1, 48.5, None, 12, None), (2, None, "NC", None, "s")]
    assert [reject["line"] for reject in receipt["rejects"]] == [4]


def test_a_column_of_texts_keeps_its_markers_as_texts(folder):
    assert column(folder, ["a", "NC", "-"]) == ("text", ["a", "NC", "-"])


def test_a_code_that_one_value_breaks_is_text_and_says_which(folder):
    content = "siret;x\n21060004500392;1\n21060004500392;1\n12345678901234;1\n"
    told = folder.bring(content)["columns"][0]
    assert told["type"] == "text"
    assert "12345678901234" in told["why"]


def test_a_declared_code_rejects_the_rows_that_break_it(folder):
    receipt = folder.bring("c;x\n76001;1\n76000;1\n2A004;1\n1001;1\n", columns={"c": {"type": "commune"}})
    assert [reject["line"] for reject in receipt["rejects"]] == [3, 5]
    assert receipt["columns"][0]["type"] == "commune"


def test_a_value_that_comes_after_thousands_of_blanks_decides_the_type(folder):
    receipt = folder.bring("n;v\n" + "1;\n" * 30_000 + "1;2,5\n")
    assert receipt["columns"][1]["type"] == "decimal(18,1)"


def test_two_digit_years_are_dates_only_where_dates_are_declared(folder):
    receipt = folder.bring("n;d\n1;03/04/24\n", columns={"d": {"type": "date"}})
    assert str(folder.rows()[0][1]) == "2024-04-03"
    assert "from 1969 to 2068" in receipt["columns"][1]["why"]


def test_one_and_zero_are_booleans_only_where_booleans_are_declared(folder):
    assert column(folder, ["1", "0"]) == ("integer", [1, 0])
    assert column(folder, ["1", "0", ""], columns={"v": {"type": "boolean"}}) == ("boolean", [True, False, None])


@pytest.mark.parametrize(
    ("text", "typed"),
    [("8:30", "text"), ("08:30", "time"), ("23:59:59", "time"), ("25:10:00", "text")],
)
def test_a_time_of_day_is_one_before_midnight(folder, text, typed):
    assert column(folder, [text, "10:00"] if typed == "time" else [text])[0] == typed


def test_a_leading_zero_after_the_sample_keeps_the_column_text(folder):
    values = [str(number) for number in range(10_000, 31_000)] + ["09122"]
    proven, kept = column(folder, values)
    assert proven == "text"
    assert kept == values


def test_a_third_decimal_after_the_sample_widens_the_column_and_rounds_nothing(folder):
    values = ["1.25"] * 21_000 + ["0.125"]
    proven, kept = column(folder, values)
    assert proven == "decimal(18,3)"
    assert kept[-1] == Decimal("0.125")
    assert kept[0] == Decimal("1.25")


def test_french_dates_keep_their_day_and_month(folder):
    assert str(column(folder, ["03/04/2024", "25/12/2024"])[1][0]) == "2024-04-03"


def test_american_dates_are_taken_only_when_a_day_proves_them(folder):
    assert str(column(folder, ["03/04/2024", "12/25/2024"])[1][0]) == "2024-03-04"


def test_white_space_in_text_is_kept_and_alone_in_a_typed_column_is_null(folder):
    assert column(folder, [" a ", "b"])[1] == [" a ", "b"]
    assert column(folder, ["1", " ", "3"])[1] == [1, None, 3]


def test_a_declared_type_rejects_the_rows_that_break_it_with_line_and_reason(folder):
    receipt = folder.bring('n;note\n1;"deux\nlignes"\nx;b\n3;c\n', columns={"n": {"type": "integer"}})
    assert (receipt["rows_in"], receipt["rows_out"], receipt["rejected"]) == (3, 2, 1)
    assert receipt["rejects"] == [{"line": 4, "reason": "n: expected integer, found x", "text": "x | b"}]
    assert folder.rows("jeu.t_rejects", "line, reason, text") == [(4, "n: expected integer, found x", "x | b")]


def test_rejects_of_a_corrected_source_go_away(folder):
    declared = {"n": {"type": "integer"}}
    folder.bring("n;m\n1;a\nx;b\n3;c\n", columns=declared)
    folder.bring("n;m\n1;a\n2;b\n3;c\n", columns=declared, refresh=True)
    assert folder.rows("jeu.t_rejects") == []


def test_a_declared_column_that_is_not_there_is_named(folder):
    error = folder.bring("n;m\n1;2\n", columns={"nn": {"type": "integer"}})
    assert "the column 'nn' is not in the source; did you mean 'n'" in error


def test_a_tableschema_rejects_what_breaks_its_types_and_constraints(folder):
    folder.write(
        "schema.json",
        '{"fields": [{"name": "jour", "type": "date"}, {"name": "nom", "constraints": {"required": true}},'
        '{"name": "genre", "constraints": {"enum": ["a", "b{c}"]}},'
        '{"name": "k", "constraints": {"pattern": "[A-Z]{2}"}}]}',
    )
    text = "jour,nom,genre,k\n2024-01-01,x,a,AB\n2024-01-32,x,a,AB\n2024-01-01,,a,AB\n2024-01-01,x,c,AB\n"
    text += "2024-01-01,x,b{c},abc\n2024-01-02,y,,\n2024-01-03,z,a,CD\n2024-01-04,z,a,CD\n"
    receipt = folder.bring(text, tableschema="schema.json")
    assert [(reject["line"], reject["reason"]) for reject in receipt["rejects"]] == [
        (3, "jour: expected date, found 2024-01-32"),
        (4, "nom: a value is required, found nothing"),
        (5, "genre: expected one of a, b{c}, found c"),
        (6, "k: expected the pattern [A-Z]{2}, found abc"),
    ]


def test_a_column_that_the_tableschema_requires_and_the_file_lacks_is_an_error(folder):
    folder.write("schema.json", '{"fields": [{"name": "jour", "constraints": {"required": true}}]}')
    assert "requires the column 'jour'" in folder.bring("a,b\n1,2\n", tableschema="schema.json")


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n;,\"' "), max_size=8
) | st.sampled_from(["0", "007", "1.50", "1,5", "2024-02-30", "NC", "1e400", "-0", "9" * 19, "12 345", "oui"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12),
    st.sampled_from([";", ",", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_table_written_as_csv_is_accounted_for_and_text_reads_back_equal(folder, table, delimiter, end):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([["col_a", "col_b", "col_c"], *table])
    declared = {name: {"type": "text"} for name in ("col_a", "col_b", "col_c")}
    read = {"delimiter": delimiter}
    receipt = folder.bring(text.getvalue(), columns=declared, read=read)
    if isinstance(receipt, str) or receipt["rejected"]:
        # Words above figures may be more names, and the last rows notes: then it must help to declare that they are not
        read |= {"quote": '"', "data_row": 2, "footer_rows": 0}
        receipt = folder.bring(text.getvalue(), columns=declared, read=read)
    assert isinstance(receipt, dict), receipt
    assert receipt["rows_in"] == receipt["rows_out"] + receipt["rejected"] == len(table)
    assert folder.rows() == [tuple(cell or None for cell in row) for row in table]


def test_the_text_of_a_rejected_row_keeps_the_places_of_its_empty_cells(folder):
    receipt = folder.bring("a;b;n\n1;;2\n3;;x\n", columns={"n": {"type": "integer"}})
    assert [reject["text"] for reject in receipt["rejects"]] == ["3 |  | x"]


def test_a_text_among_dates_is_named_as_what_keeps_them_from_being_dates(folder):
    dates = "".join(f"2024-01-{day:02};{day}\n" for day in range(1, 29))
    told = folder.bring(f"jour;n\n{dates}hier;29\n")["columns"][0]
    assert (told["type"], "'hier'" in told["why"]) == ("text", True)


def test_one_decimal_is_said_so_and_a_column_keeps_the_form_of_a_receipt_that_said_it_otherwise(folder):
    receipt = folder.bring("n;v\n1;1,5\n2;2,5\n")
    assert receipt["columns"][1]["why"].endswith("and at most 1 decimal")
    older = Kept("DECIMAL(18,1)", receipt["columns"][1]["why"] + "s")
    form = older.form(lambda _separator, _grouped: (1, 1))
    assert form is not None
    assert form.why == receipt["columns"][1]["why"]
