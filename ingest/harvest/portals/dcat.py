"""DCAT feeds (DCAT-AP 1 to 3): RDF pages, followed as Hydra or the Link header says, whose datasets become records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit, urlunsplit

from rdflib import RDF, BNode, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDFS, SKOS

from catalog.vocabulary import HVD_LAW
from ingest.harvest.portals import Failed, Page, Portal, paged, whole
from ingest.harvest.portals.nodes import VCARD, Reader
from ingest.harvest.portals.rdf import ACCEPT, form_of, graph_of
from ingest.harvest.record import Area, Link, Party, Record
from ingest.harvest.words.languages import language
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdflib import Graph
    from rdflib.term import Node

    from ingest.harvest.asking import Asking
    from ingest.harvest.portals import Item
    from ingest.sources.web import Answer

HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
DCATAP = Namespace("http://data.europa.eu/r5r/")
LOCN = Namespace("http://www.w3.org/ns/locn#")
GEO = Namespace("http://www.opengis.net/ont/geosparql#")
SCHEMA = Namespace("http://schema.org/")
TIME = Namespace("http://www.w3.org/2006/time#")
_STARTS = (DCAT.startDate, SCHEMA.startDate, TIME.hasBeginning)
_ENDS = (DCAT.endDate, SCHEMA.endDate, TIME.hasEnd)
_SIREN = re.compile(r"(?:siren|siret)[/#:=-]?([0-9]{9}(?:[0-9]{5})?)\b", re.IGNORECASE)
_SCHEMA_FILE = re.compile(r"https?://.*schema.*\.json|https?://.*\.json\b.*schema", re.IGNORECASE)
_PLACES = ("http://id.insee.fr/", "https://id.insee.fr/", "http://publications.europa.eu/resource/authority/country/")


def open_dcat(url: str, asking: Asking) -> Portal:
    """The feed at an address. The portal that descriptors keep is the feed's address, without the page's number."""
    at = urlsplit(url)
    query = urlencode([(name, value) for name, value in parse_qsl(at.query) if name not in {"page", "page_size"}])
    address = urlunsplit((at.scheme, at.netloc, at.path or "/", query, ""))
    return Portal(kind="dcat", address=address, scope="", items=lambda: _items(url, address, asking))


def _items(url: str, portal: str, asking: Asking) -> Iterator[Item]:
    def ask(at: str) -> Page:
        answer = asking.get(at, ACCEPT)
        form = form_of(answer.headers.get("content-type", ""), at, answer.body)
        if form is None:
            raise SourceError(f"{at}: expected Turtle, RDF/XML or JSON-LD; check the address, or say another --kind")
        graph = graph_of(answer.body, form, at)
        return Page(tuple(records_of(graph, portal, at)), _next(graph, answer, at), _total(graph))

    yield from paged(url, ask, lambda *_: None, asking.settings.max_pages)


def _next(graph: Graph, answer: Answer, at: str) -> str | None:
    """The address of the next page, if the graph or the Link header says one."""
    found = sorted(str(one) for name in ("next", "nextPage") for one in graph.objects(None, HYDRA[name]))
    link = re.search(r'<([^>]+)>\s*;[^,]*rel="?next"?', answer.headers.get("link", ""))
    address: str | None = found[0] if found else link[1] if link is not None else None
    if address is None:
        return None
    there = urljoin(at, address)
    # A portal behind a proxy may say http of itself where it is asked by https
    if there.startswith("http://") and at.startswith("https://") and urlsplit(there).netloc == urlsplit(at).netloc:
        there = f"https{there.removeprefix('http')}"
    return there


def _total(graph: Graph) -> int | None:
    return next((whole(str(one)) for one in sorted(graph.objects(None, HYDRA.totalItems), key=str)), None)


def records_of(graph: Graph, portal: str, url: str) -> Iterator[Item]:
    """The datasets of one answer, in the order of their addresses."""
    named = set(graph.subjects(RDF.type, DCAT.Dataset)) | set(graph.objects(None, DCAT.dataset))
    read = Reader(graph)
    catalogues = sorted(graph.subjects(RDF.type, DCAT.Catalog), key=str)
    spoken = [one for catalogue in catalogues for one in read.uris(catalogue, DCTERMS.language)]
    lang = language(spoken[0]) if len(spoken) == 1 else None
    for node in sorted(named, key=str):
        identifier = _identifier(read, node)
        if identifier is None:
            title = read.one(node, DCTERMS.title) or "without a title"
            yield Failed(None, url, f"a dataset ({title[:100]}) has neither an address nor an identifier of its own")
            continue
        try:
            yield _record(read, node, identifier, portal, lang or "fr")
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            yield Failed(identifier, url, f"the dataset cannot be understood: {error}")


def _identifier(read: Reader, node: Node) -> str | None:
    """The dataset's identifier: as it is said, or its address."""
    said = [str(one) for one in read.values(node, DCTERMS.identifier) if str(one).strip()]
    if len(said) == 1:
        return said[0].strip()
    return str(node) if isinstance(node, URIRef) else next(iter(sorted(said)), None)


def _record(read: Reader, node: Node, identifier: str, portal: str, lang: str) -> Record:
    languages = sorted({one for one in map(language, read.uris(node, DCTERMS.language)) if one is not None})
    distributions = read.nodes(node, DCAT.distribution)
    start, end = _period(read, node)
    landing = read.uris(node, DCAT.landingPage) or read.uris(node, FOAF.page)
    hvd = read.uris(node, DCATAP.hvdCategory)
    basis = [(read.label(law) or str(law), _web(law)) for law in read.nodes(node, DCATAP.applicableLegislation)]
    terms = [one for where in (node, *distributions) for one in read.nodes(where, DCTERMS.license)]
    rights = [one for where in (node, *distributions) for one in read.nodes(where, DCTERMS.rights)]
    access = [str(one) for one in read.nodes(node, DCTERMS.accessRights) if isinstance(one, URIRef)]
    page = next((one for one in landing if one.startswith("http")), None)
    return Record(
        portal=portal,
        identifier=identifier,
        title=read.texts(node, DCTERMS.title),
        description=read.texts(node, DCTERMS.description),
        page=page or (str(node) if isinstance(node, URIRef) and str(node).startswith("http") else None),
        language=languages[0] if len(languages) == 1 else lang,
        publisher=_party(read, read.nodes(node, DCTERMS.publisher) or read.nodes(node, DCTERMS.creator)),
        contacts=tuple(_contact(read, one) for one in read.nodes(node, DCAT.contactPoint)),
        themes=tuple(_themes(read, node)),
        keywords=read.all_texts(node, DCAT.keyword),
        licences=tuple(
            dict.fromkeys(said for one in terms for said in (str(one), *read.labels(one)) if _says(one, said))
        ),
        licence_note=next(iter(dict.fromkeys(filter(None, map(read.words, rights)))), None),
        frequency=next(iter(_said_or_label(read, node, DCTERMS.accrualPeriodicity)), None),
        areas=tuple(_area(read, one) for one in read.nodes(node, DCTERMS.spatial)),
        start=start,
        end=end,
        issued=read.one(node, DCTERMS.issued),
        created=read.one(node, DCTERMS.created),
        modified=read.one(node, DCTERMS.modified),
        hvd=tuple(hvd),
        # A high-value dataset must name the regulation; its category says as much
        basis=tuple(one for one in basis if not (hvd and one[1] == HVD_LAW)),
        provenance=_provenance(read, node),
        restricted=next((one for one in access if not one.endswith(("/PUBLIC", "/public"))), None),
        links=tuple(link for one in distributions for link in _links(read, one)),
    )


def _party(read: Reader, nodes: list[Node]) -> Party | None:
    for node in nodes:
        name = read.words(node)
        if name:
            numbers = [str(one) for key in (DCTERMS.identifier, SKOS.notation) for one in read.values(node, key)]
            stated = next((one for one in numbers if re.fullmatch(r"[0-9 ]{9,20}", one)), None)
            in_address = _SIREN.search(" ".join((str(node), *numbers)))
            homes = [
                *read.uris(node, FOAF.homepage),
                *read.uris(node, FOAF.page),
                *read.uris(node, FOAF.workplaceHomepage),
            ]
            number = stated or (in_address[1] if in_address is not None else None)
            return Party(name=name, number=number, url=next(iter(homes), None))
    return None


def _contact(read: Reader, node: Node) -> Party:
    mails = [*read.nodes(node, VCARD.hasEmail), *read.nodes(node, VCARD.email), *read.nodes(node, FOAF.mbox)]
    said = [
        str(one) for mail in mails for one in (mail, *read.nodes(mail, VCARD.value), *read.nodes(mail, VCARD.hasValue))
    ]
    email = next((unquote(one.removeprefix("mailto:")) for one in said if "@" in unquote(one)), None)
    return Party(name=read.label(node), email=email)


def _themes(read: Reader, node: Node) -> Iterator[str]:
    for one in (*read.nodes(node, DCAT.theme), *read.nodes(node, DCTERMS.subject)):
        if isinstance(one, URIRef):
            yield str(one)
        yield from read.labels(one)


def _says(node: Node, said: str) -> bool:
    """Whether a licence's node says something: a blank one has labels alone."""
    return not (isinstance(node, BNode) and said == str(node))


def _said_or_label(read: Reader, node: Node, predicate: URIRef) -> Iterator[str]:
    for one in read.nodes(node, predicate):
        if not isinstance(one, BNode):
            yield str(one)
        yield from read.labels(one)


def _provenance(read: Reader, node: Node) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in read.nodes(node, DCTERMS.provenance):
        if isinstance(one, Literal):
            found.setdefault(one.language or "", str(one))
        for key in (RDFS.label, DCTERMS.description, SKOS.prefLabel):
            found = {**read.texts(one, key), **found}
    return found


def _area(read: Reader, node: Node) -> Area:
    if isinstance(node, Literal):
        is_shape = str(node).lstrip()[:1] == "{" or node.datatype in {GEO.wktLiteral, GEO.geoJSONLiteral}
        return Area(shape=str(node)) if is_shape else Area(name=str(node))
    shapes = [str(one) for one in read.values(node, DCAT.bbox)]
    geometries = read.nodes(node, LOCN.geometry) + read.nodes(node, GEO.hasGeometry)
    for one in geometries:
        shapes += [str(one)] if isinstance(one, Literal) else []
        shapes += [str(text) for key in (GEO.asWKT, GEO.asGeoJSON, LOCN.geometry) for text in read.values(one, key)]
    name, shape = read.label(node), next(iter(shapes), None)
    is_known = isinstance(node, URIRef) and str(node).startswith(_PLACES)
    is_all = isinstance(node, URIRef) and shape is None and name is None
    return Area(name=name, shape=shape, codes=(str(node),) if is_known or is_all else ())


def _period(read: Reader, node: Node) -> tuple[str | None, str | None]:
    for one in read.nodes(node, DCTERMS.temporal):
        if isinstance(one, Literal):
            start, slash, end = str(one).partition("/")
            return start.strip() or None, (end.strip() if slash else start.strip()) or None
        found = [next((text for key in keys if (text := _instant(read, one, key))), None) for keys in (_STARTS, _ENDS)]
        if any(found):
            return found[0], found[1]
    return None, None


def _instant(read: Reader, node: Node, key: URIRef) -> str | None:
    for one in read.nodes(node, key):
        if isinstance(one, Literal):
            return str(one)
        inside = [
            str(text) for name in ("inXSDDate", "inXSDDateTime", "inXSDgYear") for text in read.values(one, TIME[name])
        ]
        if inside:
            return inside[0]
    return None


def _links(read: Reader, node: Node) -> Iterator[Link]:
    files, pages = read.uris(node, DCAT.downloadURL), read.uris(node, DCAT.accessURL)
    files = files or [str(one) for one in read.values(node, DCAT.downloadURL)]
    pages = pages or [str(one) for one in read.values(node, DCAT.accessURL)]
    forms = [one for key in (DCTERMS["format"], DCAT.mediaType) for one in _said_or_label(read, node, key)]
    service = read.nodes(node, DCAT.accessService)
    url = next(iter(files or pages), None)
    schema = [str(one) for one in read.nodes(node, DCTERMS.conformsTo) if _SCHEMA_FILE.match(str(one))]
    key = str(node) if isinstance(node, URIRef) else url
    if key is None:
        return
    yield Link(
        key=key,
        title=read.texts(node, DCTERMS.title),
        description=read.texts(node, DCTERMS.description),
        url=url,
        form=next((one for one in forms if one), None),
        schema=next(iter(schema), None),
        aside="a service, not a file" if service and not files else None,
    )


def _web(node: Node) -> str | None:
    return str(node) if isinstance(node, URIRef) and str(node).startswith(("http://", "https://")) else None
