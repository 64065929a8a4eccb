"""New bytes are all of a table, come below it, or replace rows by key; the rows before, added and replaced add up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.judged import source_numbers
from ingest.run import ingest
from ingest.verdict import accept, refuse
from policies.model import RAW

GRANTS = (
    {"to": "everyone", "edition": "open"},
    {"to": "user:steward", "edition": RAW, "until": "2999-01-01"},
)


def bring(folder, content: str, **resource):
    folder.table("jeu", content, **resource)
    folder.grant("jeu", {"open": {"t": {"keep": ["n"]}}}, *GRANTS)
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    return outcome


def append(folder, content: str, **resource):
    return bring(folder, content, mode="append", **resource)


def merge(folder, content: str, key=("n",), **resource):
    return bring(folder, content, mode="merge", key=list(key), **resource)


def receipt(folder) -> dict:
    return folder.lab.lake.history("jeu", RAW, "t")[0]


def counts(folder) -> tuple[int, int, int, int]:
    told = receipt(folder)
    assert told["rows_total"] == told["rows_before"] + told["rows_out"] - told["rows_replaced"] == len(folder.rows())
    return told["rows_before"], told["rows_out"], told["rows_replaced"], told["rows_total"]


def test_appended_rows_come_below_those_before_and_into_the_editions(folder):
    assert append(folder, "n;a\n1;x\n2;y\n").status == "ingested"
    assert append(folder, "n;a\n3;z\n").status == "ingested"
    assert folder.rows() == [(1, "x"), (2, "y"), (3, "z")]
    assert folder.rows('"jeu@open".t') == [(1,), (2,), (3,)]
    assert counts(folder) == (2, 1, 0, 3)
    assert append(folder, "n;a\n4;x\n").status == "ingested"
    assert counts(folder) == (3, 1, 0, 4)


def test_the_same_bytes_are_appended_once_however_long_ago(folder):
    first, second = "n;a\n1;x\n", "n;a\n2;y\n"
    for content in (first, second):
        assert append(folder, content).status == "ingested"
    for content in (second, first):
        assert append(folder, content).status == "unchanged"
    assert append(folder, first, columns={"a": {"type": "text"}}).status == "unchanged"
    assert folder.rows() == [(1, "x"), (2, "y")]


def test_a_merge_replaces_rows_by_key_and_adds_the_others(folder):
    merge(folder, "n;a\n1;x\n2;y\n3;z\n")
    assert merge(folder, "n;a\n2;Y\n4;w\n").status == "ingested"
    assert sorted(folder.rows()) == [(1, "x"), (2, "Y"), (3, "z"), (4, "w")]
    assert counts(folder) == (3, 2, 1, 4)
    assert merge(folder, "n;a\n2;Y\n4;w\n").status == "unchanged"
    assert sorted(folder.rows('"jeu@open".t')) == [(1,), (2,), (3,), (4,)]


def test_a_key_of_two_columns_is_one_key(folder):
    merge(folder, "n;a;v\n1;x;1\n1;y;2\n", key=("n", "a"))
    merge(folder, "n;a;v\n1;y;3\n2;y;4\n", key=("n", "a"))
    assert sorted(folder.rows()) == [(1, "x", 1), (1, "y", 3), (2, "y", 4)]


def test_rows_without_a_key_of_their_own_are_rejected_with_their_lines(folder):
    rows = "n;a;v\n1;x;1\n;y;2\nx;q;3\n2;a;4\n3;b;5\n2;c;6\n4;d;7\n5;e;8\n6;f;9\n"
    outcome = merge(folder, rows, columns={"n": {"type": "integer"}})
    assert (outcome.rows_in, outcome.rows_out, outcome.rejected) == (9, 5, 4)
    assert [row[0] for row in folder.rows()] == [1, 3, 4, 5, 6]
    assert folder.rows("jeu.t_rejects", "line, reason, text") == [
        (3, "n: the key is missing", " | y | 2"),
        (4, "n: expected integer, found x", "x | q | 3"),
        (5, "n: the key stands on 2 rows, expected one", "2 | a | 4"),
        (7, "n: the key stands on 2 rows, expected one", "2 | c | 6"),
    ]


@given(st.lists(st.booleans(), max_size=40))
@settings(max_examples=100)
def test_the_number_of_a_kept_row_is_found_in_the_source(left_out):
    refused = [number for number, out in enumerate(left_out) if out]
    kept = [number for number, out in enumerate(left_out) if not out]
    assert source_numbers(range(len(kept)), refused) == kept
    assert source_numbers(range(0, len(kept), 2), refused) == kept[::2]


def test_a_key_that_no_row_has_alone_is_an_error_and_changes_nothing(folder):
    merge(folder, "n;a\n1;x\n2;y\n3;z\n")
    outcome = merge(folder, "n;a\n1;x\n1;y\n1;z\n")
    assert "3 of 3 rows break a key or a value that is declared; the first on line 2: n: the key" in outcome.error
    assert len(folder.rows()) == 3
    assert len(list((folder.root / "var/lake/jeu/raw/t").glob("*.parquet"))) == 1


def test_a_key_that_is_no_column_is_named(folder):
    outcome = merge(folder, "n;nom\n1;x\n2;y\n", key=("nm",))
    assert "datasets/jeu.yaml: t: the key 'nm' is not in the source; did you mean 'nom'" in outcome.error
    assert list((folder.root / "var/lake/jeu/raw").rglob("*.parquet")) == []


@pytest.mark.parametrize("wrong", [{"mode": "merge"}, {"mode": "append", "key": ["n"]}, {"key": ["n"]}])
def test_a_key_and_a_merge_go_together(folder, datalab, wrong):
    folder.table("jeu", "n;a\n1;x\n", **wrong)
    assert "'mode: merge' and 'key: [COLUMN, …]' go together" in datalab("ingest").err


def test_rejects_of_all_that_was_appended_stay(folder):
    declared = {"columns": {"n": {"type": "integer"}}}
    append(folder, "n;a\n1;x\no;y\n2;z\n", **declared)
    append(folder, "n;a\n3;x\n", **declared)
    append(folder, "n;a\n4;x\np;y\n5;z\n", **declared)
    assert folder.rows("jeu.t_rejects", "line, text") == [(3, "o | y"), (3, "p | y")]
    assert [receipt(folder)[key] for key in ("rejected", "rejects_total")] == [1, 2]
    assert append(folder, "n;a\n4;x\np;y\n5;z\n", **declared).status == "unchanged"


def test_other_columns_are_held_and_what_is_accepted_has_them_all(folder):
    append(folder, "n;a\n1;x\n2;y\n")
    outcome = append(folder, "n;b\n3,5;z\n")
    renamed, retyped = outcome.reasons
    assert renamed == "the column 'a' is gone and 'b' is new: probably renamed"
    assert retyped.startswith("the column 'n' was integer and is decimal(18,1) (")
    newer = append(folder, "n;a\n9;x\n")
    assert newer.status == "held"
    assert newer.reasons[0] == "newer bytes came: accept or refuse those that wait, first"
    (accepted,) = accept(folder.lab, "jeu", by="a", why="", say=lambda _: None)
    assert accepted.status == "ingested"
    assert [tuple(map(str, row)) for row in folder.rows()] == [
        ("1.0", "x", "None"),
        ("2.0", "y", "None"),
        ("3.5", "None", "z"),
    ]
    assert counts(folder) == (2, 1, 0, 3)


@pytest.mark.parametrize(
    ("first", "then", "again"),
    [
        ("n;a\n1;x\n2;y\n", "n;a\n1;x\n2;y\n3;z\n", 2),
        ("n;a\n1;x\n2;y\n", "a;n\ny;2\nz;30000\n", 1),
        ("n;a\n1,5;x\n2,25;s\n", "n;a\n1,5000;x\n2,2500;s\n", 2),
        ("n;a\n1;\n2;y\n", "n;a\n1;\n7;y\n", 1),
    ],
    ids=["all and one more", "a window that moved", "more digits", "an empty cell"],
)
def test_a_source_that_brings_its_old_rows_again_is_held(folder, first, then, again):
    append(folder, first)
    outcome = append(folder, then)
    assert outcome.status == "held"
    (reason,) = outcome.reasons
    assert reason.startswith(f"{again} of the {outcome.rows_out} new rows stand in the table already, value for value")
    assert len(folder.rows()) == 2


def test_few_rows_that_stand_in_the_table_already_are_noted(folder):
    append(folder, "n;a\n1;x\n2;y\n")
    assert append(folder, "n;a\n2;y\n3;y\n4;y\n").status == "ingested"
    assert receipt(folder)["notes"][0].startswith("1 of the 3 new rows stand in the table already")
    assert append(folder, "n;a\n1;y\n2;x\n").status == "ingested"
    assert receipt(folder)["notes"] == []
    assert len(folder.rows()) == 7


def test_a_geometry_that_comes_again_is_seen(folder):
    def points(*places: float) -> str:
        features = [
            {"type": "Feature", "properties": {"n": 1}, "geometry": {"type": "Point", "coordinates": [x, 49.0]}}
            for x in places
        ]
        return json.dumps({"type": "FeatureCollection", "features": features})

    append(folder, points(0.5, 1.5), name="data.geojson")
    (reason,) = append(folder, points(1.5, 2.5), name="data.geojson").reasons
    assert reason.startswith("1 of the 2 new rows stand in the table already")


def test_what_waits_is_refused_before_newer_rows_come_in(folder):
    append(folder, "n;a\n1;x\n")
    append(folder, "n;b\n2;x\n")
    refuse(folder.lab, "jeu", by="a", why="non")
    assert append(folder, "n;a\n3;x\n").status == "ingested"
    assert folder.rows() == [(1, "x"), (3, "x")]


def test_types_that_no_common_one_can_keep_are_not_joined(folder):
    append(folder, "n;a\n9007199254740993;x\n")
    assert append(folder, "n;a\n1e3;x\n2.5e-7;y\n").status == "held"
    (outcome,) = accept(folder.lab, "jeu", by="a", why="", say=lambda _: None)
    assert "column 'n': 1 values would change from BIGINT to DOUBLE; declare its type" in outcome.error
    assert folder.rows() == [(9007199254740993, "x")]


def test_a_table_that_grew_is_not_made_again_from_its_last_bytes(folder):
    append(folder, "n;a\n1;x\n")
    append(folder, "n;a\n2;y\n")
    (folder.root / "var/lake/jeu/raw/t" / receipt_file(folder)).unlink()
    outcome = append(folder, "n;a\n2;y\n")
    assert "jeu.t: the table that append adds to is gone or damaged" in outcome.error
    assert "restore it from the backup" in outcome.error
    assert bring(folder, "n;a\n2;y\n").status == "ingested"
    assert folder.rows() == [(2, "y")]


def receipt_file(folder) -> str:
    (name,) = folder.lab.lake.current("jeu", RAW).resources["t"].files
    return name


def test_a_mode_may_change_from_the_whole_to_more_and_back(folder):
    bring(folder, "n;a\n1;x\n2;y\n")
    assert append(folder, "n;a\n1;x\n2;y\n").status == "unchanged"
    assert append(folder, "n;a\n3;x\n").status == "ingested"
    assert bring(folder, "n;a\n3;x\n", max_drop=1).status == "ingested"
    assert folder.rows() == [(3, "x")]
    assert folder.rows('"jeu@open".t') == [(3,)]
    assert receipt(folder)["rows_total"] is None
    assert append(folder, "n;a\n1;x\n2;y\n").status == "ingested"
    assert len(folder.rows()) == 3


def test_geometry_can_be_appended(folder):
    def point(x: float) -> str:
        feature = {"type": "Feature", "properties": {"n": 1}, "geometry": {"type": "Point", "coordinates": [x, 49.0]}}
        return json.dumps({"type": "FeatureCollection", "features": [feature]})

    assert append(folder, point(0.5), name="data.geojson").error is None
    assert append(folder, point(1.5), name="data.geojson").error is None
    assert folder.rows(columns="st_astext(geometry)") == [("POINT (0.5 49)",), ("POINT (1.5 49)",)]


KILLED_BEFORE = """
import os, sys
from pathlib import Path
import ingest.run, ingest.verdict
from catalog.lab import Lab

calls = int(sys.argv[3])

def profile(frame, event, argument):
    global calls
    code = frame.f_code
    if event == "call" and code.co_name == sys.argv[2] and code.co_filename.startswith(os.getcwd() + "/"):
        calls -= 1
        if calls == 0:
            os._exit(9)

sys.setprofile(profile)
lab = Lab.open(Path(sys.argv[1]))
if sys.argv[4:] == ["accept"]:
    list(ingest.verdict.accept(lab, "jeu", by="a", why="", say=lambda _: None))
else:
    list(ingest.run.ingest(lab, "jeu", lambda _: None))
"""


def killed_before(folder, function: str, call: int = 1, *what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE, str(folder.root), function, str(call), *what],
        cwd=Path(__file__).parents[1],
        timeout=120,
        check=False,
    )
    assert done.returncode == 9


@pytest.mark.parametrize(
    ("mode", "rows"),
    [({"mode": "append"}, [1, 2, 2, 3]), ({"mode": "merge", "key": ["n"]}, [1, 2, 3])],
    ids=["append", "merge"],
)
@pytest.mark.parametrize("step", ["join", "_stage", "append", "_replace", "commit_editions", "drop"])
def test_a_job_killed_while_it_adds_rows_leaves_what_was_there_and_the_next_adds_them_once(folder, mode, rows, step):
    bring(folder, "n;a\n1;x\n2;y\n", **mode)
    folder.table("jeu", "n;a\n2;Y\n3;z\n", **mode)
    killed_before(folder, step, 2 if step == "commit_editions" else 1)
    assert sorted(n for (n,) in folder.rows(columns="n")) in ([1, 2], rows)
    assert bring(folder, "n;a\n2;Y\n3;z\n", **mode).error is None
    assert sorted(n for (n,) in folder.rows(columns="n")) == rows
    assert sorted(n for (n,) in folder.rows('"jeu@open".t')) == rows
    assert len(list((folder.root / "var/lake/jeu/raw/t").glob("*.parquet"))) == 2


@pytest.mark.parametrize("step", ["put", "_clear", "write_rejects"])
def test_a_job_killed_while_it_holds_leaves_the_last_good_snapshot_and_the_next_holds_again(folder, step):
    bring(folder, "n;a\n1;x\n2;y\n")
    folder.table("jeu", "n;b\n1;x\n2;y\n")
    killed_before(folder, step)
    assert folder.rows() == [(1, "x"), (2, "y")]
    assert bring(folder, "n;b\n1;x\n2;y\n").status == "held"
    assert len(list((folder.root / "var/held/jeu/t").glob("*.parquet"))) == 2
    assert len(list((folder.root / "var/lake/jeu/raw/t").glob("*.parquet"))) == 1
    (outcome,) = accept(folder.lab, "jeu", by="a", why="", say=lambda _: None)
    assert outcome.status == "ingested"


@pytest.mark.parametrize("step", ["take", "_replace", "commit_editions", "drop"])
def test_a_job_killed_while_it_accepts_adds_the_rows_once_at_the_next_try(folder, step):
    append(folder, "n;a\n1;x\n")
    append(folder, "n;a;b\n2;y;z\n")
    killed_before(folder, step, 2 if step == "commit_editions" else 1, "accept")
    (outcome,) = accept(folder.lab, "jeu", by="a", why="", say=lambda _: None)
    assert outcome.status == ("unchanged" if step in {"commit_editions", "drop"} else "ingested")
    assert folder.rows(columns="n, b") == [(1, None), (2, "z")]
    assert folder.rows('"jeu@open".t') == [(1,), (2,)]
    assert append(folder, "n;a;b\n2;y;z\n").status == "unchanged"
    assert list((folder.root / "var/held/jeu/t").iterdir()) == []


def test_a_shelf_that_cannot_be_written_leaves_what_is_served_and_no_file(folder):
    bring(folder, "n;a\n1;x\n2;y\n")
    (folder.root / "var/held").write_text("")
    outcome = bring(folder, "n;b\n1;x\n2;y\n")
    assert (outcome.status, "var/held" in outcome.error) == ("failed", True)
    assert folder.rows() == [(1, "x"), (2, "y")]
    assert len(list((folder.root / "var/lake/jeu/raw/t").glob("*.parquet"))) == 1


def test_an_empty_file_adds_nothing_and_is_an_error_only_where_it_would_be_all(folder):
    append(folder, "n;a\n1;x\n2;y\n")
    outcome = append(folder, "n;a\n")
    assert (outcome.status, outcome.rows_out) == ("ingested", 0)
    assert counts(folder) == (2, 0, 0, 2)
    assert "no row of data" in bring(folder, "n;a\n").error
