from __future__ import annotations

from collections import Counter

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.lake import ServedColumn
from catalog.receipt import Changes
from ingest.changes import Snapshot, changes
from ingest.run import ingest
from policies.model import RAW

FIRST = "code,nom,valeur\n01001,A,1\n01002,B,2\n01003,C,3\n01003,C,3\n"


def receipts(folder, edition=RAW):
    return folder.lab.lake.history("jeu", edition, "t")


def test_the_first_snapshot_changes_nothing_and_the_next_tells_its_rows(folder):
    folder.bring(FIRST)
    assert receipts(folder)[0]["changes"] is None
    folder.bring(FIRST.replace("01002,B,2", "01002,B,20").replace("01001,A,1\n", ""), refresh=True)
    assert receipts(folder)[0]["changes"] == {
        "rows_added": 1,
        "rows_removed": 2,
        "columns_added": [],
        "columns_removed": [],
        "columns_retyped": {},
    }


def test_one_of_two_equal_rows_is_a_row(folder):
    folder.bring(FIRST)
    folder.bring(FIRST.replace("01003,C,3\n01003,C,3\n", "01003,C,3\n"), refresh=True)
    assert receipts(folder)[0]["changes"]["rows_removed"] == 1


def test_rows_in_another_order_are_no_change(folder):
    folder.bring(FIRST)
    header, *rows = FIRST.splitlines()
    folder.bring("\n".join([header, *sorted(rows, reverse=True)]) + "\n", refresh=True)
    told = receipts(folder)[0]["changes"]
    assert (told["rows_added"], told["rows_removed"]) == (0, 0)


def test_what_was_appended_is_added(folder):
    folder.bring(FIRST, mode="append")
    folder.bring("code,nom,valeur\n01009,Z,9\n", mode="append", refresh=True)
    told = receipts(folder)[0]["changes"]
    assert (told["rows_added"], told["rows_removed"]) == (1, 0)


def served(folder, keep):
    folder.table("jeu", FIRST)
    folder.grant("jeu", {"open": {"t": {"keep": keep}}})
    list(ingest(folder.lab, "jeu", lambda _: None))


def test_an_edition_tells_only_of_what_it_has_itself(folder):
    served(folder, ["code"])
    folder.write("sources/data.csv", FIRST.replace("A,1", "A,100").replace("01003,C,3\n01003,C,3\n", "01003,C,3\n"))
    list(ingest(folder.lab, "jeu", lambda _: None))
    told = receipts(folder, "open")[0]["changes"]
    assert (told["rows_added"], told["rows_removed"]) == (0, 1)
    assert receipts(folder)[0]["changes"]["rows_removed"] == 2


def test_an_edition_that_another_policy_made_is_compared_with_nothing(folder):
    served(folder, ["code"])
    served(folder, ["code", "nom"])
    assert receipts(folder, "open")[0]["changes"] is None


def snapshot(folder, name, table):
    path = folder / name
    pq.write_table(table, path)
    with duckdb.connect() as con:
        described = con.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    return Snapshot(files=[path], columns=tuple(ServedColumn(name=row[0], type=row[1]) for row in described))


def test_columns_that_come_go_and_change_their_type_are_named_and_rows_compared_in_the_others(tmp_path):
    before = snapshot(tmp_path, "a.parquet", pa.table({"k": ["x", "y"], "old": [1, 2], "n": [1, 2]}))
    after = snapshot(tmp_path, "b.parquet", pa.table({"k": ["x", "z"], "n": [1.5, 2.5], "new": [True, False]}))
    assert changes(before, after, tmp_path, 200) == Changes(
        rows_added=1,
        rows_removed=1,
        columns_added=("new",),
        columns_removed=("old",),
        columns_retyped={"n": "BIGINT → DOUBLE"},
    )


def test_tables_that_share_no_column_differ_in_how_many_rows_they_have(tmp_path):
    before = snapshot(tmp_path, "a.parquet", pa.table({"a": [1, 2, 3]}))
    after = snapshot(tmp_path, "b.parquet", pa.table({"b": [1]}))
    told = changes(before, after, tmp_path, 200)
    assert (told.rows_added, told.rows_removed) == (0, 2)


values = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["", " ", "a", "A"]))
tables = st.lists(st.tuples(values, st.one_of(st.none(), st.integers(-3, 3))), max_size=20)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    return tmp_path_factory.mktemp("changes")


@settings(deadline=None)
@given(tables, tables)
def test_rows_are_counted_as_bags_are(disk, before, after):
    schema = pa.schema([("a", pa.string()), ("b", pa.int64())])

    def made(name, rows):
        return snapshot(disk, name, pa.table([[r[0] for r in rows], [r[1] for r in rows]], schema=schema))

    told = changes(made("a.parquet", before), made("b.parquet", after), disk, 200)
    assert told.rows_added == (Counter(after) - Counter(before)).total()
    assert told.rows_removed == (Counter(before) - Counter(after)).total()
