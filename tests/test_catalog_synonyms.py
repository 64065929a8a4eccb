from __future__ import annotations

import pytest

from catalog.lab import Lab
from catalog.search.synonyms import SHIPPED, Synonyms, parse, synonyms, words_of
from policies.errors import DocumentError


def said(terms):
    return [" ".join(word.folded for word in term) for term in terms]


def test_a_term_of_several_words_stands_for_the_others_of_its_group():
    known = Synonyms(parse("# transport\nborne de recharge, IRVE\n\nrecharge, remplissage # rien\n", "s.txt"))
    length, others = known.at(words_of("bornes de recharge"))
    assert (length, said(others)) == (2, ["irve"])
    length, others = known.at(words_of("recharges rapides"))
    assert (length, said(others)) == (1, ["remplissage"])
    assert known.at(words_of("borne")) == (0, ())


def test_a_word_in_two_groups_stands_for_both():
    known = Synonyms(parse("car, autocar\ncar, voiture\n", "s.txt"))
    assert said(known.at(words_of("cars"))[1]) == ["autocar", "voiture"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("vélo, bicyclette\nvélo\n", 2, "'vélo' stands alone"),
        ("vélo,, bicyclette\n", 1, "a comma with no word beside it"),
        ("\n\nvélo, Velo\n", 3, "'Velo' stands twice"),
        ("a, un deux trois quatre cinq six sept huit neuf\n".replace("un ", "uns "), 1, "has 9 words"),
    ],
)
def test_a_wrong_line_is_named(text, line, what):
    with pytest.raises(DocumentError, match=f"^synonyms.txt:{line}: .*{what}"):
        parse(text, "synonyms.txt")


def test_a_labs_own_groups_come_on_top_of_the_products(tmp_path):
    (tmp_path / "datalab.toml").touch()
    lab = Lab.open(tmp_path)
    shipped = len(synonyms(lab).groups)
    (tmp_path / "synonyms.txt").write_text("\ufeffplage, grève\n", encoding="utf-8")
    assert len(synonyms(lab).groups) == shipped + 1


def test_a_file_that_is_not_utf_8_or_too_large_is_named(tmp_path):
    (tmp_path / "datalab.toml").touch()
    lab = Lab.open(tmp_path)
    (tmp_path / "synonyms.txt").write_bytes("a, b\nvélo, cycle\n".encode("cp1252"))
    with pytest.raises(DocumentError, match=r"synonyms.txt:2: not UTF-8"):
        synonyms(lab)
    (tmp_path / "synonyms.txt").write_bytes(b"#" * 1_000_001)
    with pytest.raises(DocumentError, match=r"1000001 bytes; expected 1000000 at most"):
        synonyms(lab)


def test_no_term_of_the_shipped_list_stands_in_two_groups():
    terms = [term for group in parse(SHIPPED.read_text(encoding="utf-8"), SHIPPED) for term in said(group)]
    assert len(terms) == len(set(terms))
