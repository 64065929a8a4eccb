"""Territories, as portals say them → a descriptor's `spatial`: a name, and a box in degrees or INSEE's codes."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import shapely
from shapely.errors import ShapelyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingest.harvest.draft import Values
    from ingest.harvest.record import Area

Box = tuple[float, float, float, float]

_LARGEST = 4 * 2**20  # signs of one shape
_GLOBE = (-180.0, -90.0, 180.0, 90.0)
_FRANCE: Box = (-63.2, -21.4, 55.9, 51.1)
_MAINLAND: Box = (-5.2, 41.3, 9.6, 51.1)
_WORLD: Box = _GLOBE
_COUNTRIES = {
    "country:fr": ("France", _FRANCE),
    "country subset:fr:metro": ("France métropolitaine", _MAINLAND),
    "country-subset:fr:metro": ("France métropolitaine", _MAINLAND),
    "country-group:world": ("Monde", _WORLD),
}
_LEVELS = {
    "commune": ("communes", r"([0-9]{2}|2[AB])[0-9]{3}"),
    "epci": ("epci", r"[0-9]{9}"),
    "departement": ("departements", r"[0-9]{2}|2[AB]|9[78][0-9]"),
    "region": ("regions", r"[0-9]{2}"),
}
"""The levels that a descriptor knows, and how their codes look."""
_ZONE = re.compile(r"fr:(commune|epci|departement|region):([0-9A-Z]+)")
"""As udata writes them (https://github.com/etalab/geozones)."""
_INSEE = re.compile(r"https?://id\.insee\.fr/geo/(commune|departement|region)/([0-9A-Z]+)(?:/.*)?")
_EU_COUNTRY = "http://publications.europa.eu/resource/authority/country/FRA"
_CRS = re.compile(r"\s*<([^>]*)>\s*")
_NORTH_FIRST = ("/EPSG/0/4326", "EPSG::4326", "EPSG:4326")
_EAST_FIRST = ("/OGC/1.3/CRS84", "CRS84", "CRS:84")
_HALF = 180.0


@dataclass
class Placed:
    """What the areas come to: `values` is None if they say no place; `guessed` and `told` are for a steward."""

    values: Values | None = None
    guessed: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def spatial(areas: Iterable[Area]) -> Placed:
    """The `spatial` of a descriptor, of all areas together: INSEE's codes where they are said, else one box around."""
    placed = Placed()
    names: list[str] = []
    codes: dict[str, list[str]] = {}
    boxes: list[Box] = []
    for area in areas:
        if area.name:
            names.append(area.name)
        boxes += [box for box in (_box(area, placed),) if box is not None]
        for code in area.codes:
            level, bare = _level(code)
            if level is not None:
                codes.setdefault(level, []).append(bare)
            elif code in _COUNTRIES or code == _EU_COUNTRY:
                name, box = _COUNTRIES.get(code, _COUNTRIES["country:fr"])
                names.append(name)
                boxes.append(box)
            else:
                placed.told.append(f"the portal says the place {code[:200]!r}, which the lab cannot resolve")
    where: Values = {level: list(dict.fromkeys(found)) for level, found in codes.items()}
    if boxes:
        where["bbox"] = [round(edge(box[place] for box in boxes), 5) for place, edge in enumerate((min, min, max, max))]
    if not where:
        placed.told += [f"the portal says {name!r}, and not where that is" for name in dict.fromkeys(names)]
        return placed
    if names:
        name = ", ".join(dict.fromkeys(names))[:200]
    else:
        name = _named(where)
        placed.guessed.append("the portal does not name the place")
    order = ("bbox", *(of for of, _ in _LEVELS.values()))
    placed.values = {"name": name, **{key: where[key] for key in order if key in where}}
    return placed


def _named(where: Values) -> str:
    said = [f"{level} {', '.join(where[of][:5])}" for level, (of, _) in _LEVELS.items() if of in where]
    if said:
        return "; ".join(said)
    west, south, east, north = where["bbox"]
    return f"de {west:g}, {south:g} à {east:g}, {north:g}"


def _level(code: str) -> tuple[str | None, str]:
    """The descriptor's key for a code of INSEE's, and the code; None where it is none of those known."""
    found = _ZONE.fullmatch(code) or _INSEE.fullmatch(code)
    if found is not None:
        of, pattern = _LEVELS[found[1]]
        if re.fullmatch(pattern, found[2]):
            return of, found[2]
    return None, code


def _box(area: Area, placed: Placed) -> Box | None:
    """The box of one area, whole and on the globe; None, with what is wrong told, if there is none."""
    if area.box is not None:
        edges: tuple[float, ...] | None = _numbers(area.box)
    elif area.shape is not None:
        edges = _bounds(area.shape)
    else:
        return None
    if edges is None:
        said = area.box if area.box is not None else str(area.shape)[:80]
        placed.told.append(f"the portal's place {said!r} cannot be read")
        return None
    west, south, east, north = edges
    if south > north:
        south, north = north, south
        placed.guessed.append("the portal has south and north the other way round")
    if west > east:
        if west - east < _HALF:
            west, east = east, west
            placed.guessed.append("the portal has west and east the other way round")
        else:
            west, east = -_HALF, _HALF
            placed.guessed.append("the place lies across the date line; the box goes around the globe")
    if not (-_HALF <= west <= east <= _HALF and -_HALF / 2 <= south <= north <= _HALF / 2):
        placed.told.append(f"the portal's box {[west, south, east, north]} is not in degrees")
        return None
    return west, south, east, north


def _numbers(said: Iterable[str]) -> tuple[float, ...] | None:
    try:
        found = tuple(float(str(one).strip().replace(",", ".")) for one in said)
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None


def _bounds(shape: str | Mapping[str, Any]) -> tuple[float, ...] | None:
    """The bounds of GeoJSON or of WKT, longitude first; None if it is neither, or too much."""
    try:
        text = shape if isinstance(shape, str) else json.dumps(shape)
        if len(text) > _LARGEST:
            return None
        if text.lstrip().startswith("{"):
            content = json.loads(text)
            inside = content.get("geometry") if content.get("type") == "Feature" else content
            made, swapped = shapely.from_geojson(json.dumps(inside)), False
        else:
            crs = _CRS.match(text)
            name = "" if crs is None else crs[1]
            if name and not name.endswith(_NORTH_FIRST + _EAST_FIRST):
                return None
            # GeoSPARQL: the axes are those of the system that is named, and CRS84's if none is
            swapped = bool(name) and name.endswith(_NORTH_FIRST)
            made = shapely.from_wkt(re.sub(r"^\s*SRID=\d+;", "", text if crs is None else text[crs.end() :]))
    except (ShapelyError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    west, south, east, north = (float(edge) for edge in shapely.bounds(made))
    found = (south, west, north, east) if swapped else (west, south, east, north)
    return found if all(map(math.isfinite, found)) else None
