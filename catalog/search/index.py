"""What of a dataset can be searched, and where in it a word counts most: documents for tantivy.

An index holds what one set of principals may see: it is made of their entries, and a column that none of their editions
serves is in no document. Each place has two fields: the words as they are written, and their stems.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import tantivy

from catalog.search.facets import narrow, values
from catalog.search.ranking import worth
from catalog.search.words import SMALL, asked_stems, fold, stems, units, whole
from catalog.vocabulary import THEMES

if TYPE_CHECKING:
    import datetime as dt
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from catalog.entries import Entry
    from catalog.search.facets import Facet, Values
    from catalog.search.words import Unit

PLACES: dict[str, float] = {"title": 10, "keywords": 5, "columns": 2.5, "rest": 1}
"""Where a word may stand, and what it is worth there; they lie so far apart that `ranking.worth` turns none around."""

STEMS = "_stems"
"""What the field of a place's stems has behind the place's name."""

NUMBER, GIST = "number", "gist"
"""The fields of a document's number, and of the terms by which datasets are alike."""

_HEAP = 15_000_000  # the least that tantivy takes
_APART = "|"  # between two texts of one place, so that no phrase goes over from one to the other

Said = tuple[str, str]
"""A language and a text in it."""


class Listed(NamedTuple):
    """One dataset as a list shows it: its editions, from the least to the most detailed, and what they are."""

    slug: str
    entries: tuple[Entry, ...]
    values: Values
    worth: float
    """Of `ranking.worth`."""


class Index:
    """An index in memory, and the datasets in it by number. It never changes; `indexed` makes the next one."""

    def __init__(self, engine: tantivy.Index, listed: Mapping[int, Listed]) -> None:
        """`indexed` calls this."""
        self.engine = engine
        self.listed = listed
        self.numbers = {one.slug: number for number, one in listed.items()}
        self.searcher = engine.searcher()
        self.schema = engine.schema

    @cached_property
    def counts(self) -> dict[Facet, Counter[str]]:
        """How many datasets have each value of each facet."""
        return narrow(tuple(self.listed.values()), {})[1]

    def hits(self, query: tantivy.Query, most: int) -> list[tuple[float, Listed]]:
        """At most so many datasets that the query finds, with their scores, the highest first."""
        found = self.searcher.search(query, most, count=False).hits
        numbers = self.searcher.fast_field_values(NUMBER, [address for _, address in found])
        return [(score, self.listed[int(number or 0)]) for (score, _), number in zip(found, numbers, strict=True)]


def indexed(entries: Iterable[Entry], day: dt.date, before: Index | None = None) -> Index:
    """The index of these entries, on that day. Datasets whose entries are those of `before` are not written again.

    `before` can still be searched; but only the latest index may be given as `before`.
    """
    datasets: dict[str, list[Entry]] = {}
    for entry in entries:
        datasets.setdefault(entry.slug, []).append(entry)
    held = {} if before is None else before.listed
    numbers = {} if before is None else before.numbers
    engine = tantivy.Index(_schema()) if before is None else before.engine
    listed: dict[int, Listed] = {}
    added: dict[int, Listed] = {}
    following = 1 + max(held, default=0)
    for slug, editions in datasets.items():
        one = Listed(slug, tuple(editions), values(editions, day), worth(editions[-1], day))
        number = numbers.get(slug)
        if number is None or held[number].entries != tuple(editions):
            number = following + len(added)
            added[number] = one
        listed[number] = one
    gone = [number for number in held if number not in listed]
    if added or gone:
        _write(engine, added, gone)
    return Index(engine, listed)


def _write(engine: tantivy.Index, added: Mapping[int, Listed], gone: Iterable[int]) -> None:
    writer = engine.writer(heap_size=_HEAP, num_threads=1)
    for number in gone:
        writer.delete_documents_by_query(tantivy.Query.term_query(engine.schema, NUMBER, number))
    for number, one in added.items():
        writer.add_document(tantivy.Document.from_dict({NUMBER: number, **document(one.entries)}, engine.schema))
    writer.commit()
    writer.wait_merging_threads()
    engine.reload()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder().add_unsigned_field(NUMBER, indexed=True, fast=True)
    for place in PLACES:
        builder.add_text_field(place, tokenizer_name="whitespace")
        builder.add_text_field(place + STEMS, tokenizer_name="whitespace", index_option="freq")
    return builder.add_text_field(GIST, tokenizer_name="whitespace", index_option="freq").build()


def document(entries: Sequence[Entry]) -> dict[str, str]:
    """The fields of one dataset, `entries` being its editions that are shown; each a text whose words spaces part."""
    fields = {GIST: " ".join(gist(entries))}
    for place, said in texts(entries).items():
        told = [(lang, units(text)) for lang, text in said]
        fields[place] = f" {_APART} ".join(" ".join(_written(found)) for _, found in told)
        fields[place + STEMS] = " ".join(stem for lang, found in told for stem in _stemmed(found, lang))
    return fields


def gist(entries: Sequence[Entry]) -> Iterator[str]:
    """What a dataset is about, as terms: stems of its title, thrice, and of its keywords, twice; themes; columns.

    Numbers and years make no two datasets alike, and neither does a word that two columns' names happen to have.
    """
    dataset = entries[-1].dataset
    keywords = (keyword for said in dataset.keywords.values() for keyword in said)
    for times, said in ((3, dataset.title.values()), (2, keywords)):
        for word in (word for text in said for unit in units(text) for word in unit):
            if word.folded not in SMALL and not word.folded.isdigit():
                yield from [min(asked_stems(word))] * times
    yield from (f"theme:{theme}" for theme in dataset.themes)
    names = {column.name for entry in entries for _, served in entry.resources.values() for column in served.columns}
    yield from (f"column:{fold(name).replace(' ', '_')}" for name in sorted(names))


def texts(entries: Sequence[Entry]) -> dict[str, tuple[Said, ...]]:
    """What is said of a dataset, by the place where it is said; each text once."""
    found: dict[str, dict[Said, None]] = {place: {} for place in PLACES}
    for entry in entries:
        for place, said in _told(entry):
            found[place].setdefault(said)
    return {place: tuple(said) for place, said in found.items()}


def _told(entry: Entry) -> Iterator[tuple[str, Said]]:
    dataset = entry.dataset
    yield from _each("title", dataset.title)
    for lang, keywords in dataset.keywords.items():
        yield from (("keywords", (lang, keyword)) for keyword in keywords)
    codes = (code for level in dataset.spatial.codes.values() for code in level)
    for text in (entry.slug, dataset.publisher.name, dataset.spatial.name, *codes):
        yield "keywords", ("fr", text)
    yield from _each("rest", dataset.description)
    yield from _each("rest", dataset.provenance)
    for theme in dataset.themes:
        yield from _each("rest", THEMES[theme])
    for basis in dataset.legal_basis:
        yield "rest", ("fr", basis.name)
    for name, (resource, served) in entry.resources.items():
        yield "keywords", ("fr", name)
        yield from _each("keywords", resource.title)
        yield from _each("rest", resource.description)
        for column in served.columns:
            yield "columns", ("fr", column.name)
            known = resource.columns.get(column.name)
            if known is not None:
                yield from _each("columns", known.title)
                yield from _each("columns", known.description)


def _each(place: str, text: Mapping[str, str] | None) -> Iterator[tuple[str, Said]]:
    for lang, said in (text or {}).items():
        yield place, (lang, said)


def _written(found: Iterable[Unit]) -> Iterator[str]:
    """The words as they stand, each joined one behind its parts."""
    for unit in found:
        yield from (word.folded for word in unit)
        if len(unit) > 1:
            yield whole(unit)


def _stemmed(found: Iterable[Unit], lang: str) -> Iterator[str]:
    for unit in found:
        for word in unit:
            yield from stems(word, lang)
