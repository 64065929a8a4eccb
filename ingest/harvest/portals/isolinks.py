"""The online resources of an ISO 19139 record → links: downloads, layers of a WFS, collections of OGC API Features."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ingest.harvest.portals.xmlpage import anywhere, inside, said
from ingest.harvest.record import Link
from ingest.harvest.tables import format_of, readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

_OGC = {
    "service",
    "version",
    "request",
    "typename",
    "typenames",
    "outputformat",
    "srsname",
    "maxfeatures",
    "count",
    "bbox",
}
_METADATA = re.compile(r"getrecordbyid|/catalog\.search|/metadata/|/srv/[a-z]{3}/|/rdf\.|formatters/", re.IGNORECASE)
_SERVICES = re.compile(r"\b(wms|wmts|wcs|csw|tms|sos|wps)\b", re.IGNORECASE)
_LAYER = re.compile(r"[\w.-]+(?::[\w.-]+)?")


def links_of(metadata: Element) -> Iterator[Link]:
    """A link for each online resource of the distribution, each address once."""
    forms = {
        text for one in anywhere(metadata, "MD_Format") for text in (said(next(inside(one, "name"), None)),) if text
    }
    only = next(iter(forms)) if len(forms) == 1 else None
    seen: set[str] = set()
    for place in anywhere(metadata, "distributionInfo"):
        for one in anywhere(place, "CI_OnlineResource"):
            link = _link(one, only)
            if link is not None and link.key not in seen:
                seen.add(link.key)
                yield link


def _link(resource: Element, form: str | None) -> Link | None:
    url = said(next(inside(resource, "linkage"), None))
    if url is None:
        return None
    protocol = said(next(inside(resource, "protocol"), None)) or ""
    name = said(next(inside(resource, "name"), None)) or ""
    description = said(next(inside(resource, "description"), None)) or ""
    function = next((one.get("codeListValue", "") for one in anywhere(resource, "CI_OnLineFunctionCode")), "")
    title, about = (
        (description or name or url, "") if _LAYER.fullmatch(name) else (name or description or url, description)
    )
    query = {key.lower(): value for key, value in parse_qsl(urlsplit(url).query)}
    described = {"": about} if about and about != title else {}
    link = Link(key=url, title={"": title}, description=described, url=url)
    if "wfs" in protocol.lower() or query.get("service", "").lower() == "wfs":
        return _wfs(link, url, name, query)
    collection = re.fullmatch(r"(.*)/collections/([^/?#]+)(?:/items)?/?(?:\?.*)?", url)
    if collection is not None:
        return replace(link, source={"features": collection[1], "collection": collection[2]})
    return replace(link, form=_form(resource, url, form), aside=_aside(url, protocol, function))


def _wfs(link: Link, url: str, name: str, query: dict[str, str]) -> Link:
    """A layer of a WFS: it is what the link is called, or what its address asks for."""
    at = urlsplit(url)
    own = urlencode([(key, value) for key, value in parse_qsl(at.query) if key.lower() not in _OGC])
    service = urlunsplit((at.scheme, at.netloc, at.path, own, ""))
    asked = query.get("typenames") or query.get("typename") or ""
    layer = asked or (name if _LAYER.fullmatch(name) else "")
    if not layer:
        return replace(link, aside="a WFS, without the name of its layer")
    return replace(link, key=f"{service}#{layer}", url=service, source={"wfs": service, "layer": layer})


def _form(resource: Element, url: str, form: str | None) -> str | None:
    """What format the link has: its file's ending, its media type, or the record's one format."""
    media = next((one.get("type") for one in anywhere(resource, "MimeFileType") if one.get("type")), None)
    own = format_of(Link(key=url, title={}, url=url, form=media))
    return media or own or form


def _aside(url: str, protocol: str, function: str) -> str | None:
    """What the link is, if it is no data."""
    if _METADATA.search(url):
        return "the record itself"
    if _SERVICES.search(protocol) or re.search(r"service=(wms|wmts|wcs|csw)", url, re.IGNORECASE):
        return "a service of maps, not of data"
    offers = "download" in protocol.lower() or function == "download"
    own = format_of(Link(key=url, title={}, url=url))
    return None if offers or readable(own) else "a page"
