"""What `datalab check` says of each dataset: what is wrong, what deserves a look, and its score."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdflib import URIRef

from catalog.dcat import dataset_graph
from catalog.editioncheck import repeated, silent, unbuildable
from catalog.entries import EVERYONE, Entry, entries
from catalog.grants import unknown_principals
from catalog.lake import Current
from catalog.metadata import said
from catalog.mqa import Score, score
from catalog.quality import results
from catalog.settings import CatalogSettings
from catalog.territory import Territories
from catalog.vocabulary import LICENCES
from policies.decide import granted_editions
from policies.document import line_of
from policies.errors import DatalabError, UsageError
from policies.expect import broken
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from catalog.lab import Lab
    from catalog.model import Dataset
    from policies.model import Policy

_NAMED = 6


@dataclass(frozen=True, kw_only=True)
class Report:
    """One dataset: `errors` keep it from being published, `warnings` do not; `score` None where it cannot be read."""

    slug: str
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    score: Score | None = None


def check(lab: Lab, slugs: Sequence[str]) -> Iterator[Report]:
    """A report of each of these datasets, in their order; then one of what lies beside them and is not read.

    What everyone is served is judged as harvesters see it; what nobody is served yet, by its descriptor alone. Raises
    UsageError for an unknown slug.
    """
    left_out: list[DatalabError] = []
    shown = {entry.slug: entry for entry in entries(lab, EVERYONE, left_out.append)}
    settings = lab.section("catalog", CatalogSettings)
    territories = Territories(lab, lab.granted(EVERYONE, left_out=lambda _: None), settings.territories)
    titles: dict[str, list[str]] = {}
    for slug, dataset in lab.datasets()[0].items():
        titles.setdefault(said(dataset.title).casefold(), []).append(slug)
    for slug in slugs:
        try:
            dataset = lab.dataset(slug)
            policy = lab.policy(slug)
            place = territories.place(dataset.spatial)
            entry = shown.get(slug) or Entry(slug, dataset, "open", Current(resources={}), place)
            made = dataset_graph(settings, entry)
            poor = tuple(_quality(lab, slug, dataset))
        except UsageError:
            raise  # there is no such dataset
        except DatalabError as error:
            yield Report(slug=slug, errors=(str(error),))
            continue
        twins = [other for other in titles[said(dataset.title).casefold()] if other != slug]
        yield Report(
            slug=slug,
            errors=tuple(_errors(lab, slug, dataset, policy)),
            warnings=(
                *unknown_principals(lab, slug),
                *(f"`spatial`: the lab has no contour of {code}" for code in place.unknown),
                *(f"has the title of {other}" for other in twins),
                *poor,
                *_of_descriptor(dataset, policy, served=slug in shown),
                *(_of_editions(lab, slug, policy) if policy is not None else ()),
                *(_of_tables(shown[slug], policy) if slug in shown and policy is not None else ()),
                *(message for message in map(str, left_out) if f"/{slug}.yaml" in message or f"/{slug}/" in message),
            ),
            score=score(made, URIRef(f"{settings.base}datasets/{slug}#{entry.edition}")),
        )
    if set(slugs) == set(lab.slugs):
        yield from (Report(slug="", errors=(str(stray),)) for stray in lab.strays)


def _errors(lab: Lab, slug: str, dataset: Dataset, policy: Policy | None) -> Iterator[str]:
    public = _public(policy)
    if dataset.sensitivity in {"internal", "secret"} and public:
        path = lab.root / "policies" / f"{slug}.yaml"
        yield (
            f"{path}: grants {', '.join(public)} to everyone, and the descriptor says `sensitivity: "
            f"{dataset.sensitivity}`; take the grant away, or say what the data are"
        )
    if policy is None:
        return
    yield from _broken_expectations(lab, slug, policy)
    yield from unbuildable(lab, slug, dataset, policy)


def _broken_expectations(lab: Lab, slug: str, policy: Policy) -> Iterator[str]:
    """Each `expect:` line that the grants do not keep, or that names somebody whom the lab has not."""
    path = lab.root / "policies" / f"{slug}.yaml"
    today = dt.datetime.now(dt.UTC).date()
    for place, one in enumerate(policy.expect):
        line = line_of(path, "expect", place)
        try:
            yield from (f"{path}:{line}: {why}" for why in broken(policy, one, lab.principals(one.who), today))
        except UsageError as error:
            yield f"{path}:{line}: {error}"


def _quality(lab: Lab, slug: str, dataset: Dataset) -> Iterator[str]:
    """Each rule of the descriptor that the table which is served breaks."""
    current = lab.lake.current(slug, RAW)
    for name, served in ({} if current is None else current.resources).items():
        checks = dataset.resources[name].quality if name in dataset.resources else ()
        if checks:
            files = lab.lake.files(slug, RAW, name, served)
            columns = [column.name for column in served.columns]
            place = f"{lab.root / 'datasets' / slug}.yaml: {name}"
            yield from (f"{name}: quality: {one}" for one in results(checks, files, columns, place) if one.broken > 0)


def _of_descriptor(dataset: Dataset, policy: Policy | None, *, served: bool) -> Iterator[str]:
    upstream, licence = dataset.harvested, LICENCES[dataset.licence]
    if upstream is not None and upstream.gone is not None:
        yield f"is gone from {upstream.portal} since {upstream.gone}; it is kept until you take it away"
    if dataset.hvd and (licence.share_alike or not licence.open):
        yield f"`licence: {dataset.licence}` asks for more than EU 2023/138 allows a high-value dataset (CC BY 4.0)"
    if policy is None:
        yield "has no policy: nobody is granted anything"
    elif _public(policy) and not served:
        yield "is granted to everyone and not served: run `datalab ingest`"


def _of_tables(entry: Entry, policy: Policy) -> Iterator[str]:
    for name, (resource, served) in entry.resources.items():
        there = [one.name for one in served.columns if one.type != "GEOMETRY" and not one.name.endswith("_marker")]
        untold = [one for one in there if one not in resource.columns or resource.columns[one].title is None]
        if untold:
            yield f"{name}: no title for {_some(untold)}"
        if entry.dataset.sensitivity == "personal":
            table = policy.editions[entry.edition][name]
            plain = table.left_as_they_are
            if plain:
                yield f"{name}: `sensitivity: personal`, and everyone gets as they are: {_some(sorted(plain))}"


def _of_editions(lab: Lab, slug: str, policy: Policy) -> Iterator[str]:
    for name, columns in silent(lab, slug, policy):
        yield f"policies/{slug}.yaml: {name}: no edition keeps or drops {_some(columns)}"
    yield from repeated(lab, slug, policy)


def _some(names: Sequence[str]) -> str:
    told = ", ".join(names[:_NAMED])
    return told if len(names) <= _NAMED else f"{told} and {len(names) - _NAMED} more"


def _public(policy: Policy | None) -> tuple[str, ...]:
    """The editions that everyone is granted today."""
    if policy is None:
        return ()
    today = dt.datetime.now(dt.UTC).date()
    return tuple(granted_editions(policy, principals=EVERYONE, purpose=None, on=today))
