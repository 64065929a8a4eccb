"""Each output check by its own examples, and what all of them say together of a file."""

from __future__ import annotations

import io

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.airlock.checks import CHECKS, check
from sandbox.airlock.checks.counts import Counted, counted, words
from sandbox.airlock.checks.differencing import told_together
from sandbox.airlock.checks.facts import Earlier, Facts
from sandbox.airlock.checks.givenback import given_back
from sandbox.airlock.checks.sketch import sketch, unsketched
from sandbox.airlock.checks.table import Table, UnreadableError, table_of

GOOD = [(one, example) for one in CHECKS for example in one.good]
BAD = [(one, example) for one in CHECKS for example in one.bad]


def found(name: str, content: bytes, facts: Facts | None = None) -> dict[str, str]:
    """The gravest severity of each check that found something."""
    order = ("note", "look", "stop")
    told = check(name, content, facts or Facts())[1]
    return {one.check: max((o.severity for o in told if o.check == one.check), key=order.index) for one in told}


def grave(one, example) -> list[str]:
    return [s for word, s in found(example.name, example.content, example.facts).items() if word == one.word]


@pytest.mark.parametrize(("one", "example"), GOOD, ids=[f"{one.word}-{at}" for at, (one, _) in enumerate(GOOD)])
def test_what_a_check_calls_good_passes_it(one, example):
    told = [s for s in grave(one, example) if s != "note"]
    if one.word == "image":
        told = [f.said for f in one.run(check(example.name, example.content, Facts())[0], Facts())]
    assert told == []


@pytest.mark.parametrize(("one", "example"), BAD, ids=[f"{one.word}-{at}" for at, (one, _) in enumerate(BAD)])
def test_what_a_check_calls_bad_is_found_by_it(one, example):
    assert grave(one, example) in (["look"], ["stop"])
    if one.word == "image":
        assert grave(one, example) == ["stop"]


def test_a_table_of_large_counts_has_nothing_against_it():
    assert found("t.csv", b"region;n;moyenne\nEst;120;1,5\nOuest;80;2,5\n") == {}


def parquet(table: pa.Table, **metadata: str) -> bytes:
    made = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata}), made)
    return made.getvalue()


def test_parquet_is_read_as_csv_is():
    table = pa.table({"region": ["Est", "Ouest"], "n": [120, 4]})
    assert found("t.parquet", parquet(table)) == {"small-cells": "look"}
    assert found("t.parquet", parquet(table, note="a row")) == {"hidden": "stop", "small-cells": "look"}
    assert found("t.parquet", parquet(table.append_column("x", pa.array([b"a", b"b"])))).get("hidden") == "stop"
    assert found("t.parquet", parquet(table.append_column("x", pa.array([[1], [2]])))).get("hidden") == "look"
    assert found("t.parquet", b"PAR1" + b"\0" * 40 + b"PAR1").get("table") == "stop"


def test_what_duckdb_writes_passes_too(tmp_path):
    with duckdb.connect() as con:
        con.sql("SELECT 'Est' AS region, 120 AS n").write_parquet(str(tmp_path / "t.parquet"))
    assert found("t.parquet", (tmp_path / "t.parquet").read_bytes()) == {}


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("csv", b"a;b\n1;2;3\n", "line 2 has 3 fields"),
        ("csv", b'a;b\n"1;2\n', "line 2"),
        ("json", b'[{"n": 12, "n": 4}]', "key twice"),
        ("json", b"[" * 100_000, "nested too deep"),
        ("json", b"nothing", "neither JSON"),
        ("parquet", b"PAR1", "."),
    ],
)
def test_what_is_no_whole_table_says_where(kind, content, said):
    with pytest.raises(UnreadableError, match=said):
        table_of(kind, content)


def test_json_that_is_no_table_is_for_a_person_to_read():
    assert found("chart.json", b'{"data": {"values": [1, 2]}}') == {"table": "look"}


def test_a_long_table_is_not_read_to_its_end():
    table = table_of("csv", b"n\n" + b"12\n" * 200_001)
    assert (len(table.rows), table.whole) == (200_000, False)


def test_words_of_a_name():
    assert words("count_star()") == ["count", "star"]
    assert words("nbÉtablissements") == ["nb", "etablissements"]


def test_rows_that_two_tables_share_only_by_a_third_are_not_said_to_be_found():
    # what the docstring says is not found: kept as a test, so that it stays true
    others = [tuple(counted(Table(("region", "n"), (("Est", count),)))) for count in ("60", "57")]
    facts = Facts(earlier=(Earlier(1, others[0]), Earlier(2, others[1])))
    assert "differencing" not in found("t.csv", b"region;n\nEst;120\n", facts)


counts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 400), min_size=2)


@given(counts, st.data())
def test_a_single_hidden_part_of_a_known_total_is_always_given_back(parts, data):
    hidden = data.draw(st.sampled_from(sorted(parts)))
    cells = {(name,): None if name == hidden else count for name, count in parts.items()}
    table = Counted("n", ("d",), {**cells, ("total",): sum(parts.values())})
    assert given_back(table, 10) == [(hidden,)]


@given(counts, st.data())
def test_two_hidden_parts_that_sum_up_to_enough_are_not(parts, data):
    hidden = data.draw(st.lists(st.sampled_from(sorted(parts)), min_size=2, max_size=2, unique=True))
    cells = {(name,): None if name in hidden else count for name, count in parts.items()}
    table = Counted("n", ("d",), {**cells, ("total",): sum(parts.values())})
    small = sum(parts[name] for name in hidden) < 10
    assert (sorted(given_back(table, 10)) == sorted((name,) for name in hidden)) == small


@given(counts, st.data())
def test_taking_a_few_units_out_of_a_released_table_is_always_found(parts, data):
    where = data.draw(st.sampled_from(sorted(parts)))
    less = data.draw(st.integers(1, 9))
    before = Counted("n", ("d",), {(name,): count + less for name, count in parts.items()})
    after = Counted("n", ("d", "e"), {(name, "x"): count + less * (name != where) for name, count in parts.items()})
    assert any(f"n {where}:" in one for one in told_together(after, before, 10))


cell = st.one_of(st.none(), st.text(max_size=6), st.integers(0, 400).map(str))


@given(
    st.lists(st.tuples(cell, cell, st.sampled_from(["4", "120", "s", None]))), st.sampled_from(["n", "region\n", ""])
)
def test_a_sketch_tells_the_counts_of_a_table_on_one_line(rows, name):
    table = Table(("region", name, "n"), tuple(rows))
    text = sketch(table)
    assert "\n" not in text
    assert unsketched(text) == tuple(counted(table))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells":[[1]],"dimensions":[],"counts":[["n",[]]]}', "\x00"])
def test_what_is_no_sketch_is_not_taken_for_one_without_counts(text):
    with pytest.raises(ValueError):  # noqa: PT011  any: the jail ends with it
        unsketched(text)


def test_a_sketch_of_what_is_no_table_has_no_counts():
    assert unsketched(sketch(None)) == ()


@given(st.binary(max_size=300), st.sampled_from(["csv", "json", "png", "jpg", "ipynb", "txt", "parquet"]))
def test_no_bytes_bring_the_checks_down(content, ending):
    head = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff", "parquet": b"PAR1"}.get(ending, b"")
    _, told = check(f"t.{ending}", head + content + (head if ending == "parquet" else b""), Facts())
    assert all(one.said and one.severity in {"note", "look", "stop"} for one in told)
    assert told or ending in {"csv", "json", "txt"}  # what only begins as an image or a table is none
