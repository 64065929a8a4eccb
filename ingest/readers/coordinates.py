"""Long arrays of coordinates, taken out of a GeoJSON text before its JSON is read, and drawn by NumPy and GEOS.

As an object of Python each number would take ten times the time and memory. What is in any way unusual is put back,
and read as all else is.
"""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from itertools import accumulate, chain
from json import JSONDecoder
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import shapely

from ingest.readers.flat import MAX_RECORD, Bare
from ingest.readers.jsontext import JsonDecoder, refuse_large
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONG = 1_000
"""An array of fewer signs stays in the text."""
_KEY = re.compile(r'"coordinates"[ \t\r\n]*:[ \t\r\n]*(?=\[)')
"""No such signs stand in a text: there a backslash stands before each quote."""
_KEY_SIGNS = 100
_NUMBERS = re.compile(r"[-+.eE0-9,\[\] \t\r\n]*")
"""The array, and what stands between it and the bracket or key that follows: no brace, so no feature is lost in it."""
_LEVELS = {"MultiPoint": 0, "LineString": 0, "MultiLineString": 1, "Polygon": 1, "MultiPolygon": 2}
"""How many lists of lists there are around the lists of positions."""
_DECODER = JSONDecoder(parse_int=float)


class Coordinates:
    """What was taken out of a file: `taken` are the arrays, by the text that stands in place of each."""

    def __init__(self, path: Path, *, kept: bool = True) -> None:
        """Of the file at `path`; arrays that are not `kept` are dropped."""
        self._path, self._kept = path, kept
        self._mark = token_hex(16)
        self._number = 0
        self.taken: dict[str, str] = {}

    def slim(self, text: str, *, whole: bool) -> tuple[str, str]:
        """The text without long arrays, up to where one or its key may go on if it is not `whole`; and the rest.

        Raises ReadingError for an array larger than a record may be.
        """
        out, at = [], 0
        while (key := _KEY.search(text, at)) is not None:
            numbers = _NUMBERS.match(text, key.end())
            if numbers is None or (numbers.end() == len(text) and not whole):
                break
            array = numbers[0][: numbers[0].rfind("]") + 1]
            whole_array = len(array) >= _LONG and array.count("[") == array.count("]")
            out += [text[at : key.end()], self._take(array) if whole_array else array]
            at = key.end() + len(array)
        stop = len(text) if whole else max(at, len(text) - _KEY_SIGNS) if key is None else key.start()
        return "".join([*out, text[at:stop]]), text[stop:]

    def drawn(self, feature: Any) -> bytes | None:
        """The feature's geometry as WKB, if its array was taken out. All that is not drawn is put back."""
        shape = None
        if self.taken and isinstance(feature, dict):
            geometry = feature if feature.get("type") in _LEVELS else feature.get("geometry")
            if isinstance(geometry, dict) and geometry.get("type") in _LEVELS:
                mark = geometry.get("coordinates")
                if isinstance(mark, str) and mark in self.taken:
                    shape = _shape(geometry["type"], self.taken[mark])
                    geometry["coordinates"] = mark if shape is None else Bare(self.taken.pop(mark))
            self._put_back(feature)
        return shape

    def _take(self, array: str) -> str:
        refuse_large(str(self._path), array)
        self._number += 1
        mark = f"{self._mark}{self._number}"
        if self._kept:
            self.taken[mark] = array
        return f'"{mark}"'

    def _put_back(self, value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, one in list(items):
            if isinstance(one, str) and one in self.taken:
                value[key] = JsonDecoder().decode(self.taken.pop(one))
            elif isinstance(one, dict | list):
                self._put_back(one)


class SlimText:
    """The text of a file without its long arrays."""

    def __init__(self, path: Path, file: TextIO, aside: Coordinates) -> None:
        """Read `file`, the text of the file at `path`; `aside` gets the arrays."""
        self._path, self._file, self._aside = path, file, aside
        self._rest, self._ended = "", False

    def read(self, size: int) -> str:
        """The next piece of about `size` signs, or longer; "" at the end."""
        piece = ""
        while size > 0 and not piece and not self._ended:
            chunk = self._file.read(max(size, len(self._rest)))
            self._ended = not chunk
            piece, self._rest = self._aside.slim(self._rest + chunk, whole=self._ended)
            refuse_large(str(self._path), self._rest)
        if sum(map(len, self._aside.taken.values())) > 2 * MAX_RECORD:  # of one record, and of the next
            raise ReadingError(f"{self._path}: a record of more than {MAX_RECORD} signs; that is no table")
        return piece


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles, which walks through all lists each time some were made, and doubles the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _shape(kind: str, array: str) -> bytes | None:
    """The geometry as WKB; None where it is not wholly regular. Raises ValueError if the array is no JSON."""
    with _uncollected():
        parts = _DECODER.decode(array)
        offsets = []
        try:
            for _ in range(_LEVELS[kind]):
                offsets.append(np.array([0, *accumulate(map(len, parts))]))
                parts = list(chain.from_iterable(parts))
            sizes = set(map(len, parts))
            numbers = np.fromiter(chain.from_iterable(parts), np.float64)
        except (TypeError, ValueError):  # of another depth than its kind's
            return None
        finally:
            del parts
    if sizes not in ({2}, {3}) or not np.isfinite(numbers).all() or any((np.diff(one) == 0).any() for one in offsets):
        return None
    positions = numbers.reshape(-1, sizes.pop())
    if kind.endswith("Polygon"):
        rings = offsets[-1]
        if (np.diff(rings) < 4).any() or (positions[rings[:-1]] != positions[rings[1:] - 1]).any():  # noqa: PLR2004
            return None
    one = np.array([0, len(offsets[0]) - 1 if offsets else len(positions)])
    try:
        drawn = shapely.from_ragged_array(shapely.GeometryType[kind.upper()], positions, tuple([one, *offsets][::-1]))
    except (ValueError, shapely.errors.GEOSException):
        return None
    return bytes(shapely.to_wkb(drawn[0], flavor="iso"))
