"""From source to editions: what is committed, what is left alone, and what is said when it cannot be."""

from __future__ import annotations

import datetime as dt

import pytest

from catalog.query import connect
from ingest.run import ingest
from policies.errors import DocumentError

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
    run(jeu)
    assert "telephone" not in connect(jeu.lab, PARTNER).sql("SELECT * FROM jeu.t").columns
    assert "telephone" in connect(jeu.lab, STEWARD).sql("SELECT * FROM jeu.t").columns


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {"keep": ["nm"]},
            "policies/jeu.yaml: edition 'partner', resource 't': unknown column 'nm'; did you mean 'nom'",
        ),
        ({"keep": ["nom"], "where": "montnt > 1"}, "the edition cannot be built: Binder Error"),
        ({"keep": ["nom"], "where": "true); SELECT (1"}, "'where' must be one condition"),
        ({"keep": ["nom"], "where": "nom = (SELECT content FROM read_text('/etc/passwd'))"}, "cannot be built"),
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
    # What the partners saw was built by a policy that no longer holds
    assert [granted.edition for granted in jeu.lab.granted(PARTNER)] == ["open"]
    assert len(list((jeu.root / "var/lake").rglob("*.parquet"))) == 3


def test_data_that_no_edition_can_be_built_from_leave_every_edition_as_it_was(jeu):
    run(jeu)
    jeu.table("jeu", TEXT.replace("siret;", "siren;"))
    (outcome,) = run(jeu)
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


def test_an_xlsx_a_geojson_and_their_types_come_in(folder):
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
        "jour": "text",
        "geometry": "geometry",
    }


def test_a_file_that_is_no_spreadsheet_is_refused(folder):
    folder.table("jeu", b"a;b\n1;2\n", name="data.xlsx")
    assert "cannot be read as a spreadsheet" in run(folder)[0].error


def test_a_file_that_is_no_geojson_is_refused(folder):
    folder.table("jeu", b"a;b\n1;2\n", name="data.geojson")
    assert "cannot be read as GeoJSON" in run(folder)[0].error
