"""A collection of an OGC API Features service (OGC 17-069r4), page by page, kept as one GeoJSON file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from ingest.sources import Fetched, fetched_file
from ingest.sources.asked import asked
from ingest.sources.cut import cut, parsed, value_at
from ingest.sources.pages import next_address, number_of
from ingest.sources.paging import Page, Paging, collect
from ingest.sources.secret import secret
from ingest.sources.web import Web
from policies.document import suggest
from policies.errors import SourceError
from policies.wording import count_of

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.sources import FeaturesSource
    from ingest.settings import IngestSettings

HEAD = '{"type": "FeatureCollection", "features": [\n'
BETWEEN = ", "
TAIL = "]}\n"
"""What stands around and between the features of a GeoJSON file."""
_DATA = ("data", "http://www.opengis.net/def/rel/ogc/1.0/data")
_GEOJSON = "application/geo+json"
_HINT = "say a larger size, try at a quieter time, or tell the service's publisher"
_DEGREES = ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "http://www.opengis.net/def/crs/OGC/0/CRS84h")


def fetch_features(source: FeaturesSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring all features of the collection into one GeoJSON file in `cache`, in longitude and latitude.

    Raises SourceError: no such service or collection, coordinates in another system than CRS84, pages that change
    while they are read or lead in a circle, a next page on another server where a secret would be sent, or too much.
    """
    place = f"{str(source.features).rstrip('/')}/collections/{quote(source.collection, safe='')}"
    target = cache / "features.geojson"
    with Web(str(source.features), settings) as web:
        asking = _Asking(source, web)
        paging = Paging(first=asking.items(), ask=asking.page, between=BETWEEN, hint=_HINT)
        collect(paging, target, place, settings)
    return fetched_file(target, target.name, place, "geojson")


def keys_of(content: Any) -> list[str] | None:
    """The ids of a feature collection's features; None if one has none."""
    ids = [feature.get("id") for feature in content["features"] or ()]
    return None if None in ids else [str(one) for one in ids]


class _Asking:
    def __init__(self, source: FeaturesSource, web: Web) -> None:
        self._source, self._web = source, web
        self._headers = {"Accept": f"{_GEOJSON}, application/json;q=0.9"}
        if source.authorization is not None:
            self._headers["Authorization"] = secret(source.authorization)

    def items(self) -> str:
        """The address of the first page, by the links from the landing page on."""
        home = str(self._source.features)
        data = _link(self._json(home), _DATA, "application/json")
        there = f"{home.rstrip('/')}/collections" if data is None else self._allowed(home, data)
        content = self._json(there)
        listed = value_at(content, "collections")
        if not isinstance(listed, list):
            raise SourceError(f"{there}: expected the collections of an OGC API Features service; check `features`")
        known = {str(one.get("id")): one for one in listed if isinstance(one, dict)}
        if self._source.collection not in known:
            raise SourceError(
                f"{there}: no collection {self._source.collection!r}; {suggest(self._source.collection, list(known))}"
            )
        items = _link(known[self._source.collection], ("items",), _GEOJSON)
        if items is None:
            raise SourceError(
                f"{there}: the collection {self._source.collection!r} has no items; it is no feature data"
            )
        return str(httpx.URL(self._allowed(there, items)).copy_set_param("limit", self._source.size))

    def page(self, url: str, _before: int) -> Page:
        answer = asked(self._web, url, self._headers)
        crs = answer.headers.get("content-crs", "").strip("<> ")
        if crs and crs not in _DEGREES:
            raise SourceError(f"{url}: the coordinates are in {crs}; expected CRS84, which each such service must have")
        content, records = cut(answer.body, "features", url)
        returned = number_of(content.get("numberReturned"))
        if returned is not None and returned != len(records):
            raise SourceError(
                f"{url}: the page says it has {count_of(returned, 'feature')}, but has {len(records)}; try again"
            )
        following = _link(content, ("next",), _GEOJSON)
        return Page(
            records=records,
            next=None if following is None else self._allowed(url, following),
            total=number_of(content.get("numberMatched")),
            keys=keys_of(content),
            head=HEAD,
            tail=TAIL,
        )

    def _json(self, url: str) -> Any:
        return parsed(asked(self._web, url, self._headers).body, url)

    def _allowed(self, at: str, address: str) -> str:
        source = self._source
        return next_address(at, address, str(source.features), secret_sent=source.authorization is not None)


def _link(content: Any, relations: tuple[str, ...], kind: str) -> str | None:
    """The address of the link of that relation; of several, the one to that media type, and never to a page."""
    links = content.get("links") if isinstance(content, dict) else None
    listed = links if isinstance(links, list) else []
    found = [one for one in listed if isinstance(one, dict) and one.get("rel") in relations and one.get("href")]
    found = [one for one in found if "html" not in str(one.get("type"))]
    found.sort(key=lambda one: one.get("type") != kind)
    return str(found[0]["href"]) if found else None
