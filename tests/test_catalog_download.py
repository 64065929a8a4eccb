from __future__ import annotations

import csv
import json
import threading

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixtures_portal import commit

from catalog import download
from catalog.entries import EVERYONE, entries
from catalog.lake import ServedColumn
from policies.errors import LakeError


def entry(lab, slug):
    return next(held for held in entries(lab, EVERYONE) if held.slug == slug)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_plain_table_is_the_lakes_own_file(open_lab):
    path = download.export(open_lab, entry(open_lab, "subventions"), "versements", "parquet")
    assert path.parent == open_lab.lake.edition_path("subventions", "open") / "versements"
    assert not (open_lab.var / "exports").exists()


def test_csv_is_utf8_with_a_header_and_its_formulas_are_defused_in_text_alone(open_lab):
    path = download.export(open_lab, entry(open_lab, "subventions"), "versements", "csv")
    assert rows_of(path) == [
        ["nomBeneficiaire", "montant", "jour"],
        ["Les Amis <b>du</b> Havre", "1234.5", "2024-01-01"],
        ["'=HYPERLINK(1)", "-2.25", "2024-01-02"],
        ["", "", "2024-01-03"],
        ["-12", "0.0", "2024-01-04"],
        ["", "10.0", "2024-01-05"],
        ['Le "Petit", théâtre', "7.5", "2024-01-06"],
    ]
    assert '\n"",10.0' in path.read_text(encoding="utf-8")  # an empty text is not NULL


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_each_beginning_of_a_formula_is_defused(open_lab, start):
    table = pa.table({f"{start}x": [f"{start}1+cmd|' /C calc'!A0", f"a{start}"]})
    commit(open_lab, "subventions", "open", "versements", table, [(f"{start}x", "VARCHAR")], {})
    header, first, second = rows_of(download.export(open_lab, entry(open_lab, "subventions"), "versements", "csv"))
    assert header == [f"'{start}x"]
    assert first == [f"'{start}1+cmd|' /C calc'!A0"]
    assert second == [f"a{start}"]


@pytest.mark.parametrize("text", ["+33 2 35 12 34 56", "-12,5", "+1.5", "-", "- / -"])
def test_a_phone_and_a_number_are_no_formula_and_stay_as_they_are(open_lab, text):
    commit(open_lab, "subventions", "open", "versements", pa.table({"x": [text]}), [("x", "VARCHAR")], {})
    assert rows_of(download.export(open_lab, entry(open_lab, "subventions"), "versements", "csv"))[1] == [text]


def test_geometry_is_wkt_in_csv(open_lab):
    path = download.export(open_lab, entry(open_lab, "communes"), "contours", "csv")
    assert rows_of(path) == [
        ["nom", "geometrie"],
        ["Le Havre", "POLYGON ((0 49, 1 49, 1 50, 0 49))"],
        ["Rouen", ""],
    ]


def test_geometry_is_geoparquet_in_parquet(open_lab):
    path = download.export(open_lab, entry(open_lab, "communes"), "contours", "parquet")
    assert path.is_relative_to(open_lab.var / "exports" / "communes" / "open")
    geo = json.loads(pq.read_metadata(path).metadata[b"geo"])
    assert geo["primary_column"] == "geometrie"
    assert geo["columns"]["geometrie"]["encoding"] == "WKB"
    with duckdb.connect() as engine:
        kinds = engine.execute(
            "SELECT column_type FROM (DESCRIBE SELECT * FROM read_parquet(?))", [str(path)]
        ).fetchall()
    assert kinds[1][0].startswith("GEOMETRY")


def test_a_new_version_has_a_new_file_and_the_old_one_is_taken_away(open_lab):
    old = download.export(open_lab, entry(open_lab, "subventions"), "versements", "csv")
    commit(open_lab, "subventions", "open", "versements", pa.table({"a": [1]}), [("a", "BIGINT")], {})
    new = download.export(open_lab, entry(open_lab, "subventions"), "versements", "csv")
    assert rows_of(new) == [["a"], ["1"]]
    assert not old.exists()


def test_a_table_rebuilt_under_an_old_version_number_is_not_answered_from_before(open_lab):
    before = entry(open_lab, "subventions").current.resources["versements"]
    rebuilt = before.model_copy(update={"files": {"part-other.parquet": 1}})
    assert before.version == rebuilt.version
    assert download.content_key(before) != download.content_key(rebuilt)


def test_requests_that_come_together_make_the_file_once(open_lab, monkeypatch):
    made = []
    real = download._make
    monkeypatch.setattr(download, "_make", lambda *given: (made.append(1), real(*given)))
    held, paths = entry(open_lab, "communes"), []
    work = [
        threading.Thread(target=lambda: paths.append(download.export(open_lab, held, "contours", "parquet")))
        for _ in range(12)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(made) == 1
    assert len(set(paths)) == 1
    assert len(paths) == 12


def test_an_export_that_fails_leaves_nothing_and_says_which_table(open_lab):
    table = pa.table({"geometrie": pa.array([b"no wkb"], pa.binary())})
    commit(open_lab, "communes", "open", "contours", table, [("geometrie", "GEOMETRY")], {})
    with pytest.raises(LakeError, match=r"communes\.contours: the parquet file cannot be made"):
        download.export(open_lab, entry(open_lab, "communes"), "contours", "parquet")
    left = [path.name for path in (open_lab.var / "exports" / "communes" / "open").iterdir()]
    assert left == [".contours.parquet.lock"]


def test_a_file_that_is_gone_is_an_error_and_no_empty_table(open_lab):
    held = entry(open_lab, "subventions")
    download.existing(open_lab, held, "versements", "parquet").unlink()
    with pytest.raises(LakeError, match="gone or damaged"):
        download.export(open_lab, held, "versements", "csv")


def test_names_and_paths_cannot_leave_their_quotes(tmp_path):
    columns = [ServedColumn(name='a" FROM x; --', type="VARCHAR"), ServedColumn(name="b", type="BIGINT")]
    path = tmp_path / "it's.parquet"
    pq.write_table(pa.table({'a" FROM x; --': ["1"], "b": [2]}), path)
    with duckdb.connect() as engine:
        assert engine.execute(download.csv_select(columns, [path])).fetchall() == [("1", 2)]
        assert engine.execute(download.preview_select(columns, [path])).fetchall() == [("1", "2")]


def test_a_type_that_is_not_known_is_treated_as_text():
    select = download.csv_select([ServedColumn(name="j", type="JSON")], [])
    assert "regexp_matches" in select
    assert "regexp_matches" not in download.csv_select([ServedColumn(name="n", type="DECIMAL(18,2)")], [])


def test_a_preview_is_short_rows_of_short_text(open_lab):
    table = pa.table({"a": ["x" * 500] * 100, "b": list(range(100))})
    commit(open_lab, "subventions", "open", "versements", table, [("a", "VARCHAR"), ("b", "BIGINT")], {})
    held = entry(open_lab, "subventions")
    rows = download.preview(open_lab, held, "versements", held.current.resources["versements"].columns)
    assert len(rows) == download.PREVIEW_ROWS
    assert rows[0] == ("x" * (download.PREVIEW_TEXT + 1), "0")


def test_nulls_are_counted_from_the_served_file(open_lab):
    assert download.null_counts(open_lab, entry(open_lab, "subventions"), "versements") == {
        "nomBeneficiaire": 1,
        "montant": 1,
        "jour": 0,
    }


def test_an_empty_row_group_does_not_hide_the_count_of_nulls(open_lab):
    full = pa.RecordBatch.from_pydict({"a": [1, None]})

    def write(path):
        with pq.ParquetWriter(path, full.schema) as writer:
            writer.write_batch(full)
            writer.write_batch(full.slice(0, 0))

    staged = open_lab.lake.stage("subventions", "open", "versements", write)
    columns = (ServedColumn(name="a", type="BIGINT"),)
    receipt = open_lab.lake.current("subventions", "open").resources["versements"].receipt
    open_lab.lake.commit("subventions", "open", {"versements": (staged, columns, receipt)})
    assert download.null_counts(open_lab, entry(open_lab, "subventions"), "versements") == {"a": 1}
