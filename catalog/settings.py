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
    port: int = Field(8420, ge=0, le=65535)
    territories: dict[
        Level,
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.[^.]+$")],
    ] = {}
    """Which tables have the contours of INSEE codes: `dataset.resource.column`, by level."""


class CkanSettings(Model):
    """Where the catalogue is published; the token is read from the environment variable named by `token_env`."""

    url: HttpUrl | None = None
    organisation: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{2,100}$")] = "datalab"
    organisation_title: str = "DataLab"
    token_env: str = "DATALAB_CKAN_TOKEN"  # noqa: S105  the name of a variable, not a secret
    timeout: float = Field(60, gt=0, le=600)


class LakeSettings(Model):
    """How long old snapshots can be read: a file stays while one of both rules holds. Receipts stay for ever."""

    keep_versions: int = Field(10, ge=1)
    keep_days: int = Field(30, ge=0)
