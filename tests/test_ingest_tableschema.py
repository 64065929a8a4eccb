"""What a TableSchema says is enforced, row by row, or refused by name: nothing of it is passed over."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

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
    assert "the schema requires the column 'k'" in bring(folder, rows, {"name": "k"}, {"name": "a"}, primaryKey="k")
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
    assert rejected(found) == [(5, "c: expected a number with decimalChar ',', found 3.5")]


@pytest.mark.parametrize(
    ("words", "values", "kept", "bad"),
    [
        ({"trueValues": ["oui"], "falseValues": ["non"]}, ["oui", "non"], [True, False], "OUI"),
        ({"trueValues": ["1"], "falseValues": ["0"]}, ["1", "0", "1"], [True, False, True], "true"),
        ({"trueValues": ["Ouvert (24h)"]}, ["Ouvert (24h)", "0"], [True, False], "1"),
        ({}, ["1", "0"], [True, False], "oui"),
        ({}, ["VRAI", "faux"], [True, False], "0"),
    ],
)
def test_the_words_of_a_boolean_are_those_declared(folder, words, values, kept, bad):
    assert [line for line, _ in rejected(one(folder, [*values, bad], type="boolean", **words))] == [len(values) + 2]
    assert folder.rows(columns="c") == [(value,) for value in kept]


def test_words_of_a_boolean_that_mean_two_things_are_refused(folder):
    assert "falseValues: 'oui' means the contrary" in one(folder, ["oui"], type="boolean", falseValues=["oui"])
    both = {"trueValues": ["1"], "falseValues": ["1"]}
    assert "'1' stands in both trueValues and falseValues" in one(folder, ["1"], type="boolean", **both)
    assert "trueValues is 'oui'; expected a list" in one(folder, ["oui"], type="boolean", trueValues="oui")


@pytest.mark.parametrize(
    ("field", "values", "kept", "bad"),
    [
        (
            {"groupChar": ".", "decimalChar": ","},
            ["1.234", "1.234.567,5", "12"],
            ["1234.0", "1234567.5", "12.0"],
            "1.23",
        ),
        ({"groupChar": ",", "decimalChar": "."}, ["1,234", "12.5"], ["1234.0", "12.5"], "12,5"),
        ({"groupChar": "'"}, ["1'234", "-2'000.5"], ["1234.0", "-2000.5"], "1'23"),
        ({"groupChar": " "}, ["1 234", "1\u202f234,5"], ["1234.0", "1234.5"], "1.234,5"),
        ({"decimalChar": "."}, ["1.234", "1 000.5"], ["1.234", "1000.500"], "1,234"),
        ({"bareNumber": False}, ["12,5 %", "-3%", "4"], ["12.5", "-3.0", "4.0"], "<5 %"),
        ({"bareNumber": False}, ["€ 12", "€-3.25", "€4"], ["12.00", "-3.25", "4.00"], "£5"),
        ({"bareNumber": False, "groupChar": "."}, ["1.234 k€", "2,5 k€"], ["1234.0", "2.5"], "5 €"),
    ],
)
def test_numbers_are_read_as_the_schema_says_that_they_are_written(folder, field, values, kept, bad):
    found = one(folder, [*values, bad], type="number", **field)
    assert [line for line, _ in rejected(found)] == [len(values) + 2]
    assert [str(value) for (value,) in folder.rows(columns="c")] == kept


def test_whole_numbers_are_read_as_the_schema_says_that_they_are_written(folder):
    found = one(folder, ["1.234", "12", "-1.000.000", "1.5"], type="integer", groupChar=".")
    assert rejected(found) == [(5, "c: expected an integer with groupChar '.', found 1.5")]
    assert folder.rows(columns="c") == [(1234,), (12,), (-1_000_000,)]
    found = one(folder, ["7 km", "8 km", "5 m"], type="integer", bareNumber=False)
    assert rejected(found) == [(4, "c: expected an integer with one unit beside it, found 5 m")]
    assert folder.rows(columns="c") == [(7,), (8,)]


@pytest.mark.parametrize(
    ("kind", "form", "values", "kept", "bad"),
    [
        ("date", "%m/%d/%Y", ["03/04/2024", "12/31/2024"], ["2024-03-04", "2024-12-31"], "31/12/2024"),
        ("date", "%d/%m/%Y", ["03/04/2024", "1/2/2024"], ["2024-04-03", "2024-02-01"], "12/31/2024"),
        ("date", "fmt:%d.%m.%y", ["03.04.24", "31.12.99"], ["2024-04-03", "1999-12-31"], "31.02.24"),
        ("date", "%Y%m%d", ["20240403", "20241231"], ["2024-04-03", "2024-12-31"], "2024043"),
        ("date", "default", ["2024-04-03", "2024-12-31"], ["2024-04-03", "2024-12-31"], "03/04/2024"),
        (
            "datetime",
            "%d/%m/%Y %Hh%M",
            ["03/04/2024 8h30", "03/04/2024 23h59"],
            ["2024-04-03 08:30:00", "2024-04-03 23:59:00"],
            "03/04/2024 24h00",
        ),
        ("datetime", "%m/%d/%Y %I:%M %p", ["12/31/2024 12:05 am"], ["2024-12-31 00:05:00"], "31/12/2024 1:00 PM"),
        (
            "datetime",
            "%Y-%m-%dT%H:%M:%S%z",
            ["2024-12-31T01:00:00+0200"],
            ["2024-12-30 23:00:00+00:00"],
            "2024-12-31T01:00:00",
        ),
        (
            "datetime",
            "%Y-%m-%dT%H:%M:%SZ",
            ["2024-12-31T01:00:00Z"],
            ["2024-12-31 01:00:00+00:00"],
            "2024-12-31T01:00:00",
        ),
        ("time", "%Hh%M", ["8h30", "08h05"], ["08:30:00", "08:05:00"], "8:30"),
    ],
)
def test_dates_and_times_are_read_as_the_schema_says_that_they_are_written(folder, kind, form, values, kept, bad):
    found = one(folder, [*values, bad], type=kind, format=form)
    assert [line for line, _ in rejected(found)] == [len(values) + 2]
    assert [str(value) for (value,) in folder.rows(columns="c")] == kept


def test_a_descriptor_that_declares_another_type_than_the_schema_keeps_how_its_numbers_are_written(folder):
    fields = [{"name": "c", "type": "number", "groupChar": "."}, {"name": "d", "type": "date", "format": "%m/%d/%Y"}]
    folder.write("schema.json", json.dumps({"fields": fields}))
    declared = {"c": {"type": "integer"}, "d": {"type": "text"}}
    receipt = folder.bring("c;d\n1.234;03/04/2024\n5;x\n", tableschema="schema.json", columns=declared)
    assert rejected(receipt) == []
    assert folder.rows() == [(1234, "03/04/2024"), (5, "x")]


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
        ({"type": ["number"]}, "the type ['number'] is not read here"),
        ({"type": "date", "format": "%B %Y"}, "the format '%B %Y' of a date is not read here"),
        ({"type": "date", "format": "%d/%m"}, "the format '%d/%m' of a date is not read here"),
        ({"type": "date", "format": "%d/%m/%Y %H:%M"}, "the format '%d/%m/%Y %H:%M' of a date is not read here"),
        ({"type": "time", "format": "%H"}, "the format '%H' of a time is not read here"),
        ({"type": "number", "bareNumber": "no"}, "bareNumber is 'no'; expected true or false"),
        ({"type": "number", "groupChar": "-"}, "groupChar '-' is not read here"),
        ({"type": "number", "groupChar": ",", "decimalChar": ","}, "groupChar and decimalChar are both ','"),
        ({"type": "number", "decimalChar": "'"}, 'decimalChar "\'" is not read here'),
        ({"constraints": {"minimun": 1}}, "the constraint 'minimun' is not checked here; did you mean 'minimum'"),
        ({"constraints": {"minimum": 1}}, "minimum of a string is not checked here"),
        ({"type": "date", "constraints": {"minimum": "hier"}}, "minimum: 'hier' is no date"),
        ({"type": "array", "constraints": {"minLength": 1}}, "minLength: 1 of a array is not checked here"),
        ({"type": "boolean", "constraints": {"minimum": 1}}, "minimum of a boolean is not checked here"),
        ({"type": "duration", "constraints": {"minimum": "P1D"}}, "minimum of a duration is not checked here"),
        ({"type": "year", "constraints": {"minimum": 24}}, "minimum: 24 is no year; expected a year YYYY"),
        ({"type": "integer", "constraints": {"maximum": "dix"}}, "maximum: 'dix' is no number"),
        ({"constraints": {"enum": ["a", None]}}, "enum is ['a', None]; expected a list of values"),
        ({"type": "object", "constraints": {"enum": ["{}"]}}, "enum of a object is not checked here"),
        ({"constraints": ["required"]}, "constraints is ['required']; expected an object"),
        (
            {"constraints": {"format": "uri"}},
            "format stands in constraints, where it says nothing; write it beside them",
        ),
        ({"required": True}, "required stands beside the type, where it says nothing"),
        ({"constraints": {"pattern": "(?=a)"}}, "the pattern '(?=a)' cannot be checked here"),
        ({"constraints": {"pattern": "(a)\\1"}}, "references back are not there"),
        ({"constraints": {"pattern": "[a-z-[aeiou]]"}}, "a class of signs without those of another is not there"),
        ({"constraints": {"pattern": "\\i\\c*"}}, "\\i is not read here"),
        ({"constraints": {"pattern": "[\\W]"}}, "\\W is not read here in a class of signs"),
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


@pytest.mark.parametrize(
    ("kind", "constraint", "good", "bad"),
    [
        ("integer", {"maximum": 9007199254740992}, "9007199254740992", "9007199254740993"),
        ("integer", {"exclusiveMinimum": -9007199254740993}, "-9007199254740992", "-9007199254740993"),
        ("integer", {"minimum": 1.5}, "2", "1"),
        ("integer", {"exclusiveMaximum": 1.5}, "1", "2"),
        ("integer", {"enum": [9007199254740993, 2.5]}, "9007199254740993", "9007199254740992"),
        ("integer", {"maximum": 1e300, "minimum": "0"}, "7", "-7"),
        ("number", {"minimum": 0.1}, "0.10", "0.09"),
        ("number", {"maximum": "12345678901234567890.12"}, "12345678901234567890.12", "12345678901234567890.13"),
        ("number", {"exclusiveMaximum": 0.125}, "0.12", "0.13"),
        ("number", {"exclusiveMinimum": 1e-300}, "0.01", "0.00"),
        ("number", {"enum": [0.1, 1.005]}, "0.10", "1.01"),
        ("number", {"maximum": 48.856614}, "48.856614", "48.856615"),
        ("number", {"enum": ["48.856614"]}, "48.856614", "48.856615"),
        ("time", {"minimum": "08:30:00"}, "08:30", "08:29:59"),
        ("year", {"minimum": 1990, "enum": [1990, 2024]}, "1990", "1989"),
        ("yearmonth", {"maximum": "2024-06"}, "2024-06", "2024-07"),
    ],
)
def test_a_value_is_compared_exactly(folder, kind, constraint, good, bad):
    assert [line for line, _ in rejected(one(folder, [good, good, bad], type=kind, constraints=constraint))] == [4]


def test_a_bound_that_the_schema_writes_with_many_digits_keeps_them(folder):
    text = '{"fields": [{"name": "c", "type": "number", "constraints": {"maximum": 12345678901234567.12}}]}'
    folder.write("schema.json", text)
    found = folder.bring("c;m\n12345678901234567.12;a\n12345678901234567.13;b\n", tableschema="schema.json")
    assert [line for line, _ in rejected(found)] == [3]


def test_a_bound_of_numbers_on_a_column_that_the_descriptor_makes_a_text_is_an_error(folder):
    field = {"name": "c", "type": "number", "constraints": {"minimum": 2}}
    folder.write("schema.json", json.dumps({"fields": [field]}))
    told = folder.bring("c;m\n1;a\n", tableschema="schema.json", columns={"c": {"type": "text"}})
    assert "column 'c': the schema has a constraint of numbers, expected at least 2, but the column is declared" in told


def test_bounds_hold_for_numbers_that_the_file_itself_types(folder):
    made = folder.root / "made.parquet"
    columns = {
        "f": pa.array([0.1, 0.1, 0.25, float("nan"), 0.1, 0.1, 0.1], pa.float32()),
        "d": pa.array([0.1] * 6 + [0.2], pa.float64()),
        "n": pa.array([Decimal("9007199254740992.1")] * 5 + [Decimal("9007199254740992.2")] * 2, pa.decimal128(20, 1)),
    }
    pq.write_table(pa.table(columns), made)
    fields = [
        {"name": "f", "type": "number", "constraints": {"minimum": 0.1, "maximum": 0.1}},
        {"name": "d", "type": "number", "constraints": {"enum": [0.1, 0.2]}},
        {"name": "n", "type": "number", "constraints": {"maximum": "9007199254740992.1"}},
    ]
    found = bring(folder, made.read_bytes(), *fields, name="x.parquet")
    assert "4 of 7 rows break a key or a value that is declared" in found
    fields[2]["constraints"] = {"enum": ["9007199254740992.1", "9007199254740992.2"]}
    assert [line for line, _ in rejected(bring(folder, made.read_bytes(), *fields, name="x.parquet"))] == [3, 4]


@pytest.mark.parametrize(
    ("values", "declared", "said"),
    [
        (["a", "1"], {"type": "number"}, None),
        ([True, False], {"type": "number"}, "is declared number, but the file itself has it as boolean"),
        ([dt.date(2024, 1, 1)] * 2, {"type": "number"}, "is declared number, but the file itself has it as date"),
        ([1, 2], {"type": "string"}, "is declared text, but the file itself has it as integer"),
        ([1.5, 2.0], {"type": "integer"}, "is declared integer, but the file itself has it as float"),
        ([Decimal("1.5")] * 2, {"type": "boolean"}, "is declared boolean, but the file itself has it as decimal"),
    ],
)
def test_a_type_that_the_file_itself_has_must_be_the_one_declared(folder, values, declared, said):
    made = folder.root / "made.parquet"
    pq.write_table(pa.table({"c": pa.array(values), "m": ["é", "é"]}), made)
    found = bring(folder, made.read_bytes(), {"name": "c", **declared}, name="x.parquet")
    if said is None:
        assert rejected(found) == [(1, "c: expected decimal, found a")]
    else:
        assert said in found


def test_a_json_value_that_is_no_number_is_rejected_where_a_number_is_declared(folder):
    found = bring(
        folder,
        '[{"c": 1.5}, {"c": true}, {"c": "2"}, {"c": "x"}, {"c": 3}]',
        {"name": "c", "type": "number"},
        name="x.json",
    )
    assert [line for line, _ in rejected(found)] == [2, 4]


@pytest.mark.parametrize(
    ("values", "bad"),
    [([48.8, 97.5, -12.25], 2), ([Decimal("48.85"), Decimal("90.01"), Decimal("1.00")], 2)],
)
def test_a_meaning_declared_of_a_number_of_the_file_itself_is_enforced(folder, values, bad):
    made = folder.root / "made.parquet"
    pq.write_table(pa.table({"c": pa.array(values)}), made)
    found = folder.bring(made.read_bytes(), name="x.parquet", columns={"c": {"type": "latitude"}})
    assert rejected(found) == [(bad, f"c: expected a latitude in degrees, found {values[bad - 1]}")]


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("^\\d{9}$", "120027016", "12002701"),
        ("[A-Za-z\\s\\-\\u00C0-\\u00FF]+", "Le Plessis-Trévise", "Le Plessis_Trévise"),
        ("\\w+\\s\\w+", "été\u00a0indien", "été-indien"),
        ("[\\w'’-]+", "Saint-Lô", "Saint Lô"),
        ("\\W", "-", "é"),
        ("\\S+", "été", "l été"),
        ("[]a]+", "a]", "b"),
        ("\\[[^]]+\\]", "[é]", "é"),
        ("(?:(?:^|,)(^FR[A-Z0-9]{4,33}$|Non concerné))+$", "FRA68P68021001", "FR*A68"),
        ("a\\Z", "a", "b"),
    ],
)
def test_a_pattern_means_what_python_and_xml_schema_mean(folder, pattern, good, bad):
    assert [line for line, _ in rejected(one(folder, [good, good, bad], constraints={"pattern": pattern}))] == [4]


def test_a_missing_value_of_a_text_breaks_no_other_constraint(folder):
    field = {"name": "c", "constraints": {"enum": ["a", "b"], "minLength": 1, "pattern": "[a-z]"}}
    found = bring(folder, "c;m\na;1\n-;2\nz;3\nb;4\n", field, missingValues=["", "-"])
    assert rejected(found) == [(4, "c: expected one of a, b, found z")]
    found = bring(folder, "an;m\n2024;1\n-;2\n24;3\n2023;4\n", {"name": "an", "type": "year"}, missingValues=["", "-"])
    assert rejected(found) == [(4, "an: expected a year YYYY, found 24")]


def test_a_position_on_no_globe_is_no_geopoint(folder):
    found = one(folder, ["180, -90.0", "1.5,49", "181, 4", "2, 91"], type="geopoint")
    assert [line for line, _ in rejected(found)] == [4, 5]


def test_fields_without_a_column_stand_in_the_receipt_and_one_named_almost_so_is_an_error(folder):
    fields = {"name": "a"}, {"name": "Année"}, {"name": "b"}
    assert bring(folder, "a;c\n1;2\n", *fields)["notes"] == [
        "fields of schema.json that the file has not: 'Année', 'b'"
    ]
    told = bring(folder, "a;ANNEE\n1;2\n", *fields)
    assert "the file has 'ANNEE' and not 'Année'; write the field as the file does" in told
    assert isinstance(bring(folder, "année;Année\n1;2\n", {"name": "Année"}), dict)


def test_a_field_that_may_be_two_columns_or_stands_twice_is_an_error(folder):
    assert "the field 'a' stands for 2 columns of the file" in bring(folder, "a;a\n1;2\n", {"name": "a"})
    assert "2 fields are named 'a'; expected one" in bring(folder, "a;b\n1;2\n", {"name": "a"}, {"name": "a"})


def test_missing_values_that_are_no_texts_are_an_error(folder):
    told = bring(folder, "a;b\n1;2\n", {"name": "a"}, missingValues=[{"value": "-", "label": "x"}])
    assert "missingValues is [{'value': '-', 'label': 'x'}]; expected a list of texts" in told


def test_what_other_tools_add_to_a_schema_is_told_as_not_checked(folder):
    fields = {"name": "a"}, {"name": "b", "arrayItem": {"type": "string"}}
    checks = [{"name": "french-siret-value", "params": {"column": "a"}}]
    notes = bring(folder, "a;b\n1;2\n", *fields, custom_checks=checks)["notes"]
    assert notes == ["of schema.json this is not checked: arrayItem of the field 'b', custom_checks"]


def test_a_schema_such_as_france_publishes_is_enforced_on_each_row(folder):
    """Of the kinds of fields that stand on schema.data.gouv.fr: patterns, booleans in many words, positions, hours."""
    words = {
        "trueValues": ["true", "TRUE", "1", "vrai", "VRAI"],
        "falseValues": ["false", "FALSE", "0", "faux", "FAUX"],
    }
    needed = {"constraints": {"required": True}}
    several = "(?:(?:^|,)(^FR[A-Z0-9]{4,33}$|Non concerné))+$"
    fields = [
        {"name": "id", "constraints": {"required": True, "unique": True, "pattern": several}},
        {"name": "insee", "constraints": {"required": True, "pattern": "^([013-9]\\d|2[AB1-9])\\d{3}$"}},
        {"name": "xy", "type": "geopoint", "format": "array", **needed},
        {"name": "nb", "type": "integer", "constraints": {"required": True, "minimum": 0}},
        {"name": "gratuit", "type": "boolean", **words, **needed},
        {"name": "horaires", "constraints": {"pattern": "(.*?)((\\d{1,2}:\\d{2})-(\\d{1,2}:\\d{2})|24/7)"}},
        {"name": "service", "type": "date", "format": "%Y-%m-%d", **needed},
        {"name": "contact", "format": "email", **needed},
    ]
    good = ["FRA68P1", "76540", "[1.0993,49.4431]", "2", "VRAI", "Mo-Fr 08:00-12:00", "2021-12-30", "a@ville.fr"]
    bad = {1: "7654", 2: "[1.09]", 3: "-1", 4: "oui", 5: "le jour", 6: "30/12/2021", 7: "a@"}
    names = [field["name"] for field in fields]
    rows = [names, good, *([f"FRA68P{number}", *good[1:]] for number in range(2, 9))]
    for column, cell in bad.items():
        rows.append([f"FRA69P{column}", *good[1:column], cell, *good[column + 1 :]])
    text = "".join("|".join(row) + "\n" for row in rows)
    receipt = bring(folder, text, *fields, read={"delimiter": "|"}, missingValues=[""])
    assert [reason.partition(":")[0] for _, reason in rejected(receipt)] == [names[column] for column in bad]
    assert [column["type"] for column in receipt["columns"][2:7]] == ["text", "integer", "boolean", "text", "date"]


def test_a_missing_value_is_no_value_of_a_unique_column_and_no_key(folder):
    rows = "code;note\nx;a\n-;b\n-;c\ny;d\nz;e\n"
    unique = {"name": "code", "constraints": {"unique": True}}
    assert rejected(bring(folder, rows, unique, missingValues=["", "-"])) == []
    keyed = bring(folder, rows, {"name": "code"}, missingValues=["", "-"], primaryKey="code")
    assert rejected(keyed) == [(3, "code: the key is missing"), (4, "code: the key is missing")]
    assert [line for line, _ in rejected(bring(folder, rows, unique))] == [3, 4]


def test_a_schema_none_of_whose_fields_is_a_column_is_an_error(folder):
    told = bring(folder, "a;b\n1;2\n", {"name": "c", "type": "integer"}, {"name": "d"})
    assert "none of its fields is a column of the file, which has 'a', 'b'; declare where the names stand" in told
