"""The streams of an OLE compound file ([MS-CFB]), in which .xls and encrypted .xlsx lie."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST = 0xFFFFFFFA
"""Sector numbers from here on are marks: the end of a chain, or no sector."""
_ENTRY = 128
_MAX_SIZE = 1 << 30
_ROOT, _STREAM = 5, 2


def is_ole(path: Path) -> bool:
    """Whether the file is an OLE compound file: an .xls, an encrypted .xlsx, or another old document of Office."""
    with path.open("rb") as file:
        return file.read(len(OLE)) == OLE


@dataclass(frozen=True)
class Compound:
    """The file's bytes, its chains of sectors, and its streams: the first sector and the size of each by its name."""

    content: bytes
    size: int
    chains: array[int]
    entries: dict[str, tuple[int, int]]
    root: tuple[int, int]
    small: tuple[int, int, array[int]]

    def stream(self, name: str) -> bytes:
        """The bytes of a stream. Raises ValueError if it is cut."""
        start, size = self.entries[name]
        below, unit, chains = self.small
        if size >= below:
            return _joined(self.content, self.size, self.size, self.chains, start)[:size]
        inner = _joined(self.content, self.size, self.size, self.chains, self.root[0])[: self.root[1]]
        return _joined(inner, unit, 0, chains, start)[:size]


def read_compound(path: Path) -> Compound:
    """The compound file at `path`. Raises ValueError or struct.error if it is damaged."""
    if path.stat().st_size > _MAX_SIZE:
        raise ValueError(f"it is larger than {_MAX_SIZE} bytes")
    content = path.read_bytes()
    (shift, small_shift) = struct.unpack_from("<HH", content, 30)
    (first, below, first_small, _, at, more) = struct.unpack_from("<I4xIIIII", content, 48)
    if shift not in {9, 12} or small_shift != 6:  # noqa: PLR2004  [MS-CFB] 2.2 knows no others
        raise ValueError("its sectors have no size that is known")
    size = 1 << shift
    sectors = [one for one in struct.unpack_from("<109I", content, 76) if one < _LAST]
    for _ in range(min(more, len(content) // size)):
        if at >= _LAST:
            break
        table = struct.unpack_from(f"<{size // 4}I", content, (at + 1) * size)
        sectors += [one for one in table[:-1] if one < _LAST]
        at = table[-1]
    if len(sectors) > len(content) // size:
        raise ValueError("its table of sectors is larger than the file")
    chains = _numbers(b"".join(content[(one + 1) * size : (one + 2) * size] for one in sectors))
    directory = _joined(content, size, size, chains, first)
    entries: dict[str, tuple[int, int]] = {}
    root = (_LAST, 0)
    for place in range(0, len(directory) - _ENTRY + 1, _ENTRY):
        length, kind = struct.unpack_from("<HB", directory, place + 64)
        start, bytes_ = struct.unpack_from("<II", directory, place + 116)
        name = directory[place : place + max(length - 2, 0)].decode("utf-16-le", errors="replace")
        if kind == _STREAM:
            entries.setdefault(name.lower(), (start, bytes_))
        elif kind == _ROOT:
            root = (start, bytes_)
    small = _numbers(_joined(content, size, size, chains, first_small))
    return Compound(content, size, chains, entries, root, (below, 1 << small_shift, small))


def _numbers(some: bytes) -> array[int]:
    found = array("I")
    found.frombytes(some[: len(some) // found.itemsize * found.itemsize])
    return found


def _joined(content: bytes, size: int, before: int, chains: array[int], start: int) -> bytes:
    """The sectors of a chain, one after the other; `before` is how many bytes stand before the first."""
    found: list[bytes] = []
    at = start
    while at < _LAST:
        if at >= len(chains) or len(found) > len(content) // size:
            raise ValueError("a chain of its sectors is broken, or has no end")
        found.append(content[before + at * size : before + (at + 1) * size])
        at = chains[at]
    return b"".join(found)
