"""GeoJSON (RFC 7946), and its older `crs` member (2008): properties as the texts of their values, feature by feature.

Read by Python's `json`, not by GDAL: GDAL rounds long numbers, makes `true` beside 7 into 1, drops a feature's own
`id`, and takes a file of another format for what that format says, such as a path on this machine. The features are
counted by ijson (yajl).
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import partial
from itertools import chain
from json import JSONDecoder
from math import isinf
from typing import TYPE_CHECKING, Any, TextIO

import ijson

from catalog.receipt import Reject
from ingest.geometry import LONLAT, projection
from ingest.markup import text_encoding
from ingest.readers.flat import SHOWN, Bare, Exponent, json_text
from ingest.readers.jsontext import JsonText
from ingest.readers.layer import Feature, Layer, layer_table
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.geometry import Box
    from ingest.table import Table, Tables

_KINDS = frozenset(
    "Point MultiPoint LineString MultiLineString Polygon MultiPolygon GeometryCollection".split()  # noqa: SIM905
)
_BESIDE = frozenset({"type", "properties", "geometry", "bbox"})
_OWN = frozenset({"type", "features", "properties", "geometry", "coordinates", "geometries", "bbox", "crs", "id"})
_DIMENSIONS: tuple[set[int], ...] = ({2}, {3}, set())
_CHUNK = 1 << 20
_DEGREES = frozenset({LONLAT, "EPSG:4326", "OGC:CRS84"})
_MAX_NAME = 1000
_LONG = 300
"""A number of no more digits is finite."""
_MAX_MEMBERS = 50
_SYSTEM = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?(?P<authority>\w+)[:/](?:.*[:/])?(?P<code>\w+)"
)


def read_geojson(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The features at `path`: of a collection, or one feature or geometry alone.

    Opening it raises ReadingError if it is none of them, or its coordinates are not in the system it says.
    """
    return {"": partial(_open, path, reading, desk)}


def count_features(path: Path) -> int:
    """How many features the list of features has, by yajl. Raises ReadingError if the document is not whole."""
    with _told(path):
        return _count(path, text_encoding(path, None))


class _Utf8:
    """A text as the bytes that ijson wants."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(size).encode()


def _count(path: Path, encoding: str) -> int:
    with path.open(encoding=encoding, newline="") as file:
        return sum(1 for _ in ijson.items(_Utf8(file), "features.item", buf_size=_CHUNK))


def _open(path: Path, reading: Reading, desk: Desk) -> Table:
    encoding = text_encoding(path, reading.encoding)
    with _told(path):
        with path.open(encoding=encoding, newline="") as file:
            members = _members(path, JsonText(path, file, JSONDecoder(parse_constant=_no_constant)))
        kind = members.get("type")
        if kind not in {"FeatureCollection", "Feature", *_KINDS}:
            raise ReadingError(
                f"{path}: cannot be read as GeoJSON: expected an object of the type FeatureCollection, found {kind!r}"
            )
        if kind == "FeatureCollection" and "features" not in members:
            raise ReadingError(f"{path}: cannot be read as GeoJSON: expected a list of features")
        crs = _crs(path, members.get("crs"))
        layer = Layer(
            path=path,
            format="geojson",
            system=projection(path, crs, reading.crs),
            rows_in=_count(path, encoding) if kind == "FeatureCollection" else 1,
            dialect={**(_beside(members) if kind == "FeatureCollection" else {}), "encoding": encoding},
            boxes=_boxes(members.get("bbox")),
        )
        with path.open(encoding=encoding, newline="") as file:
            text = JsonText(path, file)
            if kind == "FeatureCollection":
                return layer_table(layer, _collection(path, text, crs), desk)
            alone = _value(text)
            feature = alone if kind == "Feature" else {"type": "Feature", "properties": None, "geometry": alone}
            return layer_table(layer, [_feature(path, 1, feature, crs)], desk)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the parsers raise, as a ReadingError that names the file."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise ReadingError(f"{path}: a text holds half a character ({error.reason})") from None
    except RecursionError:
        raise ReadingError(f"{path}: cannot be read as GeoJSON: it is nested hundreds of levels deep") from None
    except (ijson.JSONError, ValueError) as error:
        reason = str(error).split("\n", 1)[0][:300]
        raise ReadingError(f"{path}: cannot be read as GeoJSON: {reason}") from None


def _members(path: Path, text: JsonText) -> dict[str, Any]:
    """The members of the document; its features are only walked past, each alone, so that one too large is seen."""
    members: dict[str, Any] = {}
    for key in _keys(text):
        if len(members) > _MAX_MEMBERS:
            raise ReadingError(
                f"{path}: more than {_MAX_MEMBERS} members stand beside the features; that is no GeoJSON"
            )
        members[key] = None
        if key == "features" and text.sign() == "[":
            for _ in _list(text):
                pass
            continue
        value = text.value()
        members[key] = value if key in _OWN or not isinstance(value, list | dict) else None
    return members


def _beside(members: Mapping[str, Any]) -> dict[str, str]:
    """What the document says of itself, such as its `name` or how many features a server has in all."""
    said = {key: value for key, value in members.items() if key not in _OWN and value is not None}
    return {key[:_MAX_NAME]: str(value)[:_MAX_NAME] for key, value in said.items()}


def _collection(path: Path, text: JsonText, crs: str) -> Iterator[Feature | Reject]:
    for key in _keys(text):
        if key == "features":
            for number, feature in enumerate(_list(text), start=1):
                yield _feature(path, number, feature, crs)
        else:
            text.value()


def _keys(text: JsonText) -> Iterator[str]:
    """The keys of the object that is the document; whoever gets one walks past its value."""
    seen: set[str] = set()
    text.take("{")
    while text.sign() != "}":
        key = text.value()
        text.take(":")
        if key in seen:
            message = f"the key {key!r} stands twice in one object"
            raise ValueError(message)
        seen.add(key)
        yield key
        if text.sign() != "}":
            text.take(",")
    text.take("}")
    text.end()


def _list(text: JsonText) -> Iterator[Any]:
    text.take("[")
    while text.sign() != "]":
        yield _value(text)
        if text.sign() != "]":
            text.take(",")
    text.take("]")


def _value(text: JsonText) -> Any:
    value, raw = text.written()
    if text.doubled:
        message = f"the key {text.doubled[0]!r} stands twice in one object"
        raise ValueError(message)
    if "\\ud" in raw or "\\uD" in raw:
        json_text(value).encode()  # fails for half a character, which neither Arrow nor GEOS takes
    return value


def _no_constant(text: str) -> None:
    """Refuse NaN and Infinity, which Python would read."""
    raise ValueError(f"{text} is no JSON")


def _written(value: Any) -> str | None:
    """A value as text: a text itself, else JSON as it was written; None if it says nothing."""
    return value or None if value is None or isinstance(value, str) else Bare(json_text(value))


def _boxes(bbox: Any) -> dict[str, Box]:
    """Where the collection's own bounding box is, in two dimensions or three (RFC 7946, 5)."""
    if not isinstance(bbox, list) or len(bbox) not in {4, 6} or not all(isinstance(one, int | float) for one in bbox):
        return {}
    half = len(bbox) // 2
    west, south, east, north = bbox[0], bbox[1], bbox[half], bbox[half + 1]
    return {"its bbox": (west, south, east, north)} if west <= east and south <= north else {}


def _crs(path: Path, crs: Any) -> str:
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


def _feature(path: Path, number: int, feature: Any, crs: str) -> Feature | Reject:
    if not isinstance(feature, dict):
        return Reject(line=number, reason="expected a feature, an object", text=str(_written(feature))[:SHOWN])
    geometry = feature.get("geometry")
    own = [one["crs"] for one in (feature, geometry) if isinstance(one, dict) and one.get("crs") is not None]
    positions = list(_positions(geometry))
    sizes = {len(point) for point in positions}
    systems = {crs, *(_crs(path, one) for one in own)}
    if len(systems) > 1 and not systems <= _DEGREES:
        reason = f"it has a system of its own, {json_text(own)[:_MAX_NAME]}, that is not the file's, {crs}"
    elif sizes not in _DIMENSIONS:
        reason = f"the geometry has positions of {sorted(sizes)} numbers; expected all of 2 or 3"
    elif any(map(_is_infinite, chain.from_iterable(positions))):
        reason = "the geometry has a number past all places"
    elif geometry is not None and not (isinstance(geometry, dict) and geometry.get("type") in _KINDS):
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
            None if geometry is None else json_text(geometry),
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
