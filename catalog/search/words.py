"""Texts of a catalogue → the words by which they are found. French and English; pure.

A word is kept as it is written, without case and accents, and in the forms its stems give: `versées` is found by
`versee`, `VERSER` and `versement`. What joins words parts them too: `wi-fi`, `code_insee` and `nomBeneficiaire` are
found whole and by their parts. An article that is elided (`l'eau`, `d'été`, `qu'ici`) is no word.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o"})
_JOINTS = str.maketrans({"’": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-"})
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Ý])")
_ELIDED = re.compile(r"\b(?:[ldjmtsnc]|qu|jusqu|lorsqu|puisqu|quoiqu)'(?=\w)", re.IGNORECASE)
_JOINED = re.compile(r"[^\W_]+(?:[-_'][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")

_PLURAL_FROM = 4
"""Shorter words keep their last letter: `pas`, `prix` and `gaz` are no plurals."""

SMALL = frozenset(
    "a an and au aux avec by ce ces dans de des du elle en entre est et for from in is la le les leur leurs of on ou"  # noqa: SIM905
    " par pas pour que qui sa sans se ses son sous sur the to un une vers with".split()
)
"""Words that say nothing by themselves: a search goes by the others, where there are others."""


class Word(NamedTuple):
    """One word of a text: folded, and as it is written."""

    folded: str
    written: str


def fold(text: str) -> str:
    """Text without case, accents and ligatures: `Œuvres d'ÉTÉ` → `oeuvres d'ete`."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


Unit = tuple[Word, ...]
"""A word, or several that are joined: with `-`, `_` or an apostrophe between them, or by case (`nomAttribuant`)."""


def units(text: str) -> list[Unit]:
    """The words of a text, in order."""
    plain = _ELIDED.sub(" ", unicodedata.normalize("NFC", text).translate(_JOINTS))
    return [unit for unit in map(_unit, _JOINED.findall(plain)) if unit]


@functools.lru_cache(maxsize=20_000)
def _unit(joined: str) -> Unit:
    words = (Word(fold(part), part) for part in _PART.findall(_CAMEL.sub(" ", joined)))
    return tuple(word for word in words if word.folded)


def words(text: str) -> list[str]:
    """The folded words of a text, in order, each joined one behind its parts: `code_insee` → code, insee, codeinsee."""
    found: list[str] = []
    for unit in units(text):
        found += [word.folded for word in unit]
        if len(unit) > 1:
            found.append(whole(unit))
    return found


def whole(unit: Unit) -> str:
    """A unit as one word: `wi-fi` → `wifi`."""
    return "".join(word.folded for word in unit)


@functools.lru_cache(maxsize=20_000)
def stems(word: Word, lang: str = "fr") -> frozenset[str]:
    """The forms by which a word of a text in `lang` is found, all folded.

    The French stem is taken of the word with its accents and of the word without, for a search comes in both.
    """
    if lang == "en":
        return frozenset({_english(word.folded), singular(word.folded)})
    return frozenset({fold(_french(word.written.lower())), _french(word.folded), singular(word.folded)})


@functools.lru_cache(maxsize=20_000)
def asked_stems(word: Word) -> frozenset[str]:
    """The forms by which a word that was asked for may be found, in whatever language it is meant."""
    return stems(word) | stems(word, "en")


def singular(word: str) -> str:
    """A folded word without the `s` or `x` of a plural."""
    return word[:-1] if len(word) >= _PLURAL_FROM and word[-1] in "sx" else word


def _stemmer(language: str) -> Callable[[str], str]:
    analyzer = TextAnalyzerBuilder(Tokenizer.raw()).filter(Filter.stemmer(language)).build()
    return lambda word: "".join(analyzer.analyze(word))


_french, _english = _stemmer("french"), _stemmer("english")
