"""Which of two coordinates is the eastern one: what a service says of it and what it sends are not always the same.

`EPSG:4326` means latitude first to the EPSG and to WFS from 1.1 on, longitude first to GeoJSON and to much software. So
where it matters positions are held against the box in degrees that the service gives of the layer.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Literal

from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

Order = Literal["xy", "yx"]
"""East first, or north first."""
Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""
_CRS84 = re.compile(r"(.*[:/#])?CRS:?84", re.IGNORECASE)
_EPSG = re.compile(r"(.*[:/])?EPSG(:{1,2}|:[0-9.]+:|/[0-9.]+/|\.xml#)([0-9]+)", re.IGNORECASE)
_SLACK = 0.01  # of the box's size, and degrees: boxes are rounded


def code_of(name: str) -> str | None:
    """`OGC:CRS84` or `EPSG:n`, however it is written; None if the name is of neither kind."""
    if _CRS84.fullmatch(name):
        return "OGC:CRS84"
    found = _EPSG.fullmatch(name)
    return None if found is None else f"EPSG:{found[3]}"


def official_order(code: str, url: str) -> Order:
    """The order that the authority says. Raises SourceError if PROJ does not know the system."""
    try:
        return "yx" if CRS(code).axis_info[0].direction.lower() == "north" else "xy"
    except (ProjError, IndexError):
        raise SourceError(f"{url}: the coordinate system {code} is not known here; ask for another layer") from None


def seen_order(positions: Iterable[tuple[float, float]], code: str, box: Box | None) -> Order | None:
    """The order in which all positions that tell it lie in the box; None if none does, or they contradict."""
    if box is None:
        return None
    told: set[Order] = set()
    for first, second in positions:
        east, north = _inside(first, second, code, box), _inside(second, first, code, box)
        if east != north:
            told.add("xy" if east else "yx")
    return told.pop() if len(told) == 1 else None


def _inside(x: float, y: float, code: str, box: Box) -> bool:
    longitude, latitude = _to_degrees(code).transform(x, y)
    west, south, east, north = box
    wide, high = _SLACK + _SLACK * (east - west), _SLACK + _SLACK * (north - south)
    return bool(west - wide <= longitude <= east + wide and south - high <= latitude <= north + high)


@cache
def _to_degrees(code: str) -> Transformer:
    return Transformer.from_crs(code, "OGC:CRS84", always_xy=True)
