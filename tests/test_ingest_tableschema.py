"""What a TableSchema says is enforced, row by row, or refused by name: nothing of it is passed over."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def bring(folder, text: str | bytes, *fields: dict, name: str = "data.csv", read: dict | None = None, **schema):
    folder.write("schema.json", json.dumps({"fields": list(fields), **schema}))
    return folder.bring(text, name=name, tableschema="schema.json", **({} if read is None else {"read": read}))


def rejected(receipt: dict | str) -> list[tuple[int, str]]:
    assert isinstance(receipt, dict), receipt
    assert receipt["rows_in"] == receipt["rows_out"] + receipt["rejected"]
    return [(reject["line"], reject["reason"]) for reject in receipt["rejects"]]


def one(folder, values: list[str], **field) -> dict | str:
    """The receipt of a table of these values, with a column beside that nothing is said of."""
    text = "c|m\n" + "".join(f"{value}|é\n" for value in values)
    return bring(folder, text, {"name": "c", **field}, read={"delimiter": "|"})


def test_rows_that_share_a_value_declared_unique_are_rejected_with_their_lines_and_the_reason(folder):
    rows = "n,a\n1,x\n2,y\nz,o\n3,p\n2,z\n,r\n,s\n4,t\n5,t\n6,t\n"
    receipt = bring(folder, rows, {"name": "n", "type": "integer", "constraints": {"unique": True}})
    assert rejected(receipt) == [
        (3, "n: the key stands on 2 rows, expected one"),
        (4, "n: expected integer, found z"),
        (6, "n: the key stands on 2 rows, expected one"),
    ]
    assert folder.rows(columns="n") == [(1,), (3,), (None,), (None,), (4,), (5,), (6,)]
    assert folder.rows("jeu.t_rejects", "line, text") == [(3, "2 | y"), (4, "z | o"), (6, "2 | z")]


def test_numbers_written_in_two_ways_are_the_same_value_of_a_unique_column(folder):
    values = ["1.50", "1.5", "2", "3", "4", "5"]
    assert [line for line, _ in rejected(one(folder, values, type="number", constraints={"unique": True}))] == [2, 3]


def test_a_primary_key_of_two_columns_is_one_key_that_every_row_has(folder):
    fields = {"name": "a"}, {"name": "b b"}
    rows = "a,b b,v\nx,1,é\nx,2,é\nx,1,é\n,3,é\ny,1,é\ny,2,é\nz,1,é\nz,2,é\n"
    assert rejected(bring(folder, rows, *fields, primaryKey=["a", "b b"])) == [
        (2, "a, b_b: the key stands on 2 rows, expected one"),
        (4, "a, b_b: the key stands on 2 rows, expected one"),
        (5, "a, b_b: the key is missing"),
    ]
    assert "the schema requires the column 'k'" in bring(folder, rows, {"name": "k"}, primaryKey="k")
    assert "the key 'q' is none of the fields: a" in bring(folder, rows, {"name": "a"}, primaryKey="q")


def test_a_bound_is_of_the_value_and_not_of_how_it_is_written(folder):
    numbers = ["1 000,5", "12,5", "1 200,0", "7,0", "8,0", "9,0", "5,25"]
    bounds = {"minimum": 7, "exclusiveMaximum": 1200}
    assert rejected(one(folder, numbers, type="number", constraints=bounds)) == [
        (4, "c: expected less than 1200, found 1200.00"),
        (8, "c: expected at least 7, found 5.25"),
    ]
    days = ["01/02/2024", "31/12/2023", "15/06/2024", "03/03/2024", "04/03/2024"]
    found = one(folder, days, type="date", constraints={"minimum": "2024-01-01", "maximum": "2024-06-01"})
    assert [line for line, _ in rejected(found)] == [3, 4]


@pytest.mark.parametrize(
    ("kind", "form", "good", "bad"),
    [
        ("year", None, "2024", "24"),
        ("yearmonth", None, "2024-12", "2024-13"),
        ("time", None, "23:59", "24:01"),
        ("duration", None, "P1DT2H", "2 jours"),
        ("geopoint", None, "1.5, 49.2", "49"),
        ("geopoint", "array", "[1.5,49.2]", "1.5, 49.2"),
        ("array", None, "[1]", "1"),
        ("geojson", None, '{"type":"Point"}', "Point"),
        ("string", "email", "a@ville.fr", "a@"),
        ("string", "uri", "https://ville.fr", "ville"),
        ("string", "uuid", "5bf69714-0000-4000-8000-00000000abcd", "5bf69714"),
        ("string", "binary", "YWJj", "a"),
        ("date", "%d/%m/%y", "01/02/24", "2024-02-01"),
    ],
)
def test_a_type_and_its_format_reject_what_is_none(folder, kind, form, good, bad):
    field = {"type": kind} | ({} if form is None else {"format": form})
    assert [line for line, _ in rejected(one(folder, [good, good, bad], **field))] == [4]


def test_dates_in_another_order_than_the_format_says_are_an_error(folder):
    values = ["01/02/2024", "02/03/2024", "25/12/2024"]
    assert "is not in the format that its tableschema declares" in one(folder, values, type="date", format="%m/%d/%Y")
    assert rejected(one(folder, values, type="date", format="%d/%m/%Y")) == []
    assert rejected(one(folder, ["", ""], type="date", format="%d/%m/%Y")) == []


def test_the_decimal_sign_that_is_declared_is_the_only_one(folder):
    found = one(folder, ["1,5", "2,5", "2", "3.5"], type="number", decimalChar=",")
    assert rejected(found) == [(5, "c: expected a number with decimalChar ,, found 3.5")]


def test_the_words_of_a_boolean_are_those_declared(folder):
    words = {"trueValues": ["oui"], "falseValues": ["non"]}
    assert rejected(one(folder, ["oui", "non", "OUI"], type="boolean", **words)) == [
        (4, "c: expected one of oui, non, found OUI")
    ]
    assert "trueValues: '1' is not read as a boolean" in one(folder, ["1"], type="boolean", trueValues=["1"])
    assert "falseValues: 'oui' is not read" in one(folder, ["oui"], type="boolean", falseValues=["oui"])


def test_missing_values_of_the_schema_are_markers_and_no_values_where_one_is_required(folder):
    fields = {"name": "n", "type": "integer"}, {"name": "r", "type": "integer", "constraints": {"required": True}}
    fields += ({"name": "t", "constraints": {"required": True}},)
    rows = "n,r,t\n1,1,a\n-999,2,b\n3,-999,c\n4,4,-999\n5,5,e\n6,6,f\nNC,7,g\n"
    assert rejected(bring(folder, rows, *fields, missingValues=["", "-999"])) == [
        (4, "r: a value is required, found nothing"),
        (5, "t: a value is required, found -999"),
        (8, "n: expected integer, found NC"),
    ]
    assert folder.rows(columns="n, n_marker") == [(1, None), (None, "-999"), (5, None), (6, None)]


def test_constraints_hold_where_the_file_itself_has_types(folder):
    made = folder.root / "made.parquet"
    pq.write_table(pa.table({"n": [1, 2, None, 40, 5, 6, 6]}), made)
    constraints = {"required": True, "maximum": 10, "pattern": "[1-9]", "unique": True}
    found = bring(
        folder, made.read_bytes(), {"name": "n", "type": "integer", "constraints": constraints}, name="x.parquet"
    )
    assert found == (
        "sources/x.parquet: 4 of 7 rows break a key or a value that is declared; the first on line 3: "
        "n: a value is required, found nothing. Name a key that every row has once, and declare what is there"
    )


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"type": "nombre"}, "field 'c': the type 'nombre' is not read here; did you mean 'number'"),
        ({"format": "siret"}, "the format 'siret' of a string is not checked here"),
        ({"type": "date", "format": "%B %Y"}, "the format '%B %Y' is not read here"),
        ({"type": "number", "bareNumber": False}, "bareNumber: false is not read here"),
        ({"type": "number", "groupChar": "."}, "groupChar '.' is not read here"),
        ({"type": "number", "decimalChar": "'"}, 'decimalChar "\'" is not read here'),
        ({"constraints": {"minimun": 1}}, "the constraint 'minimun' is not checked here; did you mean 'minimum'"),
        ({"constraints": {"minimum": 1}}, "minimum of a string is not checked here"),
        ({"type": "date", "constraints": {"minimum": "hier"}}, "minimum: 'hier' is no date"),
        ({"type": "array", "constraints": {"minLength": 1}}, "minLength: 1 of a array is not checked here"),
        ({"constraints": {"pattern": "(?=a)"}}, "the pattern '(?=a)' cannot be checked here"),
        ({"constraints": {"required": "yes"}}, "required is 'yes'; expected true or false"),
        ({"constraints": {"enum": "a"}}, "enum is 'a'; expected a list"),
        ({"missingValues": ["-"]}, "missingValues of one field is not read here"),
    ],
)
def test_what_is_not_enforced_is_refused_by_its_name(folder, field, said):
    assert said in one(folder, ["1", "2"], **field)


def test_a_foreign_key_is_refused_by_its_name(folder):
    assert "foreignKeys is not checked here" in bring(
        folder, "a,b\n1,2\n", {"name": "a"}, foreignKeys=[{"fields": "a"}]
    )
