"""What a portal says of one dataset, in its own words, whatever the portal: between `portals/` and `drafting`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Texts = Mapping[str, str]
"""Texts by their language as the portal writes it, `""` where it does not say."""


@dataclass(frozen=True, kw_only=True)
class Party:
    """An organisation or a person. `number` is a SIREN or a SIRET, or what stands where one would."""

    name: str | None = None
    email: str | None = None
    url: str | None = None
    number: str | None = None


@dataclass(frozen=True, kw_only=True)
class Area:
    """A territory: `shape` is GeoJSON or WKT, `box` west, south, east, north in degrees as they were written."""

    name: str | None = None
    shape: str | Mapping[str, Any] | None = None
    box: tuple[str, str, str, str] | None = None
    codes: tuple[str, ...] = ()
    """What stands for territories: `fr:departement:76`, `country:fr`, or addresses such as INSEE's."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A column: what the portal says of it beside its name."""

    name: str
    title: str | None = None
    description: str | None = None
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Link:
    """Something to fetch. `key` is how the portal knows it, for ever; `source` the connector's keys, None for `url`.

    `form` is its format as the portal writes it, or a media type. `aside` says that it is no data, and what it is.
    """

    key: str
    title: Texts
    description: Texts = field(default_factory=dict)
    url: str | None = None
    form: str | None = None
    source: Mapping[str, Any] | None = None
    fields: tuple[Field, ...] = ()
    schema: str | None = None
    aside: str | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One dataset of a portal, as it says it. `portal` is the portal's address, `identifier` how it knows the dataset.
    A file that no portal tells of has no portal, and says nothing but its name.

    `name` is its readable name there, if it has one. `language` is that of texts that do not say theirs. `basis` are
    laws, by name and address. `restricted` says why the data may not be for everyone. `notes` are what a steward must
    know beside all that, as `(key of the descriptor, what)`.
    """

    portal: str | None
    identifier: str
    title: Texts
    description: Texts
    name: str | None = None
    page: str | None = None
    language: str = "fr"
    markdown: bool = False
    publisher: Party | None = None
    contacts: tuple[Party, ...] = ()
    themes: tuple[str, ...] = ()
    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    licences: tuple[str, ...] = ()
    licence_note: str | None = None
    frequency: str | None = None
    areas: tuple[Area, ...] = ()
    start: str | None = None
    end: str | None = None
    issued: str | None = None
    created: str | None = None
    modified: str | None = None
    hvd: tuple[str, ...] = ()
    basis: tuple[tuple[str, str | None], ...] = ()
    provenance: Texts = field(default_factory=dict)
    restricted: str | None = None
    links: tuple[Link, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
