"""A refresh that breaks what was there waits for a steward, named; the last good snapshot goes on serving."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.lake import ServedColumn
from ingest.differences import Shape, differences
from ingest.run import ingest
from ingest.verdict import accept, refuse, waiting
from policies.errors import LakeError, UsageError
from policies.model import RAW

FIRST = "rang;nom;montant\n1;a;1,50\n2;b;2,25\n3;c;3,75\n4;d;4,00\n"


def run(folder):
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    return outcome


def let_in(folder, what: str = "jeu"):
    (outcome,) = accept(folder.lab, what, by="agnès", why="confirmé", say=lambda _: None)
    return outcome


def types(folder) -> dict[str, str]:
    return {column.name: column.type for column in folder.lab.lake.current("jeu", RAW).resources["t"].columns}


@pytest.fixture
def jeu(folder):
    assert folder.bring(FIRST)["rows_out"] == 4
    return folder


RETYPED = "the column 'rang' was integer and is text (no other type fits every value, 'x3' for one)"
COMMA = "every value is a number with a decimal comma and at most"


def refresh(folder, content: str, **resource):
    folder.table("jeu", content, **resource)
    return run(folder)


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        ("rang;montant\n1;1,50\n2;2,25\n3;3,75\n4;4,00\n", ["the column 'nom' is gone"]),
        (FIRST.replace("\n", ";x\n").replace("montant;x", "montant;ville"), ["the column 'ville' is new"]),
        (FIRST.replace("nom", "name"), ["the column 'nom' is gone and 'name' is new: probably renamed"]),
        (
            "libelle;rang;montant;n\na;1;1,50;9\nb;2;2,25;9\nc;3;3,75;9\nd;4;4,00;9\n",
            ["the column 'nom' is gone and 'libelle' is new: probably renamed", "the column 'n' is new"],
        ),
        (FIRST.replace("3;c", "x3;c"), [RETYPED]),
        (FIRST.replace("1;a", "1,5;a"), [f"the column 'rang' was integer and is decimal(18,1) ({COMMA} 1 decimal)"]),
        ("rang;nom;montant\n1;a;1,50\n", ["the rows fell from 4 to 1, by 75%: more than 50%"]),
    ],
)
def test_what_breaks_the_last_good_snapshot_is_held_and_named(jeu, content, reasons):
    before = jeu.rows()
    outcome = refresh(jeu, content)
    assert (outcome.status, outcome.error, list(outcome.reasons)) == ("held", None, reasons)
    assert jeu.rows() == before
    ((place, held),) = waiting(jeu.lab).items()
    assert place == ("jeu", "t")
    assert list(held.reasons) == reasons
    assert held.rows_before == 4
    assert [column.name for column in held.columns_before] == ["rang", "nom", "montant"]
    again = run(jeu)
    assert (again.status, again.reasons) == ("held", outcome.reasons)
    assert waiting(jeu.lab)["jeu", "t"] == held


def test_what_was_inferred_is_kept_where_the_new_values_would_be_read_otherwise(jeu):
    assert refresh(jeu, "rang;nom;montant\n1;7;1\n2;8;2\n3;9;3\n4;10;4\n").status == "ingested"
    assert types(jeu) == {"rang": "BIGINT", "nom": "VARCHAR", "montant": "DECIMAL(18,2)"}
    assert refresh(jeu, "rang;nom;montant\n;;\n1;7;0,5\n2;8;1\n").status == "ingested"
    assert types(jeu) == {"rang": "BIGINT", "nom": "VARCHAR", "montant": "DECIMAL(18,2)"}


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        (["03/04/2024", "12/25/2024"], ["03/05/2024", "04/05/2024"], ["2024-03-05", "2024-04-05"]),
        (["1.25", "1.125"], ["1.234", "2.345"], ["1.234", "2.345"]),
        (["1e3", "2.5e-2"], ["1", "2"], ["1.0", "2.0"]),
        (["1.123456", "2.5"], ["1", "2.25"], ["1.0", "2.25"]),
    ],
)
def test_a_column_is_read_in_the_form_it_had(folder, first, then, kept):
    folder.bring("".join(f"{value}\n" for value in ["x", *first]))
    assert refresh(folder, "".join(f"{value}\n" for value in ["x", *then])).status == "ingested"
    assert [str(value) for (value,) in folder.rows()] == kept


def test_a_decimal_that_holds_more_digits_is_not_held_but_told(jeu):
    outcome = refresh(jeu, FIRST.replace("3,75", "3,755"))
    assert (outcome.status, outcome.reasons) == ("ingested", ())
    assert outcome.notes == (f"the column 'montant' was decimal(18,2) and is decimal(18,3) ({COMMA} 3 decimals)",)
    assert jeu.lab.lake.history("jeu", RAW, "t")[0]["notes"] == list(outcome.notes)
    assert types(jeu)["montant"] == "DECIMAL(18,3)"


def test_decimals_with_a_comma_do_not_become_thousands_with_a_point(folder):
    folder.bring("x;y\n1,234;a\n2,5;b\n")
    outcome = refresh(folder, "x;y\n1.234;a\n2.345;b\n")
    assert outcome.reasons == (
        "the column 'x' was decimal(18,3) and is text (numbers like 1.234: a thousand or a decimal? declare the type)",
    )


def test_a_type_that_breaks_only_after_the_sample_is_held_too(folder):
    rows = "".join(f"{number}\n" for number in range(20_100))
    folder.bring("n\n" + rows)
    (reason,) = refresh(folder, "n\n" + rows + "abc\n").reasons
    assert reason == "the column 'n' was integer and is text (no other type fits every value, 'abc' for one)"


def test_a_column_of_markers_comes_with_the_first_and_stays_when_markers_go(jeu):
    assert refresh(jeu, FIRST.replace("3,75", "NC")).status == "ingested"
    assert refresh(jeu, FIRST).status == "ingested"
    assert list(types(jeu)) == ["rang", "nom", "montant", "montant_marker"]
    assert jeu.rows(columns="count(montant), count(montant_marker)") == [(4, 0)]
    assert refresh(jeu, FIRST.replace("1,50", "ND")).status == "ingested"
    assert jeu.rows(columns="montant_marker") == [("ND",), (None,), (None,), (None,)]


def test_what_a_text_is_known_to_mean_is_kept_with_its_type(folder):
    def types_told() -> dict[str, str]:
        return {one["name"]: one["type"] for one in folder.lab.lake.history("jeu", RAW, "t")[0]["columns"]}

    folder.bring("siren;ville\n217605401;Rouen\n211402052;Caen\n")
    first = types_told()
    assert refresh(folder, "siren;ville\n211402052;Caen\n217605401;Rouen\n").status == "ingested"
    assert types_told() == first


def test_who_changes_how_the_bytes_are_read_has_accepted_the_types(jeu):
    assert refresh(jeu, FIRST, columns={"rang": {"type": "text"}}).status == "ingested"
    assert types(jeu)["rang"] == "VARCHAR"
    assert refresh(jeu, FIRST, columns={"rang": {"type": "integer"}}).status == "ingested"
    assert types(jeu)["rang"] == "BIGINT"


def test_a_declared_type_goes_on_rejecting_rows_and_holds_nothing(folder):
    folder.bring("n;m\n1;a\n2;b\n3;c\n", columns={"n": {"type": "integer"}})
    outcome = refresh(folder, "n;m\n1;a\nx;b\n3;c\n", columns={"n": {"type": "integer"}})
    assert (outcome.status, outcome.rejected) == ("ingested", 1)


def test_a_described_column_that_the_source_drops_is_held_and_not_a_wrong_descriptor(folder):
    described = {"nom": {"title": {"fr": "Nom"}}}
    folder.bring(FIRST, columns=described)
    outcome = refresh(folder, "rang;montant\n1;1,50\n2;2,25\n3;3,75\n4;4,00\n", columns=described)
    assert outcome.reasons == ("the column 'nom' is gone",)


def test_how_far_rows_may_fall_is_said_by_the_resource_or_the_lab(jeu):
    few = "rang;nom;montant\n1;a;1,50\n"
    assert refresh(jeu, few, max_drop=0.8).status == "ingested"
    jeu.table("jeu", FIRST)
    assert run(jeu).status == "ingested"
    jeu.write("datalab.toml", (jeu.root / "datalab.toml").read_text() + "[ingest]\nmax_drop = 0.1\n")
    outcome = refresh(jeu, FIRST.replace("4;d;4,00\n", ""))
    assert outcome.reasons == ("the rows fell from 4 to 3, by 25%: more than 10%",)


@pytest.mark.parametrize("content", ["", "rang;nom;montant\n"])
def test_an_empty_file_over_good_data_is_an_error_that_waits_in_the_review(jeu, content):
    outcome = refresh(jeu, content)
    assert outcome.status == "failed"
    assert len(jeu.rows()) == 4
    held = waiting(jeu.lab)["jeu", "t"]
    assert held.reasons == (outcome.error,)
    assert "data.csv" in outcome.error
    assert "there is nothing to accept" in let_in(jeu).error
    assert refuse(jeu.lab, "jeu", by="agnès", why="vide") == ["t"]
    assert run(jeu).status == "refused"
    assert waiting(jeu.lab) == {}


def test_bytes_that_cannot_be_read_are_not_held_where_nothing_was_served(folder):
    assert "no row of data" in folder.bring("a;b\n")
    assert waiting(folder.lab) == {}


def test_what_is_accepted_is_served_as_it_was_held_and_the_receipt_says_by_whom(jeu):
    jeu.grant(
        "jeu",
        {"open": {"t": {"keep": ["nom"]}}},
        {"to": "everyone", "edition": "open"},
        {"to": "user:steward", "edition": RAW, "until": "2999-01-01"},
    )
    refresh(jeu, FIRST.replace("3;c", "x3;c"))
    (jeu.root / "sources/data.csv").unlink()
    outcome = let_in(jeu, "jeu.t")
    assert (outcome.status, outcome.editions, outcome.rows_out) == ("ingested", ("open",), 4)
    assert [row[0] for row in jeu.rows()] == ["1", "2", "x3", "4"]
    accepted = jeu.lab.lake.history("jeu", RAW, "t")[0]["accepted"]
    assert (accepted["by"], accepted["why"]) == ("agnès", "confirmé")
    assert accepted["reasons"] == [RETYPED]
    assert waiting(jeu.lab) == {}
    assert list((jeu.root / "var/held/jeu/t").iterdir()) == []
    assert refresh(jeu, FIRST.replace("3;c", "x3;c")).status == "unchanged"


def test_rejects_of_what_was_held_come_with_it(folder):
    declared = {"n": {"type": "integer"}}
    folder.bring("n;m\n1;a\n2;b\n3;c\n", columns=declared)
    assert refresh(folder, "n;m;o\n1;a;\nx;b;\n3;c;\n", columns=declared).status == "held"
    assert folder.rows("jeu.t", "n") == [(1,), (2,), (3,)]
    let_in(folder)
    assert folder.rows("jeu.t_rejects", "line, text") == [(3, "x | b | ")]


def test_what_is_refused_is_not_held_again_and_other_bytes_are(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    assert refuse(jeu.lab, "jeu.t", by="agnès", why="coquille") == ["t"]
    outcome = run(jeu)
    assert outcome.status == "refused"
    assert outcome.reasons[0].startswith("agnès refused these bytes on ")
    assert outcome.reasons[0].endswith(": coquille")
    assert list((jeu.root / "var/held/jeu/t").glob("*.parquet")) == []
    assert refresh(jeu, FIRST.replace("nom", "title")).status == "held"
    assert refresh(jeu, FIRST.replace("nom", "name")).status == "refused"


def test_newer_bytes_supersede_what_was_held(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    refresh(jeu, FIRST.replace("nom", "title"))
    assert "'title'" in waiting(jeu.lab)["jeu", "t"].reasons[0]
    assert len(list((jeu.root / "var/held/jeu/t").glob("*.parquet"))) == 2
    assert refresh(jeu, FIRST + "5;e;5,00\n").status == "ingested"
    assert waiting(jeu.lab) == {}


def test_a_source_that_is_as_it_was_again_leaves_nothing_to_review(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    assert refresh(jeu, FIRST).status == "unchanged"
    assert waiting(jeu.lab) == {}


def test_a_held_file_that_was_swapped_is_not_accepted(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    (path,) = (jeu.root / "var/held/jeu/t").glob("table-*.parquet")
    (served,) = (jeu.root / "var/lake/jeu/raw/t").glob("*.parquet")
    path.write_bytes(served.read_bytes())
    assert "is not what was held" in let_in(jeu).error
    assert "nom" in types(jeu)
    assert len(list((jeu.root / "var/lake/jeu/raw/t").glob("*.parquet"))) == 1


def test_a_descriptor_that_changed_since_is_not_overruled_by_accepting(jeu):
    refresh(jeu, FIRST.replace("3;c", "x3;c"))
    jeu.table("jeu", FIRST.replace("3;c", "x3;c"), columns={"rang": {"type": "integer"}})
    assert "the descriptor has changed since this was held; ingest again" in let_in(jeu).error
    assert run(jeu).rejected == 1


def test_a_damaged_shelf_is_named(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    path = jeu.root / "var/held/jeu/t/held.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(LakeError, match="held.json: damaged"):
        waiting(jeu.lab)
    assert "held.json: damaged" in run(jeu).error


def test_names_that_hold_nothing_are_told(jeu):
    with pytest.raises(UsageError, match="jeu: nothing waits for review"):
        refuse(jeu.lab, "jeu", by="a", why="b")
    with pytest.raises(UsageError, match="unknown resource 'jeu.u'"):
        waiting(jeu.lab, "jeu.u")
    with pytest.raises(UsageError, match="unknown dataset 'jou'; did you mean 'jeu'"):
        waiting(jeu.lab, "jou")


def test_an_order_of_columns_that_changed_is_no_difference():
    a, b = ServedColumn(name="a", type="BIGINT"), ServedColumn(name="b", type="VARCHAR")
    shapes = Shape(columns=(a, b), rows=1), Shape(columns=(b, a), rows=1)
    assert differences(*shapes, max_drop=0.0, types=True) == ()


def test_review_accept_and_refuse_from_the_command_line(jeu, datalab):
    jeu.table("jeu", FIRST.replace("nom", "name"))
    held = datalab("ingest")
    assert held.code == 3
    assert "jeu.t is held: the column 'nom' is gone and 'name' is new: probably renamed" in held.err
    listed = datalab("review")
    assert listed.code == 0
    for said in ("jeu.t", "4 → 4", "3 → 3", "probably renamed"):
        assert said in listed.out
    assert datalab("review", "jeu", "--check").code == 1
    assert datalab("refuse", "jeu.t", "--why", "coquille").code == 0
    assert datalab("review", "--check").code == 0
    assert datalab("ingest").code == 0
    jeu.table("jeu", FIRST.replace("nom", "title"))
    assert datalab("ingest").code == 3
    assert datalab("accept", "jeu", "--why", "oui", "--by", "agnès").code == 0
    assert "title" in types(jeu)
    told = json.loads(datalab("receipt", "jeu", "--json").out)
    assert told["accepted"]["by"] == "agnès"
    assert Path(told["source"]).name == "data.csv"


def test_a_receipt_is_shown_as_a_steward_reads_it(folder, datalab):
    folder.bring("n;note\n1;a\nx;b\n3;c\n", columns={"n": {"type": "integer"}})
    folder.bring("n;note\n1;a\nx;b\n3;[red]\n4;\n", columns={"n": {"type": "integer"}}, refresh=True)
    told = datalab("receipt", "jeu")
    assert told.code == 0
    for said in (
        "jeu.t, version 1, committed ",
        "data.csv",
        "csv: ",
        "delimiter ';'",
        "4 in = 3 out + 1 rejected",
        "declared integer",
        "n: expected integer, found x",
    ):
        assert said in told.out
    assert "3 in = 2 out + 1 rejected" in datalab("receipt", "jeu.t", "--version", "0").out
    stored = json.loads(datalab("receipt", "jeu.t", "--version", "0", "--json").out)
    assert (stored["version"], stored["rows_in"], stored["rejects"][0]["line"]) == (0, 3, 3)
    assert "jeu.t: no such version; there are 1, 0" in datalab("receipt", "jeu.t", "--version", "7").err
    assert "unknown resource 'jeu.u'" in datalab("receipt", "jeu.u").err


def test_the_receipt_of_what_is_held_is_shown_with_the_value_that_broke_its_type(jeu, datalab):
    assert "nothing waits for review that could be read" in datalab("receipt", "jeu", "--held").err
    refresh(jeu, FIRST.replace("3;c", "x3;c"))
    told = datalab("receipt", "jeu", "--held")
    assert (told.code, "jeu.t, held since" in told.out, "'x3'" in told.out) == (0, True, True)
    (table,) = (jeu.root / "var/held/jeu/t").glob("table-*.parquet")
    assert f"rows in var/held/jeu/t/{table.name}" in told.out
    assert json.loads(datalab("receipt", "jeu.t", "--held", "--json").out)["rows_out"] == 4
    ran = datalab("receipt", "jeu", "--held", "--version", "0")
    assert (ran.code, "leave --version out" in ran.err) == (2, True)
    assert "held since" not in datalab("receipt", "jeu").out


def test_a_receipt_counts_the_markers_of_a_column(folder, datalab):
    folder.bring("n;m\n1;a\nNC;b\n3;c\nNC;d\n")
    assert "NC 2" in datalab("receipt", "jeu").out


def test_a_receipt_of_what_was_never_ingested_is_an_error(folder, datalab):
    folder.table("jeu", "n;a\n1;x\n")
    ran = datalab("receipt", "jeu")
    assert (ran.code, ran.out) == (1, "")
    assert "jeu: no receipt; ingest it first" in ran.err


def test_all_that_differs_is_named_at_once_and_accepted_at_once(jeu):
    outcome = refresh(jeu, "rang;name;extra\nx1;a;9\n")
    assert list(outcome.reasons) == [
        "the column 'nom' is gone and 'name' is new: probably renamed",
        "the column 'montant' is gone",
        "the column 'extra' is new",
        RETYPED.replace("x3", "x1"),
        "the rows fell from 4 to 1, by 75%: more than 50%",
    ]
    assert let_in(jeu).status == "ingested"
    assert jeu.rows() == [("x1", "a", 9)]


def test_what_is_accepted_is_what_was_held_though_the_source_has_changed_again(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    jeu.table("jeu", FIRST.replace("nom", "title"))
    assert let_in(jeu).status == "ingested"
    assert "name" in types(jeu)
    assert run(jeu).reasons == ("the column 'name' is gone and 'title' is new: probably renamed",)


def test_bytes_that_cannot_be_read_leave_what_is_held(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    assert refresh(jeu, "").status == "failed"
    assert waiting(jeu.lab)["jeu", "t"].reasons == ("the column 'nom' is gone and 'name' is new: probably renamed",)
    assert let_in(jeu).status == "ingested"


def test_a_source_that_cannot_be_asked_leaves_what_is_held(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    (jeu.root / "sources/data.csv").unlink()
    assert run(jeu).status == "failed"
    assert let_in(jeu).status == "ingested"


def test_a_refusal_says_how_it_is_taken_back(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    refuse(jeu.lab, "jeu", by="agnès", why="coquille")
    path = jeu.root / "var/held/jeu/t/refused.json"
    assert run(jeu).reasons[-1] == f"to have them held again, take this out of {path}"
    path.write_text(json.dumps({"refused": []}))
    assert run(jeu).status == "held"


def test_a_new_title_in_the_descriptor_does_not_hinder_accepting(jeu):
    changed = FIRST.replace("nom", "name")
    refresh(jeu, changed)
    jeu.table("jeu", changed, title={"fr": "Autre"})
    assert let_in(jeu).status == "ingested"


def test_a_type_that_another_reading_changed_is_noted(folder):
    folder.bring("n;m\n1 000;a\n2 000;b\n")
    outcome = refresh(folder, "n;m\n1 000;a\n2 000;b\n", columns={"n": {"type": "text"}})
    assert (outcome.status, outcome.notes) == ("ingested", ("the column 'n' was integer and is text (declared text)",))
    assert refresh(folder, "n;m\n1 000;a\n3 000;b\n", columns={"n": {"type": "text"}}).notes == ()


def test_what_a_policy_hinders_from_being_accepted_waits_until_the_policy_is_changed(jeu):
    jeu.grant("jeu", {"open": {"t": {"keep": ["nom"]}}})
    run(jeu)
    refresh(jeu, FIRST.replace("nom", "name"))
    outcome = let_in(jeu)
    assert "edition 'open', resource 't': unknown column 'nom'" in outcome.error
    assert "change the policy, then accept again" in outcome.error
    jeu.grant("jeu", {"open": {"t": {"keep": ["name"]}}})
    assert let_in(jeu).editions == ("open",)


def test_a_share_that_is_changed_judges_what_is_held_again(jeu):
    few = "rang;nom;montant\n1;a;1,50\n"
    assert refresh(jeu, few).status == "held"
    assert refresh(jeu, few, max_drop=0.8).status == "ingested"
    assert waiting(jeu.lab) == {}


@pytest.mark.parametrize("gone", ["resource", "dataset"])
def test_what_no_descriptor_has_any_more_waits_for_nobody(jeu, gone):
    refresh(jeu, FIRST.replace("nom", "name"))
    if gone == "resource":
        jeu.describe("jeu", {"u": {"source": {"file": "sources/data.csv"}}})
        with pytest.raises(UsageError, match="jeu: nothing waits for review"):
            let_in(jeu)
    else:
        (jeu.root / "datasets/jeu.yaml").unlink()
    assert waiting(jeu.lab) == {}


def test_a_wrong_descriptor_hides_nothing_that_waits(jeu):
    refresh(jeu, FIRST.replace("nom", "name"))
    jeu.write("datasets/jeu.yaml", "titel: x")
    assert list(waiting(jeu.lab)) == [("jeu", "t")]


def test_what_is_appended_keeps_the_types_of_columns_that_the_last_rows_had_not(folder):
    added = {"mode": "append"}
    folder.bring(FIRST, **added)
    assert refresh(folder, "rang;nom\n5;e\n", **added).status == "held"
    let_in(folder)
    assert refresh(folder, "rang;nom;montant\n6;f;1,0\n7;g;2\n", **added).status == "ingested"
    assert [str(row[2]) for row in folder.rows()] == ["1.50", "2.25", "3.75", "4.00", "None", "1.00", "2.00"]


def test_of_two_that_come_to_be_appended_the_second_is_seen_once_the_first_is_refused(folder, datalab):
    added = {"mode": "append"}
    folder.bring(FIRST, **added)
    refresh(folder, "rang;nom\n5;e\n", **added)
    outcome = refresh(folder, "rang;nom\n6;f\n7;g\n", **added)
    assert outcome.reasons == (
        "newer bytes came: accept or refuse those that wait, first",
        "the column 'montant' is gone",
    )
    assert waiting(folder.lab)["jeu", "t"].receipt.rows_out == 1
    refuse(folder.lab, "jeu", by="agnès", why="doublon")
    assert run(folder).reasons == ("the column 'montant' is gone",)
    assert "4 + 2" in datalab("review").out
    let_in(folder)
    assert folder.rows(columns="rang") == [(1,), (2,), (3,), (4,), (6,), (7,)]
    assert refresh(folder, "rang;nom\n5;e\n", **added).status == "refused"


def test_a_key_that_was_retyped_still_finds_the_rows_that_it_replaces(folder):
    merged = {"mode": "merge", "key": ["rang"]}
    folder.bring(FIRST, **merged)
    outcome = refresh(folder, "rang;nom;montant\n2;B;2,00\nx5;e;1,00\n", **merged)
    assert outcome.reasons == (RETYPED.replace("x3", "x5"),)
    assert let_in(folder).status == "ingested"
    assert sorted(folder.rows(columns="rang, nom")) == [("1", "a"), ("2", "B"), ("3", "c"), ("4", "d"), ("x5", "e")]
