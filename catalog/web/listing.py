"""The list of datasets, as a reader asked for it: words, what was chosen in each facet, and which page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from catalog.dcat import LABELS
from catalog.search.facets import FACETS
from catalog.search.find import QUERY_LIMIT
from catalog.search.words import fold
from catalog.vocabulary import LICENCES, THEMES
from catalog.web.texts import TEXTS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping, Sequence

    from starlette.datastructures import QueryParams

    from catalog.entries import Entry
    from catalog.metadata import Lang
    from catalog.search.facets import Facet
    from catalog.search.find import Found

PER_PAGE = 25
SHOWN = 6
"""How many values of a facet stand there at once; the others, up to MOST, are folded away."""
MOST = 50

_CHOSEN_AT_ONCE = 20

Parameters = dict[str, str | int | list[str]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the address of a list says."""

    query: str
    chosen: Mapping[Facet, frozenset[str]]
    page: int

    def parameters(self, *, query: str | None = None, page: int = 1) -> Parameters:
        """What an address says that asks for the same, for another page of it, or with other words."""
        chosen: Parameters = {facet: sorted(values) for facet, values in self.chosen.items() if values}
        return {"q": self.query if query is None else query, **chosen, **({"page": page} if page > 1 else {})}

    def toggled(self, facet: Facet, value: str) -> Parameters:
        """What an address says in which this value is chosen too, or no longer."""
        values = self.chosen[facet] ^ {value}
        return Asked(query=self.query, chosen={**self.chosen, facet: values}, page=1).parameters()


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of a facet: how many datasets it would leave, and where it leads."""

    facet: Facet
    value: str
    label: str
    datasets: int
    chosen: bool
    parameters: Parameters


@dataclass(frozen=True, kw_only=True)
class FacetView:
    """One facet: its choices, those that are chosen first, then by datasets and name."""

    name: Facet
    first: tuple[Choice, ...]
    others: tuple[Choice, ...]


def asked(parameters: QueryParams) -> Asked:
    """What an address asks for. Raises HTTPException: 400 for what is too long or too much, 404 for what is unknown."""
    query = parameters.get("q", "")
    chosen = {facet: frozenset(filter(None, parameters.getlist(facet))) for facet in FACETS}
    values = [value for held in chosen.values() for value in held]
    if len(values) > _CHOSEN_AT_ONCE or any(len(text) > QUERY_LIMIT for text in (query, *values)):
        raise HTTPException(400)
    if not chosen["theme"] <= THEMES.keys() or not chosen["licence"] <= LICENCES.keys():
        raise HTTPException(404)
    return Asked(query=query, chosen=chosen, page=page_number(parameters))


def page_number(parameters: QueryParams) -> int:
    """The page asked for; 0 for what is none, such as page 100,000."""
    page = parameters.get("page", "1")
    return int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 0  # noqa: PLR2004


def facet_views(request: Asked, found: Found, lang: Lang) -> tuple[FacetView, ...]:
    """The facets that can narrow the list, or that do."""
    views = []
    for facet in FACETS:
        choices = _choices(request, facet, found.counts[facet], lang)
        if len(choices) > 1 or request.chosen[facet]:
            folded = SHOWN if len(choices) > SHOWN + 1 else len(choices)  # one alone is not worth a fold
            views.append(FacetView(name=facet, first=choices[:folded], others=choices[folded:MOST]))
    return tuple(views)


def chosen(views: Sequence[FacetView]) -> tuple[Choice, ...]:
    """All that is chosen, each with the way to take it back."""
    return tuple(choice for view in views for choice in (*view.first, *view.others) if choice.chosen)


def paged(entries: Sequence[Entry], page: int) -> tuple[Sequence[Entry], int]:
    """The entries of one page (from 1), and how many pages there are; at least one."""
    pages = max(1, -(-len(entries) // PER_PAGE))
    return entries[(page - 1) * PER_PAGE : page * PER_PAGE], pages


def label(facet: Facet, value: str, lang: Lang) -> str:
    """How a value is told: a code of a vocabulary by its label, a name as it stands."""
    if facet == "theme":
        return THEMES[value][lang]
    if facet == "licence":
        return LICENCES[value].title
    if facet == "format":
        return "GeoParquet" if value == "geoparquet" else LABELS.get(value, value)  # type: ignore[call-overload]
    if facet == "freshness":
        return TEXTS[lang].get(f"freshness_{value}", value)
    return value


def _choices(request: Asked, facet: Facet, counted: Counter[str], lang: Lang) -> tuple[Choice, ...]:
    values = counted.keys() | request.chosen[facet]
    choices = [
        Choice(
            facet=facet,
            value=value,
            label=label(facet, value, lang),
            datasets=counted[value],
            chosen=value in request.chosen[facet],
            parameters=request.toggled(facet, value),
        )
        for value in values
    ]
    choices.sort(key=lambda choice: (not choice.chosen, -choice.datasets, fold(choice.label), choice.label))
    return tuple(choices)
