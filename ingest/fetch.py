"""A source → its bytes on disk, by the connector of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.sources import FileSource, HttpSource
from ingest.sources.files import fetch_file
from ingest.sources.http import fetch_http

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.sources import Source
    from ingest.settings import IngestSettings
    from ingest.sources import Fetched

CONNECTORS: dict[type, Callable[[Any, Path, IngestSettings], Fetched]] = {
    HttpSource: fetch_http,
}


def fetch(source: Source, root: Path, cache: Path, settings: IngestSettings) -> Fetched:
    """The bytes of the source; a file is left where it lies, under the lab's `root`; all else comes into `cache`.

    Raises SourceError naming the place.
    """
    if isinstance(source, FileSource):
        return fetch_file(source, root)
    cache.mkdir(parents=True, exist_ok=True)
    return CONNECTORS[type(source)](source, cache, settings)
