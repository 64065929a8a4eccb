"""Where the bytes of a resource are: one model for each kind of source, named by its first key.

No source holds a secret: it holds the name of an environment variable that does (`Secret`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, HttpUrl, StringConstraints, Tag, model_validator
from pydantic.functional_validators import AfterValidator

from policies.document import Model

Secret = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
"""The name of the environment variable that holds a password or a token."""
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]*$")]
"""An id or slug that stands in an address."""
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
    `next` says how the next page is asked for: `offset` and `page` count in the query parameter `parameter` (of the
    same name if not said) from `first` on, `cursor` takes the value at the path `cursor` of the answer for the
    parameter, or follows the address that stands there if there is no parameter; `link` follows the Link header
    (RFC 8288). `total` is the path to how many records there are; it is looked for if not said, and false says that
    the answer has no such number.
    """

    pages: Web
    records: str = ""
    next: Literal["offset", "page", "cursor", "link"]
    parameter: str | None = None
    first: Annotated[int, Field(ge=0)] | None = None
    cursor: str | None = None
    size: Annotated[int, Field(ge=1)] | None = None
    size_parameter: str = "limit"
    total: str | Literal[False] | None = None
    authorization: Secret | None = None

    @model_validator(mode="after")
    def _has_a_cursor(self) -> PagesSource:
        if (self.next == "cursor") != (self.cursor is not None):
            message = "`next: cursor` and `cursor: …`, the path to the next page's value or address, belong together"
            raise ValueError(message)
        return self


class OpendatasoftSource(Model):
    """A dataset of an Opendatasoft portal, by the exports of its Explore API v2.1; `opendatasoft` is the portal.

    `export` is the form of its export; if not said, GeoJSON where the dataset has one field of shapes, else JSON
    lines. `where` and `select` are ODSQL.
    """

    opendatasoft: Web
    dataset: Identifier
    where: str | None = None
    select: str | None = None
    export: Literal["jsonl", "geojson", "parquet"] | None = None
    apikey: Secret | None = None


class UdataSource(Model):
    """A file of a udata portal, such as https://www.data.gouv.fr: a dataset by its id or slug, and its resource by id.

    The title serves for a resource, too, where no other of the dataset has the same.
    """

    udata: Web
    dataset: Identifier
    resource: str


class CkanSource(Model):
    """A resource of a CKAN portal by its id: its file, or its rows in the DataStore."""

    ckan: Web
    resource: Identifier
    datastore: bool = False
    token: Secret | None = None


class WfsSource(Model):
    """A layer of an OGC Web Feature Service (1.1 and 2.0), `size` features a page.

    `sort` names a property that is different for each feature, where the server cannot page without.
    """

    wfs: Web
    layer: str
    size: Annotated[int, Field(ge=1)] = 5000
    sort: str | None = None
    authorization: Secret | None = None


class FeaturesSource(Model):
    """A collection of an OGC API Features service, `size` features a page; `features` is the service's landing page."""

    features: Web
    collection: str
    size: Annotated[int, Field(ge=1)] = 1000
    authorization: Secret | None = None


class Database(Model):
    """How a database is reached: over TLS, with a certificate for `host`, unless `tls` is false.

    `SSL_CERT_FILE` in the environment names the authorities, where they are not the usual ones.
    """

    host: Host
    port: Port | None = None
    database: str
    user: str
    password: Secret | None = None
    tls: bool = True


class PostgresSource(Model):
    """What a query answers on a PostgreSQL server. With ORDER BY, the same rows are known to be the same."""

    postgresql: Database
    query: str


class MariadbSource(Model):
    """What a query answers on a MariaDB or MySQL server. With ORDER BY, the same rows are known to be the same."""

    mariadb: Database
    query: str


class S3Source(Model):
    """An object of an S3-compatible store, or all whose keys match a glob; `s3` is the store's endpoint.

    Without keys the bucket is asked as anybody may.
    """

    s3: Web
    bucket: str
    key: str
    region: str = "us-east-1"
    access_key: Secret | None = None
    secret_key: Secret | None = None

    @model_validator(mode="after")
    def _both_keys(self) -> S3Source:
        if (self.access_key is None) != (self.secret_key is None):
            message = "access_key and secret_key go together: give both, or neither"
            raise ValueError(message)
        return self


class SftpSource(Model):
    """A file on an SFTP server, or all that match a glob.

    `host_key` is the server's public key, `ssh-ed25519 AAAA…`, as its operator gives it; `ssh-keyscan HOST` shows it.
    """

    sftp: Host
    port: Port = 22
    path: str
    user: str
    host_key: str
    password: Secret | None = None
    private_key: Secret | None = None


class MqttSource(Model):
    """The messages that come on a topic in a window of time, each a row: topic, time, and what its JSON says.

    The window is `seconds` long and ends before that with as many `messages`. `topic` may hold `+` and `#`. With a
    password, `tls` must be said: without it, all on the way read the password.
    """

    mqtt: Host
    port: Port = 1883
    topic: str
    seconds: Annotated[float, Field(gt=0, le=3600)]
    messages: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    tls: bool | None = None
    user: str | None = None
    password: Secret | None = None

    @model_validator(mode="after")
    def _says_how_the_password_goes(self) -> MqttSource:
        if self.password is not None and self.tls is None:
            message = "say tls: true, or tls: false if all on the way to the broker may read the password"
            raise ValueError(message)
        return self


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
