"""The ways in which a list of datasets is narrowed, and how many datasets each of them leaves. Pure."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Literal, get_args

from catalog.download import FORMATS, GEOMETRY
from catalog.search.ranking import freshness

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from catalog.entries import Entry
    from catalog.search.index import Listed

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


def narrow(
    found: Sequence[Listed], chosen: Mapping[Facet, frozenset[str]]
) -> tuple[Sequence[Listed], dict[Facet, Counter[str]]]:
    """Those datasets that are what was chosen, in each facet in which something was, and what each choice would leave.

    A value counts the datasets there would be, were it the one chosen in its facet while the other facets stayed.
    """
    wanted = [(facet, values) for facet, values in chosen.items() if values]
    kept: Sequence[Listed] = found
    left_out: dict[Facet, list[Listed]] = {facet: [] for facet, _ in wanted}
    if wanted:
        kept = []
        for one in found:
            misses = [facet for facet, values in wanted if one.values[facet].isdisjoint(values)]
            if not misses:
                kept.append(one)
            elif len(misses) == 1:  # by this facet alone: another choice in it would bring the dataset
                left_out[misses[0]].append(one)
    counted = {
        facet: Counter(chain.from_iterable([one.values[facet] for one in (*kept, *left_out.get(facet, ()))]))
        for facet in FACETS
    }
    return kept, counted
