"""A source → its bytes on disk, by the connector of its kind."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from catalog.sources import (
    CkanSource,
    FeaturesSource,
    FileSource,
    HttpSource,
    MariadbSource,
    MqttSource,
    OpendatasoftSource,
    PagesSource,
    PostgresSource,
    S3Source,
    SftpSource,
    UdataSource,
    WfsSource,
)
from ingest.sources.files import fetch_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.sources import Source
    from ingest.settings import IngestSettings
    from ingest.sources import Fetched

    Connector = Callable[[Source, Path, IngestSettings], Fetched]

CONNECTORS = {
    HttpSource: "http",
    PagesSource: "pages",
    OpendatasoftSource: "opendatasoft",
    UdataSource: "udata",
    CkanSource: "ckan",
    WfsSource: "wfs",
    FeaturesSource: "features",
    PostgresSource: "postgresql",
    MariadbSource: "mariadb",
    S3Source: "s3",
    SftpSource: "sftp",
    MqttSource: "mqtt",
}
"""The module of each kind in `ingest.sources`, whose `fetch_<module>` it is; loaded when it is asked for, because their
libraries together take longer to load than most commands to run."""


def fetch(source: Source, root: Path, cache: Path, settings: IngestSettings) -> Fetched:
    """The bytes of the source; a file is left where it lies, under the lab's `root`; all else comes into `cache`.

    Raises SourceError naming the place.
    """
    if isinstance(source, FileSource):
        return fetch_file(source, root, settings)
    cache.mkdir(parents=True, exist_ok=True)
    name = CONNECTORS[type(source)]
    connector = cast("Connector", getattr(import_module(f"ingest.sources.{name}"), f"fetch_{name}"))
    return connector(source, cache, settings)
