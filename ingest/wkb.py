"""Well-known binary (OGC 06-103r4): how deep geometries stand in geometries, before a library recurses into them."""

from __future__ import annotations

import struct

MAX_DEPTH = 100
_POINT, _LINE, _POLYGON, _TRIANGLE, _ARC = 1, 2, 3, 17, 8
_OF_PARTS = frozenset({4, 5, 6, 7, 9, 10, 11, 12, 15, 16})
_Z, _M, _SRID = 0x80000000, 0x40000000, 0x20000000


def is_flat(wkb: bytes) -> bool:
    """Whether the geometry is whole, with no more than MAX_DEPTH levels of geometries in geometries.

    GEOS 3.14 recurses into any number of them until the process dies.
    """
    at, left = 0, [1]
    try:
        while left and len(left) <= MAX_DEPTH:
            if left[-1] == 0:
                left.pop()
                continue
            left[-1] -= 1
            order = "<" if wkb[at] == 1 else ">"
            (kind,) = struct.unpack_from(f"{order}I", wkb, at + 1)
            at += 9 if kind & _SRID else 5
            flat, size = _size(kind)
            if flat == _POINT:
                at += size
                continue
            (count,) = struct.unpack_from(f"{order}I", wkb, at)
            at += 4
            if flat in {_LINE, _ARC}:
                at += count * size
            elif flat in {_POLYGON, _TRIANGLE}:
                for _ in range(count):
                    (positions,) = struct.unpack_from(f"{order}I", wkb, at)
                    at += 4 + positions * size
            elif flat in _OF_PARTS:
                left.append(count)
            else:
                return False
    except (struct.error, IndexError):
        return False
    return not left and at <= len(wkb)


def _size(kind: int) -> tuple[int, int]:
    """The kind of geometry in two dimensions, and how many bytes a position has."""
    plain = kind & 0x0FFFFFFF
    more = (1 if kind & _Z else 0) + (1 if kind & _M else 0) + {0: 0, 1: 1, 2: 1, 3: 2}.get(plain // 1000, 0)
    return plain % 1000, 8 * (2 + more)
