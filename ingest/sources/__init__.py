"""Connectors: one small file each. A connector puts the bytes of a source in a file, or says that they are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path


def stamp_of(path: Path) -> tuple[int, int]:
    """The size of a file in bytes and the time of its last change in ns: another pair, another content."""
    state = path.stat()
    return state.st_size, state.st_mtime_ns


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The bytes of a source, on disk, and what is known of them.

    `place` is where they came from, as the receipt says it; `stamp` is the file's size and time of change, in ns.
    """

    path: Path
    name: str
    place: str
    sha256: str
    bytes: int
    when: dt.datetime
    stamp: tuple[int, int]
    etag: str | None = None
    last_modified: str | None = None
