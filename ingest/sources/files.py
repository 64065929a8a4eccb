"""A file of the lab's own folder, or any absolute path that the operator may read."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING

from ingest.sources import Fetched, stamp_of
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.model import FileSource


def fetch_file(source: FileSource, root: Path) -> Fetched:
    """Hash the file where it lies; its path is relative to the lab's `root`. Raises SourceError if it is not there."""
    path = root / source.file
    if not path.is_file():
        message = f"{path}: no such file; the descriptor's source names it"
        raise SourceError(message)
    stamp = stamp_of(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise SourceError(message) from None
    return Fetched(
        path=path,
        name=path.name,
        place=source.file,
        sha256=digest,
        bytes=stamp[0],
        stamp=stamp,
        when=dt.datetime.now(dt.UTC).replace(microsecond=0),
    )
