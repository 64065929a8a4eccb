"""What everyone is granted → a DCAT-AP 3.0.1 catalogue (https://semiceu.github.io/DCAT-AP/releases/3.0.1/). Pure.

Every node has a URI of its own, so that two runs on the same lab give the same text. Nodes that stand for a part of a
dataset are fragments of its page. Every node is typed: the official shapes check the classes of what is pointed to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, RDFS, SKOS, XSD

from catalog.download import FORMATS, Format, as_it_is
from catalog.vocabulary import EU, FREQUENCIES, HVD, HVD_LAW, LANGUAGES, LICENCES, THEMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from catalog.entries import Entry
    from catalog.settings import CatalogSettings

DCATAP = Namespace("http://data.europa.eu/r5r/")
ELI = Namespace("http://data.europa.eu/eli/ontology#")
GEO = Namespace("http://www.opengis.net/ont/geosparql#")
LOCN = Namespace("http://www.w3.org/ns/locn#")
VERSION = URIRef(f"{DCAT}version")  # DCAT 3; rdflib knows DCAT 2
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")

IANA = "https://www.iana.org/assignments/media-types/"
MEDIA_TYPES: dict[Format, str] = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv"}
LABELS: dict[Format, str] = {"parquet": "Parquet", "csv": "CSV"}
SCHEME = URIRef(f"{EU}data-theme")
PREFIXES = {
    "dcat": str(DCAT),
    "dcatap": str(DCATAP),
    "dct": str(DCTERMS),
    "eli": str(ELI),
    "foaf": str(FOAF),
    "geo": str(GEO),
    "locn": str(LOCN),
    "rdfs": str(RDFS),
    "skos": str(SKOS),
    "vcard": str(VCARD),
    "xsd": str(XSD),
}


def graph(settings: CatalogSettings, entries: Sequence[Entry]) -> Graph:
    """The catalogue of these entries, whole; they must be what everyone is granted, for all of them are called public.

    Those of thousands are told piece by piece: `feed.py`.
    """
    made = catalogue_graph(settings, entries)
    for entry in entries:
        made += dataset_graph(settings, entry)
    return made


def catalogue_graph(settings: CatalogSettings, entries: Sequence[Entry]) -> Graph:
    """What is said of the catalogue itself, besides which datasets it has."""
    out = _triples(settings)
    catalogue = out.catalogue
    out.say(catalogue, RDF.type, DCAT.Catalog)
    out.say(catalogue, DCTERMS.title, Literal(settings.title, lang="fr"))
    out.say(catalogue, DCTERMS.description, Literal(settings.description, lang="fr"))
    out.say(catalogue, DCTERMS.publisher, _agent(out, settings.publisher, None, None))
    for language in ("fr", "en"):
        out.point(catalogue, DCTERMS.language, f"{EU}language/{LANGUAGES[language]}", DCTERMS.LinguisticSystem)
    out.point(catalogue, FOAF.homepage, out.base, FOAF.Document)
    out.point(catalogue, DCAT.themeTaxonomy, SCHEME, SKOS.ConceptScheme)
    out.say(SCHEME, DCTERMS.title, Literal("Data theme", lang="en"))
    if entries:
        modified = max(entry.modified for entry in entries)
        out.say(catalogue, DCTERMS.modified, Literal(modified.isoformat(), datatype=XSD.dateTime))
    return out.graph


def dataset_graph(settings: CatalogSettings, entry: Entry) -> Graph:
    """One dataset, and that the catalogue has it."""
    out = _triples(settings)
    node = _dataset(out, entry)
    out.say(out.catalogue, DCAT.dataset, node)
    if settings.api_base is not None and entry.resources:
        out.say(out.catalogue, DCAT.service, _service(out, entry, node, settings.api_base))
    return out.graph


def _triples(settings: CatalogSettings) -> _Triples:
    out = _Triples(Graph(bind_namespaces="none"), settings.base)
    for prefix, namespace in PREFIXES.items():
        out.graph.bind(prefix, namespace)
    return out


@dataclass(frozen=True)
class _Triples:
    """A graph that is being written, and the URL its nodes start with."""

    graph: Graph
    base: str

    @property
    def catalogue(self) -> URIRef:
        return URIRef(f"{self.base}#catalogue")

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
    for language in described.title:
        out.point(node, DCTERMS.language, f"{EU}language/{LANGUAGES[language]}", DCTERMS.LinguisticSystem)
    _place(out, node, entry)
    _period(out, node, entry)
    _law(out, node, entry)
    if described.provenance is not None:
        provenance = out.point(node, DCTERMS.provenance, f"{page}#provenance", DCTERMS.ProvenanceStatement)
        out.texts(provenance, RDFS.label, described.provenance.items())
    for category in described.hvd:
        known = HVD.get(category, {"uri": category, "en": category.rpartition("/")[2]})
        concept = out.point(node, DCATAP.hvdCategory, known["uri"], SKOS.Concept)
        out.texts(concept, SKOS.prefLabel, ((lang, label) for lang, label in known.items() if lang != "uri"))
    out.say(node, DCTERMS.issued, Literal(described.issued.isoformat(), datatype=XSD.date))
    if entry.resources:  # `datalab check` also asks of what is not served yet
        out.say(node, DCTERMS.modified, Literal(entry.modified.isoformat(), datatype=XSD.dateTime))
        out.say(node, VERSION, Literal(_version(entry)))
    landing = page if described.landing_page is None else _iri(str(described.landing_page))
    out.point(node, DCAT.landingPage, landing, FOAF.Document)
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
    _licence(out, node, entry)
    if resource.tableschema is not None and resource.tableschema.startswith(("http://", "https://")):
        out.point(node, DCTERMS.conformsTo, _iri(resource.tableschema), DCTERMS.Standard)
    if form == "parquet" and as_it_is(served):
        size = sum(served.files.values())
        out.say(node, DCAT.byteSize, Literal(str(size), datatype=XSD.nonNegativeInteger))
    _law(out, node, entry)
    out.say(node, DCTERMS.modified, Literal(served.committed.isoformat(), datatype=XSD.dateTime))
    return node


def _service(out: _Triples, entry: Entry, dataset: URIRef, api: str) -> URIRef:
    """The gateway, as it serves this dataset: of a high-value one, the regulation asks for an API."""
    node = URIRef(f"{dataset}-api")
    out.say(node, RDF.type, DCAT.DataService)
    out.texts(node, DCTERMS.title, ((lang, f"{text} (API)") for lang, text in entry.dataset.title.items()))
    out.say(node, DCAT.endpointURL, URIRef(f"{api}data/{entry.slug}/{entry.edition}"))
    out.say(node, DCAT.endpointDescription, URIRef(f"{api}openapi.json"))
    out.point(node, DCTERMS.accessRights, f"{EU}access-right/PUBLIC", DCTERMS.RightsStatement)
    for predicate in (DCAT.contactPoint, DCATAP.hvdCategory, DCATAP.applicableLegislation):
        for value in list(out.graph.objects(dataset, predicate)):
            out.graph.add((node, predicate, value))
    _licence(out, node, entry)
    out.say(node, DCAT.servesDataset, dataset)
    for distribution in list(out.graph.objects(dataset, DCAT.distribution)):
        out.graph.add((distribution, DCAT.accessService, node))
    return node


def _licence(out: _Triples, node: URIRef, entry: Entry) -> None:
    licence = LICENCES[entry.dataset.licence]
    terms = out.point(node, DCTERMS.license, licence.uri, DCTERMS.LicenseDocument)
    out.say(terms, DCTERMS.title, Literal(licence.title))
    if entry.dataset.licence_note is not None:
        note = out.point(node, DCTERMS.rights, f"{out.page(entry)}#licence-note", DCTERMS.RightsStatement)
        out.say(note, RDFS.label, Literal(entry.dataset.licence_note))


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


def _law(out: _Triples, node: URIRef, entry: Entry) -> None:
    """The laws of the dataset that have an address; of a high-value one, DCAT-AP asks for them on its files too."""
    described = entry.dataset
    laws = {str(basis.url): basis.name for basis in described.legal_basis if basis.url is not None}
    if described.hvd:
        laws.setdefault(HVD_LAW, "Règlement d'exécution (UE) 2023/138")
    for url, name in laws.items():
        law = out.point(node, DCATAP.applicableLegislation, _iri(url), ELI.LegalResource)
        out.say(law, DCTERMS.title, Literal(name, lang="fr"))


def _iri(url: str) -> str:
    """A URL as Turtle takes it: `{ } | ^` and the like, which servers let pass, are escaped."""
    return quote(url, safe=":/?#[]@!$&'()*+,;=%~")
