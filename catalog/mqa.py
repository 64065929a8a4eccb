"""The score that data.europa.eu gives a dataset for its metadata: Metadata Quality Assessment, 405 points. Pure.

Indicators and points: https://data.europa.eu/mqa/methodology. They are looked for in the DCAT that harvesters get of
the dataset, so what the lab says by itself counts, and nothing that only stands in the descriptor. An indicator of
files reaches the share of its points that the share of files has. Two cannot be seen from here: whether addresses
answer to all the world is taken from where `[catalog] url` points, and that the DCAT conforms from our own tests.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rdflib import RDF
from rdflib.namespace import DCAT, DCTERMS

from catalog.vocabulary import EU, LICENCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdflib import Graph, URIRef
    from rdflib.term import Node

TOTAL = 405


class Effort(IntEnum):
    """What it takes to reach an indicator."""

    line = 1
    """A line in the descriptor."""
    setting = 2
    """A setting of the lab, once for all datasets."""
    work = 3
    """An ingest, a grant, or work on the data."""


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """One thing that is asked: how many points it gives, how many are reached, and what to do for the others."""

    dimension: str
    name: str
    points: int
    reached: int
    effort: Effort
    remedy: str

    @property
    def missing(self) -> int:
        """The points that are to be had."""
        return self.points - self.reached


@dataclass(frozen=True)
class Score:
    """All indicators of one dataset."""

    indicators: tuple[Indicator, ...]

    @property
    def points(self) -> int:
        """How many of the 405 are reached."""
        return sum(one.reached for one in self.indicators)

    @property
    def gains(self) -> tuple[Indicator, ...]:
        """What is missing: the least effort first, then the most points."""
        return tuple(
            sorted((one for one in self.indicators if one.missing > 0), key=lambda one: (one.effort, -one.missing))
        )

    @property
    def rating(self) -> str:
        """The word of the methodology for so many points."""
        bounds = ((351, "excellent"), (221, "good"), (121, "sufficient"))
        return next((word for least, word in bounds if self.points >= least), "bad")


def score(graph: Graph, node: URIRef) -> Score:
    """The score of the dataset `node` of a DCAT graph."""
    files = sorted(graph.objects(node, DCAT.distribution), key=str)

    def has(predicate: URIRef) -> bool:
        return (node, predicate, None) in graph

    def share(holds: Callable[[Node], bool]) -> float:
        return sum(holds(file) for file in files) / len(files) if files else 0.0

    def each(predicate: URIRef) -> float:
        return share(lambda file: (file, predicate, None) in graph)

    def answers(predicate: URIRef) -> float:
        return share(lambda file: any(is_public(str(url)) for url in graph.objects(file, predicate)))

    def among(predicate: URIRef, prefix: str) -> float:
        return share(lambda file: any(str(one).startswith(prefix) for one in graph.objects(file, predicate)))

    licences = {licence.uri for licence in LICENCES.values()}
    listed = share(lambda file: any(str(one) in licences for one in graph.objects(file, DCTERMS.license)))
    public = any(str(one).startswith(f"{EU}access-right/") for one in graph.objects(node, DCTERMS.accessRights))
    line, setting, work = Effort.line, Effort.setting, Effort.work
    serve = "ingest the dataset, and grant an edition to everyone"
    reach = "set url in [catalog] of datalab.toml to the portal's public address"
    far = work if not files else setting
    where = serve if not files else reach
    rows: tuple[tuple[str, str, int, float, Effort, str], ...] = (
        ("findability", "keywords", 30, has(DCAT.keyword), line, "keywords: {fr: [...]}"),
        ("findability", "categories", 30, has(DCAT.theme), line, "themes: [...]"),
        ("findability", "geographic search", 20, _is_placed(graph, node), line, "spatial: {bbox: ...}, or its codes"),
        ("findability", "time based search", 20, has(DCTERMS.temporal), line, "temporal: {start: ..., end: ...}"),
        ("accessibility", "access address answers", 50, answers(DCAT.accessURL), far, where),
        ("accessibility", "download address", 20, each(DCAT.downloadURL), work, serve),
        ("accessibility", "download address answers", 30, answers(DCAT.downloadURL), far, where),
        ("interoperability", "format", 20, each(DCTERMS["format"]), work, serve),
        ("interoperability", "media type", 10, each(DCAT.mediaType), work, serve),
        ("interoperability", "format of the EU's list", 10, among(DCTERMS["format"], f"{EU}file-type/"), work, serve),
        ("interoperability", "open format", 20, each(DCTERMS["format"]), work, serve),
        ("interoperability", "machine readable", 20, each(DCTERMS["format"]), work, serve),
        ("interoperability", "DCAT-AP conformity", 30, _conforms(graph, node), work, serve),
        ("reusability", "licence", 20, each(DCTERMS.license), work, serve),
        ("reusability", "licence of a list", 10, listed, work, serve),
        ("reusability", "access rights", 10, has(DCTERMS.accessRights), work, serve),
        ("reusability", "access rights of the EU's list", 5, public, work, serve),
        ("reusability", "contact point", 20, has(DCAT.contactPoint), line, "contact: {name: ..., email: ...}"),
        ("reusability", "publisher", 10, has(DCTERMS.publisher), line, "publisher: {name: ..., siren: ...}"),
        ("context", "rights", 5, each(DCTERMS.rights), line, "licence_note: whom to name, and how"),
        ("context", "file size", 5, each(DCAT.byteSize), work, "the size of a CSV is known once it was asked for"),
        ("context", "date of issue", 5, has(DCTERMS.issued), line, "issued: DATE"),
        ("context", "date of modification", 5, has(DCTERMS.modified), work, serve),
    )
    return Score(
        tuple(
            Indicator(
                dimension=dimension, name=name, points=points, reached=int(points * held), effort=effort, remedy=remedy
            )
            for dimension, name, points, held, effort, remedy in rows
        )
    )


def is_public(url: str) -> bool:
    """Whether an address may answer to all the world: its host is no loopback, private or reserved one."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        reserved = ("localhost", "local", "internal", "invalid", "test", "example", "lan")
        return "." in host and host.rpartition(".")[2] not in reserved


def _is_placed(graph: Graph, node: URIRef) -> bool:
    return any((place, DCAT.bbox, None) in graph for place in graph.objects(node, DCTERMS.spatial))


def _conforms(graph: Graph, node: URIRef) -> bool:
    """Whether what DCAT-AP makes mandatory is there: title, description, and an access address of each file."""
    files = list(graph.objects(node, DCAT.distribution))
    named = all((node, needed, None) in graph for needed in (RDF.type, DCTERMS.title, DCTERMS.description))
    return named and bool(files) and all((file, DCAT.accessURL, None) in graph for file in files)
