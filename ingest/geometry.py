"""Geometry as it stands in a file → WKB in longitude and latitude (WGS 84, EPSG:4326), by PROJ and GEOS.

Nothing is fetched: PROJ's network is off, so that a shift grid that is not installed is not used, and the receipt says
how exact the conversion is (`crs_accuracy`, in metres).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import CRS, Transformer, network
from pyproj.exceptions import CRSError, ProjError

from ingest.wkb import is_flat
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""
LONLAT = "EPSG:4326"
_LONLAT = {("EPSG", "4326"), ("OGC", "CRS84")}
_WORLD = (-180.0, -90.0, 180.0, 90.0)
_ROUND = (-360.0, -90.0, 360.0, 90.0)
"""Degrees as they stand in files: past 180 lies what is beyond the antimeridian, as Wallis does in the State's own."""
_POLE = 90.0
_BEYOND = 3.0
"""Degrees that data may reach past the area a system is made for, as waters and neighbours do."""
_MOST_WKT = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A system of coordinates: its name, and how it becomes longitude and latitude (None: it is that already).

    `area` is where its coordinates may be, in degrees (west, south, east, north). `north_first` says that its authority
    gives northing or latitude first; here x is always the easting or longitude.
    """

    name: str
    transformer: Transformer | None
    area: tuple[float, float, float, float]
    north_first: bool

    @property
    def dialect(self) -> dict[str, str | int | None]:
        """What the receipt says of it."""
        if self.transformer is None:
            return {"crs": self.name}
        accuracy = self.transformer.accuracy
        known = {"crs_accuracy": f"{accuracy:g} m"} if accuracy >= 0 else {}
        return {"crs": self.name, "crs_to": LONLAT, **known}


def projection(path: Path, said: str | None, declared: str | None) -> Projection:
    """The system that `said` (a code or WKT in the file) names, or the one that is declared, which goes before.

    Raises ReadingError if there is neither, it is unknown, or PROJ cannot take it to degrees.
    """
    network.set_network_enabled(active=False)  # type: ignore[attr-defined]  # documented, but not in its __all__
    text = declared or said
    if text is None or not text.strip():
        raise ReadingError(
            f"{path}: nothing says in what system its coordinates are (a shapefile has a .prj for that); declare it: "
            'read: {crs: "EPSG:2154"}, which is Lambert 93'
        )
    shown = " ".join(text.split())[:100]
    try:
        return _projection(_known(text))
    except (CRSError, ProjError) as error:
        reason = str(error).split("\n", 1)[0][:200]
        raise ReadingError(
            f"{path}: its coordinates are in {shown!r}, which cannot be taken to longitude and latitude: {reason}; "
            'declare the right system: read: {crs: "EPSG:2154"}'
        ) from None


def _known(text: str) -> CRS:
    """The system of a code or WKT, as its authority defines it where it can be recognised."""
    if len(text) > _MOST_WKT:
        raise CRSError("a definition so long")
    code = text.strip()
    crs = CRS.from_wkt(code) if "[" in code else CRS.from_authority(*_code(code))
    if crs.is_geocentric or not (crs.is_projected or crs.is_geographic):
        raise CRSError("it is neither projected nor geographic")
    crs = crs.to_2d()
    found = crs.to_authority()
    if found is not None:
        return CRS.from_authority(*found)
    if "nadgrids" in code.lower():  # names files, and could name any
        raise CRSError("it names files for the shift of its datum")
    return crs


def _code(text: str) -> tuple[str, str]:
    authority, _, code = text.rpartition(":")
    if not authority.isalnum() or not code.isalnum():
        raise CRSError("expected a code like EPSG:2154")
    return authority.upper(), code.upper()


def _projection(crs: CRS) -> Projection:
    authority = crs.to_authority()
    name = crs.name if authority is None else LONLAT if authority in _LONLAT else ":".join(authority)
    first = crs.axis_info[0].direction if crs.axis_info else "east"
    north_first = first in {"north", "south"}
    if authority in _LONLAT:
        return Projection(name=name, transformer=None, area=_ROUND, north_first=north_first)
    transformer = Transformer.from_crs(crs, LONLAT, always_xy=True, allow_ballpark=False)
    if crs.area_of_use is None:
        area = _WORLD
    else:
        west, south, east, north = crs.area_of_use.bounds
        west, east = (west - _BEYOND, east + _BEYOND) if west < east else (-180.0, 180.0)
        area = (max(west, -180.0), max(south - _BEYOND, -90.0), min(east, 180.0), min(north + _BEYOND, 90.0))
    return Projection(name=name, transformer=transformer, area=area, north_first=north_first)


@dataclass(frozen=True)
class Placed:
    """A batch of geometries in degrees: WKB (ISO), and the longitude and latitude of those that are points.

    `why` says of a geometry that cannot be kept as it is why not.
    """

    wkb: list[bytes | None]
    points: list[tuple[float, float] | None]
    why: list[str | None]


class Places:
    """Takes a layer's geometries to degrees, batch by batch; `all_points` says whether all so far were points."""

    def __init__(
        self,
        path: Path,
        system: Projection,
        rows: int,
        boxes: Mapping[str, Box] = MappingProxyType({}),
        each: str = "feature",
    ) -> None:
        """Geometries of `rows` of the file at `path`, all in one system; `boxes` are where they lie, by who says.

        Errors call a row by `each` and its number.
        """
        self._path, self._system, self._rows, self._boxes, self._each = path, system, rows, boxes, each
        self.all_points = True
        self._placed = self._outside = 0
        self._first: str | None = None
        self._inside: set[str] = set()
        self._exchanged: dict[str, int] = {}
        self._latitude_first: int | None = None

    def place(self, geometries: Sequence[bytes | str | None], numbers: Sequence[int]) -> Placed:
        """Geometries, each as WKB or as GeoJSON, of the features with these numbers.

        One that lies where its system has no coordinates is not kept. Raises ReadingError as `refuse_misplaced` does,
        once it is sure.
        """
        given = np.array([one is not None for one in geometries], dtype=bool)
        read = _read(geometries)
        why: list[str | None] = [None] * len(read)
        for at in np.flatnonzero(given & (read == None)):  # noqa: E711  by element
            why[at] = "its geometry is broken, or none that is known"
        for at in np.flatnonzero(shapely.has_m(read)):
            why[at] = "its geometry has measures (M) that would be lost; export it without them"
        for at in np.flatnonzero(shapely.has_z(read)):
            if np.isnan(shapely.get_coordinates(read[at], include_z=True)[:, 2]).any():
                why[at] = "some of its positions have a height and some have none"
        kept = np.array([one if reason is None else None for one, reason in zip(read, why, strict=True)], dtype=object)
        moved = self._moved(kept)
        for outside, reason in self._astray(kept, moved, numbers):
            why[outside], moved[outside] = reason, None
        if self._outside * 2 > self._rows:
            self._refuse_system()
        self._look(moved, numbers)
        kinds = shapely.get_type_id(moved)
        points = kinds == int(shapely.GeometryType.POINT)
        self.all_points = self.all_points and bool(np.all(points | (kinds == int(shapely.GeometryType.MISSING))))
        points &= ~shapely.is_empty(moved)
        places: list[tuple[float, float] | None] = [None] * len(moved)
        x, y = shapely.get_x(moved[points]), shapely.get_y(moved[points])  # GEOS has none of an empty point
        for where, lon, lat in zip(np.flatnonzero(points).tolist(), x.tolist(), y.tolist(), strict=True):
            places[where] = (lon, lat)
        return Placed(wkb=list(shapely.to_wkb(moved, flavor="iso", byte_order=1)), points=places, why=why)

    def refuse_misplaced(self) -> None:
        """Raise ReadingError if what was placed is in another system than said, or has latitude first.

        It is in another where most lies outside of it. It has latitude first where nothing lies in a box, but something
        would so, or what lies on no globe would lie on it.
        """
        if self._outside > self._placed:
            self._refuse_system()
        for says, number in self._exchanged.items():
            if says not in self._inside:
                west, south, east, north = self._boxes[says]
                raise ReadingError(
                    f"{self._path}: no feature lies where {says} says ({west:g}..{east:g}° E, {south:g}..{north:g}° N)"
                    f", but {self._each} {number} would if its latitude came first; expected longitude, latitude. "
                    "Have the publisher put the axes right, or correct what says where they lie"
                )
        if self._latitude_first is not None and not self._inside:
            raise ReadingError(
                f"{self._path}: {self._each} {self._latitude_first} lies on no globe, but would if its latitude came "
                "first; expected longitude, latitude. Have the publisher put the axes right or mend that "
                "feature, or say in the dataset's `spatial` where the others lie"
            )

    def _refuse_system(self) -> None:
        raise ReadingError(
            f"{self._path}: {self._first}; {self._outside} of the {self._outside + self._placed} read are not there. "
            'If they are in another system, declare it: read: {crs: "EPSG:2154"}'
        )

    def _look(self, shapes: NDArray[Any], numbers: Sequence[int]) -> None:
        """Note in which boxes some shape lies as it is, and in which with its axes exchanged."""
        if self._system.transformer is not None:
            return
        bounds = shapely.bounds(shapes)
        for says, box in self._boxes.items():
            if says in self._inside:
                continue
            if _meets(bounds, box).any():
                self._inside.add(says)
            found = np.flatnonzero(_meets(bounds[:, [1, 0, 3, 2]], box))
            if len(found):
                self._exchanged.setdefault(says, numbers[int(found[0])])

    def _moved(self, geometries: NDArray[Any]) -> NDArray[Any]:
        transformer = self._system.transformer
        if transformer is None:
            return geometries

        def degrees(positions: NDArray[np.float64]) -> NDArray[np.float64]:
            out = positions.copy()
            out[:, 0], out[:, 1] = transformer.transform(positions[:, 0], positions[:, 1])
            return out

        moved, high = geometries.copy(), shapely.has_z(geometries)
        for has_z in (False, True):
            chosen = high == has_z
            moved[chosen] = shapely.transform(geometries[chosen], degrees, include_z=has_z)
        return moved

    def _astray(self, before: NDArray[Any], after: NDArray[Any], numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Which shapes lie where their system has no coordinates, and a sentence that says where."""
        west, south, east, north = self._system.area
        bounds = shapely.bounds(after)
        inside = (bounds[:, 0] >= west) & (bounds[:, 1] >= south) & (bounds[:, 2] <= east) & (bounds[:, 3] <= north)
        some = ~shapely.is_empty(after) & ~shapely.is_missing(after)
        self._placed += int(np.count_nonzero(inside & some))
        for at in np.flatnonzero(~inside & some).tolist():
            self._outside += 1
            lon, lat = shapely.get_coordinates(after[at]).T
            wrong = np.flatnonzero(~((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)))
            x, y = shapely.get_coordinates(before[at])[wrong[0]]
            if self._system.transformer is None:
                expected = f"longitude and latitude in degrees ({LONLAT})"
                if self._latitude_first is None and np.all((np.abs(lon) <= _POLE) & (np.abs(lat) <= 2 * _POLE)):
                    self._latitude_first = numbers[at]
            else:
                area = f"{west:g}..{east:g}° E, {south:g}..{north:g}° N"
                expected = f"coordinates of {self._system.name}, which is for {area}"
            said = f"is at {x:.15g}, {y:.15g}; expected {expected}"
            self._first = self._first or f"{self._each} {numbers[at]} {said}"
            yield at, f"it {said}"


def _meets(bounds: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    west, south, east, north = box
    x, y = (bounds[:, 0] <= east) & (bounds[:, 2] >= west), (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
    return x & y


def _read(geometries: Sequence[bytes | str | None]) -> NDArray[Any]:
    """The geometries, None where there is none or it is broken."""
    safe = [one if not isinstance(one, bytes) or is_flat(one) else b"" for one in geometries]
    given = np.array(safe, dtype=object)
    texts = np.array([isinstance(one, str) for one in safe], dtype=bool)
    found = np.full(len(safe), None, dtype=object)
    found[texts] = shapely.from_geojson(given[texts], on_invalid="ignore")
    with np.errstate(invalid="ignore"):  # a NaN with other bits than NumPy's own warns
        found[~texts] = shapely.from_wkb(given[~texts], on_invalid="ignore")
    return found
