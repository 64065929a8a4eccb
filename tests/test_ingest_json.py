"""JSON and NDJSON: the records found, every value as it was written, every record there or rejected."""

from __future__ import annotations

import io
import json
import random
from decimal import Decimal

import pytest

from ingest.readers import flat, jsonlists, jsonrecords, jsonseq, jsontext
from ingest.readers.jsonlists import lists_in

DEEP = 100_000


def bring(folder, content, **resource):
    return folder.bring(content, name="data.json", **resource)


def values(folder, *written: str, lines: bool = False) -> list:
    """What becomes of one key with these JSON values."""
    records = [f'{{"v": {value}, "row": "r"}}' for value in written]
    content = "\n".join(records) if lines else f"[{', '.join(records)}]"
    assert isinstance(bring(folder, content), dict)
    return [row[0] for row in folder.rows(columns="v")]


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (["1", "2"], [1, 2]),
        (["1.10", "2.25"], ["1.10", "2.25"]),
        (["-0", "0.0000001", "1E400", '"x"'], ["-0", "0.0000001", "1E400", "x"]),
        (["12345678901234567890123", "7", '"x"'], ["12345678901234567890123", "7", "x"]),
        (['"01"', '"02"'], ["01", "02"]),
        (['"1"', '"2"'], ["1", "2"]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["true", "7"], ["true", "7"]),
        (["true", "false"], [True, False]),
        (["27", '"2A"'], ["27", "2A"]),
        (["[1, NaN]", "-Infinity"], ["[1, NaN]", "-Infinity"]),
        (['"a \\"NaN\\" b"', "-Infinity"], ['a "NaN" b', "-Infinity"]),
        (['[1, {"a": 1.10}]', "[]"], ['[1, {"a": 1.10}]', "[]"]),
        (["null", '"x"'], [None, "x"]),
        (['"\\u00e9\\ud83d\\ude00"', '"x"'], ["é😀", "x"]),
        (['"2024-01-31"', '"2024-02-29"'], ["2024-01-31", "2024-02-29"]),
    ],
)
def test_a_value_is_kept_as_it_was_written(folder, written, kept, lines):
    seen = values(folder, *written, lines=lines)
    assert [value if isinstance(value, bool | int | None) else str(value) for value in seen] == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (["1e2", "3E5"], [100.0, 300000.0]),
        (["1.0e17", "250", "0.5"], [1e17, 250.0, 0.5]),
        (["49.1829", "6.1e-05", "null", "-0.5"], [49.1829, 6.1e-05, None, -0.5]),
        (["0.30000000000000004", "1e-7"], [0.30000000000000004, 1e-7]),
        (["1e-20", "12"], [1e-20, 12.0]),
        (["1E400", "1e2"], ["1E400", "1e2"]),
        (["1e2", '"x"'], ["1e2", "x"]),
        (["1e2", "true"], ["1e2", "true"]),
        (["12345678901234567890", "1e2"], [Decimal(12345678901234567890), Decimal(100)]),
        (['"1e2"', '"3e5"'], ["1e2", "3e5"]),
    ],
)
def test_numbers_with_exponents_are_floats_where_no_digit_is_lost(folder, written, kept):
    seen = values(folder, *written)
    assert seen == kept
    assert list(map(type, seen)) == list(map(type, kept))


def test_an_exponent_in_a_column_of_codes_stays_text(folder):
    bring(folder, '[{"code_insee": 1e2}, {"code_insee": 27}]')
    assert folder.rows() == [("1e2",), ("27",)]


def test_an_exponent_breaks_no_declared_type(folder):
    bring(folder, '[{"lon": 6.1e-05, "n": 1e2}, {"lon": 1.5, "n": 2.5}]', columns={"lon": {"type": "longitude"}})
    assert folder.rows(columns="lon, n") == [(6.1e-05, 100.0), (1.5, 2.5)]


def test_objects_in_records_become_columns(folder):
    receipt = bring(folder, '[{"n": 1, "buyer": {"id": "a", "place": {"code": "76"}}}, {"n": 2, "buyer": null}]')
    assert [(column["name"], column["source_name"]) for column in receipt["columns"]] == [
        ("n", "n"),
        ("buyer_id", "buyer.id"),
        ("buyer_place_code", "buyer.place.code"),
        ("buyer", "buyer"),
    ]
    assert folder.rows() == [(1, "a", "76", None), (2, None, None, None)]


def test_names_that_meet_when_they_are_joined_stay_two_columns(folder):
    bring(folder, '[{"a": {"b": 1}, "a_b": 2, "a.b": 3, "": 4}]')
    assert folder.rows(columns='"a_b", "a_b_2", "a.b", "column_4"') == [(1, 2, 3, 4)]


def test_a_column_may_appear_late(folder, monkeypatch):
    monkeypatch.setattr(flat, "_ROWS", 2)
    bring(folder, json.dumps([{"a": 1}, {"a": 2}, {"a": 3, "b": "x"}, {"c": 4}, {"a": 5}]))
    assert folder.rows() == [(1, None, None), (2, None, None), (3, "x", None), (None, None, 4), (5, None, None)]


# Where the records are


def test_the_only_list_of_objects_is_the_records(folder):
    receipt = bring(folder, '{"nhits": 2, "tags": ["a", "b"], "data": {"items": [{"a": 1}, {"a": 2}]}, "more": {}}')
    assert (receipt["dialect"]["records"], receipt["rows_in"]) == ("data.items", 2)


def test_of_several_lists_one_must_be_declared(folder):
    content = '{"facets": [{"n": 1}], "results": [{"a": 1}, {"a": 2}], "x": {"y": [{"b": {"c": [{}]}}]}}'
    assert bring(folder, content) == (
        "sources/data.json: it has 3 lists of records: facets (1), results (2), x.y (1); "
        "choose one: read: {records: facets}"
    )
    assert bring(folder, content, read={"records": "results"})["rows_in"] == 2
    assert "no list of records stands at 'rows'; there are: facets" in bring(folder, content, read={"records": "rows"})


def test_a_list_of_lists_has_the_names_in_its_first(folder):
    receipt = bring(folder, '[["code", "n"], ["01", 1.50], ["02", 2], ["03"], ["04", {"x": 1}]]')
    assert (receipt["rows_in"], receipt["rows_out"]) == (4, 3)
    assert receipt["rejects"][0]["line"] == 4
    assert receipt["rejects"][0]["reason"] == "expected a list of 2 values"
    assert folder.rows(columns="code, CAST(n AS VARCHAR), n_x") == [
        ("01", "1.50", None),
        ("02", "2.00", None),
        ("04", None, 1),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '{"a": [1, 2], "b": ["x", "y"]}',
            "lists of values (a, b), as if each were a column; expected a list of objects",
        ),
        ("[1, 2]", "lists of values (the document itself)"),
        ("", "the file is empty"),
        ('{"a": 1}', "no list of records stands in it"),
        ("7", "no list of records stands in it"),
        ("[]", "no list of records stands in it"),
        ('{"a": []}', "no list of records stands in it"),
        ("[[1, 2], [3, 4]]", "a list of lists whose first has no names"),
        ('[["a", "a"], [3, 4]]', "has one twice"),
        ("[{}, {}]", "no record with a value in it"),
        ('{"a": 1, "a": [{"b": 1}]}', "the key 'a' stands twice"),
        ('[{"a": 1}', "cannot be read as JSON, it may be cut: parse error: premature EOF"),
        ('[{"a": 1}] x', "cannot be read as JSON"),
        ('[{"a": 01}]', "cannot be read as JSON"),
        ('[{"a": 1},]', "cannot be read as JSON"),
    ],
)
def test_what_has_no_records_says_so(folder, content, said):
    assert said in bring(folder, content)


def test_a_declared_list_without_objects_is_refused(folder):
    said = bring(folder, '{"a": [1], "b": [{"c": 1}]}', read={"records": "a"})
    assert "the list at 'a' has no objects in it" in said


# What is rejected


def test_what_is_no_object_or_unclear_is_rejected_by_its_number(folder):
    receipt = bring(
        folder,
        '[{"a": 1}, 7, {"a": 2, "a": 3}, {"a": 4, "b": {"c": 1, "c": 1}}, {"a": "\\ud800"}, {"a": 5}'
        ', {"a": 6}, {"a": 7}]',
    )
    assert [(one["line"], one["reason"]) for one in receipt["rejects"]] == [
        (2, "expected an object"),
        (3, "the key 'a' stands twice in one object"),
        (4, "the key 'c' stands twice in one object"),
        (5, "a text holds half a character"),
    ]
    assert (receipt["rows_in"], receipt["rows_out"]) == (8, 4)


def test_a_broken_line_is_rejected_by_its_number(folder):
    content = b'{"a": 1}\n\n{"a": \n[1]\r\n{"a": 2}\n{"a": "\xff"}\n' + b'{"a": 3}\n' * 3
    receipt = folder.bring(content, name="data.ndjson")
    assert [one["line"] for one in receipt["rejects"]] == [3, 4, 6]
    assert [one["reason"].split(":")[0] for one in receipt["rejects"]] == ["no JSON", "expected an object", "not UTF-8"]
    assert (receipt["rows_in"], receipt["rows_out"]) == (8, 5)


def test_texts_after_rs_are_read_as_lines_are_however_many_lines_they_have(folder):
    content = '\x1e{"a":\n 1}\n\x1e\x1e{"a": \x1e{"a": 2}\n\x1e{"a": 3}'
    receipt = folder.bring(content, name="data.json")
    assert (receipt["format"], receipt["rows_in"], receipt["rows_out"]) == ("ndjson", 4, 3)
    assert [(one["line"], one["reason"].split(":")[0]) for one in receipt["rejects"]] == [(3, "no JSON")]
    assert folder.rows() == [(1,), (2,), (3,)]


@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
@pytest.mark.parametrize("separator", ["\n", "\r\n", "\x1e"])
def test_texts_are_found_wherever_a_piece_ends(tmp_path, monkeypatch, chunk, separator):
    monkeypatch.setattr(jsonseq, "_CHUNK", chunk)
    path = tmp_path / "x"
    content = separator.join(["", "", '{"a": 1}', " ", '{"b": "\\u001e\\n"}', "", "[2]", " "])
    with io.StringIO(content.lstrip(" ")) as file:
        assert jsonseq.count_texts(file) == 3
        file.seek(0)
        assert [one.value for one in jsonseq.read_texts(path, file, jsontext.JsonDecoder())] == [
            {"a": "1"},
            {"b": "\x1e\n"},
            ["2"],
        ]


def test_a_row_that_breaks_its_declared_type_is_rejected_by_its_line(folder):
    content = '{"a": 1}\n\n{"a": "x"}\n{"a": 2}\n'
    receipt = folder.bring(content, name="data.ndjson", columns={"a": {"type": "integer"}})
    assert [(one["line"], one["text"]) for one in receipt["rejects"]] == [(3, "x")]


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("content", ['[{"é": "à"}]', '{"é": "à"}\n{"é": "à"}\n'])
def test_every_encoding_of_unicode_is_read(folder, encoding, content):
    read = {"format": "ndjson"} if content.startswith("{") else {}
    assert isinstance(bring(folder, content.encode(encoding), read=read), dict)
    assert folder.rows(columns="é")[0] == ("à",)


def test_another_encoding_must_be_declared(folder):
    content = '[{"é": "à"}]'.encode("cp1252")
    assert "cannot be read as utf-8" in bring(folder, content)
    assert isinstance(bring(folder, content, read={"encoding": "cp1252"}), dict)
    assert folder.rows(columns="é") == [("à",)]


# What is hostile


@pytest.mark.parametrize(
    "content",
    [
        "[" * DEEP,
        '[{"a": ' + "[" * DEEP + "]" * DEEP + "}]",
        '{"a":' * DEEP + "1" + "}" * DEEP,
        '[{"a": 1}, ' + '{"a":' * DEEP,
    ],
)
def test_100_000_levels_are_an_error(folder, content):
    assert "nested more than 200 levels deep" in bring(folder, content)


def test_100_000_levels_in_a_line_are_a_reject(folder):
    content = '{"a": 1}\n{"a": 2}\n{"a": ' + "[" * DEEP + "]" * DEEP + "}\n"
    receipt = folder.bring(content, name="data.ndjson")
    assert receipt["rejects"][0]["line"] == 3


def test_more_columns_than_a_table_may_have_are_an_error(folder, monkeypatch):
    monkeypatch.setattr(flat, "MAX_COLUMNS", 100)
    said = bring(folder, json.dumps([{f"k{one}": 1} for one in range(200)]))
    assert "line or record 101: the records have more than 100 columns" in said


def test_a_mapping_of_countless_keys_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(jsonlists, "_MOST_KEYS", 100)
    assert "an object with so many keys" in bring(folder, json.dumps({f"k{one}": {"a": 1} for one in range(200)}))


def test_a_text_without_an_end_is_an_error(folder, monkeypatch):
    for module in (jsonlists, jsonseq, jsontext):
        monkeypatch.setattr(module, "MAX_RECORD", 50_000)
        monkeypatch.setattr(module, "_CHUNK", 10_000)
    assert "a text of more than 50000 signs" in bring(folder, '[{"a": "' + 'x\\"' * 50_000 + '"}]')
    assert "a record of more than 50000 signs" in bring(folder, '[{"a": [' + '"x", ' * 50_000 + '"x"]}]')
    assert "line 2: a record of more than 50000 signs" in folder.bring(
        '{"a": 1}\n{"a": "' + "x" * 60_000 + '"}', name="d.ndjson"
    )


def test_a_large_list_beside_the_records_is_passed_over_in_pieces(folder, monkeypatch):
    monkeypatch.setattr(jsontext, "_CHUNK", 7)
    beside = json.dumps([{"x": ']}\\"', "y": [1, "[{"]}] * 20)
    content = f'{{"first": {beside}, "n": 12345, "s": "a\\"]", "r": [{{"a": 1234567}}, {{"a": "\\u00e9]"}}], "z": 1}}'
    bring(folder, content, read={"records": "r"})
    assert folder.rows() == [("1234567",), ("é]",)]


def test_how_many_records_a_server_has_in_all_stands_in_the_receipt_and_no_text_that_may_be_secret(folder):
    content = (
        '{"nhits": 1250, "meta": {"whole": false, "n": null}, "next": "https://x?key=1", "r": [{"a": 1}], "z": 1.50}'
    )
    dialect = bring(folder, content)["dialect"]
    said = {key: value for key, value in dialect.items() if key not in {"encoding", "records"}}
    assert said == {"nhits": "1250", "meta.whole": "false", "z": "1.50"}


@pytest.mark.parametrize("chunk", [1, 3, 8, 1000])
def test_nan_is_found_wherever_a_piece_ends(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(jsonlists, "_CHUNK", chunk)
    path = tmp_path / "x.json"
    path.write_text('{"a": "x NaN \\" NaN", "b": NaN, "c": [{"v": -Infinity}, {"v": NaN}, {"v": "NaN"}]}')
    assert [(one.name, one.objects) for one in lists_in(path, "utf-8")] == [("c", 3)]


def test_what_python_writes_is_read_back(tmp_path, folder):
    """Random documents: as many records, and the same values, as Python's own reading of the whole."""
    rng = random.Random(3)  # noqa: S311  the same each time
    texts = ["", "a", 'é"\\]}', "NaN", "1.0", "\n", "{"]

    def value(depth: int) -> object:
        kinds = [
            lambda: rng.choice(texts),
            lambda: rng.randrange(-10, 10**20),
            lambda: None,
            lambda: rng.random() < 0.5,
        ]
        if depth < 3:
            kinds += [lambda: [value(depth + 1) for _ in range(rng.randrange(3))]]
        return rng.choice(kinds)()

    records = [{key: value(0) for key in rng.sample("abcdef", 3)} for _ in range(300)]
    assert (
        bring(folder, json.dumps({"n": 300, "in": {"r": records}}, ensure_ascii=rng.random() < 0.5))["rows_in"] == 300
    )
    kept = folder.rows(columns="a, b, c, d, e, f")

    def said(one: object) -> str | None:
        if one is None or isinstance(one, str):
            return one
        return json.dumps(one, ensure_ascii=False)

    assert kept == [tuple(said(record.get(key)) for key in "abcdef") for record in records]


def test_a_reading_that_stops_early_is_caught_by_the_count(folder, monkeypatch):
    read = jsonrecords._listed  # noqa: SLF001  what is broken on purpose
    monkeypatch.setattr(jsonrecords, "_listed", lambda *given: list(read(*given))[:-1])
    assert "3 records stand in the file, 2 were read" in bring(folder, '[{"a": 1}, {"a": 2}, {"a": 3}]')
