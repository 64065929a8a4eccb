"""Whether a text in a one-byte encoding is ISO 8859-1 as well, which the engine reads by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ingest.encoding import windows

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 18
_CONTROLS = frozenset(range(0x80, 0xA0))
"""What ISO 8859-1 means by these is nothing that a text has."""


def is_latin(path: Path, encoding: str) -> bool:
    """Whether the file's bytes mean in its encoding what they mean in ISO 8859-1.

    Windows-1252 has signs such as € and ’ from 0x80 to 0x9F: few files have those, and most that do have many.
    """
    others = np.array([_means_another(byte, encoding) for byte in range(256)])
    if others[:0x80].any():
        return False
    first, last = np.flatnonzero(others)[[0, -1]].astype(np.uint8)
    # In memory that is taken once: the kernel gives it page by page, which costs more than to look at a text
    raw = bytearray(_CHUNK)
    text, above = np.frombuffer(raw, np.uint8), np.empty(_CHUNK, np.uint8)
    near = np.empty(_CHUNK, np.bool_)

    def has_others(size: int) -> bool:
        np.subtract(text[:size], first, out=above[:size])
        np.less_equal(above[:size], last - first, out=near[:size])
        return bool(near[:size].any() and others[text[:size][near[:size]]].any())

    for window in windows(path):
        for piece in (window[start : start + _CHUNK] for start in range(0, len(window), _CHUNK)):
            raw[: len(piece)] = piece
            if has_others(len(piece)):
                return False
    with path.open("rb") as file:
        while size := file.readinto(raw):
            if has_others(size):
                return False
    return True


def _means_another(byte: int, encoding: str) -> bool:
    try:
        return byte in _CONTROLS or bytes([byte]).decode(encoding) != chr(byte)
    except UnicodeDecodeError:
        return True
