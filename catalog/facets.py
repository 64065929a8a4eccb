"""The ways in which a list of datasets is narrowed, and how many datasets each of them leaves. Pure."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Literal, get_args

from catalog.download import FORMATS, GEOMETRY
from catalog.ranking import freshness

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from catalog.entries import Entry

Facet = Literal["theme", "publisher", "licence", "format", "territory", "freshness"]
FACETS: tuple[Facet, ...] = get_args(Facet)

Values = dict[Facet, frozenset[str]]
"""What a dataset is in each facet, or what was chosen in it: codes of the vocabulary, or names as they stand."""


def values(entries: Sequence[Entry], today: dt.date) -> Values:
    """What one dataset is in each facet; `entries` are its editions that are shown."""
    dataset = entries[-1].dataset
    return {
        "theme": frozenset(dataset.themes),
        "publisher": frozenset({dataset.publisher.name}),
        "licence": frozenset({dataset.licence}),
        "format": frozenset(form for entry in entries for form in _forms(entry)),
        "territory": frozenset({dataset.spatial.name}),
        "freshness": frozenset({freshness(entries[-1], today)}),
    }


def _forms(entry: Entry) -> Iterable[str]:
    """The formats in which it can be had; a Parquet file of geometry is GeoParquet."""
    for _, served in entry.resources.values():
        has_geometry = any(column.type == GEOMETRY for column in served.columns)
        yield from ("geoparquet" if form == "parquet" and has_geometry else form for form in FORMATS)


def matches(found: Values, chosen: Mapping[Facet, frozenset[str]]) -> bool:
    """Whether a dataset is one of what was chosen, in each facet in which something was."""
    return all(not found[facet].isdisjoint(wanted) for facet, wanted in chosen.items() if wanted)


def counts(found: Sequence[Values], chosen: Mapping[Facet, frozenset[str]]) -> dict[Facet, Counter[str]]:
    """How many of these datasets have each value, if it were chosen in its facet and the other facets stayed."""
    counted: dict[Facet, Counter[str]] = {}
    for facet in FACETS:
        others = {other: wanted for other, wanted in chosen.items() if other != facet and wanted}
        left = [one for one in found if matches(one, others)] if others else found
        counted[facet] = Counter(chain.from_iterable([one[facet] for one in left]))
    return counted
