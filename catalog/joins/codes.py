"""Which columns may hold codes by which tables join, and what a column's name and title say that they are. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from catalog.search.words import SMALL, singular, units

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.:*/-]{0,39}")
"""What a code looks like; a digit stands in most of them."""

INTEGER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")

_MOST = 0.95
_WITH_DIGITS = 0.9
_FEWEST = 3
_YEARS = range(1800, 2101)

_ALIASES = {
    "commune": "commune com insee codgeo depcom citycode comparent codcom cog",
    "departement": "departement dep dept dpt coddep",
    "region": "region reg codreg",
    "canton": "canton can codcan",
    "arrondissement": "arrondissement arr codarr",
    "postal": "postal cp codpostal codepostal zip postcode",
    "siren": "siren epci",
    "siret": "siret",
    "naf": "naf ape",
    "iris": "iris",
}
"""The codes of France by the words that name them, an EPCI's being its SIREN; different ones do not join."""

_KINDS = {word: kind for kind, words in _ALIASES.items() for word in words.split()}
_EMPTY = frozenset(
    "code cod id ident identifiant identifier num numero number no nom name ref reference cle key type valeur value"  # noqa: SIM905
    " officiel official geographique geographic".split()
)
"""Words that say that something is a code, or nothing: two columns do not mean the same for having them."""

_QUANTITIES = frozenset(
    "nb nbr nbre nombre count total effectif pop population montant amount prix cout tarif taux part pct pourcentage"  # noqa: SIM905
    " moyenne somme surface superficie longueur largeur hauteur altitude distance duree age annee year mois puissance"
    " capacite note rang ordre latitude longitude lat lon lng x y ptot pmun".split()
)


def may_be_code(sql_type: str, name: str, sample: Sequence[str]) -> bool:
    """Whether a column with this name may be a code by which tables join; `sample` are some of its distinct values.

    Names and sentences are none, and neither are years, quantities and yes or no.
    """
    if len(sample) < _FEWEST or (INTEGER.fullmatch(sql_type) is None and sql_type != "VARCHAR"):
        return False
    if not _QUANTITIES.isdisjoint(_words([name])) and "code" not in _words([name]):
        return False
    codes = [value for value in sample if CODE.fullmatch(value)]
    digits = sum(any(letter.isdigit() for letter in value) for value in codes)
    if len(codes) < _MOST * len(sample) or digits < _WITH_DIGITS * len(codes):
        return False
    return not all(value.isascii() and value.isdigit() and len(value) == 4 and int(value) in _YEARS for value in codes)  # noqa: PLR2004


def meaning(texts: Iterable[str]) -> frozenset[str]:
    """The kinds of code that a column's name and titles speak of, or else the words in them that say something."""
    words = _words(texts)
    kinds = {_KINDS[word] for word in words if word in _KINDS}
    if kinds:
        return frozenset(kinds)
    return frozenset(word for word in words - _EMPTY if not word.isdigit())


def is_kind(meant: frozenset[str]) -> bool:
    """Whether a meaning names a kind of code that is known."""
    return not meant.isdisjoint(_ALIASES)


def _words(texts: Iterable[str]) -> set[str]:
    said = {word.folded for text in texts for unit in units(text) for word in unit}
    return {word if word in _KINDS else singular(word) for word in said - SMALL}
