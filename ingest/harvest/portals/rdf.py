"""RDF that portals answer → a graph: Turtle, RDF/XML, JSON-LD or N-Triples. Nothing else is fetched for it.

rdflib fetches a context that a JSON-LD names by its address, a file of this machine too: so such a document is refused
before rdflib sees it.
"""

from __future__ import annotations

import json
import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rdflib import Graph
from rdflib.exceptions import ParserError
from rdflib.plugins.stores.memory import Memory

from ingest.harvest.portals.xmlpage import xml_page
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

Form = Literal["turtle", "xml", "json-ld", "nt"]
_MEDIA: dict[str, Form] = {
    "text/turtle": "turtle",
    "application/x-turtle": "turtle",
    "application/rdf+xml": "xml",
    "application/ld+json": "json-ld",
    "application/n-triples": "nt",
}
_SUFFIXES: dict[str, Form] = {".ttl": "turtle", ".rdf": "xml", ".xml": "xml", ".jsonld": "json-ld", ".json": "json-ld"}
_SUFFIXES |= {".nt": "nt", ".owl": "xml"}
ACCEPT = "text/turtle, application/rdf+xml;q=0.9, application/ld+json;q=0.8, application/n-triples;q=0.7, */*;q=0.1"
MOST = 500_000
"""Statements of one answer: some 10,000 datasets, and about 1 kB of memory each."""


class _TooManyError(Exception):
    pass


class _Bounded(Memory):
    """A store that takes MOST triples and no more."""

    def add(self, triple: Any, context: Any, quoted: bool = False) -> None:  # noqa: FBT001, FBT002  rdflib's own
        if len(self) >= MOST:
            raise _TooManyError
        super().add(triple, context, quoted)


def form_of(content_type: str, url: str, body: bytes) -> Form | None:
    """What RDF an answer is, by its type, its address, or its first sign; None if it is none."""
    media = _MEDIA.get(content_type.partition(";")[0].strip().lower())
    if media is not None:
        return media
    path = url.partition("?")[0].partition("#")[0].lower()
    start = body[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"<" and b"rdf:RDF" in body[:20_000]:
        return "xml"
    if start[:1] in {b"{", b"["} and (b'"@context"' in body[:20_000] or b'"@id"' in body[:20_000]):
        return "json-ld"
    if start.lower().startswith((b"@prefix", b"prefix ", b"@base")):
        return "turtle"
    suffix = next((form for ending, form in _SUFFIXES.items() if path.endswith(ending)), None)
    return suffix if suffix in {"turtle", "nt"} and start[:1] not in {b"{", b"["} and start[:2] != b"<!" else None


def graph_of(body: bytes, form: Form, url: str) -> Graph:
    """The graph that an answer is. Raises SourceError naming `url`: broken, too large, or one that leads elsewhere."""
    if form == "xml":
        xml_page(body, url)
    text: str | bytes = _without_contexts_elsewhere(body, url) if form == "json-ld" else body
    graph = Graph(store=_Bounded(), bind_namespaces="none")
    try:
        with _silent():
            graph.parse(data=text, format=form, publicID=url)
    except _TooManyError:
        raise SourceError(f"{url}: more than {MOST} statements; ask for its pages, or for less") from None
    except (ParserError, SyntaxError, ValueError, TypeError, AttributeError, LookupError, AssertionError) as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise SourceError(f"{url}: expected RDF as {form}: {said}; tell the portal") from None
    except RecursionError:
        raise SourceError(f"{url}: the RDF is nested too deep; tell the portal") from None
    except Exception as error:  # rdflib's parsers raise classes of their own that share no other
        if type(error).__module__.startswith(("rdflib.", "xml.sax")):
            said = " ".join(str(error).split())[:300]
            raise SourceError(f"{url}: expected RDF as {form}: {said}; tell the portal") from None
        raise
    return graph


def _without_contexts_elsewhere(body: bytes, url: str) -> str:
    """The document, written again from what was looked at: no key that stands twice can hide another."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{url}: expected JSON-LD: {error or type(error).__name__}; check the address") from None
    todo = [content]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo += one
        elif isinstance(one, dict):
            contexts = one.get("@context")
            named = [at for at in (contexts if isinstance(contexts, list) else [contexts]) if isinstance(at, str)]
            named += [str(one["@import"])] if "@import" in one else []
            if named:
                raise SourceError(
                    f"{url}: its JSON-LD needs a context of elsewhere, {named[0][:200]!r}, which is not fetched; "
                    "harvest the portal's Turtle or RDF/XML"
                )
            todo += one.values()
    return json.dumps(content)


@contextmanager
def _silent() -> Iterator[None]:
    """Without the warnings of rdflib, of each address and date that is not as it should be."""
    logger = logging.getLogger("rdflib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
