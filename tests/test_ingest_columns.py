"""Text until proven: what a column becomes, and that no value is changed on the way."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


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
def test_a_column_has_the_narrowest_type_that_keeps_every_value(folder, values, proven):
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
    assert column(folder, values, name) == ("text", values)


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
    assert folder.rows("jeu.t_rejects") == [(4, "n: expected integer, found x", "x | b")]


def test_rejects_of_a_corrected_source_go_away(folder):
    declared = {"n": {"type": "integer"}}
    folder.bring("n;m\n1;a\nx;b\n3;c\n", columns=declared)
    folder.bring("n;m\n1;a\n2;b\n3;c\n", columns=declared)
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
    receipt = folder.bring(text.getvalue(), columns=declared, read={"delimiter": delimiter})
    assert receipt["rows_in"] == receipt["rows_out"] + receipt["rejected"] == len(table)
    assert folder.rows() == [tuple(cell or None for cell in row) for row in table]
