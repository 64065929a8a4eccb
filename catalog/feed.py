"""The DCAT catalogue as machines harvest it: in Turtle or JSON-LD, whole or by pages, told piece by piece.

Only one dataset's graph is in memory at a time. The same lab gives the same bytes. A page of the feed says where the
next one is as Hydra does (https://www.w3.org/ns/hydra/core), which the harvesters of udata and ckanext-dcat follow.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from rdflib import RDF, Namespace, URIRef
from rdflib import Literal as Value
from rdflib.namespace import XSD

from catalog.dcat import PREFIXES, catalogue_graph, dataset_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdflib import Graph

    from catalog.entries import Entry
    from catalog.settings import CatalogSettings

Form = Literal["ttl", "jsonld"]
MEDIA_TYPES: dict[Form, str] = {"ttl": "text/turtle; charset=utf-8", "jsonld": "application/ld+json"}

PER_PAGE = 100
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
_PREFIXES = {**PREFIXES, "hydra": str(HYDRA)}
_HEAD = "".join(f"@prefix {prefix}: <{namespace}> .\n" for prefix, namespace in sorted(_PREFIXES.items()))


def pages(entries: Sequence[Entry]) -> int:
    """How many pages the feed of these entries has; an empty one has a page too."""
    return max(1, -(-len(entries) // PER_PAGE))


def feed(settings: CatalogSettings, entries: Sequence[Entry], form: Form, page: int | None = None) -> Iterator[bytes]:
    """The catalogue of these entries in UTF-8, or one page of it, the first being 1; in pieces of some kilobytes.

    The entries must be what everyone is granted, for all of them are called public.
    """
    head = catalogue_graph(settings, entries)
    shown = entries
    if page is not None:
        _tell_pages(head, settings, entries, form, page)
        shown = entries[(page - 1) * PER_PAGE : page * PER_PAGE]
    graphs = _graphs(head, settings, shown)
    return _turtle(graphs) if form == "ttl" else _jsonld(graphs)


def _graphs(head: Graph, settings: CatalogSettings, entries: Sequence[Entry]) -> Iterator[Graph]:
    yield head
    for entry in entries:
        yield dataset_graph(settings, entry)


def _tell_pages(head: Graph, settings: CatalogSettings, entries: Sequence[Entry], form: Form, page: int) -> None:
    """Say which page of how many this is, and where the others are."""
    head.bind("hydra", HYDRA)
    address = f"{settings.base}catalog.{form}"
    last = pages(entries)
    here = URIRef(f"{address}?page={page}")
    catalogue = URIRef(f"{settings.base}#catalogue")
    head.add((catalogue, RDF.type, HYDRA.Collection))
    head.add((catalogue, HYDRA.totalItems, Value(str(len(entries)), datatype=XSD.integer)))
    head.add((catalogue, HYDRA.view, here))
    head.add((here, RDF.type, HYDRA.PartialCollectionView))
    others = {"first": 1, "last": last, "previous": page - 1, "next": page + 1}
    for name, number in others.items():
        if 1 <= number <= last:
            head.add((here, HYDRA[name], URIRef(f"{address}?page={number}")))


def _turtle(graphs: Iterator[Graph]) -> Iterator[bytes]:
    """Turtle: the prefixes once, then each graph; what two graphs say alike is one statement to who reads both."""
    yield _HEAD.encode()
    for graph in graphs:
        text = graph.serialize(format="turtle", encoding="utf-8")
        # rdflib writes the prefixes above each graph, then an empty line
        yield b"\n" + text.partition(b"\n\n")[2].rstrip() + b"\n"


def _jsonld(graphs: Iterator[Graph]) -> Iterator[bytes]:
    """JSON-LD: one context, then the nodes of each graph. Their order means nothing, so it is made the alphabet's."""
    context = json.dumps(_PREFIXES, ensure_ascii=False, sort_keys=True)
    yield f'{{"@context": {context},\n "@graph": ['.encode()
    separator = "\n"
    for graph in graphs:
        document = json.loads(graph.serialize(format="json-ld", context=_PREFIXES, auto_compact=False))
        for node in _ordered(document.get("@graph", [document])):
            yield f"{separator}{json.dumps(node, ensure_ascii=False, sort_keys=True)}".encode()
            separator = ",\n"
    yield b"\n]}\n"


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(held) for key, held in value.items()}
    if isinstance(value, list):
        ordered = [_ordered(held) for held in value]
        return sorted(ordered, key=lambda held: json.dumps(held, sort_keys=True))
    return value
