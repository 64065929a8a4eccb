"""The sections `[catalog]`, `[ckan]` and `[lake]` of datalab.toml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, HttpUrl, StringConstraints

from catalog.metadata import Level
from policies.document import Model


class CatalogSettings(Model):
    """What the portal and the DCAT feed say of the lab itself."""

    title: str = "DataLab"
    description: str = "Les données d'un territoire, typées, versionnées et prouvées."
    url: HttpUrl = HttpUrl("http://127.0.0.1:8420/")
    publisher: str = "DataLab"
    api: HttpUrl | None = None
    """Where others reach the SQL gateway; None: the catalogue tells of none."""
    port: int = Field(8420, ge=0, le=65535)
    territories: dict[
        Level,
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.[^.]+$")],
    ] = {}
    """Which tables have the contours of INSEE codes: `dataset.resource.column`, by level."""

    @property
    def base(self) -> str:
        """Where the portal answers, with a slash at the end."""
        return str(self.url).rstrip("/") + "/"

    @property
    def api_base(self) -> str | None:
        """Where the SQL gateway answers, with a slash at the end, if it is told."""
        return None if self.api is None else str(self.api).rstrip("/") + "/"


class CkanSettings(Model):
    """Where the catalogue is published; the token is read from the environment variable named by `token_env`.

    `workers` calls are made at a time. `private` tells CKAN also of editions that only some may open, as private
    datasets, which the members of the organisation there see. Open tables of at most `datastore_rows` rows are put into
    CKAN's DataStore; 0: none.
    """

    url: HttpUrl | None = None
    organisation: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{2,100}$")] = "datalab"
    organisation_title: str = "DataLab"
    token_env: str = "DATALAB_CKAN_TOKEN"  # noqa: S105  the name of a variable, not a secret
    timeout: float = Field(60, gt=0, le=600)
    workers: int = Field(4, ge=1, le=32)
    private: bool = False
    datastore_rows: int = Field(0, ge=0, le=100_000)


class LakeSettings(Model):
    """How long old snapshots can be read: a file stays while one of both rules holds. Receipts stay for ever."""

    keep_versions: int = Field(10, ge=1)
    keep_days: int = Field(30, ge=0)
