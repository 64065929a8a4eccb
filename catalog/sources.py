"""Where the bytes of a resource are: one model for each kind of source, named by its first key.

No source holds a secret: it holds the name of an environment variable that does (`Secret`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, HttpUrl, StringConstraints, Tag
from pydantic.functional_validators import AfterValidator

from policies.document import Model

Secret = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
"""The name of the environment variable that holds a password or a token."""
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]


def _no_secrets(url: HttpUrl) -> HttpUrl:
    if url.username is not None or url.password is not None:
        message = "secrets do not belong in a descriptor: take the user name and password out of the address"
        raise ValueError(message)
    return url


Web = Annotated[HttpUrl, AfterValidator(_no_secrets)]


class FileSource(Model):
    """A file beside the descriptor, or many that are one table: a glob such as `data/2024-*.csv`, or a folder.

    The path is relative to the lab.
    """

    file: str


class HttpSource(Model):
    """A file that a web server gives; `authorization` is sent as the header of that name, to that host alone."""

    url: Web
    authorization: Secret | None = None


class PagesSource(Model):
    """Records that a JSON API gives page by page.

    `records` is the path to the list of records in an answer (`results`, `data.items`; the answer itself when empty).
    `next` says how the next page is asked for: `offset` and `page` count in the query parameter `parameter`, `cursor`
    takes the value at the path `cursor` of the answer for it, and an address that stands at that path as it is; `link`
    follows the Link header (RFC 8288).
    """

    pages: Web
    records: str = ""
    next: Literal["offset", "page", "cursor", "link"]
    parameter: str | None = None
    first: Annotated[int, Field(ge=0)] | None = None
    cursor: str | None = None
    size: Annotated[int, Field(ge=1)] | None = None
    size_parameter: str = "limit"
    authorization: Secret | None = None


class OpendatasoftSource(Model):
    """A dataset of an Opendatasoft portal, by the exports of its Explore API v2.1; `opendatasoft` is the portal."""

    opendatasoft: Web
    dataset: str
    where: str | None = None
    select: str | None = None
    apikey: Secret | None = None


class UdataSource(Model):
    """A resource of a udata portal, such as https://www.data.gouv.fr, by the id of its dataset and its own."""

    udata: Web
    dataset: str
    resource: str


class CkanSource(Model):
    """A resource of a CKAN portal by its id: its file, or its rows in the DataStore."""

    ckan: Web
    resource: str
    datastore: bool = False
    token: Secret | None = None


class WfsSource(Model):
    """A layer of an OGC Web Feature Service (1.1 and 2.0), page by page."""

    wfs: Web
    layer: str
    authorization: Secret | None = None


class FeaturesSource(Model):
    """A collection of an OGC API Features service, page by page; `features` is the service's landing page."""

    features: Web
    collection: str
    authorization: Secret | None = None


class Database(Model):
    """How a database is reached."""

    host: Host
    port: Port | None = None
    database: str
    user: str
    password: Secret | None = None
    tls: bool = True


class PostgresSource(Model):
    """What a query answers on a PostgreSQL server."""

    postgresql: Database
    query: str


class MariadbSource(Model):
    """What a query answers on a MariaDB or MySQL server."""

    mariadb: Database
    query: str


class S3Source(Model):
    """An object of an S3-compatible store, or all whose keys match a glob; `s3` is the store's endpoint."""

    s3: Web
    bucket: str
    key: str
    region: str = "us-east-1"
    access_key: Secret | None = None
    secret_key: Secret | None = None


class SftpSource(Model):
    """A file on an SFTP server, or all that match a glob; `host_key` is the server's public key as ssh-keyscan says."""

    sftp: Host
    port: Port = 22
    path: str
    user: str
    host_key: str
    password: Secret | None = None
    private_key: Secret | None = None


class MqttSource(Model):
    """The messages that come on a topic in a window of time, each a row: topic, time, and what its JSON says."""

    mqtt: Host
    port: Port = 1883
    topic: str
    seconds: Annotated[float, Field(gt=0, le=3600)]
    messages: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    tls: bool = False
    user: str | None = None
    password: Secret | None = None


KINDS: dict[str, type[Model]] = {
    "file": FileSource,
    "url": HttpSource,
    "pages": PagesSource,
    "opendatasoft": OpendatasoftSource,
    "udata": UdataSource,
    "ckan": CkanSource,
    "wfs": WfsSource,
    "features": FeaturesSource,
    "postgresql": PostgresSource,
    "mariadb": MariadbSource,
    "s3": S3Source,
    "sftp": SftpSource,
    "mqtt": MqttSource,
}
"""The kinds of source, by the key that names each."""


def _kind_of(source: Any) -> str:
    """Which source is meant, so that an error speaks of that one alone."""
    has = source.__contains__ if isinstance(source, dict) else lambda key: hasattr(source, key)
    return next((kind.__name__ for key, kind in KINDS.items() if has(key)), FileSource.__name__)


Source = Annotated[
    Annotated[FileSource, Tag("FileSource")]
    | Annotated[HttpSource, Tag("HttpSource")]
    | Annotated[PagesSource, Tag("PagesSource")]
    | Annotated[OpendatasoftSource, Tag("OpendatasoftSource")]
    | Annotated[UdataSource, Tag("UdataSource")]
    | Annotated[CkanSource, Tag("CkanSource")]
    | Annotated[WfsSource, Tag("WfsSource")]
    | Annotated[FeaturesSource, Tag("FeaturesSource")]
    | Annotated[PostgresSource, Tag("PostgresSource")]
    | Annotated[MariadbSource, Tag("MariadbSource")]
    | Annotated[S3Source, Tag("S3Source")]
    | Annotated[SftpSource, Tag("SftpSource")]
    | Annotated[MqttSource, Tag("MqttSource")],
    Discriminator(_kind_of),
]
