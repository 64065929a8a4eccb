"""What a catalogue shows: each (dataset, edition) that some principals may open, with what is served of it.

The portal, DCAT and CKAN all take these, so none of them asks the policy by itself: what is not granted is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.settings import CatalogSettings
from catalog.territory import Territories
from policies.errors import DatalabError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from catalog.lab import Lab
    from catalog.lake import Current, Served
    from catalog.model import Dataset, Resource
    from catalog.territory import Place

EVERYONE = frozenset({"everyone"})
"""The principals of somebody who has not said who they are."""


@dataclass(frozen=True)
class Entry:
    """One edition of one dataset: its descriptor, where the data lie, and the snapshots it serves."""

    slug: str
    dataset: Dataset
    edition: str
    current: Current
    place: Place

    @property
    def resources(self) -> dict[str, tuple[Resource, Served]]:
        """Each resource that is both described and served, in the descriptor's order."""
        return {
            name: (resource, self.current.resources[name])
            for name, resource in self.dataset.resources.items()
            if name in self.current.resources
        }

    @property
    def modified(self) -> dt.datetime:
        """When any resource of it was last committed (UTC)."""
        return max(served.committed for _, served in self.resources.values())


def entries(
    lab: Lab,
    principals: frozenset[str],
    left_out: Callable[[DatalabError], None] = lambda _: None,
    *,
    purpose: str | None = None,
) -> tuple[Entry, ...]:
    """Every edition these principals may open today, by slug, then from the least to the most detailed.

    A dataset whose descriptor or policy is wrong is left out, and `left_out` is told why; so is, silently, an edition
    that serves no resource which the descriptor still has. Raises LakeError when what is on disk is damaged.
    """
    described = {}
    for slug in lab.slugs:
        try:
            described[slug] = lab.dataset(slug)
        except DatalabError as error:
            left_out(error)
    granted = lab.granted(principals, purpose=purpose, left_out=left_out)
    territories = Territories(lab, granted, lab.section("catalog", CatalogSettings).territories)
    shown = []
    for one in granted:
        if one.dataset not in described:
            continue
        dataset = described[one.dataset]
        try:
            place = territories.place(dataset.spatial)
        except DatalabError as error:
            left_out(error)
            continue
        shown.append(Entry(one.dataset, dataset, one.edition, one.current, place))
    return tuple(entry for entry in shown if entry.resources)
