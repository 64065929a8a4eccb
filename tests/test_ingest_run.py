"""From source to editions: what is committed, what is left alone, and what is said when it cannot be."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.query import connect
from ingest.run import ingest
from ingest.verdict import accept
from policies.errors import DocumentError, LakeError

EVERYONE = frozenset({"everyone"})
PARTNER = frozenset({"everyone", "user:partner", "group:partners"})
STEWARD = frozenset({"everyone", "user:steward", "group:stewards"})
TEXT = "siret;nom;jour;montant\n80295478500013;A;2024-03-15;100\n80295478500013;A;2024-04-02;5000\n;B;2023-01-01;40\n"
EDITIONS = {
    "open": {"t": {"keep": ["jour", "montant"], "generalise": {"jour": "year"}, "where": "montant >= 50"}},
    "partner": {
        "t": {"keep": ["siret", "jour", "montant"], "pseudonymise": ["siret"], "generalise": {"jour": "month"}}
    },
}
GRANTS = (
    {"to": "everyone", "edition": "open"},
    {"to": "group:partners", "edition": "partner", "until": "2999-01-01"},
    {"to": "group:stewards", "edition": "raw", "until": "2999-01-01"},
)


def run(folder):
    return list(ingest(folder.lab, "jeu", lambda _: None))


def select(folder, principals, sql: str = "SELECT * FROM jeu.t") -> list[tuple]:
    return connect(folder.lab, principals).execute(sql).fetchall()


@pytest.fixture
def jeu(folder):
    folder.table("jeu", TEXT)
    folder.grant("jeu", EDITIONS, *GRANTS)
    return folder


def test_each_principal_sees_its_own_edition_and_nothing_else(jeu):
    (outcome,) = run(jeu)
    assert (outcome.rows_in, outcome.rows_out, outcome.rejected) == (3, 3, 0)
    assert outcome.editions == ("open", "partner")
    assert select(jeu, EVERYONE) == [(2024, 100), (2024, 5000)]
    partner = select(jeu, PARTNER)
    assert [row[1:] for row in partner] == [("2024-03", 100), ("2024-04", 5000), ("2023-01", 40)]
    assert partner[0][0] == partner[1][0] != "80295478500013"
    assert len(partner[0][0]) == 32
    assert partner[2][0] is None
    assert select(jeu, STEWARD)[0] == ("80295478500013", "A", dt.date(2024, 3, 15), 100)


def test_an_edition_by_its_name_stands_beside_the_most_detailed_one(jeu):
    run(jeu)
    assert select(jeu, PARTNER, 'SELECT count(*) FROM "jeu@open".t') == [(2,)]


def test_what_is_not_granted_is_in_no_file_of_the_edition(jeu):
    run(jeu)
    for path in (jeu.root / "var/lake/jeu/open").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"80295478500013" not in content
            assert b"siret" not in content


def test_a_second_run_changes_nothing(jeu):
    run(jeu)
    before = sorted(str(path) for path in (jeu.root / "var/lake").rglob("*"))
    assert [outcome.status for outcome in run(jeu)] == ["unchanged"]
    assert sorted(str(path) for path in (jeu.root / "var/lake").rglob("*")) == before


def test_a_new_row_makes_a_new_snapshot_and_new_editions(jeu):
    run(jeu)
    jeu.table("jeu", TEXT + "80295478500013;A;2025-01-01;60\n")
    assert run(jeu)[0].status == "ingested"
    assert len(select(jeu, EVERYONE)) == 3
    assert [entry["rows_out"] for entry in jeu.lab.lake.history("jeu", "raw", "t")] == [4, 3]


def test_a_changed_edition_is_built_again_from_the_raw_table(jeu):
    run(jeu)
    jeu.grant("jeu", {**EDITIONS, "open": {"t": {"keep": ["montant"]}}}, *GRANTS)
    (outcome,) = run(jeu)
    assert (outcome.status, outcome.editions) == ("ingested", ("open",))
    assert select(jeu, EVERYONE) == [(100,), (5000,), (40,)]
    assert len(jeu.lab.lake.history("jeu", "raw", "t")) == 1


def test_an_edition_is_not_served_from_the_moment_its_policy_changes_until_it_is_built_again(jeu):
    run(jeu)
    jeu.grant("jeu", {**EDITIONS, "open": {"t": {"keep": ["montant"]}}}, *GRANTS)
    said = []
    assert jeu.lab.granted(EVERYONE, left_out=said.append) == ()
    assert "the edition 'open' has changed: run `datalab ingest jeu`" in str(said[0])
    assert [granted.edition for granted in jeu.lab.granted(PARTNER)] == ["partner"]


def test_a_column_taken_out_of_an_edition_is_in_none_of_its_older_files(jeu):
    run(jeu)
    jeu.table("jeu", TEXT + "80295478500013;A;2025-01-01;60\n")
    run(jeu)
    assert len(list((jeu.root / "var/lake/jeu/partner/t").glob("*.parquet"))) == 2
    jeu.grant("jeu", {**EDITIONS, "partner": {"t": {"keep": ["montant"]}}}, *GRANTS)
    run(jeu)
    (only,) = (jeu.root / "var/lake/jeu/partner/t").glob("*.parquet")
    assert b"siret" not in only.read_bytes()


def test_an_edition_or_a_table_that_the_policy_drops_is_taken_away(jeu):
    run(jeu)
    jeu.grant("jeu", {"open": EDITIONS["open"], "partner": {"u": {"keep": ["x"]}}}, *GRANTS)
    run(jeu)
    assert not (jeu.root / "var/lake/jeu/partner/t").exists()
    assert [granted.edition for granted in jeu.lab.granted(PARTNER)] == ["open"]


def test_a_column_that_appears_at_the_source_is_in_no_edition_but_raw(jeu):
    run(jeu)
    jeu.table(
        "jeu",
        TEXT.replace("montant\n", "montant;telephone\n").replace("00\n", "00;0601020304\n").replace("40\n", "40;\n"),
    )
    assert run(jeu)[0].status == "held"
    (accepted,) = accept(jeu.lab, "jeu", by="steward", why="", say=lambda _: None)
    assert accepted.status == "ingested"
    assert "telephone" not in connect(jeu.lab, PARTNER).sql("SELECT * FROM jeu.t").columns
    assert "telephone" in connect(jeu.lab, STEWARD).sql("SELECT * FROM jeu.t").columns


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {"keep": ["nm"]},
            "policies/jeu.yaml:14: edition 'partner', resource 't': unknown column 'nm'; did you mean 'nom'",
        ),
        (
            {"keep": ["nom"], "where": "montnt > 1"},
            "policies/jeu.yaml:15: edition 'partner', resource 't': 'where' cannot be carried out: ",
        ),
        ({"keep": ["nom"], "where": "true); SELECT (1"}, "cannot be carried out: has a ';'"),
        (
            {"keep": ["nom"], "where": "nom = (SELECT content FROM read_text('/etc/passwd'))"},
            "carried out: Permission Error",
        ),
    ],
)
def test_an_edition_that_cannot_be_built_changes_no_data(jeu, table, said):
    run(jeu)
    jeu.table("jeu", TEXT + "80295478500013;A;2025-01-01;60\n")
    jeu.grant("jeu", {"open": EDITIONS["open"], "partner": {"t": table}}, *GRANTS)
    (outcome,) = run(jeu)
    assert outcome.status == "failed"
    assert said in outcome.error
    assert len(select(jeu, EVERYONE)) == 2
    assert len(select(jeu, STEWARD)) == 3
    # What the partners saw was built by a policy that no longer holds: it is not served, and not on the disk
    assert [granted.edition for granted in jeu.lab.granted(PARTNER)] == ["open"]
    assert sorted(path.parts[-3] for path in (jeu.root / "var/lake").rglob("*.parquet")) == ["open", "raw"]


def test_data_that_no_edition_can_be_built_from_leave_every_edition_as_it_was(jeu):
    run(jeu)
    jeu.table("jeu", TEXT.replace("siret;", "siren;"))
    assert run(jeu)[0].status == "held"
    (outcome,) = accept(jeu.lab, "jeu", by="steward", why="", say=lambda _: None)
    assert "edition 'partner', resource 't': unknown column 'siret'; did you mean 'siren'" in outcome.error
    assert [len(select(jeu, who)) for who in (EVERYONE, PARTNER, STEWARD)] == [2, 3, 3]
    assert "siren" not in connect(jeu.lab, STEWARD).sql("SELECT * FROM jeu.t").columns


def test_without_a_policy_nobody_sees_anything(folder):
    folder.table("jeu", TEXT)
    run(folder)
    assert folder.lab.granted(STEWARD) == ()


def test_a_policy_that_is_broken_after_the_ingest_grants_nothing(jeu):
    run(jeu)
    jeu.write("policies/jeu.yaml", "owner: [\n")
    assert jeu.lab.granted(STEWARD) == ()
    with pytest.raises(DocumentError, match="jeu.yaml:2: not valid YAML"):
        run(jeu)


def test_a_missing_file_is_named_and_the_other_resources_come_in(folder):
    folder.write("sources/data.csv", TEXT)
    folder.describe(
        "jeu", {"gone": {"source": {"file": "sources/gone.csv"}}, "t": {"source": {"file": "sources/data.csv"}}}
    )
    gone, there = run(folder)
    assert gone.error == f"{folder.root}/sources/gone.csv: no such file; the descriptor's source names it"
    assert there.status == "ingested"


def test_a_geojson_and_its_types_come_in(folder):
    folder.write(
        "sources/points.geojson",
        '{"type": "FeatureCollection", "features": ['
        '{"type": "Feature", "properties": {"code": "01", "n": 1, "jour": "2024-01-01"},'
        ' "geometry": {"type": "Point", "coordinates": [0.1, 49.5]}},'
        '{"type": "Feature", "properties": {"code": "2A", "n": 2, "jour": null}, "geometry": null}]}',
    )
    folder.describe("jeu", {"t": {"source": {"file": "sources/points.geojson"}}})
    folder.grant("jeu", {"open": {"t": {"keep": ["code", "n", "geometry"]}}})
    assert run(folder)[0].error is None
    assert select(folder, EVERYONE, "SELECT code, n, st_astext(geometry) FROM jeu.t") == [
        ("01", 1, "POINT (0.1 49.5)"),
        ("2A", 2, None),
    ]
    receipt = folder.lab.lake.history("jeu", "raw", "t")[0]
    assert {column["name"]: column["type"] for column in receipt["columns"]} == {
        "code": "text",
        "n": "integer",
        "jour": "date",
        "geometry": "geometry",
        "longitude": "float",
        "latitude": "float",
    }


def test_a_file_that_is_no_spreadsheet_is_refused(folder):
    folder.table("jeu", b"a;b\n1;2\n", name="data.xlsx")
    assert "named .xlsx, but its bytes are not that" in run(folder)[0].error


def test_a_file_that_is_no_geojson_is_refused(folder):
    folder.table("jeu", b"a;b\n1;2\n", name="data.geojson")
    assert "cannot be read as GeoJSON" in run(folder)[0].error


def parquet(folder, edition: str, table: str = "t") -> list[Path]:
    return sorted((folder.root / "var/lake/jeu" / edition / table).glob("*.parquet"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("harm", [Path.unlink, cut, zero])
def test_a_raw_file_that_is_lost_or_damaged_is_made_again_from_the_source(jeu, harm):
    run(jeu)
    (path,) = parquet(jeu, "raw")
    harm(path)
    (outcome,) = run(jeu)
    assert outcome.error is None
    assert outcome.repaired == ("jeu.t: the raw table is gone or damaged; the source is read again",)
    assert len(select(jeu, STEWARD)) == 3
    assert len(jeu.lab.lake.history("jeu", "raw", "t")) == 2
    assert run(jeu)[0].status == "unchanged"


@pytest.mark.parametrize("harm", [Path.unlink, cut, zero])
def test_an_edition_file_that_is_lost_or_damaged_is_built_again_even_with_the_source_down(jeu, harm):
    run(jeu)
    (path,) = parquet(jeu, "open")
    harm(path)
    (jeu.root / "sources/data.csv").unlink()
    (outcome,) = run(jeu)
    assert "no such file" in outcome.error
    assert outcome.editions == ("open",)
    assert select(jeu, EVERYONE) == [(2024, 100), (2024, 5000)]


def test_lost_rejects_are_made_again_too(folder):
    folder.table("jeu", "n;a\n1;2\nx;3\n4;5\n", columns={"n": {"type": "integer"}})
    folder.grant("jeu", {}, *GRANTS[2:])
    assert run(folder)[0].rejected == 1
    parquet(folder, "raw", "t_rejects")[0].unlink()
    assert run(folder)[0].error is None
    assert select(folder, STEWARD, "SELECT line FROM jeu.t_rejects") == [(3,)]


@pytest.mark.parametrize("edition", ["raw", "open"])
def test_a_damaged_pointer_is_mended_from_the_log_keeps_the_history_and_says_so(jeu, edition):
    run(jeu)
    jeu.table("jeu", TEXT + "80295478500013;A;2025-01-01;60\n")
    run(jeu)
    pointer = jeu.root / "var/lake/jeu" / edition / "current.json"
    whole = json.loads(pointer.read_text())
    pointer.write_text(pointer.read_text()[:99])
    with pytest.raises(LakeError, match="damaged"):
        jeu.lab.granted(STEWARD)
    said = []
    (outcome,) = ingest(jeu.lab, "jeu", said.append)
    assert outcome.error is None
    assert (
        outcome.repaired == (said[0],) == (f"{pointer}: was damaged; made again from the Delta logs, with t version 1",)
    )
    assert len(jeu.lab.lake.history("jeu", edition, "t")) == 2
    mended = json.loads(pointer.read_text())
    for one in (mended, whole):
        one["resources"]["t"].pop("committed")  # the log's own time, at most seconds away
    assert mended == whole
    assert len(select(jeu, EVERYONE)) == 3
    assert len(select(jeu, STEWARD)) == 4


def test_a_receipt_that_cannot_be_read_makes_the_source_be_read_again(jeu):
    run(jeu)
    pointer = jeu.root / "var/lake/jeu/raw/current.json"
    current = json.loads(pointer.read_text())
    current["resources"]["t"]["receipt"] = {"sha256": 3}
    pointer.write_text(json.dumps(current))
    assert [(one.status, one.error) for one in run(jeu)] == [("ingested", None)]
    assert len(select(jeu, STEWARD)) == 3


def test_a_damaged_log_fails_its_resource_by_name_and_not_the_others(folder):
    def write(rows: str) -> None:
        for name in ("t", "u"):
            folder.write(f"sources/{name}.csv", f"n;a\n{rows}")

    write("1;2\n")
    folder.describe("jeu", {name: {"source": {"file": f"sources/{name}.csv"}} for name in ("t", "u")})
    run(folder)
    log = folder.root / "var/lake/jeu/raw/t/_delta_log"
    (log / f"{0:020}.json").write_text("{")
    write("1;2\n3;4\n")
    harmed, sane = run(folder)
    assert f"{log.parent}: its Delta log is damaged" in harmed.error
    assert sane.status == "ingested"
    (log / f"{0:020}.json").unlink()
    log.rmdir()
    assert [one.status for one in run(folder)] == ["ingested", "unchanged"]


KILLED_BEFORE = """
import os, sys
from pathlib import Path
import ingest.run
from catalog.lab import Lab

def profile(frame, event, argument):
    code = frame.f_code
    if event == "call" and code.co_name == sys.argv[2] and code.co_filename.startswith(os.getcwd() + "/"):
        os._exit(9)

sys.setprofile(profile)
list(ingest.run.ingest(Lab.open(Path(sys.argv[1])), "jeu", lambda _: None))
"""


def run_killed_before(folder, function: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE, str(folder.root), function],
        cwd=Path(__file__).parents[1],
        timeout=120,
        check=False,
    )
    assert done.returncode == 9


NARROWED = {**EDITIONS, "partner": {"t": {"keep": ["montant"]}}}


def test_a_job_killed_before_it_took_away_what_the_policy_dropped_leaves_that_to_the_next(jeu):
    run(jeu)
    jeu.grant("jeu", NARROWED, *GRANTS)
    run_killed_before(jeu, "sweep")
    assert len(parquet(jeu, "partner")) == 2
    assert run(jeu)[0].status == "unchanged"
    (only,) = parquet(jeu, "partner")
    assert b"siret" not in only.read_bytes()


@pytest.mark.parametrize("step", ["commit_editions", "append", "_replace"])
def test_what_a_killed_job_staged_under_a_policy_that_is_taken_back_does_not_stay(jeu, step):
    jeu.grant("jeu", NARROWED, *GRANTS)
    run(jeu)
    jeu.grant("jeu", EDITIONS, *GRANTS)
    run_killed_before(jeu, step)
    assert len(parquet(jeu, "partner")) == 2
    jeu.grant("jeu", NARROWED, *GRANTS)
    assert run(jeu)[0].status == "unchanged"
    (only,) = parquet(jeu, "partner")
    assert b"siret" not in only.read_bytes()


def test_a_narrowed_policy_takes_effect_with_the_source_down(jeu):
    run(jeu)
    (jeu.root / "sources/data.csv").unlink()
    jeu.grant("jeu", NARROWED, *GRANTS)
    (outcome,) = run(jeu)
    assert (outcome.status, outcome.editions) == ("failed", ("partner",))
    assert select(jeu, PARTNER) == [(100,), (5000,), (40,)]
    (only,) = parquet(jeu, "partner")
    assert b"siret" not in only.read_bytes()


def test_both_are_told_when_the_source_is_down_and_the_policy_wrong(jeu):
    run(jeu)
    (jeu.root / "sources/data.csv").unlink()
    jeu.grant("jeu", {**EDITIONS, "partner": {"t": {"keep": ["nm"]}}}, *GRANTS)
    error = run(jeu)[0].error
    assert "no such file" in error
    assert "unknown column 'nm'" in error


def test_a_policy_may_name_a_column_that_comes_with_the_new_data(jeu):
    run(jeu)
    jeu.grant("jeu", {**EDITIONS, "partner": {"t": {"keep": ["commune"]}}}, *GRANTS)
    jeu.table("jeu", TEXT.replace("montant\n", "montant;commune\n").replace("0\n", "0;Rouen\n"))
    assert run(jeu)[0].reasons == ("the column 'commune' is new",)
    list(accept(jeu.lab, "jeu", by="steward", why="", say=lambda _: None))
    assert select(jeu, PARTNER) == [("Rouen",)] * 3


def test_a_policy_file_that_is_taken_away_takes_its_editions_with_it(jeu):
    run(jeu)
    (jeu.root / "policies/jeu.yaml").unlink()
    run(jeu)
    assert [path.name for path in (jeu.root / "var/lake/jeu").iterdir() if path.is_dir()] == ["raw"]


def test_a_resource_taken_out_of_the_descriptor_is_served_at_no_door_and_leaves_the_editions(jeu):
    source = {"source": {"file": "sources/data.csv"}}
    jeu.describe("jeu", {"t": source, "u": source})
    jeu.grant("jeu", {**EDITIONS, "open": {name: {"keep": ["montant"]} for name in ("t", "u")}}, *GRANTS)
    run(jeu)
    jeu.describe("jeu", {"t": source})
    granted = jeu.lab.granted(STEWARD)
    assert [(one.edition, list(one.current.resources)) for one in granted] == [("open", ["t"]), ("raw", ["t"])]
    assert parquet(jeu, "open", "u") != []
    run(jeu)
    assert not (jeu.root / "var/lake/jeu/open/u").exists()
    assert parquet(jeu, "raw", "u") != []


def test_a_broken_descriptor_grants_nothing_and_is_told(jeu):
    run(jeu)
    jeu.write("datasets/jeu.yaml", "title: [\n")
    said = []
    assert jeu.lab.granted(STEWARD, left_out=said.append) == jeu.lab.granted(STEWARD) == ()
    assert ["jeu.yaml:2: not valid YAML" in str(error) for error in said] == [True]


def test_the_folder_of_what_is_produced_is_closed_to_others_even_if_it_was_there_before(folder):
    (folder.root / "var").mkdir()
    (folder.root / "var").chmod(0o755)
    assert folder.lab.var.stat().st_mode & 0o777 == 0o700


def test_a_year_is_the_same_whatever_the_time_zone_of_the_host(folder, datalab):
    folder.table("jeu", "quand;n\n2023-12-31T23:30:00Z;1\n2024-01-01T00:30:00+02:00;2\n")
    folder.grant("jeu", {"open": {"t": {"keep": ["quand", "n"], "generalise": {"quand": "year"}}}})
    assert datalab("ingest", TZ="Asia/Tokyo").code == 0
    assert select(folder, EVERYONE) == [(2023, 1), (2023, 2)]


def test_the_engine_spills_into_the_lab_and_not_where_the_command_was_called(jeu):
    jeu.grant("jeu", {"open": {"t": {"keep": ["nom"], "where": "nom = current_setting('temp_directory')"}}})
    spill = jeu.root / "var/tmp/jeu/spill"
    jeu.table("jeu", f"nom;n\n{spill};1\n.tmp;2\n")
    assert run(jeu)[0].error is None
    assert select(jeu, EVERYONE) == [(str(spill),)]


def test_a_file_that_changes_while_it_is_read_is_refused(jeu):
    run(jeu)
    source = jeu.root / "sources/data.csv"
    source.write_text(TEXT + "80295478500013;A;2025-01-01;60\n")

    def change(step: str) -> None:
        if "type" in step:
            source.write_text(source.read_text() + "80295478500013;A;2025-01-02;61\n")

    (outcome,) = ingest(jeu.lab, "jeu", change)
    assert outcome.error == f"{source}: the file changed while it was read; try again"
    assert len(select(jeu, STEWARD)) == 3
    assert len(parquet(jeu, "raw")) == 1


def test_the_step_of_a_commit_says_one_row_and_two_rows(folder):
    steps = []
    for name, content in (("un", "a;b\n1;2\n"), ("deux", "a;b\n1;2\n3;4\n")):
        folder.table(name, content)
        list(ingest(folder.lab, name, steps.append))
    assert [step for step in steps if "commit" in step] == [
        "un.t: commit 1 row and build the editions",
        "deux.t: commit 2 rows and build the editions",
    ]
