"""One feature of GeoJSON (RFC 7946, 3): its properties as texts, its geometry looked at; or why it is none."""

from __future__ import annotations

import re
from itertools import chain
from math import isinf
from typing import TYPE_CHECKING, Any

from catalog.receipt import Reject
from ingest.geometry import LONLAT
from ingest.readers.flat import SHOWN, Bare, Exponent, json_text
from ingest.readers.layer import Feature
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = frozenset(
    "Point MultiPoint LineString MultiLineString Polygon MultiPolygon GeometryCollection".split()  # noqa: SIM905
)
_BESIDE = frozenset({"type", "properties", "geometry", "bbox"})
_DIMENSIONS: tuple[set[int], ...] = ({2}, {3}, set())
_DEGREES = frozenset({LONLAT, "EPSG:4326", "OGC:CRS84"})
_MAX_NAME = 1000
_LONG = 300
"""A number of no more digits is finite."""
_SYSTEM = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?(?P<authority>\w+)[:/](?:.*[:/])?(?P<code>\w+)"
)


def crs_of(path: Path, crs: Any) -> str:
    """What the `crs` of GeoJSON 2008 names: a code. Without it, RFC 7946 has longitude and latitude."""
    if crs is None:
        return LONLAT
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        raise ReadingError(
            f"{path}: its coordinates are in {_written(crs)}, which names no system; "
            'declare it: read: {crs: "EPSG:2154"}'
        )
    found = _SYSTEM.fullmatch(name.strip())
    return name if found is None else f"{found['authority']}:{found['code']}"


def feature_of(path: Path, number: int, feature: Any, crs: str, drawn: bytes | None = None) -> Feature | Reject:
    """The feature, or geometry, in a file whose other coordinates are in `crs`; a reject where it cannot be kept.

    `drawn` is its geometry where that was read apart, and a text stands for its coordinates. Raises ReadingError for a
    name that none has.
    """
    if isinstance(feature, dict) and feature.get("type") in KINDS:
        feature = {"type": "Feature", "properties": None, "geometry": feature}
    if not isinstance(feature, dict):
        return Reject(line=number, reason="expected a feature, an object", text=str(_written(feature))[:SHOWN])
    geometry = feature.get("geometry")
    own = [one["crs"] for one in (feature, geometry) if isinstance(one, dict) and one.get("crs") is not None]
    positions = list(_positions(geometry))
    sizes = {len(point) for point in positions}
    systems = {crs, *(crs_of(path, one) for one in own)}
    if len(systems) > 1 and not systems <= _DEGREES:
        reason = f"it has a system of its own, {json_text(own)[:_MAX_NAME]}, that is not the file's, {crs}"
    elif sizes not in _DIMENSIONS:
        reason = f"the geometry has positions of {sorted(sizes)} numbers; expected all of 2 or 3"
    elif any(map(_is_infinite, chain.from_iterable(positions))):
        reason = "the geometry has a number past all places"
    elif geometry is not None and not (isinstance(geometry, dict) and geometry.get("type") in KINDS):
        reason = "the feature's geometry is none of GeoJSON's"
    else:
        properties = feature.get("properties") or {}
        properties = properties if isinstance(properties, dict) else {"properties": properties}
        long = next((key for one in (properties, feature) for key in one if len(key) > _MAX_NAME), None)
        if long is not None:
            raise ReadingError(
                f"{path}: feature {number} has a name of {len(long)} signs, {long[:40]!r}…; that is no table"
            )
        return Feature(
            number,
            {key: _written(value) for key, value in properties.items()},
            None if geometry is None else json_text(geometry) if drawn is None else drawn,
            {key: _written(value) for key, value in feature.items() if key not in _BESIDE},
        )
    return Reject(line=number, reason=reason, text=str(_written(feature))[:SHOWN])


def _is_infinite(number: Any) -> bool:
    return (isinstance(number, Exponent) or (isinstance(number, Bare) and len(number) > _LONG)) and isinf(float(number))


def _positions(part: Any) -> Iterator[list[float]]:
    """The positions of a geometry, or of what stands in it."""
    if isinstance(part, dict):
        yield from _positions(part.get("coordinates"))
        yield from _positions(part.get("geometries"))
    elif isinstance(part, list) and part and not isinstance(part[0], list | dict):
        yield part
    elif isinstance(part, list):
        for one in part:
            yield from _positions(one)


def _written(value: Any) -> str | None:
    """A value as text: a text itself, else JSON as it was written; None if it says nothing."""
    return value or None if value is None or isinstance(value, str) else Bare(json_text(value))
