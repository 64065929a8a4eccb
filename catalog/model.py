"""What a steward describes: `datasets/<slug>.yaml`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    Field,
    HttpUrl,
    StringConstraints,
    field_validator,
    model_validator,
)

from catalog.metadata import (
    Contact,
    Hvd,
    Language,
    LegalBasis,
    Publisher,
    Sensitivity,
    Spatial,
    Temporal,
    Text,
    Title,
    Upstream,
    among,
)
from catalog.quality import Check
from catalog.sources import Source
from catalog.vocabulary import FREQUENCIES, LICENCES, THEMES
from policies.document import Model

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Format = Literal[
    "csv",
    "xlsx",
    "xls",
    "ods",
    "json",
    "ndjson",
    "geojson",
    "shapefile",
    "gpkg",
    "kml",
    "gpx",
    "gml",
    "xml",
    "parquet",
    "gtfs",
]
ColumnType = Literal[
    "text",
    "integer",
    "decimal",
    "float",
    "boolean",
    "date",
    "time",
    "timestamp",
    "geometry",
    "commune",
    "departement",
    "region",
    "epci",
    "siren",
    "siret",
    "postal_code",
    "naf",
    "email",
    "phone",
    "url",
    "latitude",
    "longitude",
    "iban",
]
"""The types a column may be declared or proven to have; decimals carry precision and scale when proven.

From `commune` on they say what is meant: latitude and longitude are floats, the others texts.
"""

Mode = Literal["snapshot", "append", "merge"]
"""What new bytes do to the table: they are all of it, come below it, or replace the rows that have the same key."""
REFRESHES = {"hourly": "0 * * * *", "daily": "0 4 * * *", "weekly": "0 4 * * 1", "monthly": "0 4 1 * *"}
"""The words for a schedule, as cron says them."""

RESERVED = frozenset({"main", "temp", "system", "information_schema", "pg_catalog"})
"""Names that DuckDB keeps for its own schemas, so no dataset may have them."""


def _schedule(text: str) -> str:
    cron = REFRESHES.get(text, text)
    expected = f"expected {', '.join(REFRESHES)}, or five fields as in cron: minute hour day month weekday"
    if len(cron.split()) != 5:  # noqa: PLR2004  CronSim would take seconds as a sixth
        message = f"{text!r} is no schedule; {expected}"
        raise ValueError(message)
    try:
        next(CronSim(cron, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)))
    except (CronSimError, StopIteration) as error:
        message = f"{text!r} is no schedule ({error or 'it never comes'}); {expected}"
        raise ValueError(message) from None
    return text


Refresh = Annotated[str, AfterValidator(_schedule)]
"""When the source is asked again: a word of REFRESHES, or a cron expression, in the lab's time zone."""


class Reading(Model):
    """How to read the bytes, where detection should not decide.

    `table` chooses one of the tables of a file that holds several: a sheet, a layer, a file in an archive. An empty
    `quote` says that there are none, and `newline` what alone ends a row: other line ends are then signs of a cell.
    `header_row` is the line or row of the names, 0 where there is none, and `header_rows` how many they take. `names`
    are those to give the columns, whatever the file calls them. `data_row` is the line or row of the first row of data,
    below units and the like, and `footer_rows` how many rows at the end are notes. `records` is the path to the records
    of a JSON or XML document. `crs` says in what system coordinates are, where the file does not. `missing` are the
    markers that stand for a missing or secret value.
    """

    format: Format | None = None
    table: str | None = None
    encoding: str | None = None
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=4)] | None = None
    quote: Annotated[str, StringConstraints(max_length=1)] | None = None
    escape: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    newline: Literal["lf", "crlf", "cr"] | None = None
    header_row: Annotated[int, Field(ge=0)] | None = None
    header_rows: Annotated[int, Field(ge=1, le=5)] = 1
    names: Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1)] | None = None
    data_row: Annotated[int, Field(ge=1)] | None = None
    footer_rows: Annotated[int, Field(ge=0)] | None = None
    records: str | None = None
    crs: Annotated[str, StringConstraints(pattern=r"^[A-Z]+:[0-9A-Z]+$")] | None = None
    missing: tuple[str, ...] | None = None

    @field_validator("names")
    @classmethod
    def _no_name_twice(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for place, name in enumerate(names or ()):
            if name.casefold() in map(str.casefold, (names or ())[:place]):
                message = f"{name!r} stands twice; give each column a name of its own"
                raise ValueError(message)
        return names


class Column(Model):
    """What a steward knows of one column; `type`, when given, is enforced and rows that break it are rejected."""

    title: Title | None = None
    description: Text | None = None
    unit: str | None = None
    type: ColumnType | None = None


class Resource(Model):
    """One table of a dataset, with its source.

    `key` are the columns by which `mode: merge` knows a row. A snapshot with fewer rows than the one before, by more
    than the share `max_drop` (of `[ingest]` when None), waits for a steward. `refresh` None: as the dataset says.
    `quality` are rules that what comes must keep (catalog/quality.py): where it breaks one, it waits, too.
    """

    title: Title
    description: Text | None = None
    source: Source
    origin: str
    read: Reading = Reading()
    tableschema: str | None = None
    columns: dict[str, Column] = {}
    quality: tuple[Check, ...] = ()
    mode: Mode = "snapshot"
    key: tuple[str, ...] = ()
    max_drop: Annotated[float, Field(ge=0, le=1)] | None = None
    refresh: Refresh | None = None

    @model_validator(mode="after")
    def _key_with_merge(self) -> Self:
        if (self.mode == "merge") != (self.key != ()):
            message = "'mode: merge' and 'key: [COLUMN, …]' go together: the key says which row a new row replaces"
            raise ValueError(message)
        return self


class Dataset(Model):
    """What `datasets/<slug>.yaml` says: metadata, and one or more resources.

    `hvd` are categories of high-value datasets. `provenance` tells how the data came to be. `harvested` says where the
    descriptor was taken from.
    """

    title: Title
    description: Text
    publisher: Publisher
    contact: Contact
    themes: tuple[str, ...] = Field(min_length=1)
    keywords: dict[Language, tuple[str, ...]]
    licence: str
    licence_note: str | None = None
    frequency: str
    spatial: Spatial
    temporal: Temporal | None = None
    issued: dt.date
    landing_page: HttpUrl | None = None
    hvd: tuple[Hvd, ...] = ()
    legal_basis: tuple[LegalBasis, ...] = ()
    provenance: Text | None = None
    sensitivity: Sensitivity = "public"
    harvested: Upstream | None = None
    refresh: Refresh | None = None
    resources: dict[Slug, Resource] = Field(min_length=1)

    @field_validator("themes")
    @classmethod
    def _known_themes(cls, themes: tuple[str, ...]) -> tuple[str, ...]:
        for theme in themes:
            among(theme, list(THEMES), "theme")
        return themes

    @field_validator("licence")
    @classmethod
    def _known_licence(cls, licence: str) -> str:
        return among(licence, list(LICENCES), "licence")

    @field_validator("frequency")
    @classmethod
    def _known_frequency(cls, frequency: str) -> str:
        return among(frequency, list(FREQUENCIES), "frequency")

    @field_validator("resources")
    @classmethod
    def _no_name_of_rejects(cls, resources: dict[str, Resource]) -> dict[str, Resource]:
        for name in resources:
            if name.endswith("_rejects"):
                message = f"resource {name!r}: names that end in '_rejects' are kept for rejected rows"
                raise ValueError(message)
        return resources
