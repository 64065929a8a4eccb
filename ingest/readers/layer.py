"""The features of one layer → a table: their values as texts in Parquet on the desk, their geometry as WKB in degrees.

A layer of points has the columns `longitude` and `latitude` too, unless it has its own of such a name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from catalog.receipt import Reject
from ingest.geometry import LONLAT, Places, projection
from ingest.readers.flat import SHOWN, Bare, write_flat
from ingest.table import SourceColumn, Table, lake_names
from policies.editions import quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.geometry import Box, Projection
    from ingest.readers.flat import Flat, Path_, Row
    from ingest.table import Tables

_BATCH = 2_000
_SIGNS = 16 * 2**20
_GEOMETRY, _LONGITUDE, _LATITUDE = ("", "geometry"), ("", "longitude"), ("", "latitude")
_POSITIONS = [("longitude", "latitude"), ("lon", "lat"), ("lng", "lat"), ("Longitude", "Latitude"), ("LON", "LAT")]
_NEAR = 1e-4  # degrees: 10 m, as values may be rounded
_OWN = (_GEOMETRY, _LONGITUDE, _LATITUDE)


@dataclass(frozen=True)
class Feature:
    """A feature's values by name, as texts (`Bare` if they may be more than text), and its geometry: WKB or GeoJSON.

    `members` are values that stand beside the others in the file, such as a GeoJSON feature's own id.
    """

    number: int
    values: Mapping[str, str | None]
    geometry: bytes | str | None
    members: Mapping[str, str | None] = field(default_factory=dict)

    def rejected(self, reason: str) -> Reject:
        """The feature as one that cannot be kept."""
        text = " | ".join(value or "" for value in self.values.values())
        return Reject(line=self.number, reason=reason, text=text[:SHOWN])


class ShapeError(Exception):
    """A geometry that is broken, or of a kind that is not read; says why."""


Features: TypeAlias = "Iterable[Feature | Reject]"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What is known of a layer before it is read.

    `natives` are the SQL types of columns that the file itself types, `boxes` where it says that its features lie, and
    `each` what a feature's number is the number of.
    """

    path: Path
    format: str
    system: Projection
    rows_in: int
    dialect: Mapping[str, str | int | None] = field(default_factory=dict)
    natives: Mapping[str, str] = field(default_factory=dict)
    boxes: Mapping[str, Box] = field(default_factory=dict)
    each: str = "feature"


def lonlat_layers(
    path: Path,
    form: str,
    counts: Mapping[str, int],
    features: Callable[[str], Features],
    reading: Reading,
    desk: Desk,
) -> Tables:
    """The layers of a file whose format says longitude and latitude: `counts` has how many `features` each has."""

    def opened(name: str, count: int) -> Table:
        system = projection(path, LONLAT, reading.crs)
        layer = Layer(path=path, format=form, system=system, rows_in=count, dialect={"layer": name})
        return layer_table(layer, features(name), desk)

    return {"" if len(counts) == 1 else name: partial(opened, name, count) for name, count in counts.items()}


def layer_table(layer: Layer, features: Features, desk: Desk) -> Table:
    """The table of the features; their lines are their numbers. Raises ReadingError as `Places` and `write_flat` do."""
    places = Places(layer.path, layer.system, layer.rows_in, {**desk.territory, **layer.boxes}, layer.each)
    keys: dict[Path_, None] = {}
    flat = write_flat(layer.path, _rows(layer, features, places, keys), desk, frozenset({_GEOMETRY}))
    columns, source = _columns(layer, flat, list(keys), points=places.all_points)
    return Table(
        con=desk.con,
        source=source,
        format=layer.format,
        columns=columns,
        rows_in=layer.rows_in,
        rejects=lambda: flat.rejects,
        dialect={**layer.dialect, **layer.system.dialect},
        line_of=lambda rows: [flat.lines[row] for row in rows],
    )


def _rows(
    layer: Layer, features: Features, places: Places, keys: dict[Path_, None]
) -> Iterator[tuple[int, Row | Reject]]:
    """The rows; `keys` becomes all that they have, in the order in which they first have it."""
    for batch in _batches(features):
        good = [one for one in batch if isinstance(one, Feature)]
        placed = places.place([one.geometry for one in good], [one.number for one in good])
        for one in batch:
            if isinstance(one, Reject):
                yield one.line, one
        for one, wkb, point, why in zip(good, placed.wkb, placed.points, placed.why, strict=True):
            if why is not None:
                yield one.number, one.rejected(why)
                continue
            if point is not None:
                _refuse_contradiction(layer, one, point)
            row: Row = {("feature", name): value for name, value in one.members.items()}
            row |= {(name,): value for name, value in one.values.items()}
            row[_GEOMETRY] = wkb
            row[_LONGITUDE], row[_LATITUDE] = (None, None) if point is None else map(repr, point)
            keys.update(dict.fromkeys(row))
            yield one.number, row
    places.refuse_misplaced()


def _batches(features: Features) -> Iterator[list[Feature | Reject]]:
    """The features, so many at a time that their geometries fit the memory."""
    batch: list[Feature | Reject] = []
    signs = 0
    for one in features:
        batch.append(one)
        signs += len(one.geometry or "") if isinstance(one, Feature) else 0
        if len(batch) >= _BATCH or signs >= _SIGNS:
            yield batch
            batch, signs = [], 0
    if batch:
        yield batch


def _refuse_contradiction(layer: Layer, feature: Feature, point: tuple[float, float]) -> None:
    """Raise ReadingError if the feature's own values say that its point has latitude and longitude exchanged."""
    own = _own_position(feature.values)
    if own is None or _near(own, point) or not _near(own, (point[1], point[0])):
        return
    raise ReadingError(
        f"{layer.path}: {layer.each} {feature.number} is at longitude {point[0]:.15g}, latitude {point[1]:.15g}, "
        "but its values say the reverse: its latitude comes first; expected longitude, latitude. "
        "Have the publisher put the axes right"
    )


def _own_position(values: Mapping[str, str | None]) -> tuple[float, float] | None:
    """The longitude and latitude that stand among a feature's values, if they do."""
    for lon, lat in _POSITIONS:
        if lon in values and lat in values:
            said = values[lon], values[lat]
            break
    else:
        found = values.get("geo_point_2d") or ""
        pair = json.loads(found) if isinstance(found, Bare) and found.startswith("{") else {}
        said = pair.get("lon"), pair.get("lat")
    try:
        return float(str(said[0])), float(str(said[1]))
    except ValueError:
        return None


def _near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) < _NEAR and abs(one[1] - other[1]) < _NEAR


def _columns(layer: Layer, flat: Flat, written: list[Path_], *, points: bool) -> tuple[tuple[SourceColumn, ...], str]:
    """The columns, the geometry last, and the FROM item that has exactly them."""
    keys = [key for key in written if key not in _OWN]
    own = {key[0].casefold() for key in keys if len(key) == 1}
    added = [_GEOMETRY]
    if points and not own & {"longitude", "latitude"}:
        added = [_LONGITUDE, _LATITUDE, _GEOMETRY]
    titles = [_title(key, own) for key in keys] + [key[-1] for key in added]
    before = dict(zip(written, flat.columns, strict=True))
    columns, values = [], []
    for name, title, key in zip(lake_names(titles), titles, [*keys, *added], strict=True):
        raw, native = quoted(before[key].name), layer.natives.get(title) if len(key) == 1 else None
        if key == _GEOMETRY:
            native = "GEOMETRY"
        elif key in _OWN:
            native, raw = "DOUBLE", f"CAST({raw} AS DOUBLE)"
        elif native not in {None, "VARCHAR"}:
            raw = f"CAST({raw} AS {native})"
        columns.append(SourceColumn(name, title, native, digits_are_text=before[key].digits_are_text))
        values.append(f"{raw} AS {quoted(name)}")
    return tuple(columns), f"(SELECT {', '.join(values)} FROM {flat.source})"  # noqa: S608  names are quoted


def _title(key: Path_, own: set[str]) -> str:
    """A value's name in the file; that of a member, which a value has too, gets `feature_`."""
    if len(key) == 1:
        return key[0]
    return f"feature_{key[1]}" if key[1].casefold() in own else key[1]


def united(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """GeoJSON's geometries of one kind as that kind's Multi…, others as a collection."""
    kinds = {part["type"] for part in parts}
    if len(kinds) == 1 and kinds <= {"Point", "LineString", "Polygon"}:
        return {"type": f"Multi{kinds.pop()}", "coordinates": [part["coordinates"] for part in parts]}
    return {"type": "GeometryCollection", "geometries": parts}
