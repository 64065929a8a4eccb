"""Datasets that are about the same as another: by their titles, keywords, themes and columns."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from tantivy import Occur, Query

from catalog.search.index import GIST, NUMBER, gist

if TYPE_CHECKING:
    from catalog.entries import Entry
    from catalog.search.index import Index

MOST = 5

LEAST = 0.05
"""The least cosine, of 0 to 1, at which two datasets are called similar."""

_TERMS = 40
_CANDIDATES = 30
_SMOOTH = 50
"""A term that one of seven datasets has is no rarer than one that eight of fifty-seven have."""


def similar(index: Index, slug: str) -> tuple[Entry, ...]:
    """At most MOST datasets that are like this one, the most alike first, then by name; none for one not in the index.

    tantivy finds those that share its rarest terms; the cosine of their weights (log tf · idf) says how alike they are.
    Only what the index holds can be found, so nothing that its principals may not see.
    """
    number = index.numbers.get(slug)
    if number is None:
        return ()
    itself = Counter(gist(index.listed[number].entries))
    about = Query.more_like_this_document_fields_query(
        index.schema,
        {GIST: [" ".join(itself.elements())]},
        min_doc_frequency=1,
        min_term_frequency=1,
        max_query_terms=_TERMS,
    )
    others = [
        (Occur.MustNot, Query.term_query(index.schema, NUMBER, number)),
        (Occur.Must, about),
    ]
    own = _weights(index, itself)
    scored = []
    for _, one in index.hits(Query.boolean_query(others), _CANDIDATES):
        alike = _cosine(own, _weights(index, Counter(gist(one.entries))))
        if alike >= LEAST:
            scored.append((-alike, one.slug, one.entries[-1]))
    return tuple(entry for _, _, entry in sorted(scored, key=lambda found: found[:2])[:MOST])


def _weights(index: Index, terms: Counter[str]) -> dict[str, float]:
    datasets = len(index.listed) + _SMOOTH
    return {
        term: (1 + math.log(times)) * math.log(1 + datasets / max(1, index.searcher.doc_freq(GIST, term)))
        for term, times in terms.items()
    }


def _cosine(one: dict[str, float], other: dict[str, float]) -> float:
    shared = sum(weight * other[term] for term, weight in one.items() if term in other)
    return shared / (math.hypot(*one.values()) * math.hypot(*other.values()))
