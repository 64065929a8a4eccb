"""What a column's name says: its words, and whether they speak of a quantity."""

from __future__ import annotations

import re
import unicodedata

_COUNTS = frozenset({"count", "nb", "nbr", "nbre", "nombre", "total"})
_QUANTITIES = frozenset(
    "age altitude annee area budget capacite cost cout depense distance duree effectif emploi evolution km"  # noqa: SIM905
    " frequentation habitant hectare indice logement longueur max maximum mean menage min minimum montant moyenne part"
    " pct pop population pourcentage prix quantite rang ratio recette solde somme superficie surface tarif taux volume"
    " year".split()
)
_CODES = frozenset({"cog", "cp", "id", "ident", "identifiant", "insee", "matricule", "num", "numero"})
CODE = "cod"
"""How words begin that say that something is a code: CODCOM, CODARR, codgeo are INSEE's own habit."""


def words_of(name: str) -> list[str]:
    """`idBeneficiaire`, `CODE_INSEE`, `Codes postaux` → their words in small letters without accents.

    After a word stands what it holds: `codepostal` gives `postal` too, `communes` gives `commune`.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    found: list[str] = []
    for word in re.findall(r"[a-z]+", split.lower()):
        found.append(word)
        if word.endswith("s"):
            found.append(word[:-1])
        if word.startswith(CODE):
            found.append(re.sub("^codes?|^cod", "", word))
    return [word for word in found if word]


def is_code(word: str) -> bool:
    """True for a word that says that a column holds codes, of whatever kind."""
    return word in _CODES or word.startswith(CODE)


def says_quantity(words: list[str]) -> bool:
    """True if digits under this name are counted or measured: `nb_communes`, `population_commune`; not `code_tarif`."""
    if not _COUNTS.isdisjoint(words):
        return True
    return not _QUANTITIES.isdisjoint(words) and not any(is_code(word) for word in words)
