"""What columns mean: each type by its examples, the same in Python and DuckDB, and columns as offices send them."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import get_args

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from catalog.model import ColumnType
from ingest.codes import looks_like_code
from ingest.semantics import SEMANTICS, doubt, recognise
from ingest.semantics.keys import luhn
from ingest.semantics.names import says_quantity, words_of

TYPES = Path(__file__).parents[1] / "docs" / "types.md"
PLAIN = {"text", "integer", "decimal", "float", "boolean", "date", "time", "timestamp", "geometry"}
EVERY = list(SEMANTICS.values())
CON = duckdb.connect()
BY_WORD = pytest.mark.parametrize("semantic", EVERY, ids=SEMANTICS)


def proven(semantic, texts: list[str | None]) -> list[bool]:
    """What DuckDB says of each text."""
    told = CON.execute(f"SELECT {semantic.proof_sql('x')} FROM (SELECT unnest(?::VARCHAR[]) AS x)", [texts]).fetchall()
    return [row[0] for row in told]


def keyed(digits: str) -> str:
    """The digits and Luhn's key."""
    return next(digits + key for key in "0123456789" if luhn(digits + key))


SIRENS = [keyed(str(10_000_000 + 7_919 * number)) for number in range(50)]
SIRETS = [keyed(f"{siren}{number:04}") for number, siren in enumerate(SIRENS)]


@BY_WORD
def test_a_types_examples_are_valid_and_its_counterexamples_are_not(semantic):
    assert [text for text in semantic.examples if not semantic.valid(text)] == []
    assert [text for text in semantic.counterexamples if semantic.valid(text)] == []


@BY_WORD
def test_duckdb_says_the_same_and_false_for_null(semantic):
    texts = [*semantic.examples, *semantic.counterexamples, None]
    assert proven(semantic, texts) == [True] * len(semantic.examples) + [False] * (len(semantic.counterexamples) + 1)


def near(semantic) -> st.SearchStrategy[str]:
    """Texts that are nearly of the type: what its pattern makes, and its examples with a character changed."""

    def changed(text: str, place: int, char: str, drop: bool) -> str:
        place %= len(text) + 1
        return text[:place] + char + text[place + drop :]

    char = st.one_of(st.sampled_from("0123456789 \u00a0\u202f.,-AZaz@/+é\n"), st.just(""), st.characters(codec="utf-8"))
    known = st.sampled_from([*semantic.examples, *semantic.counterexamples])
    return st.one_of(
        st.from_regex(semantic.pattern, fullmatch=True),
        st.builds(changed, known, st.integers(0, 60), char, st.booleans()),
        st.text(max_size=40),
    )


@pytest.mark.parametrize("semantic", EVERY, ids=SEMANTICS)
def test_python_and_duckdb_agree_on_texts_that_are_nearly_valid(semantic):
    @settings(max_examples=15, deadline=None, phases=[Phase.generate])
    @given(st.lists(near(semantic), min_size=20, max_size=60))
    def agree(texts):
        assert proven(semantic, texts) == [semantic.valid(text) for text in texts]

    agree()


@pytest.mark.parametrize(
    ("word", "prefix", "digits", "share"),
    [("siren", "", 9, 0.1), ("siret", "", 14, 0.01), ("siret", "356000000", 14, 0.28), ("epci", "200", 9, 0.1)],
)
def test_python_and_duckdb_agree_on_keys_and_a_wrong_one_is_seen(word, prefix, digits, share):
    chance = random.Random(digits)  # noqa: S311  the same numbers each time
    texts = [prefix + str(chance.random())[2:].ljust(14, "7")[: digits - len(prefix)] for _ in range(20_000)]
    told = proven(SEMANTICS[word], texts)
    assert told == [SEMANTICS[word].valid(text) for text in texts]
    assert sum(told) / len(told) == pytest.approx(share, rel=0.15)


@BY_WORD
def test_no_text_makes_the_proof_fail_or_slow(semantic):
    hostile = [
        "",
        "\0",
        "9" * 100_000,
        "a" * 100_000,
        "a." * 50_000 + "@",
        "http://" + "a" * 100_000 + " ",
        "Z" * 9,
        "É" * 9,
    ]
    assert proven(semantic, hostile) == [semantic.valid(text) for text in hostile]


def test_each_example_is_of_its_own_type_by_a_name_that_speaks_for_it():
    for semantic in EVERY:
        for entry in semantic.names:
            found = recognise(entry.replace(" ", "_"), semantic.examples)
            assert found is not None, (semantic.word, entry)
            assert found.semantic is semantic, (semantic.word, entry)


@pytest.mark.parametrize(
    ("name", "values", "word"),
    [
        ("code_insee", ["76540", "01001", "2A004"], "commune"),
        ("CODE COM", ["14118", "50129"], "commune"),
        ("codgeo", ["27229"], "commune"),
        ("insee_com", ["97105", "98818"], "commune"),
        ("depcom", ["61001"], "commune"),
        ("com_code", ["75101", "13201", "69381"], "commune"),
        ("codeCommuneEtablissement", ["76351"], "commune"),
        ("COMPARENT", ["01015", "01025"], "commune"),
        ("Code postal", ["76600", "20090"], "postal_code"),
        ("codepostal", ["14000"], "postal_code"),
        ("code_postal_commune", ["76540", "14118"], "postal_code"),
        ("CP", ["01000", "97133"], "postal_code"),
        ("DEP", ["14", "27", "2A", "971"], "departement"),
        ("Code Département", ["76"], "departement"),
        ("code_dep", ["01", "95"], "departement"),
        ("INSEE_DEP", ["76", "27"], "departement"),
        ("reg", ["28", "11", "01"], "region"),
        ("code_region", ["23", "25"], "region"),
        ("siren_epci", ["200084952", "247600786"], "epci"),
        ("EPCI", ["200084952", "ZZZZZZZZZ"], "epci"),
        ("siren", SIRENS, "siren"),
        ("N° SIREN", ["732 829 320"], "siren"),
        ("SIRET_ETAB", SIRETS, "siret"),
        ("producteur", SIRETS, "siret"),
        ("siret", ["35600000000048", "35600000049837"], "siret"),
        ("activitePrincipaleEtablissement", ["84.11Z", "62.01Z"], "naf"),
        ("code_ape", ["8411Z"], "naf"),
        ("mel", ["mairie@ville.example"], "email"),
        ("contact", ["a@x.fr", "b.c@sous.x.org"], "email"),
        ("tel", ["02 35 19 45 45", "+33 2 35 19 45 45", "3939"], "phone"),
        ("Téléphone", ["0235194545"], "phone"),
        ("site_web", ["https://x.fr", "http://y.fr/é"], "url"),
        ("Latitude", ["49,4938", "48.85"], "latitude"),
        ("stop_lat", ["49.4938"], "latitude"),
        ("y_wgs84", ["-21.1151"], "latitude"),
        ("Ylatitude", ["49.1"], "latitude"),
        ("lng", ["0.1079", "-1.6"], "longitude"),
        ("Xlong", ["0.1", "9.5e-05"], "longitude"),
        ("coordonnées IBAN", ["FR76 3000 6000 0112 3456 7890 189"], "iban"),
    ],
)
def test_a_column_as_offices_send_it_has_its_type(name, values, word):
    found = recognise(name, values)
    assert found is not None
    assert found.semantic.word == word
    assert found.why.startswith(f"every value is {found.semantic.said}")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("population_commune", ["18123", "76540", "29001"]),
        ("nb_communes", ["76", "14", "27"]),
        ("prix", ["12345", "76540"]),
        ("annee", ["2023", "2024"]),
        ("budget_region", ["28", "11"]),
        ("age_dep", ["14", "27"]),
        ("v", ["76540", "14118"]),
        ("commune", ["Le Havre", "Rouen"]),
        ("commune", ["76540", "76000"]),
        ("code_insee", ["1001", "14118"]),
        ("dep", ["1", "76"]),
        ("dep", ["076", "014"]),
        ("dep_reg", ["28", "11"]),
        ("region", ["Normandie"]),
        ("code_pays", ["99132"]),
        ("montant", SIRENS),
        ("montant_total", SIRETS),
        ("finess", [keyed("76078023"), keyed("14000010")]),
        ("nofinesset", [keyed("76078023")]),
        ("siren", [*SIRENS, "123456789"]),
        ("siret", [*SIRETS, "12345678900023"]),
        ("horodatage", ["20240131101500", "20240131101600"]),
        ("rna", ["W761000001", "W142000002"]),
        ("uai", ["0760001A", "0140002B"]),
        ("ref_produit", ["8411Z", "1234A"]),
        ("tel", ["235194545", "235194646"]),
        ("tel", ["02 35 19 45 45 / 06 12 34 56 78"]),
        ("site_web", ["www.ville.fr"]),
        ("mail", ["a@x.fr; b@x.fr"]),
        ("Y", ["6938123.5", "6938124.5"]),
        ("lat", ["6938123.5"]),
        ("long", ["12.5", "3.1"]),
        ("longueur", ["12.5"]),
        ("taux", ["49.5", "50.1"]),
        ("rib", ["30006000011234567890189"]),
        ("naf", ["84", "62"]),
        ("vide", []),
    ],
)
def test_a_column_that_only_looks_like_one_has_no_type(name, values):
    assert recognise(name, values) is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("numero", ["1", "2"]),
        ("num", ["1"]),
        ("matricule", ["123456"]),
        ("idBeneficiaire", ["123"]),
        ("CODARR", ["1"]),
        ("Codes postaux", ["1000"]),
        ("dep", ["1", "76"]),
        ("tel", ["235194545"]),
        ("commune", ["1001"]),
        ("code_tarif", ["10"]),
        ("budget_id", ["10"]),
        ("finess", ["760780239"]),
        ("version", ["1.1", "1.10"]),
        ("article", ["2", "3"]),
        ("producteur", SIRENS),
        ("producteur", SIRETS),
        ("producteur", [*SIRENS, "123456789"]),
        ("producteur", [*SIRETS, "12345678900023"]),
    ],
)
def test_digits_whose_name_or_keys_say_so_are_codes(name, values):
    assert looks_like_code(name, values) is not None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("id", ["12"]),
        ("nb_communes", ["76", "14"]),
        ("nombre_id", ["76"]),
        ("population", ["18123"]),
        ("population_commune", ["18123", "76540"]),
        ("PopulationCommunes", ["18123"]),
        ("montant_region", ["100000000"]),
        ("nb_articles", ["2"]),
        ("superficie_dep", ["6278"]),
        ("prix_reference", ["12", "13"]),
        ("annee", ["2023"]),
        ("valeur", ["100000000", "123456789", "200000002"]),
        ("montant", SIRENS),
        ("latitude", ["49", "48"]),
    ],
)
def test_digits_whose_name_says_that_they_are_counted_are_numbers(name, values):
    assert looks_like_code(name, values) is None


def test_a_lone_wrong_value_is_told_with_its_column():
    assert (
        doubt("siret", [*SIRETS, "123"])
        == "seemed to be siret, but 1 of its values is not a SIRET with good keys: '123'"
    )
    assert doubt("code_insee", ["76540", "14118", "1001", "99132"]).endswith("are not a commune's INSEE code: '1001'")
    assert doubt("commune", ["Rouen", "Le Havre", "76540"]) is None
    assert doubt("siret", SIRETS) is None
    assert doubt("v", ["76540", "x"]) is None


def test_a_name_falls_into_words_in_small_letters_without_accents():
    assert words_of("idBénéficiaire") == ["id", "beneficiaire"]
    assert words_of("SIRETEtab2") == ["siret", "etab"]
    assert words_of("code_insee") == ["code", "insee"]
    assert words_of("codepostal") == ["codepostal", "postal"]
    assert words_of("CODCOM") == ["codcom", "com"]
    assert words_of("Communes") == ["communes", "commune"]
    assert words_of("日付") == []


def test_a_code_of_a_quantity_is_a_code_and_a_number_of_codes_a_count():
    assert not says_quantity(words_of("code_population"))
    assert says_quantity(words_of("nb_codes"))


def test_the_semantic_types_are_those_of_the_model():
    assert set(SEMANTICS) == set(get_args(ColumnType)) - PLAIN
    assert {word for word, semantic in SEMANTICS.items() if semantic.base == "float"} == {"latitude", "longitude"}


def test_the_docs_table_has_every_type_and_says_what_the_type_says():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", TYPES.read_text(), re.MULTILINE))
    assert set(rows) == set(get_args(ColumnType))
    assert {word: rows[word] for word in SEMANTICS} == {word: semantic.title for word, semantic in SEMANTICS.items()}
