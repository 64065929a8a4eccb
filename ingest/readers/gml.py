"""GML 2, 3.1 and 3.2 (OGC 10-100r3, simple features), as WFS answers: each kind of feature is a table.

Read without GDAL, which guesses types from texts, so that 01001 becomes 1001, and reads and writes files beside it. A
schema that the document names is never fetched. Geometries of arcs and other curves are rejects, not approximated.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ingest.geometry import projection
from ingest.readers.elements import features, local, survey, values_in
from ingest.readers.flat import Bare
from ingest.readers.gmlshape import SHAPES, shape
from ingest.readers.layer import Feature, Layer, ShapeError, layer_table
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from catalog.model import Reading
    from catalog.receipt import Reject
    from ingest.desk import Desk
    from ingest.table import Table, Tables

_MEMBERS = frozenset({"featureMember", "featureMembers", "member"})
_ID = re.compile(r"(\{http://www\.opengis\.net/gml.*\})?(id|fid)")
_COUNTS = ("numberMatched", "numberReturned", "numberOfFeatures")
"""What the root of a WFS answer says (OGC 09-025r2, 04-094): it may hold only some of the features that there are."""
_BY_AUTHORITY = ("urn:", "http://www.opengis.net/def/crs/", "https://www.opengis.net/def/crs/")
_CODE = re.compile(r"(?i)([A-Z]+)(?:[:/][0-9.]*)?[:/]([A-Z0-9]+)")
_EPSG_XML = re.compile(r"(?i)https?://www\.opengis\.net/gml/srs/epsg\.xml#([0-9]+)")


@dataclass
class _Kind:
    """A kind of features: how many there are, and the systems that their geometries name."""

    count: int = 0
    systems: set[str] = field(default_factory=set)


def read_gml(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The kinds of features in the .gml at `path`, by the names of their elements.

    Raises ReadingError if it is damaged, has a DTD, or has no feature.
    """
    kinds, around, said = _kinds(path)
    if not kinds:
        raise ReadingError(f"{path}: no feature is in it; expected a collection of featureMember or member elements")
    return {
        "" if len(kinds) == 1 else name: partial(_open, path, name, kind, around, said, reading, desk)
        for name, kind in kinds.items()
    }


def _kinds(path: Path) -> tuple[dict[str, _Kind], set[str], dict[str, str]]:
    """The kinds of features, the systems that are named outside of them, and how many features the root speaks of."""
    kinds: dict[str, _Kind] = {}
    around: set[str] = set()
    said: dict[str, str] = {}
    depth = 0

    def see(names: Sequence[str], attributes: dict[str, str]) -> None:
        nonlocal depth
        if len(names) == 1:
            said.update({key: attributes[key] for key in _COUNTS if key in attributes})
        if depth >= len(names):
            depth = 0
        if not depth and _is_feature(names):
            depth = len(names)
            kinds.setdefault(names[-1], _Kind()).count += 1
        named = attributes.get("srsName")
        if named is not None:
            (kinds[names[depth - 1]].systems if depth else around).add(named.strip())

    survey(path, see)
    return kinds, around, said


def _is_feature(names: Sequence[str]) -> bool:
    return len(names) > 1 and names[-2] in _MEMBERS and names[-1] != "FeatureCollection"


def _open(
    path: Path, name: str, kind: _Kind, around: set[str], counts: dict[str, str], reading: Reading, desk: Desk
) -> Table:
    systems = kind.systems or around
    if len(systems) > 1:
        raise ReadingError(
            f"{path}: the geometries of {name} are in {len(systems)} systems: {', '.join(sorted(systems))[:300]}; "
            "export them in one"
        )
    said = next(iter(systems), None)
    system = projection(path, None if said is None else _code(said), reading.crs)
    swapped = said is not None and said.lower().startswith(_BY_AUTHORITY) and system.north_first
    layer = Layer(
        path=path,
        format="gml",
        system=system,
        rows_in=kind.count,
        dialect={**counts, "layer": name, "axes": "northing, easting" if swapped else "easting, northing"},
    )
    return layer_table(layer, _features(path, name, swapped=swapped), desk)


def _code(said: str) -> str:
    """`urn:ogc:def:crs:EPSG::2154`, `http://www.opengis.net/def/crs/EPSG/0/2154` → `EPSG:2154`."""
    old = _EPSG_XML.fullmatch(said)
    if old is not None:
        return f"EPSG:{old[1]}"
    plain = re.sub(r"(?i)^(urn:(ogc|x-ogc):def:crs:|https?://www\.opengis\.net/def/crs/)", "", said)
    found = _CODE.fullmatch(plain)
    return said if found is None else f"{found[1]}:{found[2]}"


def _features(path: Path, wanted: str, *, swapped: bool) -> Iterator[Feature | Reject]:
    number = 0
    for opened in features(path, lambda opened: _is_feature([local(one.tag) for one in opened[-2:]])):
        if local(opened[-1].tag) == wanted:
            number += 1
            yield _feature(number, opened[-1], swapped=swapped)


def _feature(number: int, element: Element, *, swapped: bool) -> Feature | Reject:
    held = [one for one in element if any(local(part.tag) in SHAPES for part in one)]
    shapes = [part for one in held if local(one.tag) != "boundedBy" for part in one if local(part.tag) in SHAPES]
    values = values_in(element, lambda one: local(one.tag) == "boundedBy" or one in held)
    if len(shapes) > 1:
        return Feature(number, values, None).rejected(f"{len(shapes)} geometries stand in one feature")
    try:
        geometry = json.dumps(shape(shapes[0], swapped=swapped)) if shapes else None
    except ShapeError as error:
        return Feature(number, values, None).rejected(str(error))
    return Feature(number, values, geometry, {_name(key): Bare(value) for key, value in element.attrib.items()})


def _name(key: str) -> str:
    return "id" if _ID.fullmatch(key) else local(key)
