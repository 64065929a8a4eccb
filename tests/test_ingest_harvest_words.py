"""What portals write → our licences, themes, frequencies, languages, dates and plain text."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.vocabulary import FREQUENCIES, LANGUAGES, LICENCES, THEMES
from ingest.harvest.dates import day, moment
from ingest.harvest.plain import line_of, text_of
from ingest.harvest.words.frequencies import frequency
from ingest.harvest.words.languages import language
from ingest.harvest.words.licences import licence
from ingest.harvest.words.themes import themes

SPELLINGS = {
    "LO-2.0": [
        "lov2",
        "etalab-2.0",
        "Licence Ouverte / Open Licence version 2.0",
        "Licence Ouverte v2.0 (Etalab)",
        "LICENCE OUVERTE 2.0/OPEN LICENCE 2.0",
        "https://spdx.org/licenses/etalab-2.0",
        "https://www.etalab.gouv.fr/wp-content/uploads/2017/04/ETALAB-Licence-Ouverte-v2.0.pdf",
        "http://github.com/etalab/licence-ouverte/blob/master/LO.md",
    ],
    "LO-1.0": [
        "fr-lo",
        "Licence Ouverte 1.0 http://www.data.gouv.fr/Licence-Ouverte-Open-Licence.",
        "http://wiki.data.gouv.fr/wiki/Licence_Ouverte_/_Open_Licence",
        "https://www.etalab.gouv.fr/wp-content/uploads/2014/05/Licence_Ouverte.pdf",
    ],
    "ODbL-1.0": [
        "odc-odbl",
        "ODbL",
        "Open Database License (ODbL)",
        "http://opendatacommons.org/licenses/odbl/1-0/",
        "https://opendatacommons.org/licenses/odbl/summary/",
        "http://opendefinition.org/licenses/odc-odbl",
        "http://publications.europa.eu/resource/authority/licence/ODC_BL",
    ],
    "CC-BY-4.0": [
        "CC BY 4.0",
        "cc-by-4.0",
        "Creative Commons Attribution 4.0 International",
        "https://creativecommons.org/licenses/by/4.0/deed.fr",
        "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0",
        "https://spdx.org/licenses/CC-BY-4.0.html",
    ],
    "CC-BY-SA-4.0": ["http://publications.europa.eu/resource/authority/licence/CC_BYSA_4_0", "CC-BY-SA 4.0"],
    "CC-BY-NC-SA-4.0": [
        "Creative Commons Attribution – Pas d'Utilisation Commerciale – Partage dans les Mêmes Conditions 4.0",
        "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    ],
    "CC0-1.0": ["cc-zero", "CC0 1.0 Universal", "https://creativecommons.org/publicdomain/zero/1.0/legalcode"],
    "ODC-BY-1.0": ["odc-by", "https://opendatacommons.org/licenses/by/1-0/"],
    "PDDL-1.0": ["odc-pddl", "PDDL"],
}


@pytest.mark.parametrize(("word", "said"), [(word, said) for word, many in SPELLINGS.items() for said in many])
def test_a_licence_is_known_by_its_ids_titles_and_addresses(word, said):
    assert licence([said]).word == word


@pytest.mark.parametrize("word", LICENCES)
def test_each_of_the_labs_licences_is_known_by_its_word_title_and_address(word):
    known = LICENCES[word]
    assert [licence([said]).word for said in (word, known.title, known.uri)] == [word] * 3


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("cc-by", "CC-BY-4.0 or CC-BY-3.0"),
        ("Licence Ouverte / Open Licence", "LO-2.0 or LO-1.0"),
        ("CC BY 2.5", "not among the lab's licences"),
        ("other-at", "'other-at'"),
        ("https://example.org/notre-licence", "https://example.org/notre-licence"),
        ("Open Government Licence v3.0", "Open Government Licence"),
        ("licence ouverte du 12 mars 2011", "version is not said"),
        ("notspecified", "says no licence"),
        ("Aucun des articles de la loi ne peut être invoqué", "no licence that the lab knows"),
    ],
)
def test_a_licence_that_is_unclear_is_not_guessed_but_named(said, why):
    found = licence([said])
    assert found.word is None
    assert why in found.why


def test_several_statements_of_one_licence_agree_and_of_two_are_none():
    assert licence(["cc-by", "https://creativecommons.org/licenses/by/4.0/"]).word == "CC-BY-4.0"
    assert licence(["Mentionner l'IGN", "Licence Ouverte 1.0"]).word == "LO-1.0"
    both = licence(["odc-odbl", "lov2"])
    assert both.word is None
    assert "LO-2.0" in both.why
    assert "ODbL-1.0" in both.why


@given(st.text(max_size=200))
def test_any_text_gives_a_licence_of_ours_or_a_reason(said):
    found = licence([said])
    assert found.word in LICENCES or (found.word is None and found.why)


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (["http://publications.europa.eu/resource/authority/data-theme/ENVI"], ["ENVI"]),
        (["TRAN", "Énergie"], ["TRAN", "ENER"]),
        (["theme-envi"], ["ENVI"]),
        (["http://inspire.ec.europa.eu/theme/tn"], ["TRAN"]),
        (["Usage des sols"], ["REGI"]),
        (["climatologyMeteorologyAtmosphere"], ["ENVI"]),
        (["Transports, Déplacements"], ["TRAN"]),
        (["Choses et autres"], []),
    ],
)
def test_themes_of_other_vocabularies_become_the_eus(said, codes):
    assert [one.word for one in themes(said, ["bateau"]) if one.word] == codes


def test_the_eus_own_theme_leaves_guesses_aside_and_keywords_count_only_without_any():
    assert [(one.word, one.why) for one in themes(["transportation", "HEAL"], ["environnement"])] == [("HEAL", "")]
    (found,) = themes([], ["pesticide", "environnement"])
    assert found.word == "ENVI"
    assert "keyword 'environnement'" in found.why
    assert themes([], ["pesticide"]) == ()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("annual", "ANNUAL"),
        ("http://publications.europa.eu/resource/authority/frequency/MONTHLY", "MONTHLY"),
        ("http://purl.org/cld/freq/weekly", "WEEKLY"),
        ("Quotidienne", "DAILY"),
        ("chaque trimestre", "QUARTERLY"),
        ("semiannual", "ANNUAL_2"),
        ("biannually", "ANNUAL_2"),
        ("punctual", "NEVER"),
        ("asNeeded", "IRREG"),
        ("notPlanned", "NEVER"),
        ("R/P1Y", "ANNUAL"),
        ("P1M", "MONTHLY"),
        ("continual", "CONT"),
        (None, "UNKNOWN"),
        ("quand il pleut", "UNKNOWN"),
    ],
)
def test_a_frequency_is_known_in_the_words_of_each_kind_of_portal(said, code):
    found = frequency(said)
    assert found.word == code
    assert found.word in FREQUENCIES
    assert bool(found.why) == (code == "UNKNOWN")


def test_a_language_is_known_by_any_of_its_codes_and_an_unknown_one_is_none():
    for said in (
        "fr",
        "fr-FR",
        "fre",
        "FRA",
        "Français",
        "http://publications.europa.eu/resource/authority/language/FRA",
    ):
        assert language(said) == "fr"
    assert language("http://lexvo.org/id/iso639-3/eng") == "en"
    assert language("tlh") is None
    assert language(None) is None
    assert {language(code) for code in LANGUAGES} == set(LANGUAGES)


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("2024-03-01", dt.date(2024, 3, 1), dt.date(2024, 3, 1)),
        ("2024-02", dt.date(2024, 2, 1), dt.date(2024, 2, 29)),
        ("2024", dt.date(2024, 1, 1), dt.date(2024, 12, 31)),
        ("01/03/2024", dt.date(2024, 3, 1), dt.date(2024, 3, 1)),
        ("20240301", dt.date(2024, 3, 1), dt.date(2024, 3, 1)),
        ("2019-03-25T22:55:41.312+01:00", dt.date(2019, 3, 25), dt.date(2019, 3, 25)),
        ("2024-13-01", None, None),
        ("0000-01-01", None, None),
        ("hier", None, None),
        (None, None, None),
    ],
)
def test_a_day_is_read_in_the_forms_that_portals_write(said, first, last):
    assert day(said) == first
    assert day(said, last=True) == last


@given(st.one_of(st.text(max_size=30), st.integers(), st.none(), st.datetimes().map(str)))
def test_whatever_stands_for_a_date_is_one_or_none(said):
    assert day(said) is None or isinstance(day(said, last=True), dt.date)
    found = moment(said)
    assert found is None or dt.datetime.fromisoformat(found).tzinfo is not None


def test_html_becomes_paragraphs_and_lists_without_scripts():
    said = "<p>Un&nbsp;<b>jeu</b> de données.</p><script>alert(1)</script><ul><li>un</li><li>deux</li></ul><br/>Fin"
    assert text_of(said) == "Un jeu de données.\n\n- un\n- deux\n\nFin"


@pytest.mark.parametrize(
    "said",
    [
        "<script>alert(1)</script>Titre",
        "&lt;script&gt;alert(1)&lt;/script&gt;Titre",
        "&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;Titre",
        "Titre<img src=x onerror=alert(1)>",
        "Titre<svg/onload=alert(1)>",
        "<iframe src='javascript:1'>x</iframe>Titre",
        "Titre\x00\u202f<!-- x -->",
    ],
)
def test_nothing_in_a_title_stays_alive(said):
    assert line_of(said) == "Titre"


def test_what_is_no_tag_of_html_stays():
    assert text_of("Un fichier <departement>.csv si a < b et c > d") == "Un fichier <departement>.csv si a < b et c > d"


def test_a_title_keeps_no_tag_not_even_one_that_html_does_not_have():
    assert line_of("Un fichier <departement>.csv, a < b") == "Un fichier departement.csv, a < b"
    assert line_of("<<x>script>") == "xscript"


def test_markdown_loses_its_marks_and_links_keep_their_address():
    said = "### Titre\n\nUn **jeu** de [data.gouv](https://www.data.gouv.fr), `code` et a_b_c\n\n* un\n* deux\n![](y)"
    expected = "Titre\n\nUn jeu de data.gouv (https://www.data.gouv.fr), code et a_b_c\n\n- un\n- deux"
    assert text_of(said, markdown=True) == expected


@given(st.text(alphabet=st.sampled_from("<>/&;#x3clt gtscriptbimg!-'\"=\n"), max_size=80), st.booleans())
def test_no_tag_of_html_survives_and_a_text_that_is_plain_stays(said, markdown):
    found = text_of(said, markdown=markdown)
    for tag in ("<script", "<img", "<b>", "<!--"):
        assert tag not in found.lower()
    assert text_of(found) == found


def test_every_theme_of_the_eu_is_known_by_its_code_and_labels():
    for code, labels in THEMES.items():
        for said in (code, *labels.values()):
            assert [one.word for one in themes([said], [])] == [code]
