"""Whether a .shp has measures (M), which GDAL drops in silence where the first shape has none.

Layout: ESRI Shapefile Technical Description (1998), pages 4 to 20.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_HEAD, _RECORD = 100, 8
_POINTS = frozenset({11, 21})
_MULTIPOINTS = frozenset({18, 28})
_MEASURED = frozenset({*_POINTS, *_MULTIPOINTS, 13, 15, 23, 25, 31})
_NO_DATA = -1e38


def has_measures(path: Path) -> bool | None:
    """Whether any position has a measure other than 0; None if there are no measures, not even 0."""
    found = None
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if struct.unpack_from("<i", head, 32)[0] not in _MEASURED:
            return None
        while len(start := file.read(_RECORD)) == _RECORD:
            content = file.read(max(struct.unpack(">ii", start)[1], 0) * 2)
            measures = _measures(content)
            given = measures[measures > _NO_DATA]
            if np.any(given != 0):
                return True
            found = found if len(given) == 0 else False
    return found


def _measures(content: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The measures stand at a record's end, one for each of its points, if the record is long enough to have any."""
    none = np.empty(0, np.float64)
    kind = struct.unpack_from("<i", content)[0] if len(content) >= 4 else 0  # noqa: PLR2004  the type's size
    if kind not in _MEASURED:
        return none
    if kind in _POINTS:
        return np.frombuffer(content[-8:], "<f8") if len(content) == (36 if kind == 11 else 28) else none  # noqa: PLR2004
    at = 36 if kind in _MULTIPOINTS else 40
    if len(content) < at + 4:
        return none
    (count,) = struct.unpack_from("<i", content, at)
    parts = 0 if kind in _MULTIPOINTS else struct.unpack_from("<i", content, 36)[0]
    before = at + 4 + parts * (8 if kind == 31 else 4) + count * 16  # noqa: PLR2004  multipatches have kinds of parts
    heights = 16 + count * 8 if kind in {11, 13, 15, 18, 31} else 0
    if count <= 0 or len(content) < before + heights + 16 + count * 8:
        return none
    return np.frombuffer(content[-count * 8 :], "<f8")
