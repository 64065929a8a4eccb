"""GeoJSON (RFC 7946): properties as the texts of their values, geometry as WKB in longitude and latitude.

Read by Python's `json`, not by GDAL: GDAL rounds long numbers, makes `true` beside 7 into 1, drops a feature's own
`id`, and takes a file of another format for what that format says, such as a path on this machine.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from catalog.model import Reject
from ingest.table import SourceColumn, Table, lake_names
from policies.editions import quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Tables

_FEATURE = re.compile(rb'"type"\s*:\s*"Feature"')
_CHUNK = 1 << 22
_OVERLAP = 256
_LONLAT = re.compile(r"(urn:ogc:def:crs:)?(OGC:(1\.3)?:?CRS84|EPSG:{1,2}4326)", re.IGNORECASE)
_SHOWN = 10_000

Feature = dict[str, Any]


class _Float(float):
    """A number with a fraction, and the text it was written as."""

    text: str


class _DoubledKeyError(ValueError):
    """An object says one key twice."""


def read_geojson(path: Path, _reading: Reading, desk: Desk) -> Tables:
    """The feature collection at `path`. Opening it raises ReadingError if it is none, or not in degrees."""
    return {"": lambda: _open(path, desk)}


def _open(path: Path, desk: Desk) -> Table:
    features = _features(path)
    rejects = _bad_geometries(features, desk.con)
    bad = {reject.line for reject in rejects}
    good = [(number, feature) for number, feature in enumerate(features, start=1) if number not in bad]
    columns, arrays = _columns([feature for _, feature in good])
    geometry = [_geometry(feature) for _, feature in good]
    texts = desk.view(pa.table([*arrays, pa.array(geometry, pa.string())], names=[one.name for one in columns]))
    geometry_name = quoted(columns[-1].name)
    view = f"(SELECT * REPLACE (st_aswkb(st_geomfromgeojson({geometry_name})) AS {geometry_name}) FROM {texts})"  # noqa: S608
    return Table(
        con=desk.con,
        source=view,
        format="geojson",
        columns=columns,
        rows_in=count_features(path),
        rejects=lambda: rejects,
        dialect={"encoding": "utf-8", "crs": "EPSG:4326"},
        line_of=lambda rows: [good[number][0] for number in rows],
    )


def count_features(path: Path) -> int:
    """How many times the bytes say `"type": "Feature"`, apart from what the JSON reader makes of them."""
    count, tail = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = tail + chunk
            matches = list(_FEATURE.finditer(text))
            count += len(matches)
            # A mark that lies across two chunks is seen once: the tail starts after the last one found
            last = matches[-1].end() if matches else 0
            tail = text[max(last, len(text) - _OVERLAP) :]
    return count


def _features(path: Path) -> list[Feature]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            content = json.load(file, parse_float=_float, parse_constant=_no_constant, object_pairs_hook=_object)
    except (ValueError, RecursionError, OSError) as error:
        raise ReadingError(f"{path}: cannot be read as GeoJSON: {error}") from None
    if not isinstance(content, dict) or content.get("type") != "FeatureCollection":
        raise ReadingError(f"{path}: cannot be read as GeoJSON: expected an object of the type FeatureCollection")
    _refuse_other_crs(path, content)
    try:
        _json(content).encode()
    except UnicodeEncodeError as error:
        raise ReadingError(f"{path}: a text holds half a character ({error.reason})") from None
    features = content.get("features")
    if not isinstance(features, list) or not all(isinstance(one, dict) for one in features):
        raise ReadingError(f"{path}: cannot be read as GeoJSON: expected a list of features")
    for number, feature in enumerate(features, start=1):
        _refuse_projected(path, number, feature)
    return features


def _float(text: str) -> _Float:
    number = _Float(text)
    number.text = text
    return number


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        doubled = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise _DoubledKeyError(f"the key {doubled!r} stands twice in one object")
    return made


def _refuse_other_crs(path: Path, content: dict[str, Any]) -> None:
    """Only the `crs` of GeoJSON 2008 can name another system than RFC 7946's longitude and latitude."""
    crs = content.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or not _LONLAT.fullmatch(name):
        raise ReadingError(f"{path}: its coordinates are in {name or crs}; expected longitude and latitude (EPSG:4326)")


def _refuse_projected(path: Path, number: int, feature: Feature) -> None:
    for point in _positions(feature.get("geometry")):
        if abs(point[0]) > 180 or abs(point[1]) > 90:  # noqa: PLR2004  degrees
            raise ReadingError(
                f"{path}: feature {number} is at {point[0]}, {point[1]}; "
                "expected longitude and latitude in degrees (EPSG:4326)"
            )


def _positions(part: Any) -> Iterator[list[float]]:
    """The positions of a geometry, or of what stands in it, that have two numbers at least."""
    if isinstance(part, dict):
        yield from _positions(part.get("coordinates"))
        yield from _positions(part.get("geometries"))
    elif isinstance(part, list) and part and all(isinstance(one, int | float) for one in part):
        if len(part) > 1:
            yield part
    elif isinstance(part, list):
        for one in part:
            yield from _positions(one)


def _bad_geometries(features: list[Feature], con: duckdb.DuckDBPyConnection) -> list[Reject]:
    """The features whose geometry the engine cannot make whole; their line is their number in the file."""
    numbered = pa.table({"number": range(1, len(features) + 1), "geometry": [_geometry(one) for one in features]})
    con.register("geometries", numbered)
    wrong = con.execute(
        "SELECT number FROM geometries "
        "WHERE geometry IS NOT NULL AND TRY(st_geomfromgeojson(geometry)) IS NULL ORDER BY number"
    ).fetchall()
    reasons = {number: "the feature's geometry is none of GeoJSON's" for (number,) in wrong}
    for number, feature in enumerate(features, start=1):
        # The engine would drop a fourth number, and make up a third where only some positions have one
        sizes = {len(point) for point in _positions(feature.get("geometry"))}
        if len(sizes) > 1 or not sizes <= {2, 3}:
            reasons.setdefault(number, f"the geometry has positions of {sorted(sizes)} numbers; expected all of 2 or 3")
    return [
        Reject(line=number, reason=reason, text=_json(features[number - 1])[:_SHOWN])
        for number, reason in sorted(reasons.items())
    ]


def _geometry(feature: Feature) -> str | None:
    geometry = feature.get("geometry")
    return None if geometry is None else json.dumps(geometry)


def _columns(features: list[Feature]) -> tuple[tuple[SourceColumn, ...], list[pa.Array]]:
    """The columns, in the order in which their properties first stand in the file, and their texts."""
    taken = {key for feature in features for key in _properties(feature)}
    rows = [{**_members(feature, taken), **_properties(feature)} for feature in features]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    names = lake_names([*keys, "geometry"])
    columns = [
        SourceColumn(name, key, digits_are_text=any(isinstance(row.get(key), str) for row in rows))
        for name, key in zip(names, keys, strict=False)
    ]
    arrays = [pa.array([_text(row.get(key)) for row in rows], pa.string()) for key in keys]
    return (*columns, SourceColumn(names[-1], "geometry", native="GEOMETRY")), arrays


def _properties(feature: Feature) -> dict[str, Any]:
    properties = feature.get("properties") or {}
    return properties if isinstance(properties, dict) else {"properties": properties}


def _members(feature: Feature, taken: set[str]) -> dict[str, Any]:
    """What a feature says beside its properties, such as its own `id`; a name that a property has gets `feature_`."""
    return {
        f"feature_{key}" if key in taken else key: value
        for key, value in feature.items()
        if key not in {"type", "properties", "geometry", "bbox"}
    }


def _text(value: Any) -> str | None:
    """A JSON value as text; None where it says nothing."""
    if value is None or isinstance(value, str):
        return value or None
    return _json(value)


def _json(value: Any) -> str:
    """A value as JSON, its numbers as they were written."""
    if isinstance(value, _Float):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(key)}: {_json(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_json(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
