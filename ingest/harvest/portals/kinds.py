"""Which kind of portal is at an address: as its form says, or what it answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import httpx

from ingest.harvest.kind import KINDS
from ingest.harvest.portals import ckan, csw, dcat, opendatasoft, udata
from ingest.harvest.portals.rdf import form_of
from ingest.harvest.portals.xmlpage import local, xml_page
from ingest.sources.guarded import checked_addresses
from policies.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.harvest.asking import Asking
    from ingest.harvest.kind import Kind
    from ingest.harvest.portals import Portal

_OPEN: dict[Kind, Callable[[str, Asking], Portal]] = {
    "ckan": ckan.open_ckan,
    "udata": udata.open_udata,
    "opendatasoft": opendatasoft.open_opendatasoft,
    "dcat": dcat.open_dcat,
    "csw": csw.open_csw,
}
_PROBES: tuple[tuple[Kind, str, Callable[[str, Asking], bool]], ...] = (
    ("ckan", "", ckan.is_ckan),
    ("udata", "", udata.is_udata),
    ("opendatasoft", "", opendatasoft.is_opendatasoft),
    ("csw", "", csw.is_csw),
    ("csw", "geonetwork/srv/fre/csw", csw.is_csw),
    ("csw", "srv/fre/csw", csw.is_csw),
)
"""What is asked of an address that answers a page for a browser: the kind, what is added to the address, and how."""
_FILE = re.compile(
    r"/datasets/r/|/download(/|$)|/exports/|/resources?/|\.(csv|tsv|xlsx?|ods|json|geojson|zip|gz|gpkg|parquet)$"
)
"""The addresses of files, in the forms that portals give them."""
_RDF = re.compile(r"\.(ttl|rdf|jsonld|nt|owl)$")


def portal_at(url: str, asking: Asking, kind: Kind | None = None) -> Portal:
    """The portal at an address, of the `kind` that is said or found.

    Raises UsageError for what is no web address, SourceError where no kind of portal answers, with what each said.
    """
    try:
        at = urlsplit(url.strip())
        host = httpx.URL(url.strip()).host
    except (ValueError, httpx.InvalidURL):
        host = ""
    if not host or at.scheme not in {"http", "https"}:
        raise UsageError(f"{url[:200]!r} is no web address; expected https://…, a portal's or a catalogue's")
    if at.username is not None or at.password is not None:
        raise UsageError("secrets do not belong in an address: take the user name and password out of it")
    address = urlunsplit((at.scheme, at.netloc, at.path, at.query, ""))
    found = kind or _by_form(address)
    if found is not None:
        return _OPEN[found](address, asking)
    return _by_answer(address, asking)


def portal_of_dataset(url: str, asking: Asking) -> Portal | None:
    """The portal whose page of one dataset this address is, by its form alone; None for any other address."""
    kind = None if _FILE.search(urlsplit(url).path) else _by_form(url)
    if kind not in {"ckan", "udata", "opendatasoft"}:
        return None
    portal = _OPEN[kind](url, asking)
    return portal if portal.single else None


def _by_form(url: str) -> Kind | None:
    """What the address itself says; None if it may be any."""
    at = urlsplit(url)
    path, query = at.path.rstrip("/"), at.query.lower()
    forms: tuple[tuple[Kind, bool], ...] = (
        ("dcat", _RDF.search(path) is not None),
        ("csw", "service=csw" in query or re.search(r"/csw([-/].*)?$", path) is not None),
        ("opendatasoft", opendatasoft.SHAPE.fullmatch(path) is not None),
        ("udata", udata.SHAPE.fullmatch(path) is not None),
        ("ckan", ckan.SHAPE.fullmatch(path) is not None),
    )
    return next((kind for kind, is_it in forms if is_it), None)


def _by_answer(url: str, asking: Asking) -> Portal:
    """Ask the address, and if that is a page for a browser what stands beside it."""
    at = urlsplit(url)
    # A host that is not there, or may not be asked, is told of once, and not by each kind
    checked_addresses(at.hostname or "", at.port or (443 if at.scheme == "https" else 80), asking.settings, url)
    tried: list[str] = []
    try:
        answer = asking.get(url, "*/*")
    except SourceError as error:
        tried.append(str(error))
    else:
        kind = _kind_of(answer.body, answer.headers.get("content-type", ""), url)
        if kind is not None:
            return _OPEN[kind](url, asking)
        said = answer.headers.get("content-type") or "what it does not say"
        tried.append(f"{url}: it answers {said}, no catalogue")
    base = urlunsplit((at.scheme, at.netloc, at.path.rstrip("/") + "/", "", ""))
    for kind, more, is_it in _PROBES:
        try:
            if is_it(f"{base}{more}", asking):
                return _OPEN[kind](f"{base}{more}", asking)
        except SourceError as error:
            tried.append(f"no {kind}: {error}")
        else:
            tried.append(f"no {kind}: {base}{more} answers otherwise")
    raise SourceError(
        f"{url}: no catalogue of a known kind is there ({', '.join(KINDS)}). Give the address of its API or its feed, "
        "or say --kind. What was tried:\n  " + "\n  ".join(one[:300] for one in tried)
    )


def _kind_of(body: bytes, content_type: str, url: str) -> Kind | None:
    """What an answer is: RDF, or the XML of a CSW; None for a page, or JSON that is neither."""
    if form_of(content_type, url, body) is not None:
        return "dcat"
    if body.lstrip()[:5] == b"<?xml" or "xml" in content_type.partition(";")[0].removesuffix("xhtml+xml"):
        try:
            root = xml_page(body, url)
        except SourceError:
            return None
        if local(root) in {"Capabilities", "GetRecordsResponse", "ExceptionReport"} and "/csw" in f"{root.tag} {url}":
            return "csw"
    return None
