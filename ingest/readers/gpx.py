"""GPX 1.0 and 1.1 (https://www.topografix.com/GPX/1/1/): waypoints, routes, tracks, and the points of the latter two.

Coordinates are longitude and latitude; heights are values of points (`ele`), so that lines are drawn in two dimensions.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from ingest.readers.elements import features, local, survey, values_in
from ingest.readers.flat import Bare
from ingest.readers.layer import Feature, lonlat_layers
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from catalog.model import Reading
    from catalog.receipt import Reject
    from ingest.desk import Desk
    from ingest.table import Tables

_TABLES = {
    "waypoints": ("wpt", ("wpt",)),
    "routes": ("rte", ("rte",)),
    "tracks": ("trk", ("trk",)),
    "route_points": ("rte", ("rte", "rtept")),
    "track_points": ("trk", ("trk", "trkseg", "trkpt")),
}
"""Each table's element below the root, and the way from there to what is a row."""
_IN_LINES = frozenset({"rtept", "trkseg"})


def read_gpx(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The tables of the .gpx at `path` that have rows. Raises ReadingError if it is damaged or has none."""
    counts: Counter[tuple[str, ...]] = Counter()

    def see(names: Sequence[str], _: dict[str, str]) -> None:
        counts[tuple(names[1:])] += len(names) <= 4  # noqa: PLR2004  no row stands deeper

    survey(path, see)
    found = {name: counts[way] for name, (_, way) in _TABLES.items() if counts[way] > 0}
    if not found:
        raise ReadingError(f"{path}: no waypoint, route or track is in it")
    return lonlat_layers(path, "gpx", found, partial(_features, path), reading, desk)


def _features(path: Path, name: str) -> Iterator[Feature | Reject]:
    record, way = _TABLES[name]
    number = line = 0
    for opened in features(path, lambda opened: len(opened) == 2 and local(opened[-1].tag) == record):  # noqa: PLR2004
        line += 1
        if len(way) == 1:
            yield _point(line, opened[-1], {}) if record == "wpt" else _line(line, opened[-1])
            continue
        for place, point in _points(opened[-1], way):
            number += 1
            yield _point(number, point, {record: Bare(str(line)), **place})


def _points(line: Element, way: tuple[str, ...]) -> Iterator[tuple[dict[str, str | None], Element]]:
    """The points of a route or track, and where in it they stand, counted from 1."""
    if len(way) == 2:  # noqa: PLR2004  a route has no segments
        for number, point in enumerate(_children(line, way[-1]), start=1):
            yield {"point": Bare(str(number))}, point
        return
    for segment, part in enumerate(_children(line, "trkseg"), start=1):
        for number, point in enumerate(_children(part, "trkpt"), start=1):
            yield {"segment": Bare(str(segment)), "point": Bare(str(number))}, point


def _children(element: Element, name: str) -> list[Element]:
    return [one for one in element if local(one.tag) == name]


def _point(number: int, point: Element, place: dict[str, str | None]) -> Feature | Reject:
    values = {**place, **values_in(point, lambda _: False)}
    position = _position(point)
    if position is None:
        return Feature(number, values, None).rejected("its lat and lon are missing, or no numbers")
    return Feature(number, values, json.dumps({"type": "Point", "coordinates": position}))


def _line(number: int, line: Element) -> Feature | Reject:
    values = values_in(line, lambda one: local(one.tag) in _IN_LINES)
    parts = [_children(part, "trkpt") for part in _children(line, "trkseg")] or [_children(line, "rtept")]
    lines = [[_position(point) for point in part] for part in parts]
    if any(position is None for one in lines for position in one):
        return Feature(number, values, None).rejected("the lat and lon of a point are missing, or no numbers")
    # One point is no line; it stands among the points
    drawn: list[Any] = [one for one in lines if len(one) > 1]
    geometry = json.dumps({"type": "MultiLineString", "coordinates": drawn}) if drawn else None
    return Feature(number, values, geometry)


def _position(point: Element) -> list[float] | None:
    try:
        return [float(str(point.get("lon"))), float(str(point.get("lat")))]
    except ValueError:
        return None
