"""Reading a graph: what it says of a node, in an order that is the same each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdflib import Literal, Namespace, URIRef
from rdflib.namespace import DCTERMS, FOAF, RDFS, SKOS

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node

VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
_SCHEMA_NAME = URIRef("http://schema.org/name")
_PLACE_NAME = URIRef("http://www.w3.org/ns/locn#geographicName")
_LABELS = (SKOS.prefLabel, FOAF.name, VCARD.fn, RDFS.label, DCTERMS.title, _SCHEMA_NAME, _PLACE_NAME)


@dataclass(frozen=True)
class Reader:
    """A graph that is read. A graph's own order is none, so all is given sorted."""

    graph: Graph

    def nodes(self, node: Node, predicate: URIRef) -> list[Node]:
        """What the graph says of the node by that predicate: nodes and literals."""
        return sorted(
            self.graph.objects(node, predicate), key=lambda one: (str(one), getattr(one, "language", "") or "")
        )

    def values(self, node: Node, predicate: URIRef) -> list[Literal]:
        """The literals among these."""
        return [one for one in self.nodes(node, predicate) if isinstance(one, Literal)]

    def uris(self, node: Node, predicate: URIRef) -> list[str]:
        """The addresses among these."""
        return [str(one) for one in self.nodes(node, predicate) if isinstance(one, URIRef)]

    def one(self, node: Node, predicate: URIRef) -> str | None:
        """The first literal that says something."""
        return next((str(one) for one in self.values(node, predicate) if str(one).strip()), None)

    def texts(self, node: Node, predicate: URIRef) -> dict[str, str]:
        """A text a language, `""` where none is said: the longest, as a shorter one may be its beginning."""
        found: dict[str, str] = {}
        for one in self.values(node, predicate):
            lang = one.language or ""
            if str(one).strip() and len(str(one)) > len(found.get(lang, "")):
                found[lang] = str(one)
        return found

    def all_texts(self, node: Node, predicate: URIRef) -> dict[str, tuple[str, ...]]:
        """All texts by language."""
        found: dict[str, tuple[str, ...]] = {}
        for one in self.values(node, predicate):
            lang = one.language or ""
            found[lang] = (*found.get(lang, ()), str(one))
        return found

    def labels(self, node: Node) -> list[str]:
        """What the node is called, French first."""
        found = [one for key in _LABELS for one in self.values(node, key) if str(one).strip()]
        return [str(one) for one in sorted(found, key=lambda one: one.language != "fr")]

    def label(self, node: Node) -> str | None:
        """The first of these."""
        return next(iter(self.labels(node)), None)

    def words(self, node: Node) -> str | None:
        """What the node says in words: the literal itself, or its label."""
        return str(node) if isinstance(node, Literal) else self.label(node)
