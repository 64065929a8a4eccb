"""Links → a draft's resources: those the lab can read, one of those that are the same in several formats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ingest.harvest.words import folded, last_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.harvest.record import Link

_READABLE = (
    "parquet",
    "gpkg",
    "geojson",
    "csv",
    "xlsx",
    "ods",
    "xls",
    "ndjson",
    "json",
    "shapefile",
    "gtfs",
    "gml",
    "kml",
    "gpx",
    "xml",
)
"""The lab's formats, the best first: those that keep types and geometry, then tables, then what may be anything."""
_ARCHIVES = ("zip", "gz", "tar")
_ALIASES = {
    "shp": "shapefile",
    "shape": "shapefile",
    "esri shapefile": "shapefile",
    "esri shape": "shapefile",
    "geopackage": "gpkg",
    "geo json": "geojson",
    "geoparquet": "parquet",
    "jsonl": "ndjson",
    "json lines": "ndjson",
    "excel": "xlsx",
    "opendocument spreadsheet": "ods",
    "tsv": "csv",
    "txt": "csv",
    "texte": "csv",
    "tgz": "tar",
    "gzip": "gz",
}
_MEDIA = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "text/plain": "csv",
    "application/csv": "csv",
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/geo+json": "geojson",
    "application/vnd.geo+json": "geojson",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/geopackage+sqlite3": "gpkg",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.google-earth.kml+xml": "kml",
    "application/gml+xml": "gml",
    "application/gpx+xml": "gpx",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/zip": "zip",
    "application/x-zip-compressed": "zip",
    "application/gzip": "gz",
    "text/html": "html",
    "application/pdf": "pdf",
}
_UNREADABLE = frozenset(
    re.findall(
        r"\w+",
        "pdf html htm php asp aspx www doc docx odt rtf ppt pptx odp png jpg jpeg gif svg tif tiff webp geotiff ecw "
        "jp2 mp3 mp4 avi wms wmts tms wcs wfs csw api rest soap sparql arcgis esri jsonld rdf ttl turtle n3 nt owl rss "
        "atom ics exe 7z rar las laz dwg dxf mif tab mapinfo qgs sql db sqlite mbtiles pbf netcdf nc grib hdf",
    )
) | {
    *("page web", "site web", "web page", "esri rest", "arcgis rest", "gtfs rt", "mapinfo tab", "mapinfo mid mif"),
    *("rdf xml", "json ld", "ogc wms", "ogc wfs"),
}
_PROGRAMS = {"php", "asp", "aspx"}
"""Endings of addresses behind which a program answers, with whatever it has."""
_WORDS = re.compile(
    r"\b(csv|tsv|txt|xlsx?|excel|ods|json|ndjson|jsonl|json lines|geojson|shp|shapefile|gpkg|geopackage|kml|gml|gpx|"
    r"xml|parquet|zip|format|fichier|export|au|en|file)\b"
)
_IN_BRACKETS = re.compile(r"\s*[\[(]\s*([^\])]{1,20})\s*[\])]\s*$")


@dataclass(frozen=True)
class Table:
    """A link that becomes a resource. `also` are the formats in which the portal has the same; `unsure` says why it
    may be no data.
    """

    link: Link
    also: tuple[str, ...] = ()
    unsure: str | None = None


@dataclass(frozen=True)
class Tables:
    """Of all links those that become resources, and of the others what they are: a title, and why not."""

    taken: tuple[Table, ...]
    aside: tuple[tuple[str, str], ...]


def tables(links: Iterable[Link]) -> Tables:
    """Choose among links. The order stays."""
    aside: list[tuple[str, str]] = []
    groups: dict[str, list[tuple[Link, str | None]]] = {}
    for link in links:
        form = format_of(link)
        why = _why_not(link, form)
        if why is not None:
            aside.append((_titled(link), why))
            continue
        same = groups.setdefault(_stem(link), [])
        if form is None or any(other == form for _, other in same):
            groups[f"{_stem(link)}\0{link.key}"] = [(link, form)]
        else:
            same.append((link, form))
    taken = []
    for group in groups.values():
        ranked = sorted(group, key=lambda one: _rank(one[1]))
        for link, form in ranked[:1]:
            unsure = "the portal does not say its format" if form is None and link.source is None else None
            taken.append(Table(link, tuple(str(other) for _, other in ranked[1:]), unsure))
    return Tables(tuple(taken), tuple(aside))


def format_of(link: Link) -> str | None:
    """A format of the lab's, `zip` and the like, the word of one that it cannot read, or None if nothing says one."""
    for said in (link.form, _suffix(link.url)):
        found = _format(said)
        if found is not None:
            return found
    return None


def readable(form: str | None) -> bool:
    """Whether the lab has a reader for the format, as `format_of` gives it."""
    return form in _READABLE or form in _ARCHIVES


def _format(said: str | None) -> str | None:
    if said is None or not said.strip():
        return None
    text = said.strip().lower()
    if text.startswith(("http://", "https://")):
        media = re.search(r"media-types/([a-z]+/[^;\s]+)", text)
        text = media[1] if media is not None else last_of(text)
    text = text.split(";")[0].strip()
    if text in _MEDIA:
        return _MEDIA[text]
    if text in _ALIASES.values() or text in _READABLE or text in _ARCHIVES:
        return text
    word = folded(text)
    if word in _UNREADABLE or text.split("/")[0] in {"image", "video", "audio"}:
        return word
    parts = [_ALIASES.get(one, one) for one in (word, *word.split())]
    return next((one for one in parts if one in _READABLE or one in _ARCHIVES), None)


def _suffix(url: str | None) -> str | None:
    """The ending of an address's file name, if it is one that is known."""
    if url is None:
        return None
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        return None
    ending = PurePosixPath(path).suffix.removeprefix(".").lower()
    known = ending in _ALIASES or ending in _READABLE or ending in _ARCHIVES or ending in _UNREADABLE
    return ending if known and ending not in _PROGRAMS else None


def _why_not(link: Link, form: str | None) -> str | None:
    """Why the link is no resource; None if it is one."""
    if link.aside is not None:
        return link.aside
    wrong = None if link.url is None else _wrong_address(link.url)
    if link.url is None and link.source is None:
        wrong = "it has no address"
    if wrong is None and form is not None and not readable(form):
        wrong = f"the lab does not read {form}"
    return wrong


def _wrong_address(url: str) -> str | None:
    try:
        at = urlsplit(url)
        has_secret, host = at.username is not None or at.password is not None, at.hostname
    except ValueError:
        return f"{url[:100]!r} is no address"
    if has_secret:
        return "its address has a user name or password in it"
    return None if at.scheme in {"http", "https"} and host else f"{url[:100]!r} is no web address"


def _titled(link: Link) -> str:
    return next((text for text in link.title.values() if text.strip()), link.key)[:100]


def _stem(link: Link) -> str:
    """What a title says besides formats: links that share it are the same in other formats."""
    return " ".join(_WORDS.sub(" ", folded(_titled(link))).split())


def _rank(form: str | None) -> int:
    order = (*_READABLE, *_ARCHIVES)
    return order.index(form) if form in order else len(order)


def without_format(title: str) -> str:
    """A title without a format in brackets at its end, which says nothing of the table."""
    found = _IN_BRACKETS.search(title)
    if found is None or _format(found[1]) is None or found.start() == 0:
        return title
    return title[: found.start()]
