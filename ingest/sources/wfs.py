"""A layer of a Web Feature Service 2.0 or 1.1, page by page, kept as one GeoJSON or GML file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx

from ingest.sources import Fetched, fetched_file
from ingest.sources.asked import succeeded
from ingest.sources.axes import code_of, official_order, seen_order
from ingest.sources.cut import cut, value_at
from ingest.sources.features import BETWEEN, HEAD, keys_of
from ingest.sources.gml import Layer, members_of, service_of, xml_of
from ingest.sources.pages import number_of
from ingest.sources.paging import Page, Paging, collect
from ingest.sources.secret import secret
from ingest.sources.web import Web
from policies.document import suggest
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.model import Format
    from catalog.sources import WfsSource
    from ingest.settings import IngestSettings

_OURS = {"service", "request", "version", "acceptversions", "typename", "typenames", "outputformat", "srsname"}
"""Parameters of an address that was copied from a browser, which are set here."""
_DEGREES = ("OGC:CRS84", "EPSG:4326")
_NUMBER = r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
_POSITION = re.compile(rf"<(?:\w+:)?(?:pos|posList|coordinates)\b[^>]*>\s*{_NUMBER}[\s,]+{_NUMBER}")
_SRS_NAME = re.compile(r"""(\bsrsName=)["']([^"']*)["']""")
_HEAD = 1000
_HINT = "say sort: a property that is different for each feature, or a larger size, or try at a quieter time"


def fetch_wfs(source: WfsSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring all features of the layer into one file in `cache`, which says what system its coordinates are in.

    That is GeoJSON in longitude and latitude if the service has it, else GeoJSON or GML in the layer's own system.
    Raises SourceError: no such service or layer, what the service itself refuses, coordinates whose order cannot be
    told or is not what it must be, other features than the service says that there are, or too many.
    """
    place = f"{source.wfs}#{source.layer}"
    with Web(str(source.wfs), settings) as web:
        asking = _asking(source, web)
        target = cache / f"features.{asking.form}"
        between = BETWEEN if asking.form == "geojson" else ""
        collect(Paging(first=asking.at(0), ask=asking.page, between=between, hint=_HINT), target, place, settings)
    return fetched_file(target, target.name, place, asking.form)


def _asking(source: WfsSource, web: Web) -> _Asking:
    """How the layer is asked for, by what the service says of itself."""
    headers = {} if source.authorization is None else {"Authorization": secret(source.authorization)}
    base = httpx.URL(str(source.wfs))
    base = base.copy_with(params={name: value for name, value in base.params.items() if name.lower() not in _OURS})
    base = base.copy_set_param("service", "WFS")
    url = str(base.copy_merge_params({"request": "GetCapabilities", "acceptVersions": "2.0.0,1.1.0"}))
    service = service_of(xml_of(_body(web, url, headers), url), url)
    if not service.version.startswith(("2.0", "1.1")):
        raise SourceError(f"{url}: the service speaks WFS {service.version or '?'}; expected 2.0 or 1.1")
    layer = _layer(service.layers, source.layer, url)
    json_format = next(
        (one for one in layer.formats if "json" in one.lower() and "javascript" not in one.lower()), None
    )
    degrees = [one for code in _DEGREES for one in layer.crs if code_of(one) == code]
    crs = (degrees if json_format is not None else []) + list(layer.crs)
    if not crs:
        raise SourceError(f"{url}: the layer {layer.name!r} says no coordinate system; tell its publisher")
    code = code_of(crs[0])
    if code is None:
        raise SourceError(f"{url}: the layer {layer.name!r} is in {crs[0]}, which is no EPSG system or CRS84")
    two = service.version.startswith("2")
    query = {
        "version": service.version,
        "request": "GetFeature",
        "typeNames" if two else "typeName": layer.name,
        "srsName": crs[0],
        **({} if json_format is None else {"outputFormat": json_format}),
        **({} if source.sort is None else {"sortBy": source.sort}),
    }
    return _Asking(
        web=web,
        headers=headers,
        address=base.copy_merge_params(query),
        paging=("count" if two else "maxFeatures", source.size),
        form="gml" if json_format is None else "geojson",
        layer=layer,
        code=code,
    )


def _body(web: Web, url: str, headers: dict[str, str]) -> bytes:
    """The body of an answer. Raises SourceError with the service's words: it may refuse JSON in XML."""
    answer = web.get(url, headers=headers, refusals=True)
    if answer.body.lstrip()[:1] == b"<" and b"Exception" in answer.body[:_HEAD]:
        xml_of(answer.body, url)
    return succeeded(answer, url).body


def _layer(layers: tuple[Layer, ...], name: str, url: str) -> Layer:
    """The layer of that name, which may be said without its namespace's prefix where that is clear."""
    found = [one for one in layers if one.name == name] or [one for one in layers if one.name.endswith(f":{name}")]
    if len(found) != 1:
        raise SourceError(f"{url}: no layer {name!r}; {suggest(name, [one.name for one in layers])}")
    return found[0]


@dataclass(kw_only=True)
class _Asking:
    web: Web
    headers: dict[str, str]
    address: httpx.URL
    paging: tuple[str, int]
    form: Format
    layer: Layer
    code: str
    total: int | None = None

    def at(self, start: int) -> str:
        name, size = self.paging
        return str(self.address.copy_merge_params({name: size, "startIndex": start}))

    def page(self, url: str, before: int) -> Page:
        """A page, and with the last how many features there are by then; the first page is told before."""
        if before == 0:
            self.total = self._hits()
        body = _body(self.web, url, self.headers)
        page = self._json(body, url) if self.form == "geojson" else self._gml(body, url)
        rows = before + len(page.records)
        more = bool(page.records) and rows != self.total
        return replace(page, next=self.at(rows) if more else None, total=self.total if more else self._hits())

    def _hits(self) -> int | None:
        """How many features the service says that the layer has; None if it does not know."""
        query = {name: value for name, value in self.address.params.items() if name not in {"outputFormat", "sortBy"}}
        url = str(self.address.copy_with(params={**query, "resultType": "hits"}))
        root = xml_of(_body(self.web, url, self.headers), url)
        return number_of(root.get("numberMatched") or root.get("numberOfFeatures"))

    def _json(self, body: bytes, url: str) -> Page:
        content, records = cut(body, "features", url)
        told = value_at(content, "crs.properties.name")
        if told is not None and code_of(str(told)) not in ((self.code,) if self.code not in _DEGREES else _DEGREES):
            raise SourceError(f"{url}: asked for coordinates in {self.code}, but they are in {told}")
        positions = [one for one in map(_first_position, content["features"] or ()) if one is not None]
        if seen_order(positions, self.code, self.layer.box) == "yx":
            raise SourceError(
                f"{url}: the coordinates have the northern one first, which GeoJSON must not; tell its publisher"
            )
        crs = "" if self.code in _DEGREES else f', "crs": {json.dumps(_named(self.code))}'
        return Page(records=records, next=None, keys=keys_of(content), head=HEAD, tail=f"]{crs}}}\n")

    def _gml(self, body: bytes, url: str) -> Page:
        members = members_of(body, url)
        features = members.features
        if official_order(self.code, url) == "yx":
            features = self._clear(features, url)
        return Page(records=features, next=None, keys=members.ids, head=members.head, tail=members.tail)

    def _clear(self, features: list[str], url: str) -> list[str]:
        """The features with the name of their system such that it means the order which their coordinates have.

        Only a urn means the authority's order; `EPSG:4326` is read as east first.
        """
        names = {found[2] for feature in features for found in _SRS_NAME.finditer(feature)}
        if not names or any(code_of(name) != self.code for name in names):
            raise SourceError(
                f"{url}: asked for coordinates in {self.code}, but they are in {names or 'no said system'}"
            )
        found = [_POSITION.search(feature) for feature in features]
        positions = [(float(one[1]), float(one[2])) for one in found if one is not None]
        order = seen_order(positions, self.code, self.layer.box)
        if (
            order is None
            and positions
            and not all(name.startswith(("urn:", "http://www.opengis.net/def/")) for name in names)
        ):
            raise SourceError(
                f"{url}: {self.code} is said as {names.pop()}, and the layer's box does not tell which coordinate is "
                "the northern one; tell the service's publisher"
            )
        name = self.code if order == "xy" else f"urn:ogc:def:crs:{self.code.replace(':', '::')}"
        return [_SRS_NAME.sub(rf'\1"{name}"', feature) for feature in features]


def _named(code: str) -> dict[str, Any]:
    """The member `crs` of GeoJSON 2008."""
    return {"type": "name", "properties": {"name": f"urn:ogc:def:crs:{code.replace(':', '::')}"}}


def _first_position(feature: dict[str, Any]) -> tuple[float, float] | None:
    part = value_at(feature, "geometry.coordinates")
    while isinstance(part, list) and part and isinstance(part[0], list):
        part = part[0]
    try:
        return float(part[0]), float(part[1])
    except (TypeError, ValueError, LookupError):
        return None
