"""The benchmark of ingest, on small files and without its peers: that it measures what it says. No time is asserted."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pytest

from bench.french_csv import ROWS_PER_GB, file_name, numbered, truth_sql, write_large, write_small
from bench.ingest import LARGE, REPOSITORY
from bench.ingest_report import Entry, Size, Small, promises
from bench.measure import Failure, Run, measure
from bench.right import EXPECTED, verdicts

ROWS = 500
PAGE = "# Benchmarks\n\nBefore.\n\n<!-- ingest -->\nold\n<!-- /ingest -->\n\nAfter.\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_large(folder, ROWS)
    return folder


def test_the_script_writes_its_tables_between_its_marks_and_leaves_the_rest(tmp_path):
    report = tmp_path / "benchmarks.md"
    report.write_text(PAGE, encoding="utf-8")
    command = [sys.executable, "bench/ingest.py", "--gb", "0.002", "--runs", "1", "--small", "3", "--report", report]
    done = subprocess.run(
        [*command, "--only", "bare", "ours", "ours-signs"],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = report.read_text(encoding="utf-8")
    before, section, after = text.replace("<!-- /ingest -->", "<!-- ingest -->").split("<!-- ingest -->")
    assert before == "# Benchmarks\n\nBefore.\n\n"
    assert after == "\n\nAfter.\n"
    rows = {cells[0]: cells[1:] for cells in map(_cells, section.splitlines()) if len(cells) == 8}
    assert list(rows) == [
        "",
        "---",
        "DuckDB, bare typed COPY",
        "**datalab convert**",
        "**datalab convert**, cp1252 with € œ ’",
    ]
    assert rows["DuckDB, bare typed COPY"][-1] == "11 / 1 / 0"
    assert rows["**datalab convert**"][-1] == rows["**datalab convert**, cp1252 with € œ ’"][-1] == "12 / 0 / 0"
    assert ["every column typed, every value right", "so", "held"] in [
        [cells[0].split(": ")[-1], *cells[1:]] for cells in map(_cells, section.splitlines()) if len(cells) == 3
    ]
    assert "ms, 3 written" in section
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmarks.md"]


def test_a_report_without_the_marks_is_refused(tmp_path):
    report = tmp_path / "benchmarks.md"
    report.write_text("# Benchmarks\n", encoding="utf-8")
    command = [sys.executable, "bench/ingest.py", "--gb", "0.0001", "--runs", "1", "--small", "0", "--report", report]
    done = subprocess.run([*command, "--only", "bare"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "has not one section between" in done.stderr


def test_our_parquet_has_the_values_of_the_bare_one_where_both_are_typed_alike(data, tmp_path):
    found = {}
    for one in LARGE:
        if one.key in {"bare", "ours", "ours-cp1252"}:
            out = tmp_path / one.key
            out.mkdir()
            assert isinstance(measure(one.argv(data / file_name(ROWS, one.kind), out)), Run)
            [found[one.key]] = out.glob("*.parquet")
    with duckdb.connect() as con:
        bare, ours, recoded = (con.read_parquet(str(found[key])) for key in ("bare", "ours", "ours-cp1252"))
        types = dict(zip(ours.columns, ours.types, strict=True))
        alike = [name for name, kind in zip(bare.columns, bare.types, strict=True) if types[name] == kind]
        assert len(alike) >= 10
        assert bare.select(*alike).fetchall() == ours.select(*alike).fetchall()
        assert ours.fetchall() == recoded.fetchall()
        assert len(ours.fetchall()) == ROWS


def judged(folder, rows_sql):
    """The verdicts on a Parquet file of the rows of a query on `truth`, and no types.json."""
    with duckdb.connect() as con:
        con.execute(f"CREATE VIEW truth AS {truth_sql(numbered(ROWS))}")
        con.execute(f"COPY ({rows_sql}) TO '{folder / 'x.parquet'}' (FORMAT parquet)")
    found = verdicts(folder, ROWS, signs=False)
    return {kind: {name for name in found if found[name] == kind} for kind in ("text", "changed")}


def test_a_code_read_as_a_number_and_another_value_are_changed_and_a_date_left_alone_is_text(tmp_path):
    codes = "SELECT * REPLACE (siret::BIGINT AS siret, strftime(date_decision, '%d/%m/%Y') AS date_decision) FROM truth"
    assert judged(tmp_path, codes) == {"text": {"date_decision", "effectif"}, "changed": {"siret"}}
    for name, other in {
        "montant_eur": "montant_eur + (id = 7)::INT * 0.01",
        "date_decision": "date_decision + (id = 7)::INT",
        "effectif": "nullif(effectif, 's')",
        "objet": "replace(objet, chr(10), ' ')",
    }.items():
        assert judged(tmp_path, f"SELECT * REPLACE ({other} AS {name}) FROM truth")["changed"] == {name}


def test_a_lost_row_a_doubled_row_and_no_table_are_changed(tmp_path):
    for rows in ("id > 1", "id > 1 UNION ALL FROM truth WHERE id = 2"):
        assert judged(tmp_path, f"FROM truth WHERE {rows}")["changed"] == set(EXPECTED)
    (tmp_path / "x.parquet").unlink()
    assert verdicts(tmp_path, ROWS, signs=False) == dict.fromkeys(EXPECTED, "changed")


def test_only_the_file_with_signs_has_bytes_of_0x80_to_0x9f(data):
    signs = set(range(0x80, 0xA0))
    assert not signs & set((data / file_name(ROWS, "cp1252")).read_bytes())
    assert {0x80, 0x92, 0x9C} <= signs & set((data / file_name(ROWS, "signs")).read_bytes())


def test_the_files_have_the_same_bytes_each_time_and_about_the_size_asked(data, tmp_path):
    write_large(tmp_path, ROWS)
    for kind in ("utf8", "cp1252", "signs"):
        again = (tmp_path / file_name(ROWS, kind)).read_bytes()
        assert again == (data / file_name(ROWS, kind)).read_bytes()
        assert len(again) == pytest.approx(ROWS / ROWS_PER_GB * 1e9, rel=0.1)
    write_small(tmp_path / "one", 9)
    write_small(tmp_path / "other", 9)
    small = [
        sorted((file.name, file.read_bytes()) for file in (tmp_path / name).iterdir()) for name in ("one", "other")
    ]
    assert small[0] == small[1]
    assert sum(b"\xe9" in content and b"\xc3" not in content for _, content in small[0]) == 3


def test_a_promise_is_not_held_by_who_failed_was_slow_or_left_files_out():
    def entry(cpu: float, **changes: object) -> Entry:
        return Entry(title="t", kind="UTF-8", runs=[Run(wall=1, cpu=cpu, peak=600)], bytes=10, **changes)

    def held(ours: Entry, written: int = 5) -> list[bool]:
        size = Size(gb=1, rows=1, slice_gb=1, entries={"bare": entry(1), "ours": ours, "dlt": entry(6)})
        return [
            held for _, _, held in promises([size], Small(count=5, written={"ours": written}, entries={"ours": ours}))
        ]

    right = {"verdicts": {"id": "typed"}}
    assert held(entry(1.2, **right)) == [True, True, True, True, True, False]  # a second for 5 small files
    assert held(entry(1.3, **right)) == [False, True, True, True, False, False]
    assert held(entry(1.2, verdicts={"id": "changed"}))[3] is False
    assert not any(held(entry(1.2, failure="it broke")))
    quick = Entry(title="t", kind="", runs=[Run(wall=0.05, cpu=1, peak=1)])
    assert held(quick, written=5)[-1] is True
    assert held(quick, written=4)[-1] is False


def test_a_command_that_fails_says_why_in_its_last_line():
    argv = [sys.executable, "-c", "import sys; sys.exit('first\\nno | such file')"]
    assert measure(argv) == Failure(why="no / such file")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
