"""GeoJSON (RFC 7946), its older `crs` member (2008), and sequences of features (RFC 8142, or one a line).

Read by Python's `json`, not by GDAL: GDAL rounds long numbers, makes `true` beside 7 into 1, drops a feature's own
`id`, and takes a file of another format for what that format says, such as a path on this machine. The features are
counted by ijson (yajl). Long arrays of coordinates are read apart (`coordinates.py`).
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from json import JSONDecoder
from typing import TYPE_CHECKING, Any, TextIO

import ijson

from catalog.receipt import Reject
from ingest.geometry import LONLAT, projection
from ingest.markup import has_json_texts, text_encoding
from ingest.readers.coordinates import Coordinates, SlimText
from ingest.readers.geojsonfeature import KINDS, crs_of, feature_of
from ingest.readers.jsonseq import count_texts, lenient, read_texts
from ingest.readers.jsontext import JsonDecoder, JsonText, flaw, shown
from ingest.readers.layer import Layer, layer_table
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.geometry import Box
    from ingest.readers.jsonseq import JsonLine
    from ingest.readers.layer import Feature
    from ingest.table import Table, Tables

_OWN = frozenset({"type", "features", "properties", "geometry", "coordinates", "geometries", "bbox", "crs", "id"})
_CHUNK = 1 << 20
_MAX_NAME = 1000
_MAX_MEMBERS = 50


def _no_constant(text: str) -> None:
    """Refuse NaN and Infinity, which Python would read."""
    raise ValueError(f"{text} is no JSON")


_DECODER = JSONDecoder(parse_constant=_no_constant)


def read_geojson(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The features at `path`: of a collection, one feature or geometry alone, or one a line or after each RS.

    Opening it raises ReadingError if it is none of them, or its coordinates are not in the system it says.
    """
    return {"": partial(_open, path, reading, desk)}


class _Utf8:
    """A text as the bytes that ijson wants."""

    def __init__(self, file: SlimText) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(size).encode()


def _count(path: Path, encoding: str) -> int:
    with path.open(encoding=encoding, newline="") as file:
        text = SlimText(path, file, Coordinates(path, kept=False))
        return sum(1 for _ in ijson.items(_Utf8(text), "features.item", buf_size=_CHUNK))


def _open(path: Path, reading: Reading, desk: Desk) -> Table:
    encoding = text_encoding(path, reading.encoding)
    with _told(path):
        if has_json_texts(path):
            return _sequence(path, encoding, reading, desk)
        with path.open(encoding=encoding, newline="") as file:
            members = _members(path, JsonText(path, SlimText(path, file, Coordinates(path, kept=False)), _DECODER))
        kind = members.get("type")
        if kind not in {"FeatureCollection", "Feature", *KINDS}:
            raise ReadingError(
                f"{path}: cannot be read as GeoJSON: expected an object of the type FeatureCollection, found {kind!r}"
            )
        if kind == "FeatureCollection" and "features" not in members:
            raise ReadingError(f"{path}: cannot be read as GeoJSON: expected a list of features")
        crs = crs_of(path, members.get("crs"))
        layer = Layer(
            path=path,
            format="geojson",
            system=projection(path, crs, reading.crs),
            rows_in=_count(path, encoding) if kind == "FeatureCollection" else 1,
            dialect={**(_beside(members) if kind == "FeatureCollection" else {}), "encoding": encoding},
            boxes=_boxes(members.get("bbox")),
        )
        with path.open(encoding=encoding, newline="") as file:
            aside = Coordinates(path)
            text = JsonText(path, SlimText(path, file, aside))
            values = _features(text) if kind == "FeatureCollection" else iter([_value(text)])
            return layer_table(layer, _placed(path, values, aside, crs), desk)


def _sequence(path: Path, encoding: str, reading: Reading, desk: Desk) -> Table:
    with path.open(encoding=encoding, newline="", errors=lenient(encoding)) as file:
        layer = Layer(
            path=path,
            format="geojson",
            system=projection(path, LONLAT, reading.crs),
            rows_in=count_texts(file),
            dialect={"encoding": encoding},
            each="the feature on line",
        )
        file.seek(0)
        return layer_table(layer, _of_texts(path, file), desk)


class _Decoder(JsonDecoder):
    """Decodes a text without its long arrays."""

    def __init__(self, aside: Coordinates) -> None:
        super().__init__()
        self._aside = aside

    def decode(self, s: str, *_: Any) -> Any:
        self._aside.taken.clear()
        return super().decode(self._aside.slim(s, whole=True)[0])


def _of_texts(path: Path, file: TextIO) -> Iterator[Feature | Reject]:
    aside = Coordinates(path)
    for one in read_texts(path, file, _Decoder(aside)):
        yield one if isinstance(one, Reject) else _of_text(path, one, aside)


def _of_text(path: Path, one: JsonLine, aside: Coordinates) -> Feature | Reject:
    why = flaw(one.value, one.raw, one.doubled)
    if why is None and isinstance(one.value, dict) and "features" in one.value:
        why = "a collection of features stands among features"
    try:
        drawn = aside.drawn(one.value)
    except ValueError as error:
        why = f"no JSON: {error}"[:300]
    if why is not None:
        return Reject(line=one.line, reason=why, text=shown(one.raw))
    return feature_of(path, one.line, one.value, LONLAT, drawn)


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


def _features(text: JsonText) -> Iterator[Any]:
    for key in _keys(text):
        if key == "features":
            yield from _list(text)
        else:
            text.value()


def _placed(path: Path, values: Iterator[Any], aside: Coordinates, crs: str) -> Iterator[Feature | Reject]:
    for number, value in enumerate(values, start=1):
        drawn = aside.drawn(value)
        yield feature_of(path, number, value, crs, drawn)


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
    why = flaw(value, raw, text.doubled)
    if why is not None:
        raise ValueError(why)
    return value


def _boxes(bbox: Any) -> dict[str, Box]:
    """Where the collection's own bounding box is, in two dimensions or three (RFC 7946, 5)."""
    if not isinstance(bbox, list) or len(bbox) not in {4, 6} or not all(isinstance(one, int | float) for one in bbox):
        return {}
    half = len(bbox) // 2
    west, south, east, north = bbox[0], bbox[1], bbox[half], bbox[half + 1]
    return {"its bbox": (west, south, east, north)} if west <= east and south <= north else {}
