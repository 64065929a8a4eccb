from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from fixtures_portal import SUBVENTIONS, commit, policy, write
from hypothesis import given
from hypothesis import strategies as st

from catalog.entries import EVERYONE, entries
from catalog.search.find import QUERY_LIMIT, search
from catalog.search.index import indexed
from catalog.search.ranking import PERIODS
from catalog.search.similar import similar
from catalog.search.synonyms import NONE, Synonyms, parse, synonyms
from catalog.vocabulary import FREQUENCIES

DAY = dt.date(2026, 11, 28)


@pytest.fixture
def shown(open_lab):
    return entries(open_lab, EVERYONE)


@pytest.fixture
def index(shown):
    return indexed(shown, DAY)


@pytest.fixture(scope="module")
def small_index(tmp_path_factory):
    from fixtures_portal import make_lab  # noqa: PLC0415  for this fixture alone

    return indexed(entries(make_lab(tmp_path_factory.mktemp("lab")), EVERYONE), DAY)


def described(entry, slug, **changes):
    """The same entry under another name, with other words in its descriptor."""
    return dataclasses.replace(entry, slug=slug, dataset=entry.dataset.model_copy(update=changes))


def slugs(found):
    return [entry.slug for entry in found.entries]


def find(index, query, known=NONE, **chosen):
    return search(index, query, {facet: frozenset(values) for facet, values in chosen.items()}, known)


def test_an_empty_query_finds_everything_what_is_current_and_well_described_first(index):
    assert slugs(find(index, "  ")) == ["subventions", "communes"]


def test_a_query_without_a_letter_finds_nothing(index):
    assert slugs(find(index, "??? --")) == []


def test_a_title_ranks_before_a_description(index):
    assert slugs(find(index, "subvention")) == ["subventions", "communes"]


@pytest.mark.parametrize(
    "query",
    [
        "VERSEES",
        "versé",
        "versement",
        "associations",
        "association",
        "associatif",
        "vie associative",
        "grants",
        "grant",
        "region",
        "nombenef",
        "nomBeneficiaire",
        "nom_beneficiaire",
        "montants",
        "EUR 23 000",
        "l'association",
        "d’associations",
        "normandie",
    ],
)
def test_accents_case_plurals_stems_elisions_languages_and_beginnings_do_not_matter(index, query):
    assert "subventions" in slugs(find(index, query))


@pytest.mark.parametrize(
    ("title", "queries"),
    [
        ("Réseau Wi-Fi public", ["wifi", "wi-fi", "WI FI", "Wi\u2011Fi"]),
        ("Œuvres d'art aujourd'hui", ["oeuvre", "œuvres", "ŒUVRE", "art", "aujourd'hui", "aujourdhui", "aujourd’hui"]),
        ("Qualité de l'eau en été", ["eau", "l'eau", "d'été", "ete", "qualites"]),
        ("Arbres du 76 et code 2A004", ["76", "2a004", "2A004", "arbre"]),
        ("Saint-Étienne-du-Rouvray", ["saint etienne", "saint-etienne", "rouvray"]),
        ("Chevaux, bateaux et vélos", ["cheval", "bateau", "vélo", "velos"]),
        ("Cafe\u0301s", ["café", "cafes"]),
    ],
)
def test_a_title_is_found_however_it_is_written(shown, title, queries):
    index = indexed([described(shown[0], "jeu", title={"fr": title})], DAY)
    for query in queries:
        assert slugs(find(index, query)) == ["jeu"], query


def test_a_dataset_is_found_by_the_insee_codes_of_its_territory(shown):
    spatial = shown[0].dataset.spatial.model_copy(update={"departements": ("76",), "communes": ("2A004",)})
    index = indexed([described(shown[0], "jeu", spatial=spatial), shown[1]], DAY)
    assert slugs(find(index, "76")) == slugs(find(index, "2a004")) == ["jeu"]


def test_every_word_must_be_there(index):
    assert slugs(find(index, "subventions découpage")) == ["communes"]
    assert slugs(find(index, "subventions zzz")) == []


def test_a_phrase_in_quotes_is_found_as_it_is_written(index):
    assert slugs(find(index, '"vie associative"')) == ["subventions"]
    assert slugs(find(index, "« VIE ASSOCIATIVE »")) == ["subventions"]
    turned = find(index, '"associative vie"')
    assert (slugs(turned), turned.suggestion) == ([], "associative vie")


def test_a_column_that_the_edition_drops_is_not_searched(index):
    assert slugs(find(index, "confidentielle")) == []
    assert slugs(find(index, "secret")) == []
    assert find(index, "confidentiele").suggestion is None


def test_a_dataset_that_is_not_granted_is_not_found_nor_suggested_nor_counted(open_lab, index):
    assert slugs(find(index, "ultraconfidentiel")) == []
    assert find(index, "ultraconfidentie").suggestion is None
    agents = indexed(entries(open_lab, frozenset({"everyone", "group:agents"})), DAY)
    assert slugs(find(agents, "ultraconfidentiel")) == ["secrets"]
    assert sum(find(index, "").counts["theme"].values()) == 3
    assert find(agents, "").everything == 3


def test_a_word_that_is_nowhere_is_put_right(index):
    assert find(index, "subvantion").suggestion == "subventions"
    assert find(index, "comunes de la regoin").suggestion == "communes de la région"
    assert find(index, "zzzzzz").suggestion is None
    assert find(index, "subventions").suggestion is None


def test_what_means_the_same_is_found_after_what_is_said(shown):
    index = indexed(
        [
            described(shown[0], "a", title={"fr": "Pistes pour bicyclettes"}),
            described(shown[0], "b", title={"fr": "Pistes pour vélos"}),
            described(shown[0], "c", title={"fr": "Membres de l'établissement public de coopération intercommunale"}),
        ],
        DAY,
    )
    known = Synonyms(parse("vélo, bicyclette\nEPCI, établissement public de coopération intercommunale\n", "s"))
    assert slugs(find(index, "velo", known)) == ["b", "a"]
    assert slugs(find(index, "bicyclettes", known)) == ["a", "b"]
    assert slugs(find(index, "epci", known)) == ["c"]
    assert slugs(find(index, "établissements publics de coopération intercommunale", known)) == ["c"]
    assert slugs(find(index, "velo", NONE)) == ["b"]


def test_facets_narrow_and_count_what_each_choice_would_leave(index):
    assert slugs(find(index, "", theme=["REGI"])) == ["communes"]
    assert slugs(find(index, "", theme=["REGI", "GOVE"])) == ["subventions", "communes"]
    assert slugs(find(index, "", theme=["REGI"], licence=["LO-2.0"])) == []
    found = find(index, "", theme=["REGI"])
    assert found.everything == 2
    assert found.counts["theme"] == {"GOVE": 1, "ECON": 1, "REGI": 1}
    assert found.counts["licence"] == {"ODbL-1.0": 1}
    assert found.counts["publisher"] == {"IGN": 1}
    assert found.counts["format"] == {"geoparquet": 1, "csv": 1}
    assert found.counts["freshness"] == {"fixed": 1}
    assert found.counts["territory"] == {"Normandie": 1}


def test_a_yearly_dataset_of_last_year_is_current_and_one_of_three_years_is_late(shown):
    _, entry = shown
    found = {
        years: find(indexed([entry], (entry.modified + dt.timedelta(days=366 * years)).date()), "").counts["freshness"]
        for years in (0, 1, 3)
    }
    assert found == {0: {"current": 1}, 1: {"current": 1}, 3: {"late": 1}}


def test_every_frequency_has_a_period_but_those_without_rhythm():
    assert FREQUENCIES.keys() - PERIODS.keys() == {"IRREG", "NEVER", "UNKNOWN"}
    assert PERIODS.keys() <= FREQUENCIES.keys()


def test_of_two_alike_the_used_one_comes_first_and_then_the_one_that_is_better_described(shown):
    _, entry = shown
    index = indexed([described(entry, "a", landing_page=None, temporal=None), described(entry, "b")], DAY)
    assert slugs(find(index, "subvention")) == ["b", "a"]
    used = search(index, "subvention", {}, NONE, {"a": 500.0})
    assert slugs(used) == ["a", "b"]


def test_what_is_used_much_does_not_come_before_what_says_it_in_its_title(index):
    assert slugs(search(index, "subvention", {}, NONE, {"communes": 1e9})) == ["subventions", "communes"]


def test_equals_come_in_the_order_of_their_names(shown):
    index = indexed([described(shown[0], slug) for slug in ("c", "a", "b")], DAY)
    assert slugs(find(index, "communes")) == ["a", "b", "c"]


def test_a_changed_dataset_is_indexed_anew_and_the_others_are_kept(open_lab, shown):
    before = indexed(shown, DAY)
    write(open_lab.root, "subventions", SUBVENTIONS.replace("Subventions versées", "Aides octroyées"))
    after = indexed(entries(open_lab, EVERYONE), DAY, before)
    assert slugs(find(after, "octroi")) == slugs(find(after, "octroyees")) == ["subventions"]
    assert slugs(find(after, "grants paid")) == ["subventions"]
    assert slugs(find(after, '"subventions versées"')) == []
    assert after.numbers["communes"] == before.numbers["communes"]
    assert slugs(find(before, '"subventions versées"')) == ["subventions"]
    without = indexed(shown[:1], DAY, after)
    assert slugs(find(without, "")) == ["communes"]
    assert slugs(find(without, "octroyees")) == []


def test_a_new_day_makes_what_was_current_late_without_indexing_anew(shown):
    before = indexed(shown, DAY)
    after = indexed(shown, DAY + dt.timedelta(days=9999), before)
    assert after.numbers == before.numbers
    assert find(after, "").counts["freshness"] == {"fixed": 1, "late": 1}


def test_a_column_of_any_granted_edition_is_searched(open_lab):
    two = (
        policy("versements", ["montant"]).replace("grants:", "  fine:\n    versements:\n      keep: [secret]\ngrants:")
        + '  - {to: everyone, edition: fine, purposes: any, why: "essai"}\n'
    )
    write(open_lab.root, "subventions", SUBVENTIONS, two)
    import pyarrow as pa  # noqa: PLC0415

    commit(open_lab, "subventions", "open", "versements", pa.table({"montant": [1.0]}), [("montant", "DOUBLE")], {})
    commit(open_lab, "subventions", "fine", "versements", pa.table({"secret": ["x"]}), [("secret", "VARCHAR")], {})
    index = indexed(entries(open_lab, EVERYONE), DAY)
    assert slugs(find(index, "confidentielle")) == ["subventions"]
    assert slugs(find(index, "montant")) == ["subventions"]


@given(st.text(max_size=QUERY_LIMIT))
def test_no_text_is_an_error(small_index, text):
    found = search(small_index, text, {})
    assert len(found.entries) <= 2


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '""',
        '"a',
        "a AND b OR (",
        "title:x",
        "*",
        "a*",
        "[a TO b]",
        "a^2",
        "~",
        "+a -b",
        "\\",
        "\x00",
        "a" * 200,
        "é" * 200,
        " ".join("abcdefghijklmnopqrstuvwxyz") * 3,
        "_" * 200,
        "-a-b-",
        "'''",
        "日本",
    ],
)
def test_signs_of_other_query_languages_are_no_errors(index, query):
    assert isinstance(find(index, query).everything, int)


def test_similar_datasets_share_what_they_are_about(shown):
    _, entry = shown
    others = [
        described(entry, "aides", title={"fr": "Aides et subventions aux associations sportives"}),
        described(entry, "arbres", title={"fr": "Arbres"}, keywords={"fr": ["arbre"]}, themes=("ENVI",)),
    ]
    index = indexed([*shown, *others], DAY)
    assert [one.slug for one in similar(index, "subventions")] == ["aides", "arbres"]  # arbres has the same columns
    assert similar(index, "secrets") == ()


def test_at_most_five_similar_datasets_are_told_and_never_the_dataset_itself(shown):
    index = indexed([described(shown[0], f"d{number}") for number in range(9)], DAY)
    assert [one.slug for one in similar(index, "d3")] == ["d0", "d1", "d2", "d4", "d5"]


def test_the_products_synonyms_can_be_read(open_lab):
    assert len(synonyms(open_lab).groups) > 40
