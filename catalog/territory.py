"""Where the data lie: INSEE codes → the geometry that the lab's own tables of contours have for them.

`[catalog.territories]` says which: `departement = "contours.departements.code"` names a dataset, a resource and its
column of codes; the contours are the resource's geometry. No portal is asked, so a lab without network can do it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb
import shapely

from catalog.query import view_sql
from policies.editions import quoted
from policies.errors import DatalabError, DocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from catalog.lab import Granted, Lab
    from catalog.metadata import Level, Spatial

Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""

CORNERS = 500
"""A territory is told with so many corners at most: a catalogue shows where data lie, it is no map."""

_COARSER = 2.0
_FINEST = 0.0005  # degrees: some 50 m


@dataclass(frozen=True)
class Place:
    """A territory: its name, its box, and its shape (WGS 84; the box itself where nothing finer is known).

    Both are None where the descriptor gives codes alone and the lab has no contours of them; `unknown` names those.
    """

    name: str
    bbox: Box | None
    shape: shapely.Geometry | None
    unknown: tuple[str, ...] = ()

    @property
    def wkt(self) -> str | None:
        """The shape as WKT, to the metre."""
        return None if self.shape is None else shapely.to_wkt(self.shape, rounding_precision=5, trim=True)

    @property
    def geojson(self) -> str | None:
        """The shape as GeoJSON."""
        return None if self.shape is None else shapely.to_geojson(shapely.set_precision(self.shape, 0.00001))


@dataclass
class Territories:
    """The contours that some editions hold. What was resolved is kept: a region's datasets share a few territories."""

    lab: Lab
    granted: Sequence[Granted]
    tables: Mapping[Level, str]
    """Level → `dataset.resource.column`, of `[catalog.territories]`."""
    _known: dict[Spatial, Place] = field(default_factory=dict)

    def place(self, spatial: Spatial) -> Place:
        """Where a dataset lies. Raises DocumentError if datalab.toml names a table that has no such contours."""
        if spatial not in self._known:
            self._known[spatial] = self._resolved(spatial)
        return self._known[spatial]

    def _resolved(self, spatial: Spatial) -> Place:
        shapes: list[shapely.Geometry] = []
        unknown: list[str] = []
        for level, codes in spatial.codes.items():
            found = self._contours(level, codes)
            shapes += found.values()
            unknown += [f"{level} {code}" for code in codes if code not in found]
        if unknown or not shapes:
            box = spatial.bbox
            return Place(spatial.name, box, None if box is None else shapely.box(*box), tuple(unknown))
        shape = simplified(shapely.union_all(shapes))
        west, south, east, north = (float(edge) for edge in shapely.bounds(shape))
        return Place(spatial.name, spatial.bbox or (west, south, east, north), shape)

    def _contours(self, level: Level, codes: Sequence[str]) -> dict[str, shapely.Geometry]:
        """The contour of each of these codes that the lab has; none where its table is not granted."""
        told = self.tables.get(level)
        if told is None:
            return {}
        where = f"{self.lab.root / 'datalab.toml'}: [catalog.territories] {level} = {told!r}"
        dataset, resource, column = told.split(".")
        held = [one for one in self.granted if one.dataset == dataset and resource in one.current.resources]
        if not held:
            return {}
        edition = held[-1]
        served = edition.current.resources[resource]
        kinds = {one.name: one.type for one in served.columns}
        geometry = next((name for name, kind in kinds.items() if kind == "GEOMETRY"), None)
        if column not in kinds or geometry is None:
            lacks = "no geometry" if geometry is None else f"no column {column!r}; it has {', '.join(kinds)}"
            raise DocumentError(f"{where}: {dataset}.{resource} has {lacks}")
        try:
            files = self.lab.lake.files(dataset, edition.edition, resource, served)
            with duckdb.connect() as con:
                rows = con.execute(
                    f"SELECT {quoted(column)}::VARCHAR, st_aswkb({quoted(geometry)}) FROM ({view_sql(files, served)}) "  # noqa: S608
                    f"WHERE list_contains(?, {quoted(column)}::VARCHAR) AND {quoted(geometry)} IS NOT NULL",
                    [list(codes)],
                ).fetchall()
        except duckdb.Error as error:
            raise DatalabError(f"{where}: cannot be read: {str(error).splitlines()[0]}") from None
        parts: dict[str, list[shapely.Geometry]] = {}
        for code, wkb in rows:
            parts.setdefault(code, []).append(shapely.make_valid(shapely.from_wkb(wkb)))
        return {code: shapely.union_all(shapes) for code, shapes in parts.items()}


def simplified(shape: shapely.Geometry) -> shapely.Geometry:
    """The shape with at most CORNERS corners: its outline is straightened, more and more, until it has no more."""
    tolerance = _FINEST
    made = shape
    while shapely.get_num_coordinates(made) > CORNERS:
        made = shapely.simplify(shape, tolerance)
        tolerance *= _COARSER
        if tolerance > 1:
            return shapely.box(*shapely.bounds(shape))
    return made
