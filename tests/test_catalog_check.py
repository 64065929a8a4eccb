from __future__ import annotations

import json
import shutil

import pytest
from rdflib import Graph, URIRef

from catalog.check import check
from catalog.dcat import dataset_graph
from catalog.entries import EVERYONE, entries
from catalog.lab import Lab
from catalog.mqa import TOTAL, is_public, score
from catalog.settings import CatalogSettings
from ingest.run import ingest
from policies.errors import UsageError

OPEN = URIRef("https://data.exemple.fr/datasets/subventions#open")


def report(lab, slug):
    return next(one for one in check(lab, (slug,)) if one.slug == slug)


@pytest.fixture
def graph(open_lab):
    entry = next(entry for entry in entries(open_lab, EVERYONE) if entry.slug == "subventions")
    return dataset_graph(open_lab.section("catalog", CatalogSettings), entry)


def test_the_indicators_are_those_of_the_methodology_and_give_405_points(graph):
    by_dimension: dict[str, int] = {}
    for one in score(graph, OPEN).indicators:
        by_dimension[one.dimension] = by_dimension.get(one.dimension, 0) + one.points
    assert by_dimension == {
        "findability": 100,
        "accessibility": 100,
        "interoperability": 110,
        "reusability": 75,
        "context": 20,
    }
    assert sum(by_dimension.values()) == TOTAL


def test_a_dataset_that_says_all_there_is_to_say_reaches_all_points_but_the_size_of_a_file_not_yet_made(graph):
    made = score(graph, OPEN)
    assert made.points == TOTAL - 3
    assert [(one.name, one.missing) for one in made.gains] == [("file size", 3)]
    assert made.rating == "excellent"


def test_a_dataset_that_says_nothing_reaches_nothing():
    made = score(Graph(), OPEN)
    assert (made.points, made.rating) == (0, "bad")


def test_what_a_line_of_the_descriptor_gives_comes_first_and_then_by_points(open_lab):
    path = open_lab.root / "datasets" / "subventions.yaml"
    text = path.read_text().replace("temporal: {start: 2020-01-01, end: 2025-12-31}\n", "")
    path.write_text(text.replace('licence_note: "Citer la Région Exemple."\n', ""))
    settings = open_lab.root / "datalab.toml"
    settings.write_text(settings.read_text().replace("https://data.exemple.fr/", "http://127.0.0.1:8420/"))
    gains = report(Lab.open(open_lab.root), "subventions").score.gains
    assert [(one.missing, one.remedy.partition(" ")[0]) for one in gains] == [
        (20, "temporal:"),
        (5, "licence_note:"),
        (50, "set"),
        (30, "set"),
        (3, "the"),
    ]


def test_what_nobody_is_served_is_scored_by_its_descriptor_and_told_how_to_be_served(open_lab):
    made = report(open_lab, "secrets")
    assert made.errors == ()
    assert {one.remedy for one in made.score.gains if one.dimension == "accessibility"} == {
        "ingest the dataset, and grant an edition to everyone"
    }


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://data.normandie.fr/x", True),
        ("http://127.0.0.1:8420/", False),
        ("http://[::1]/", False),
        ("http://10.1.2.3/", False),
        ("http://localhost/", False),
        ("http://portail.local/", False),
        ("http://serveur/", False),
        ("http://8.8.8.8/", True),
    ],
)
def test_an_address_answers_to_all_the_world_only_where_all_the_world_can_ask(url, public):
    assert is_public(url) is public


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("themes: [GOVE, ECON]", "themes: [GOVE, ECONO]", 6, "unknown theme 'ECONO'; did you mean 'ECON'?"),
        ("licence: LO-2.0", "licence: LO-2", 8, "unknown licence 'LO-2'; did you mean 'LO-2.0'?"),
        ('{fr: "Versements", en:', '{fr: "Versements", xx:', 16, "unknown language 'xx'"),
        (', email: "donnees@exemple.fr"', "", 5, "email"),
        ('{fr: "Subventions versées', '{fr: "<script>alert(1)</script> versées', 1, "has markup (<script>)"),
        ("themes: [GOVE, ECON]", "themes: [GOVE, ECON", 7, "not valid YAML"),
        ("frequency: ANNUAL", "frequency: YEARLY", 10, "unknown frequency"),
        ("end: 2025-12-31", "end: 2019-12-31", 12, "before it starts"),
    ],
)
def test_what_is_wrong_in_a_descriptor_is_named_with_file_and_line(open_lab, old, new, line, said):
    path = open_lab.root / "datasets" / "subventions.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    (error,) = report(open_lab, "subventions").errors
    assert error.startswith(f"{path}:{line}: ")
    assert said in error
    assert "subventions" not in {entry.slug for entry in entries(open_lab, EVERYONE)}
    assert "communes" in {entry.slug for entry in entries(open_lab, EVERYONE)}


def test_two_descriptors_of_one_dataset_are_both_named_and_neither_is_published(open_lab):
    path = open_lab.root / "datasets" / "communes.yaml"
    shutil.copy(path, path.with_suffix(".yml"))
    (error,) = report(open_lab, "communes").errors
    assert error == f"{path} and {path.with_suffix('.yml')}: two descriptors of one dataset; take one of them away"
    assert "communes" not in {entry.slug for entry in entries(open_lab, EVERYONE)}


def test_a_file_that_nobody_reads_is_named_with_the_name_it_should_have(open_lab):
    for stray in ("datasets/stations.yml", "policies/eau/eau.yaml"):
        (open_lab.root / stray).parent.mkdir(exist_ok=True)
        (open_lab.root / stray).write_text("title: {fr: x}\n")
    found = [error for one in check(open_lab, open_lab.slugs) if not one.slug for error in one.errors]
    root = open_lab.root
    assert found == [
        f"{root}/datasets/stations.yml: is not read; expected {root}/datasets/stations.yaml",
        f"{root}/policies/eau/eau.yaml: is not read; expected {root}/policies/eau.yaml",
    ]


@pytest.mark.parametrize("sensitivity", ["internal", "secret"])
def test_what_is_not_public_must_not_be_granted_to_everyone(open_lab, sensitivity):
    path = open_lab.root / "datasets" / "subventions.yaml"
    path.write_text(f"{path.read_text()}sensitivity: {sensitivity}\n")
    (error,) = report(open_lab, "subventions").errors
    assert "policies/subventions.yaml: grants open to everyone" in error


def test_of_personal_data_the_columns_that_everyone_gets_as_they_are_are_named(open_lab):
    path = open_lab.root / "datasets" / "subventions.yaml"
    path.write_text(f"{path.read_text()}sensitivity: personal\n")
    found = [one for one in report(open_lab, "subventions").warnings if "personal" in one]
    told = "everyone gets as they are: jour, montant, nomBeneficiaire"
    assert found == [f"versements: `sensitivity: personal`, and {told}"]


def test_a_policy_that_keeps_what_is_not_there_is_wrong_before_the_next_ingest(open_lab):
    path = open_lab.root / "policies" / "subventions.yaml"
    path.write_text(path.read_text().replace("jour", "jours"))
    errors = report(open_lab, "subventions").errors
    assert errors == (
        "policies/subventions.yaml:5: edition 'open' keeps versements.jours, which is not there; did you mean 'jour'?",
    )
    path.write_text(path.read_text().replace("versements:", "versement:"))
    (error,) = report(open_lab, "subventions").errors
    assert "keeps columns of 'versement'; did you mean 'versements'?" in error


def test_a_harvested_dataset_that_is_gone_upstream_and_a_closed_high_value_one_deserve_a_look(open_lab):
    path = open_lab.root / "datasets" / "communes.yaml"
    gone = 'harvested: {portal: "https://ckan.exemple.fr/", identifier: abc, gone: 2026-10-01}'
    path.write_text(f"{path.read_text()}hvd: [geospatial]\n{gone}\n")
    found = report(open_lab, "communes").warnings
    assert "is gone from https://ckan.exemple.fr/ since 2026-10-01; it is kept until you take it away" in found
    assert any("EU 2023/138" in one for one in found)


def test_columns_without_title_and_a_twin_of_a_title_deserve_a_look(open_lab):
    shutil.copy(open_lab.root / "datasets" / "subventions.yaml", open_lab.root / "datasets" / "copie.yaml")
    found = report(open_lab, "subventions").warnings
    assert "has the title of copie" in found
    assert "versements: no title for jour" in found
    assert "has no policy: nobody is granted anything" in report(open_lab, "copie").warnings


def test_check_exits_with_1_when_anything_is_wrong_and_tells_of_the_others_too(folder, datalab):
    folder.table("bon", "a\n1\n")
    folder.describe("mauvais", {"t": {"source": {"file": "x.csv"}}}, themes=["NOPE"])
    ran = datalab("check")
    assert ran.code == 1
    assert "bon  " in ran.out
    assert "mauvais\n  wrong: " in ran.out
    assert "1 error in 2 datasets" in ran.err
    assert datalab("check", "bon").code == 0


def test_check_tells_a_program_all_of_it_as_json(folder, datalab):
    folder.table("bon", "a\n1\n")
    (document,) = map(json.loads, datalab("check", "--json").out.splitlines())
    assert document["dataset"] == "bon"
    assert document["score"]["of"] == 405
    assert sum(one["reached"] for one in document["score"]["indicators"]) == document["score"]["points"]


def test_an_unknown_dataset_is_named_with_those_there_are_and_a_misnamed_one_with_its_right_name(open_lab):
    with pytest.raises(UsageError, match="unknown dataset 'subvention'; did you mean 'subventions'"):
        list(check(open_lab, ("subvention",)))
    (open_lab.root / "datasets" / "stations.yml").write_text("title: {fr: x}\n")
    (error,) = report(open_lab, "stations").errors
    assert error.endswith("stations.yml: is not read; rename it to stations.yaml")


def test_a_column_that_no_edition_speaks_of_deserves_a_look_and_one_that_is_not_there_is_wrong(folder):
    folder.table("jeu", "a;b;c;d\n1;2;3;4\n")
    tables = {"open": {"t": {"keep": ["a"], "drop": ["c"], "rename": {"a": "x"}}}, "partner": {"t": {"keep": ["a"]}}}
    folder.grant("jeu", tables)
    list(ingest(folder.lab, "jeu", lambda _: None))
    assert "policies/jeu.yaml: t: no edition keeps or drops b, d" in report(folder.lab, "jeu").warnings
    folder.grant("jeu", {**tables, "partner": {"t": {"keep": ["a"], "drop": ["b", "d", "dd"]}}})
    made = report(folder.lab, "jeu")
    assert not [one for one in made.warnings if "keeps or drops" in one]
    said = "policies/jeu.yaml:18: edition 'partner' drops t.dd, which is not there; did you mean 'd'?"
    assert said in made.errors
    folder.grant("jeu", {"open": {"t": {"keep": ["a", "b"], "generalise": {"a": {"width": 5}, "b": "month"}}}})
    (said,) = report(folder.lab, "jeu").errors
    assert said == "policies/jeu.yaml:11: edition 'open', resource 't': column 'b' is BIGINT; only dates have a month"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("aa > 1", 'Binder Error: Referenced column "aa" not found in FROM clause; '),
        ("a >", 'Parser Error: syntax error at or near ")"; '),
        ("sum(a) > 1", "Binder Error: WHERE clause cannot contain aggregates; "),
        ("a > 1); SELECT (1", "has a ';'; "),
        ("a IN (SELECT 1 FROM read_text('/etc/passwd'))", "Permission Error: "),
    ],
)
def test_a_condition_that_cannot_be_carried_out_is_wrong_before_the_ingest_and_in_the_ingest_s_words(
    folder, where, said
):
    folder.table("jeu", "a;b\n1;2\n")
    folder.grant("jeu", {"open": {"t": {"keep": ["a"], "drop": ["b"]}}})
    list(ingest(folder.lab, "jeu", lambda _: None))
    folder.grant("jeu", {"open": {"t": {"keep": ["a"], "drop": ["b"], "where": where}}})
    (error,) = report(folder.lab, "jeu").errors
    line = (folder.root / "policies/jeu.yaml").read_text().split("where:")[0].count("\n") + 1
    place = f"policies/jeu.yaml:{line}: edition 'open', resource 't': 'where' cannot be carried out: "
    assert error.startswith(place + said)
    assert error.endswith("; expected one SQL condition on the source's columns: a, b")
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    assert outcome.error == error


def test_the_words_of_a_condition_are_read_before_the_first_ingest(folder):
    folder.table("jeu", "a;b\n1;2\n")
    folder.grant("jeu", {"open": {"t": {"keep": ["a"], "where": "a >"}}})
    (error,) = report(folder.lab, "jeu").errors
    assert error.endswith("; expected one SQL condition on the source's columns")
    folder.grant("jeu", {"open": {"t": {"keep": ["a"], "where": "aa > 1 -- who knows"}}})
    assert report(folder.lab, "jeu").errors == ()


@pytest.mark.parametrize(
    ("k", "rows", "told"), [({}, "p;1\n" * 5, True), ({"of": "nir"}, "p;1\n" * 5, False), ({}, "", False)]
)
def test_a_k_of_rows_beside_a_pseudonym_that_repeats_deserves_a_look(folder, k, rows, told):
    folder.table("jeu", f"nir;cp\na;1\nb;1\n{rows}")
    k = {"at_least": 2, "over": ["cp"], **k}
    table = {"keep": ["nir", "cp"], "rename": {"nir": "personne"}, "pseudonymise": ["nir"], "k": k}
    folder.grant("jeu", {"open": {"t": table}})
    list(ingest(folder.lab, "jeu", lambda _: None))
    found = [one for one in report(folder.lab, "jeu").warnings if "counts rows" in one]
    said = "edition 'open', resource 't': 'k' counts rows, and 'nir' repeats: say `of: nir`"
    assert [one.partition(": ")[2] for one in found] == [said] * told
