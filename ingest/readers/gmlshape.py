"""One geometry of GML → GeoJSON: the straight ones of the simple features profile (OGC 10-100r3)."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from ingest.readers.elements import local
from ingest.readers.layer import ShapeError, united
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    Positions = list[list[float]]

_SURFACES = frozenset({"Surface", "CompositeSurface", "PolyhedralSurface", "TriangulatedSurface", "Tin"})
_MANY = frozenset({"MultiPoint", "MultiLineString", "MultiCurve", "MultiPolygon", "MultiSurface", "MultiGeometry"})
_LINES = frozenset({"LineString", "LinearRing", "LineStringSegment", "Curve", "CompositeCurve", "Ring"})
_PATCHES = frozenset({"Polygon", "PolygonPatch", "Rectangle", "Triangle"})
_OF_ONE_KIND = {"MultiCurve": "MultiLineString", "MultiSurface": "MultiPolygon"}
_UNREAD = frozenset({"OrientableCurve", "OrientableSurface", "Solid", "CompositeSolid", "MultiSolid", "Grid"})
SHAPES = frozenset({"Point", *_LINES, "Polygon", *_SURFACES, *_MANY, *_UNREAD})
"""The elements that are geometries, those that are not read among them."""


def shape(element: Element, *, swapped: bool) -> dict[str, Any]:
    """The geometry, x before y; `swapped` says that in the file y stands before x. Raises ShapeError."""
    made = _shape(element, _dimension(element))
    return _swap(made) if swapped else made


def _dimension(element: Element) -> int:
    """How many numbers a position has, where something says it."""
    said = next((one.get("srsDimension") for one in element.iter() if one.get("srsDimension") is not None), None)
    if said is not None and said not in {"2", "3"}:
        raise ShapeError(f"its geometry has {said[:20]} dimensions; expected 2 or 3")
    return 2 if said is None else int(said)


def _shape(element: Element, dimension: int) -> dict[str, Any]:
    kind = local(element.tag)
    if kind == "Point":
        positions = _positions(element, dimension)
        if len(positions) != 1:
            raise ShapeError(f"a point has {len(positions)} positions")
        return {"type": "Point", "coordinates": positions[0]}
    if kind in _LINES:
        return {"type": "LineString", "coordinates": _line(element, dimension)}
    if kind in _PATCHES:
        return {"type": "Polygon", "coordinates": _rings(element, dimension)}
    if kind in _SURFACES:
        patches = list(_patches(element, dimension))
        if len(patches) == 1:
            return {"type": "Polygon", "coordinates": patches[0]}
        return {"type": "MultiPolygon", "coordinates": patches}
    if kind in _MANY:
        return _many(element, dimension)
    raise ShapeError(f"its geometry has a {kind}, which is not read; export it as straight lines")


def _many(element: Element, dimension: int) -> dict[str, Any]:
    kind = _OF_ONE_KIND.get(local(element.tag), local(element.tag))
    parts = [_shape(one, dimension) for member in element for one in _members(member)]
    if kind == "MultiPolygon":
        rings = (part["coordinates"] if part["type"] == "MultiPolygon" else [part["coordinates"]] for part in parts)
        return {"type": kind, "coordinates": list(chain.from_iterable(rings))}
    if kind == "MultiGeometry":
        return united(parts)
    return {"type": kind, "coordinates": [part["coordinates"] for part in parts]}


def _members(member: Element) -> Iterator[Element]:
    """What stands in a member; one that only refers to something elsewhere has nothing."""
    if any(local(key) == "href" for key in member.attrib):
        raise ShapeError("its geometry refers to another (xlink:href), which is not followed")
    yield from member


def _patches(element: Element, dimension: int) -> Iterator[list[Positions]]:
    for child in element:
        for one in _members(child):
            if local(one.tag) in _PATCHES:
                yield _rings(one, dimension)
            elif local(one.tag) in _SURFACES:
                yield from _patches(one, dimension)
            else:
                raise ShapeError(f"its surface has a {local(one.tag)}, which is not read")


def _rings(element: Element, dimension: int) -> list[Positions]:
    found = [
        (local(side.tag) in {"exterior", "outerBoundaryIs"}, _line(ring, dimension))
        for side in element
        if local(side.tag) in {"exterior", "outerBoundaryIs", "interior", "innerBoundaryIs"}
        for ring in _members(side)
    ]
    if sum(outer for outer, _ in found) != 1:
        raise ShapeError("a polygon has no outer ring, or several")
    return [ring for _, ring in sorted(found, key=lambda one: not one[0])]


def _line(element: Element, dimension: int) -> Positions:
    """The positions of a line or ring; of one in parts, each part starts where the one before it ends."""
    kind = local(element.tag)
    if kind in {"LineString", "LinearRing", "LineStringSegment"}:
        return _positions(element, dimension)
    if kind not in _LINES:
        raise ShapeError(f"its geometry has a {kind}, which is not read; export it as straight lines")
    line: Positions = []
    for child in element:
        for one in _members(child):
            part = _line(one, dimension)
            if line and part[0] != line[-1]:
                raise ShapeError("the parts of its line do not join")
            line += part[1:] if line else part
    if not line:
        raise ShapeError("a line has no position")
    return line


def _positions(element: Element, dimension: int) -> Positions:
    found: Positions = []
    for child in element:
        kind, text = local(child.tag), child.text or ""
        if kind == "pos":
            found.append(_numbers(text.split()))
        elif kind == "posList":
            size = int(child.get("srsDimension", dimension))
            numbers = _numbers(text.split())
            if len(numbers) % size:
                raise ShapeError(f"{count_of(len(numbers), 'number makes', 'numbers make')} no positions of {size}")
            found += [numbers[at : at + size] for at in range(0, len(numbers), size)]
        elif kind == "coordinates":
            found += _coordinates(child, text)
        elif kind == "coord":
            found.append(_numbers([one.text or "" for one in child]))
        elif kind == "pointProperty":
            found += [position for point in _members(child) for position in _positions(point, dimension)]
    if not found or {len(one) for one in found} not in ({2}, {3}):
        raise ShapeError("its positions are missing, or are not all of 2 or of 3 numbers")
    return found


def _coordinates(element: Element, text: str) -> Positions:
    """GML 2: `1.5,2 3,4`, where the element may say that other signs stand between and in numbers."""
    between, decimal = element.get("cs", ","), element.get("decimal", ".")
    after = element.get("ts", " ")
    if after.strip():
        text = text.replace(after, " ")
    if between.strip():
        tuples = [one.split(between) for one in text.split()]
    else:
        raise ShapeError("its coordinates have blanks between their numbers; export it as GML 3")
    return [_numbers([number.replace(decimal, ".") for number in one]) for one in tuples]


def _numbers(texts: list[str]) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError:
        raise ShapeError(f"a position is no number: {' '.join(texts)[:100]!r}") from None


def _swap(made: dict[str, Any]) -> dict[str, Any]:
    if "geometries" in made:
        return {**made, "geometries": [_swap(one) for one in made["geometries"]]}
    return {**made, "coordinates": _swapped(made["coordinates"])}


def _swapped(part: list[Any]) -> list[Any]:
    if part and isinstance(part[0], float):
        return [part[1], part[0], *part[2:]]
    return [_swapped(one) for one in part]
