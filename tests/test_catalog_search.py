from __future__ import annotations

import pytest

from catalog.entries import EVERYONE, entries
from catalog.search import fold, search, words


@pytest.fixture
def shown(open_lab):
    return entries(open_lab, EVERYONE)


def slugs(found):
    return [entry.slug for entry in found]


def test_folding_drops_case_accents_and_ligatures():
    assert fold("Œuvres d'ÉTÉ, Straße") == "oeuvres d'ete, strasse"


def test_a_camel_case_name_is_found_whole_and_by_its_parts():
    assert words("nomBeneficiaire_2024") == ["nombeneficiaire", "2024", "nom", "beneficiaire"]


def test_an_empty_query_finds_everything_in_order(shown):
    assert slugs(search(shown, "  ")) == ["communes", "subventions"]


def test_a_query_without_a_letter_finds_nothing(shown):
    assert search(shown, "??? --") == ()


def test_a_title_ranks_before_a_description(shown):
    assert slugs(search(shown, "subvention")) == ["subventions", "communes"]


@pytest.mark.parametrize(
    "query",
    ["VERSEES", "versé", "associations", "association", "vie associative", "grants", "region", "nombenef", "montants"],
)
def test_accents_case_plurals_languages_and_beginnings_do_not_matter(shown, query):
    assert "subventions" in slugs(search(shown, query))


def test_every_word_must_be_there(shown):
    assert slugs(search(shown, "subventions découpage")) == ["communes"]
    assert search(shown, "subventions zzz") == ()


def test_a_column_that_the_edition_drops_is_not_searched(shown):
    assert search(shown, "confidentielle") == ()
    assert search(shown, "secret") == ()


def test_a_dataset_that_is_not_granted_is_not_found(shown):
    assert search(shown, "ultraconfidentiel") == ()


def test_the_score_of_a_thousand_datasets_is_quick_enough_for_a_page(shown):
    many = shown * 500
    assert len(search(many, "subvention")) == 1000
