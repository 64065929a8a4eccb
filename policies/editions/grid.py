"""Places → the centre of a cell of a grid: how a steward asks for it, and the SQL.

Cells are squares of so many metres on the sphere of the Earth's mean radius (R1 = 6 371 008.8 m: H. Moritz, "Geodetic
Reference System 1980", Journal of Geodesy 74, 2000), in rows from the equator on; each row is cut from the Greenwich
meridian on, by the length of its middle parallel, as in a sinusoidal grid (J. P. Snyder, "Map Projections: A Working
Manual", USGS Professional Paper 1395, 1987, p. 243). The sphere makes a cell at most 0.7 % longer or shorter than it
would be on the ellipsoid.
"""

from __future__ import annotations

import math

from pydantic import Field

from policies.document import Model

_RADIUS = 6_371_008.8
_METRES_PER_DEGREE = math.pi * _RADIUS / 180
_POLE = 89.9


class Grid(Model):
    """The centre of a cell of `grid` metres, of a point; or of a longitude, whose column of latitudes is named."""

    grid: float = Field(gt=0, le=1_000_000, allow_inf_nan=False)
    latitude: str | None = None


def cell(longitude: str, latitude: str, metres: float) -> tuple[str, str]:
    """The expressions of the longitude and the latitude of a cell's centre, in degrees (WGS 84), from two expressions.

    Both are NULL where either is, or lies beyond the poles or 180 degrees.
    """
    height = repr(metres / _METRES_PER_DEGREE)
    x, y = f"CAST({longitude} AS DOUBLE)", f"CAST({latitude} AS DOUBLE)"
    middle = f"greatest(least((floor({y} / {height}) + 0.5) * {height}, {_POLE}), -{_POLE})"
    width = f"({height} / cos(radians({middle})))"
    centre = f"greatest(least((floor({x} / {width}) + 0.5) * {width}, 180), -180)"
    there = f"{x} BETWEEN -180 AND 180 AND {y} BETWEEN -90 AND 90"
    return tuple(f"CASE WHEN {there} THEN round({one}, 6) END" for one in (centre, middle))  # type: ignore[return-value]


def point_cell(geometry: str, metres: float, said: str) -> str:
    """The expression of the cell's centre as WKB, from an expression of the WKB of points; another shape stops with
    the error `said` (a SQL string). An empty point becomes NULL.
    """
    shown = f"st_astext(st_geomfromwkb({geometry}))"
    x, y = (f"TRY_CAST(regexp_extract({shown}, '\\(([^ ]+) ([^ )]+)', {at}) AS DOUBLE)" for at in (1, 2))
    longitude, latitude = cell(x, y, metres)
    made = f"st_aswkb(CAST('POINT (' || {longitude} || ' ' || {latitude} || ')' AS GEOMETRY))"
    return f"CASE WHEN {geometry} IS NULL THEN NULL WHEN {shown} NOT LIKE 'POINT%' THEN error({said}) ELSE {made} END"
