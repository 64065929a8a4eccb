"""Search over what a catalogue shows, with facets: the words asked for → the datasets that have them all, best first.

A word counts for where it stands (index.PLACES) and for how it is found there: as it is written, by its stem, by a
synonym, by its beginning. What comes of it is multiplied by what a dataset is worth (ranking.py). A search is words,
and phrases in quotes; it is no language, so that no text is an error.
"""

from __future__ import annotations

import difflib
import re
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from tantivy import Occur, Query

from catalog.search.facets import narrow
from catalog.search.index import PLACES, STEMS, texts
from catalog.search.ranking import bonus
from catalog.search.synonyms import NONE
from catalog.search.words import SMALL, Word, asked_stems, units, whole

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from catalog.entries import Entry
    from catalog.search.facets import Facet
    from catalog.search.index import Index, Listed
    from catalog.search.synonyms import Synonyms, Term
    from catalog.search.words import Unit

QUERY_LIMIT = 200
"""The longest search, in characters."""

MOST_WORDS = 24
"""Further words of a search are not looked at."""

_WRITTEN, _STEM, _BEGINNING, _SYNONYM = 1.0, 0.95, 0.8, 0.4
_BEGINNING_FROM = 3
"""One letter or two begin every other word."""
_BEGINNINGS = 1000
_FEW = 50

_SMALL = 0.05
_RELEVANCE = 0.02
"""How little BM25 counts beside the places: it decides between two titles that both have the words."""

_PHRASE = re.compile(r'["“”«»]([^"“”«»]+)["“”«»]')
_TYPOS = ((8, 2), (4, 1))
"""How many letters may be wrong in words of this length and more."""

_LOOKED_AT = 10


class Found(NamedTuple):
    """What a search found."""

    entries: tuple[Entry, ...]
    """The most detailed edition of each dataset found, best first."""

    counts: dict[Facet, Counter[str]]
    """How many datasets each value of a facet would leave, were it the one chosen there."""

    everything: int
    """How many datasets have the words, whatever was chosen."""

    suggestion: str | None
    """What may have been meant, where nothing has the words; it finds something."""


def search(
    index: Index,
    asked: str,
    chosen: Mapping[Facet, frozenset[str]],
    synonyms: Synonyms = NONE,
    downloads: Mapping[str, float] | None = None,
) -> Found:
    """The datasets that have every word of `asked` and are what was `chosen`, best first, then by name.

    An empty search finds everything; one without any letter or digit finds nothing.
    """
    ranked = _ranked(index, asked, synonyms, downloads or {})
    narrowed = any(chosen.values()) or len(ranked) < len(index.listed)
    kept, counted = narrow(ranked, chosen) if narrowed else (ranked, index.counts)
    meant = None if ranked else _suggestion(index, asked, synonyms)
    return Found(tuple(one.entries[-1] for one in kept), counted, len(ranked), meant)


def _ranked(index: Index, asked: str, synonyms: Synonyms, downloads: Mapping[str, float]) -> list[Listed]:
    if asked.strip():
        query = _query(index, asked[:QUERY_LIMIT], synonyms)
        hits = [] if query is None or not index.listed else index.hits(query, len(index.listed))
    else:
        hits = [(1.0, one) for one in index.listed.values()]
    used = {slug: bonus(count) for slug, count in downloads.items()}
    scored = [(-score * (one.worth + used.get(one.slug, 0)), one.slug, one) for score, one in hits]
    return [one for _, _, one in sorted(scored)]


def _query(index: Index, asked: str, synonyms: Synonyms) -> Query | None:
    """What tantivy is asked; None where there is no word."""
    phrases = [words for words in (_plain(text) for text in _PHRASE.findall(asked)) if words]
    loose = _distinct(units(_PHRASE.sub(" ", asked)))[:MOST_WORDS]
    small = [unit for unit in loose if all(word.folded in SMALL for word in unit)]
    telling = [unit for unit in loose if unit not in small]
    if not telling and not phrases:
        small, telling = [], small
    must = [*(_phrase(index, words) for words in phrases), *_clauses(index, telling, synonyms)]
    if not must:
        return None
    should = [Query.boost_query(_unit(index, unit), _SMALL) for unit in small]
    should += [_bm25(index, word) for unit in telling for word in unit]
    return Query.boolean_query([*((Occur.Must, one) for one in must), *((Occur.Should, one) for one in should)])


def _distinct(found: Iterable[Unit]) -> list[Unit]:
    return list({whole(unit): unit for unit in found}.values())


def _plain(text: str) -> list[Word]:
    return [word for unit in units(text) for word in unit]


def _clauses(index: Index, telling: Sequence[Unit], synonyms: Synonyms) -> Iterator[Query]:
    """One clause a word, or a term that has synonyms; each must be met."""
    place = 0
    while place < len(telling):
        length, others = synonyms.at([word for unit in telling[place:] for word in unit])
        ends = list(accumulate(len(unit) for unit in telling[place:]))
        count = ends.index(length) + 1 if length in ends else 1
        own = _all([_unit(index, unit) for unit in telling[place : place + count]])
        alternatives = (_term(index, term, _SYNONYM * count) for term in others if length in ends)
        yield _best([own, *alternatives])
        place += count


def _unit(index: Index, unit: Unit) -> Query:
    """A word, or several that are joined: each of them, or all as one."""
    if len(unit) == 1:
        return _word(index, unit[0])
    joined = whole(unit)
    parts = Query.boost_query(_all([_word(index, word) for word in unit]), 1 / len(unit))
    return _best([parts, _word(index, Word(joined, joined))])


def _word(index: Index, word: Word) -> Query:
    """A word where it is worth most: as it is written, by a stem, or by its beginning."""
    forms = sorted(asked_stems(word))
    found = []
    for place, weight in PLACES.items():
        found.append(_worth(Query.term_query(index.schema, place, word.folded), weight * _WRITTEN))
        found.append(_worth(_any(index, place + STEMS, forms), weight * _STEM))
        if len(word.folded) >= _BEGINNING_FROM:
            found.append(_worth(_beginning(index, place, word.folded), weight * _BEGINNING))
    return _best(found)


def _beginning(index: Index, place: str, letters: str) -> Query:
    """Every word that begins with these letters."""
    return _any(index, place, [word for word, _ in index.searcher.terms_with_prefix(place, letters, limit=_BEGINNINGS)])


def _term(index: Index, term: Term, factor: float) -> Query:
    """The words of a synonym, all in one place."""
    return _best(
        [
            _worth(
                _all([_any(index, place + STEMS, sorted(asked_stems(word))) for word in term]),
                weight * factor,
            )
            for place, weight in PLACES.items()
        ]
    )


def _phrase(index: Index, words: Sequence[Word]) -> Query:
    """The words as they are written, one behind the other."""
    said = [word.folded for word in words]
    if len(said) == 1:
        return _best(
            [_worth(Query.term_query(index.schema, place, said[0]), weight) for place, weight in PLACES.items()]
        )
    return _best(
        [
            _worth(Query.phrase_query(index.schema, place, list(said)), weight * len(said))
            for place, weight in PLACES.items()
        ]
    )


def _bm25(index: Index, word: Word) -> Query:
    """What decides between equals: how short the title is, and how often it has the word."""
    return Query.boost_query(Query.term_query(index.schema, "title", word.folded), _RELEVANCE)


def _worth(query: Query, score: float) -> Query:
    return Query.const_score_query(query, score)


def _all(queries: Sequence[Query]) -> Query:
    return queries[0] if len(queries) == 1 else Query.boolean_query([(Occur.Must, one) for one in queries])


def _any(index: Index, field: str, words: Sequence[str]) -> Query:
    """Any of these words. A set of terms takes tantivy a millisecond to make, so few are asked for one by one."""
    if len(words) > _FEW:
        return Query.term_set_query(index.schema, field, list(words))
    return Query.boolean_query([(Occur.Should, Query.term_query(index.schema, field, word)) for word in words])


def _best(queries: Sequence[Query]) -> Query:
    return queries[0] if len(queries) == 1 else Query.disjunction_max_query(list(queries), 0.1)


def _suggestion(index: Index, asked: str, synonyms: Synonyms) -> str | None:
    """The search with each word that nothing has put right, if it finds something then."""
    put_right = asked[:QUERY_LIMIT]
    for unit in _distinct(units(put_right))[:MOST_WORDS]:
        for word in unit:
            if word.folded in SMALL or index.hits(_word(index, word), 1):
                continue
            near = _nearest(index, word)
            if near is None:
                return None
            put_right = re.sub(rf"\b{re.escape(word.written)}\b", near, put_right)
    put_right = put_right if put_right != asked else " ".join(_PHRASE.sub(r" \1 ", asked).split())
    return put_right if put_right != asked and _ranked(index, put_right, synonyms, {}) else None


def _nearest(index: Index, word: Word) -> str | None:
    """The word of a dataset that is most like this one, as it is written there; a title's before a column's."""
    distance = next((letters for length, letters in _TYPOS if len(word.folded) >= length), 0)
    if distance == 0:
        return None
    for place in PLACES:
        hits = index.hits(Query.fuzzy_term_query(index.schema, place, word.folded, distance), _LOOKED_AT)
        there = {
            known.folded: known.written
            for _, one in hits
            for _, text in texts(one.entries)[place]
            for known in _plain(text)
        }
        near = difflib.get_close_matches(word.folded, sorted(there), n=1, cutoff=0.6)
        if near:
            return there[near[0]].lower()
    return None
