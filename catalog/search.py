"""Search over what a catalogue shows. Small and without an index: a region has hundreds of datasets, not millions."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from catalog.vocabulary import THEMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.entries import Entry

TITLE, KEYWORD, REST = 100, 10, 1
"""What a word is worth where it is found; a word found in several places counts where it is worth most."""

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss"})
_CAMEL = re.compile(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Ý])")
_PLURAL_FROM = 4
"""Shorter words keep their last letter: `pas`, `prix` and `gaz` are no plurals."""


def fold(text: str) -> str:
    """Text without case, accents and ligatures: `Œuvres d'ÉTÉ` → `oeuvres d'ete`."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def words(text: str) -> list[str]:
    """The folded words of a text; `_` parts words, and so does the case in `nomAttribuant`, which is a word as well."""
    whole = re.findall(r"[^\W_]+", fold(text))
    parted = re.findall(r"[^\W_]+", fold(_CAMEL.sub(" ", text)))
    return list(dict.fromkeys([*whole, *parted]))


def search(entries: Iterable[Entry], query: str) -> tuple[Entry, ...]:
    """The entries that have every word of `query`, best first, then in the order given.

    A word is found by its beginning, in the singular or the plural. An empty query finds everything; one without any
    letter or digit finds nothing. Only columns that the edition serves are looked at.
    """
    if not query.strip():
        return tuple(entries)
    asked = [_singular(word) for word in re.findall(r"[^\W_]+", fold(query))]
    if not asked:
        return ()
    scored = [(_score(entry, asked), entry) for entry in entries]
    found = [(score, entry) for score, entry in scored if score > 0]
    return tuple(entry for _, entry in sorted(found, key=lambda pair: -pair[0]))


def _score(entry: Entry, asked: list[str]) -> int:
    """0 when a word is nowhere."""
    fields = [(weight, words(" ".join(texts))) for weight, texts in _fields(entry)]
    total = 0
    for word in asked:
        best = max(weight * _match(word, there) for weight, there in fields)
        if best == 0:
            return 0
        total += best
    return total


def _match(asked: str, there: list[str]) -> int:
    """2 for the word itself, 1 for one that starts with it, 0 when neither is there."""
    if any(_singular(word) == asked for word in there):
        return 2
    return int(any(word.startswith(asked) for word in there))


def _singular(word: str) -> str:
    return word[:-1] if len(word) >= _PLURAL_FROM and word[-1] in "sx" else word


def _fields(entry: Entry) -> list[tuple[int, list[str]]]:
    dataset = entry.dataset
    rest = [
        entry.slug,
        *dataset.description.values(),
        dataset.publisher.name,
        dataset.spatial.name,
        *(label for theme in dataset.themes for label in THEMES[theme].values()),
    ]
    titles = list(dataset.title.values())
    for name, (resource, served) in entry.resources.items():
        rest += [name, *resource.title.values(), *(resource.description or {}).values()]
        for column in served.columns:
            known = resource.columns.get(column.name)
            rest += [column.name, *((known and known.title) or {}).values()]
    return [(TITLE, titles), (KEYWORD, [word for kept in dataset.keywords.values() for word in kept]), (REST, rest)]
