"""CSW 2.0.2 (GeoNetwork, pycsw …): `GetRecords` by GET, page by page, in ISO 19139."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ingest.harvest.portals import Failed, Page, Portal, paged, whole
from ingest.harvest.portals.iso import GMD, identifier_of, item_of
from ingest.harvest.portals.xmlpage import anywhere, local, said, xml_page
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from ingest.harvest.asking import Asking
    from ingest.harvest.portals import Item

_SIZE = 50
_SCOPE = {"constraint", "constraintlanguage", "constraint_language_version"}
_OURS = {
    *("service", "version", "request", "resulttype", "elementsetname", "typenames", "namespace", "outputschema"),
    *("startposition", "maxrecords", "outputformat", "id", "acceptversions", "sections"),
}


def open_csw(url: str, asking: Asking) -> Portal:
    """The service at an address; a `constraint` in it is the part of the catalogue that is harvested."""
    at = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(at.query) if name.lower() not in _OURS]
    own = urlencode([(name, value) for name, value in query if name.lower() not in _SCOPE])
    scope = urlencode([(name, value) for name, value in query if name.lower() in _SCOPE])
    address = urlunsplit((at.scheme, at.netloc, at.path or "/", own, ""))
    return Portal(kind="csw", address=address, scope=scope, items=lambda: _items(at.path, address, query, asking))


def is_csw(base: str, asking: Asking) -> bool:
    """Whether a CSW answers there. Raises SourceError if nothing does."""
    asked = urlencode({"service": "CSW", "request": "GetCapabilities"})
    url = f"{base}{'&' if '?' in base else '?'}{asked}"
    root = xml_page(asking.get(url, "application/xml").body, url)
    return local(root) == "Capabilities" and "/cat/csw/" in root.tag


def _items(path: str, address: str, query: list[tuple[str, str]], asking: Asking) -> Iterator[Item]:
    fixed = {
        "service": "CSW",
        "version": "2.0.2",
        "request": "GetRecords",
        "resultType": "results",
        "elementSetName": "full",
        "typeNames": "gmd:MD_Metadata",
        "namespace": f"xmlns(gmd={GMD})",
        "outputSchema": GMD,
        "maxRecords": str(_SIZE),
    }

    def at(start: int) -> str:
        there = urlsplit(address)
        asked = urlencode([*query, *fixed.items(), ("startPosition", str(start))])
        return urlunsplit((there.scheme, there.netloc, path or "/", asked, ""))

    def start_of(url: str) -> int:
        return int(dict(parse_qsl(urlsplit(url).query))["startPosition"])

    def ask(url: str) -> Page:
        results = _results(xml_page(asking.get(url, "application/xml").body, url), url)
        total, following = whole(results.get("numberOfRecordsMatched")), whole(results.get("nextRecord"))
        items = tuple(_item(one, address, url) for one in results)
        start = start_of(url)
        if following is None:  # then it is the one after those that came
            following = start + len(items)
        more = bool(items) and following > start and (total is None or following <= total)
        return Page(items, at(following) if more else None, total)

    def skip(url: str, total: int | None) -> str | None:
        after = start_of(url) + _SIZE
        return at(after) if total is not None and after <= total else None

    yield from paged(at(1), ask, skip, asking.settings.max_pages)


def _results(root: Element, url: str) -> Element:
    """The list of records. Raises SourceError with the service's words if the answer is another."""
    if local(root) == "ExceptionReport":
        raise SourceError(f"{url}: the service refuses: {(said(root) or 'it does not say why')[:300]}")
    found = next(anywhere(root, "SearchResults"), None)
    if found is None:
        raise SourceError(f"{url}: expected the records of a CSW, found <{local(root)}>; check the address")
    return found


def _item(element: Element, portal: str, url: str) -> Item:
    if local(element) != "MD_Metadata":
        said_as = f"<{local(element)}>" if GMD not in element.tag else element.tag
        return Failed(None, url, f"expected a record of ISO 19139 (gmd:MD_Metadata), found {said_as}")
    try:
        return item_of(element, portal)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, SourceError) as error:
        return Failed(identifier_of(element), url, f"the record cannot be understood: {error}")
