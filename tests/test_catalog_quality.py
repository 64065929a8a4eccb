"""`quality:` of a resource: what breaks a rule waits for a steward, and the receipt says what each rule found."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from catalog import quality
from catalog.check import check
from catalog.quality import Check, results
from ingest.run import ingest
from policies.errors import DocumentError
from policies.model import RAW

ROWS = "code,statut,valeur\n01001,ouvert,1\n01002,fermé,2\n01003,,3\n"
RULES = [
    {"unique": ["code"]},
    {"not_null": ["code", "statut"]},
    {"values": {"statut": ["ouvert", "fermé"]}},
    {"where": "valeur > 0"},
    {"rows": {"min": 2, "max": 10}},
]


def bring(folder, rows, quality):
    folder.table("jeu", rows, quality=quality)
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    return outcome


def test_a_receipt_says_of_each_rule_how_many_rows_break_it_and_what_keeps_them_all_is_served(folder):
    rules = [rule for rule in RULES if "not_null" not in rule]
    assert bring(folder, ROWS, rules).status == "ingested"
    told = folder.lab.lake.current("jeu", RAW).resources["t"].receipt["quality"]
    assert told == [
        {"rule": "unique: code", "broken": 0},
        {"rule": "values: statut: ouvert, fermé", "broken": 0},
        {"rule": "where: valeur > 0", "broken": 0},
        {"rule": "rows: 2 to 10", "broken": 0},
    ]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"unique": ["statut"]}, "quality: unique: statut: 2 rows break it"),
        ({"not_null": ["code", "statut"]}, "quality: not_null: statut: 1 row breaks it"),
        ({"values": {"statut": ["ouvert"]}}, "quality: values: statut: ouvert: 3 rows break it"),
        ({"where": "valeur <> 2"}, "quality: where: valeur <> 2: 1 row breaks it"),
        ({"where": "statut <> ''"}, "quality: where: statut <> '': 1 row breaks it"),
        ({"rows": {"min": 6}}, "quality: rows: 6 to any number: the table has more or fewer"),
    ],
)
def test_what_breaks_a_rule_is_held_and_the_last_good_snapshot_goes_on_serving(folder, rule, said):
    assert bring(folder, "code,statut,valeur\n01001,ouvert,1\n", []).status == "ingested"
    more = "code,statut,valeur\n01001,ouvert,1\n01002,fermé,2\n01003,,3\n01004,fermé,4\n01005,fermé,5\n"
    outcome = bring(folder, more, [rule])
    assert outcome.status == "held"
    assert said in outcome.reasons
    assert folder.lab.lake.current("jeu", RAW).resources["t"].rows == 1


def test_a_first_snapshot_that_breaks_a_rule_waits_too_and_can_be_accepted(folder, datalab):
    assert bring(folder, ROWS, RULES).status == "held"
    assert folder.lab.lake.current("jeu", RAW) is None
    assert "quality: not_null: statut" in datalab("review").out.replace("\n", " ")
    assert datalab("accept", "jeu.t", "--why", "connu").code == 0
    assert folder.lab.lake.current("jeu", RAW).resources["t"].rows == 3
    assert "not_null: statut: 1 row breaks it" in datalab("receipt", "jeu.t").out


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            {"unique": ["codes"]},
            "datasets/jeu.yaml: t: quality: unique: codes: .*codes.*; there are code, statut, valeur",
        ),
        ({"where": "EXISTS (FROM read_text('/etc/passwd'))"}, "quality: where: .*Permission Error"),
    ],
)
def test_a_rule_that_is_none_fails_the_ingest_and_is_named_with_its_place(folder, rule, said):
    outcome = bring(folder, ROWS, [rule])
    assert outcome.status == "failed"
    assert re.search(said, outcome.error, re.DOTALL), outcome.error
    assert not list((folder.root / "var/lake/jeu/raw").rglob("*.parquet"))


def test_check_asks_the_rules_of_what_is_served(folder):
    assert bring(folder, ROWS, []).status == "ingested"
    folder.table("jeu", ROWS, quality=RULES)
    (report,) = (one for one in check(folder.lab, ("jeu",)) if one.slug == "jeu")
    assert "t: quality: not_null: statut: 1 row breaks it" in report.warnings
    folder.table("jeu", ROWS, quality=[{"unique": ["codes"]}])
    (report,) = (one for one in check(folder.lab, ("jeu",)) if one.slug == "jeu")
    assert "jeu.yaml: t: quality: unique: codes" in report.errors[0]


@pytest.mark.parametrize("rule", [{}, {"unique": []}, {"unique": ["a"], "not_null": ["b"]}, {"uniq": ["a"]}])
def test_a_line_that_is_not_one_rule_is_refused(rule):
    with pytest.raises(ValidationError):
        Check.model_validate(rule)


cells = st.one_of(st.none(), st.sampled_from(["", "a", "b", "c'"]))


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(cells, cells), max_size=12))
def test_rules_count_as_python_does(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("quality") / "t.parquet"
    schema = pa.schema([("x", pa.string()), ("y y", pa.string())])
    pq.write_table(pa.table([[row[0] for row in rows], [row[1] for row in rows]], schema=schema), path)
    checks = [Check(unique=("x", "y y")), Check(not_null=("y y",)), Check(values={"x": ("a", "c'")})]
    counted = [one.broken for one in results(checks, [path], ["x", "y y"], "d")]
    assert counted == [
        len(rows) - len(set(rows)),
        sum(row[1] is None for row in rows),
        sum(row[0] not in {None, "a", "c'"} for row in rows),
    ]


def test_no_rule_asks_nothing(tmp_path):
    assert results([], [tmp_path / "there_is_none.parquet"], [], "d") == ()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("valeur >", "syntax error"),
        ("1=1) OR (1=1", "syntax error"),
        ("true); DROP VIEW checked; SELECT (true", "syntax error|several statements"),
        ("true; SELECT 1", "several statements"),
    ],
)
def test_a_condition_is_one_expression_by_itself_and_is_refused_with_its_line(folder, where, said):
    folder.table("jeu", ROWS, quality=[{"where": where}])
    path = folder.root / "datasets/jeu.yaml"
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "where:" in text)
    with pytest.raises(DocumentError, match=rf"jeu\.yaml:{line}: .*where.*expected one condition: .*({said})"):
        list(ingest(folder.lab, "jeu", lambda _: None))


def test_a_rule_that_takes_too_long_is_broken_off_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "LONGEST", 0.5)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    endless = "(SELECT sum(x.range * y.range * z.range) FROM range(100000) x, range(100000) y, range(1000) z) > 0"
    with pytest.raises(DocumentError, match="d: quality: where: .*: takes more than 0.5 s"):
        results([Check(where=endless)], [tmp_path / "t.parquet"], ["a"], "d")


@pytest.mark.parametrize("rule", [{"rows": {"min": 10, "max": 5}}, {"values": {"a": []}}])
def test_a_rule_that_nothing_can_keep_is_refused(rule):
    with pytest.raises(ValidationError):
        Check.model_validate(rule)
