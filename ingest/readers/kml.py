"""KML (OGC 12-007r2) and KMZ: each folder that has placemarks is a table, coordinates are longitude and latitude.

Read without GDAL, which makes 0 of a text where a schema says number. How placemarks are drawn is left out; links to
other files and hosts are never followed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from ingest.archive import packing_of, unpack
from ingest.readers.elements import features, local, survey, values_in
from ingest.readers.flat import Bare
from ingest.readers.layer import Feature, ShapeError, lonlat_layers, united
from ingest.table import leaving_out
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from catalog.model import Reading
    from catalog.receipt import Reject
    from ingest.desk import Desk
    from ingest.table import Tables

_FOLDERS = frozenset({"Document", "Folder"})
_SIMPLE = {"Point": "Point", "LineString": "LineString", "LinearRing": "LineString"}
_SHAPES = frozenset({*_SIMPLE, "Polygon", "MultiGeometry", "Track", "MultiTrack", "Model"})
_DRAWN = frozenset({"Camera", "LookAt", "Region", "Style", "StyleMap", "balloonVisibility", "visibility", "open"})


def read_kml(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The folders of the .kml or .kmz at `path` that have placemarks.

    Raises ReadingError if it is damaged, has a DTD, or has no placemark.
    """
    file, beside = _unpacked(path, desk) if packing_of(path) == "zip" else (path, [])
    counts = _counts(file)
    if not counts:
        raise ReadingError(f"{path}: no placemark is in it; it may only link to others, which are not followed")
    return leaving_out(lonlat_layers(path, "kml", counts, partial(_features, file), reading, desk), beside)


def _unpacked(path: Path, desk: Desk) -> tuple[Path, list[str]]:
    """The .kml, and the names of the other files."""
    folder = desk.path("kmz")
    files = unpack(path, folder, desk.settings)
    found = [one for one in files if one.suffix.lower() == ".kml"]
    main = [one for one in found if one == folder / "doc.kml"] or found
    if len(main) != 1:
        raise ReadingError(f"{path}: {len(main)} .kml are in the archive; expected one, doc.kml")
    return main[0], [one.relative_to(folder).as_posix() for one in files if one != main[0]]


class _Folders:
    """The names of the folders that are open."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def at(self, depth: int) -> None:
        """A folder starts at this depth (1 for the first)."""
        self._names[depth - 1 :] = [""]

    def named(self, depth: int, text: str) -> None:
        self._names[depth - 1] += text

    def title(self, depth: int) -> str:
        """The folder at this depth, below all but the outermost."""
        names = [name.strip() or "folder" for name in self._names[:depth]]
        return "/".join(names[1:] or names) or "placemarks"


def _counts(file: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    folders = _Folders()

    def see(names: Sequence[str], _: dict[str, str]) -> None:
        if names[-1] in _FOLDERS:
            folders.at(_depth(names))
        elif names[-1] == "Placemark":
            counts[folders.title(_depth(names))] += 1

    def hear(names: Sequence[str], text: str) -> None:
        if names[-1] == "name" and len(names) > 1 and names[-2] in _FOLDERS:
            folders.named(_depth(names), text)

    survey(file, see, hear)
    return counts


def _depth(names: Sequence[str]) -> int:
    return sum(name in _FOLDERS for name in names)


def _features(file: Path, wanted: str) -> Iterator[Feature | Reject]:
    names: dict[Element, str] = {}

    def other(opened: Sequence[Element]) -> None:
        if local(opened[-1].tag) == "name" and len(opened) > 1:
            names[opened[-2]] = opened[-1].text or ""

    number = 0
    for opened in features(file, lambda opened: local(opened[-1].tag) == "Placemark", other):
        folders = _Folders()
        above = [one for one in opened if local(one.tag) in _FOLDERS]
        for depth, one in enumerate(above, start=1):
            folders.at(depth)
            folders.named(depth, names.get(one, ""))
        if folders.title(len(above)) == wanted:
            number += 1
            yield _feature(number, opened[-1])


def _feature(number: int, placemark: Element) -> Feature | Reject:
    values = values_in(placemark, lambda one: local(one.tag) in _SHAPES | _DRAWN | {"ExtendedData"})
    for extended in (one for one in placemark if local(one.tag) == "ExtendedData"):
        values |= _extended(extended, values)
    shapes = [one for one in placemark if local(one.tag) in _SHAPES]
    for track in (one for one in shapes if local(one.tag) == "Track"):
        values |= values_in(track, lambda one: local(one.tag) in _DRAWN | {"coord", "altitudeMode"})
    if len(shapes) > 1:
        return Feature(number, values, None).rejected(f"{len(shapes)} geometries stand in one placemark")
    try:
        geometry = json.dumps(_shape(shapes[0])) if shapes else None
    except ShapeError as error:
        return Feature(number, values, None).rejected(str(error))
    members = {} if placemark.get("id") is None else {"id": Bare(str(placemark.get("id")))}
    return Feature(number, values, geometry, members)


def _extended(extended: Element, taken: dict[str, str | None]) -> dict[str, str | None]:
    """What a placemark's maker says of it: pairs, what a schema names, or elements of other namespaces."""
    found: dict[str, str | None] = {}
    for one in extended.iter():
        name = one.get("name")
        text = one.text
        if local(one.tag) == "Data":
            text = next((value.text for value in one if local(value.tag) == "value"), None)
        elif local(one.tag) != "SimpleData":
            continue
        key = name or "data"
        count = 1
        while key in found or key in taken:
            count += 1
            key = f"{name}_{count}"
        found[key] = Bare(text) if text is not None and text.strip() else None
    rest = values_in(extended, lambda one: local(one.tag) in {"Data", "SchemaData"})
    return {**rest, **found}


def _shape(element: Element) -> dict[str, Any]:
    kind = local(element.tag)
    if kind in _SIMPLE:
        positions = _positions(element)
        return {"type": _SIMPLE[kind], "coordinates": positions[0] if kind == "Point" else positions}
    if kind == "Polygon":
        rings = [
            _positions(ring)
            for side in ("outerBoundaryIs", "innerBoundaryIs")
            for bound in element
            if local(bound.tag) == side
            for ring in bound
        ]
        return {"type": "Polygon", "coordinates": rings}
    if kind == "Track":
        coords = [one.text or "" for one in element if local(one.tag) == "coord"]
        return {"type": "LineString", "coordinates": [_numbers(text.split()) for text in coords]}
    if kind == "MultiGeometry":
        return united([_shape(one) for one in element if local(one.tag) in _SHAPES])
    raise ShapeError(f"its geometry is a {kind}, which is not read")


def _positions(element: Element) -> list[list[float]]:
    text = next((one.text for one in element if local(one.tag) == "coordinates"), None) or ""
    found = [_numbers(one.split(",")) for one in re.sub(r"\s*,\s*", ",", text).split()]
    if not found or len({len(one) for one in found}) > 1:
        raise ShapeError("its positions are missing, or are not all of 2 or of 3 numbers")
    return found


def _numbers(texts: list[str]) -> list[float]:
    try:
        found = [float(text) for text in texts]
    except ValueError:
        found = []
    if len(found) not in {2, 3}:
        raise ShapeError(f"the position {' '.join(texts)[:100]!r} is not of 2 or 3 numbers")
    return found
