"""What everyone is granted → a DCAT-AP 3.0.1 catalogue (https://semiceu.github.io/DCAT-AP/releases/3.0.1/). Pure.

Every node has a URI of its own, so that two runs on the same lab give the same text. Nodes that stand for a part of a
dataset are fragments of its page. Every node is typed: the official shapes check the classes of what is pointed to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, RDFS, SKOS, XSD

from catalog.download import FORMATS, Format, as_it_is
from catalog.vocabulary import EU, FREQUENCIES, LICENCES, THEMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from catalog.entries import Entry
    from catalog.settings import CatalogSettings

GEO = Namespace("http://www.opengis.net/ont/geosparql#")
LOCN = Namespace("http://www.w3.org/ns/locn#")
VERSION = URIRef(f"{DCAT}version")  # DCAT 3; rdflib knows DCAT 2
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")

IANA = "https://www.iana.org/assignments/media-types/"
MEDIA_TYPES: dict[Format, str] = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv"}
LABELS: dict[Format, str] = {"parquet": "Parquet", "csv": "CSV"}
SCHEME = URIRef(f"{EU}data-theme")
_PREFIXES = {
    "dcat": str(DCAT),
    "dct": str(DCTERMS),
    "foaf": str(FOAF),
    "geo": str(GEO),
    "locn": str(LOCN),
    "rdfs": str(RDFS),
    "skos": str(SKOS),
    "vcard": str(VCARD),
    "xsd": str(XSD),
}


def graph(settings: CatalogSettings, entries: Sequence[Entry]) -> Graph:
    """The catalogue of these entries; they must be what everyone is granted, for all of them are called public."""
    out = _Triples(Graph(bind_namespaces="none"), base_url(settings))
    for prefix, namespace in _PREFIXES.items():
        out.graph.bind(prefix, namespace)
    catalogue = URIRef(f"{out.base}#catalogue")
    out.say(catalogue, RDF.type, DCAT.Catalog)
    out.say(catalogue, DCTERMS.title, Literal(settings.title, lang="fr"))
    out.say(catalogue, DCTERMS.description, Literal(settings.description, lang="fr"))
    out.say(catalogue, DCTERMS.publisher, _agent(out, settings.publisher, None, None))
    for language in ("FRA", "ENG"):
        out.point(catalogue, DCTERMS.language, f"{EU}language/{language}", DCTERMS.LinguisticSystem)
    out.point(catalogue, FOAF.homepage, out.base, FOAF.Document)
    out.point(catalogue, DCAT.themeTaxonomy, SCHEME, SKOS.ConceptScheme)
    out.say(SCHEME, DCTERMS.title, Literal("Data theme", lang="en"))
    if entries:
        modified = max(entry.modified for entry in entries)
        out.say(catalogue, DCTERMS.modified, Literal(modified.isoformat(), datatype=XSD.dateTime))
    for entry in entries:
        out.say(catalogue, DCAT.dataset, _dataset(out, entry))
    return out.graph


def turtle(made: Graph) -> bytes:
    """Turtle in UTF-8; the same graph gives the same bytes."""
    return made.serialize(format="turtle", encoding="utf-8")


def jsonld(made: Graph) -> bytes:
    """JSON-LD in UTF-8; the same graph gives the same bytes.

    rdflib writes nodes and values as its sets give them; their order means nothing, so it is made the alphabet's.
    """
    document = json.loads(made.serialize(format="json-ld", auto_compact=True))
    return json.dumps(_ordered(document), ensure_ascii=False, indent=1, sort_keys=True).encode()


def base_url(settings: CatalogSettings) -> str:
    """Where the portal answers, with a slash at the end."""
    return str(settings.url).rstrip("/") + "/"


@dataclass(frozen=True)
class _Triples:
    """A graph that is being written, and the URL its nodes start with."""

    graph: Graph
    base: str

    def page(self, entry: Entry) -> str:
        return f"{self.base}datasets/{entry.slug}"

    def say(self, node: URIRef, predicate: URIRef, value: URIRef | Literal) -> None:
        self.graph.add((node, predicate, value))

    def point(self, node: URIRef, predicate: URIRef, uri: str, kind: URIRef) -> URIRef:
        """Point to another node, and say what it is."""
        there = URIRef(uri)
        self.say(node, predicate, there)
        self.say(there, RDF.type, kind)
        return there

    def texts(self, node: URIRef, predicate: URIRef, texts: Iterable[tuple[str, str]]) -> None:
        for lang, text in texts:
            self.say(node, predicate, Literal(text, lang=lang))


def _dataset(out: _Triples, entry: Entry) -> URIRef:
    described, page = entry.dataset, out.page(entry)
    node = URIRef(f"{page}#{entry.edition}")
    out.say(node, RDF.type, DCAT.Dataset)
    out.texts(node, DCTERMS.title, described.title.items())
    out.texts(node, DCTERMS.description, described.description.items())
    out.say(node, DCTERMS.identifier, Literal(str(node)))
    publisher = described.publisher
    url = None if publisher.url is None else str(publisher.url)
    out.say(node, DCTERMS.publisher, _agent(out, publisher.name, publisher.siren, url))
    contact = out.point(node, DCAT.contactPoint, f"{page}#contact-point", VCARD.Kind)
    out.say(contact, VCARD.fn, Literal(described.contact.name))
    out.say(contact, VCARD.hasEmail, URIRef("mailto:" + quote(described.contact.email, safe="@")))
    for code in described.themes:
        theme = out.point(node, DCAT.theme, f"{EU}data-theme/{code}", SKOS.Concept)
        out.texts(theme, SKOS.prefLabel, THEMES[code].items())
        out.say(theme, SKOS.inScheme, SCHEME)
    for lang, keywords in described.keywords.items():
        out.texts(node, DCAT.keyword, ((lang, keyword) for keyword in keywords))
    code = described.frequency
    frequency = out.point(node, DCTERMS.accrualPeriodicity, f"{EU}frequency/{code}", DCTERMS.Frequency)
    out.texts(frequency, RDFS.label, FREQUENCIES[code].items())
    out.point(node, DCTERMS.accessRights, f"{EU}access-right/PUBLIC", DCTERMS.RightsStatement)
    _place(out, node, entry)
    _period(out, node, entry)
    out.say(node, DCTERMS.issued, Literal(described.issued.isoformat(), datatype=XSD.date))
    out.say(node, DCTERMS.modified, Literal(entry.modified.isoformat(), datatype=XSD.dateTime))
    landing = page if described.landing_page is None else _iri(str(described.landing_page))
    out.point(node, DCAT.landingPage, landing, FOAF.Document)
    out.say(node, VERSION, Literal(_version(entry)))
    for name in entry.resources:
        for form in FORMATS:
            out.say(node, DCAT.distribution, _distribution(out, entry, name, form))
    return node


def _version(entry: Entry) -> str:
    """`3` for a dataset of one table, `mesures 3, stations 1` for one of several."""
    versions = {name: served.version for name, (_, served) in entry.resources.items()}
    if len(versions) == 1:
        return str(next(iter(versions.values())))
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _distribution(out: _Triples, entry: Entry, name: str, form: Format) -> URIRef:
    resource, served = entry.resources[name]
    page = out.page(entry)
    node = URIRef(f"{page}#{entry.edition}-{name}-{form}")
    out.say(node, RDF.type, DCAT.Distribution)
    out.texts(node, DCTERMS.title, ((lang, f"{text} ({LABELS[form]})") for lang, text in resource.title.items()))
    out.texts(node, DCTERMS.description, (resource.description or {}).items())
    out.say(node, DCAT.accessURL, URIRef(page))
    out.say(node, DCAT.downloadURL, URIRef(f"{out.base}data/{entry.slug}/{entry.edition}/{name}.{form}"))
    out.point(node, DCTERMS["format"], f"{EU}file-type/{form.upper()}", DCTERMS.MediaTypeOrExtent)
    out.point(node, DCAT.mediaType, IANA + MEDIA_TYPES[form], DCTERMS.MediaType)
    licence = LICENCES[entry.dataset.licence]
    terms = out.point(node, DCTERMS.license, licence.uri, DCTERMS.LicenseDocument)
    out.say(terms, DCTERMS.title, Literal(licence.title))
    if entry.dataset.licence_note is not None:
        note = out.point(node, DCTERMS.rights, f"{page}#licence-note", DCTERMS.RightsStatement)
        out.say(note, RDFS.label, Literal(entry.dataset.licence_note))
    if resource.tableschema is not None and resource.tableschema.startswith(("http://", "https://")):
        out.point(node, DCTERMS.conformsTo, _iri(resource.tableschema), DCTERMS.Standard)
    if form == "parquet" and as_it_is(served):
        size = sum(served.files.values())
        out.say(node, DCAT.byteSize, Literal(str(size), datatype=XSD.nonNegativeInteger))
    out.say(node, DCTERMS.modified, Literal(served.committed.isoformat(), datatype=XSD.dateTime))
    return node


def _agent(out: _Triples, name: str, siren: str | None, url: str | None) -> URIRef:
    node = URIRef(f"{out.base}#publisher-{quote(name, safe='') if siren is None else siren}")
    out.say(node, RDF.type, FOAF.Agent)
    out.say(node, FOAF.name, Literal(name, lang="fr"))
    if siren is not None:
        out.say(node, DCTERMS.identifier, Literal(siren))
    if url is not None:
        out.point(node, FOAF.homepage, _iri(url), FOAF.Document)
    return node


def _place(out: _Triples, node: URIRef, entry: Entry) -> None:
    """The territory: its box, and its shape where the lab knows it.

    data.gouv.fr's harvester takes any WKT literal on the place itself, and the official shapes want `locn:geometry`
    to be a node: so the literal is the box, and the geometry a node that says the shape.
    """
    covered, page = entry.place, out.page(entry)
    place = out.point(node, DCTERMS.spatial, f"{page}#place-covered", DCTERMS.Location)
    out.say(place, SKOS.prefLabel, Literal(covered.name))
    if covered.bbox is None or covered.wkt is None:
        return
    west, south, east, north = covered.bbox
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    ring = ", ".join(f"{x:.10g} {y:.10g}" for x, y in corners)
    out.say(place, DCAT.bbox, Literal(f"POLYGON(({ring}))", datatype=GEO.wktLiteral))
    shape = out.point(place, LOCN.geometry, f"{page}#place-geometry", LOCN.Geometry)
    out.say(shape, GEO.asWKT, Literal(covered.wkt, datatype=GEO.wktLiteral))


def _period(out: _Triples, node: URIRef, entry: Entry) -> None:
    temporal = entry.dataset.temporal
    if temporal is None or (temporal.start is None and temporal.end is None):
        return
    period = out.point(node, DCTERMS.temporal, f"{out.page(entry)}#period-covered", DCTERMS.PeriodOfTime)
    for end, day in ((DCAT.startDate, temporal.start), (DCAT.endDate, temporal.end)):
        if day is not None:
            out.say(period, end, Literal(day.isoformat(), datatype=XSD.date))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(held) for key, held in value.items()}
    if isinstance(value, list):
        ordered = [_ordered(held) for held in value]
        return sorted(ordered, key=lambda held: json.dumps(held, sort_keys=True))
    return value


def _iri(url: str) -> str:
    """A URL as Turtle takes it: `{ } | ^` and the like, which servers let pass, are escaped."""
    return quote(url, safe=":/?#[]@!$&'()*+,;=%~")
