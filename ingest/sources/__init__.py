"""Connectors: one small file each. A connector puts the bytes of a source in files, or says that they are the same.

Each is `fetch_x(source, cache, settings) -> Fetched`: `cache` is a folder of its own that outlives the job.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.model import Format


def stamp_of(path: Path) -> tuple[int, int]:
    """The size of a file in bytes and the time of its last change in ns: another pair, another content."""
    state = path.stat()
    return state.st_size, state.st_mtime_ns


@dataclass(frozen=True)
class Part:
    """One file of what was fetched: where it lies, its name at the source, and its stamp when it was hashed."""

    path: Path
    name: str
    stamp: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The bytes of a source, on disk, and what is known of them.

    `place` is where they came from, as the receipt says it. Several parts are one table. `format` is what the connector
    knows the bytes to be, None if they must say it themselves.
    """

    parts: tuple[Part, ...]
    place: str
    sha256: str
    bytes: int
    when: dt.datetime
    format: Format | None = None
    etag: str | None = None
    last_modified: str | None = None


def fetched_file(path: Path, name: str, place: str, format: Format | None = None) -> Fetched:  # noqa: A002
    """What was fetched, when it is the one file at `path`, hashed now. Raises OSError if it cannot be read."""
    stamp = stamp_of(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Fetched(
        parts=(Part(path, name, stamp),), place=place, sha256=digest, bytes=stamp[0], when=now(), format=format
    )


def fetched_files(files: list[tuple[Path, str]], place: str) -> Fetched:
    """What was fetched, when it is several files, each with its name at the source; in the order of their names.

    Its sha256 is that of the lines `sha256sum` writes of them. Raises OSError if one cannot be read.
    """
    listing = hashlib.sha256()
    parts: list[Part] = []
    for path, name in sorted(files, key=lambda one: one[1]):
        one = fetched_file(path, name, place)
        listing.update(f"{one.sha256}  {name}\n".encode())
        parts += one.parts
    total = sum(part.stamp[0] for part in parts)
    return Fetched(parts=tuple(parts), place=place, sha256=listing.hexdigest(), bytes=total, when=now())


def now() -> dt.datetime:
    """The time, in whole seconds of UTC."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
