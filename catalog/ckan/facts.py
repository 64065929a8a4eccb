"""What CKAN is told of a dataset under the names that ckanext-dcat reads, and the form in which a CKAN takes it. Pure.

A CKAN takes facts as extras, which are texts: a list as JSON, the parts of a fact each as one of their own. Under
ckanext-scheming, those that its schema has a field for must be that field, and a list or parts as they are
(https://docs.ckan.org/projects/ckanext-dcat/en/latest/mapping/).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from catalog.metadata import said
from catalog.vocabulary import EU, HVD, HVD_LAW, LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.entries import Entry

Wire = dict[str, Any]
"""A dict as CKAN's actions take it, or give it back."""

Fact = str | list[str] | dict[str, str]
"""A text, several texts, or the parts of one thing; empty when there is nothing to say."""

PARTS = {
    "publisher": ("publisher", ("uri", "name", "url", "identifier")),
    "contact": ("contact", ("uri", "name", "email")),
    "spatial_coverage": ("spatial", ("uri", "text", "bbox", "geom")),
    "temporal_coverage": ("temporal", ("start", "end")),
}
"""The facts that have parts: the prefix of their extras, and the parts."""

_TEXTS = ("uri", "identifier", "issued", "modified", "frequency", "access_rights", "provenance")
_LISTS = ("theme", "language", "hvd_category", "applicable_legislation", "source")


def extra_name(fact: str, part: str) -> str:
    """The extra that holds a part: `publisher_name`; the geometry is `spatial`, as ckanext-spatial wants it."""
    return "spatial" if part == "geom" else f"{PARTS[fact][0]}_{part}"


EXTRAS = frozenset({*_TEXTS, *_LISTS, *(extra_name(fact, part) for fact in PARTS for part in PARTS[fact][1])})
"""Every extra that a fact may become."""

FIELDS = frozenset({*_TEXTS, *_LISTS, *PARTS})
"""Every field of a schema that a fact may become."""


@dataclass(frozen=True)
class Field:
    """One field of a schema: a text, a list of texts, or parts, of which it has `parts`."""

    kind: Literal["text", "list", "parts"]
    parts: tuple[str, ...] = ()

    def takes(self, fact: Fact) -> bool:
        """Whether the fact can be said in this field."""
        return isinstance(fact, dict) == (self.kind == "parts")

    def value(self, fact: Fact) -> str | list[str] | list[dict[str, str]]:
        """The fact as the field takes it."""
        if isinstance(fact, dict):
            told = {part: text for part, text in fact.items() if part in self.parts and text}
            return [told] if told else []
        if self.kind == "list":
            return fact if isinstance(fact, list) else [fact] if fact else []
        return _text(fact)


@dataclass(frozen=True)
class Schema:
    """The fields that ckanext-scheming gives a CKAN's datasets and resources; none where CKAN has no such extension."""

    dataset: Mapping[str, Field] = field(default_factory=dict)
    resource: Mapping[str, Field] = field(default_factory=dict)

    @classmethod
    def read(cls, told: Wire) -> Schema:
        """The schema as `scheming_dataset_schema_show` tells it."""
        return cls(_fields(told.get("dataset_fields")), _fields(told.get("resource_fields")))


def _fields(told: object) -> dict[str, Field]:
    found = {}
    for one in told if isinstance(told, list) else []:
        if "repeating_subfields" in one:
            parts = tuple(part["field_name"] for part in one["repeating_subfields"])
            found[one["field_name"]] = Field("parts", parts)
        else:
            many = "scheming_multiple_text" in (one.get("validators") or "")
            found[one["field_name"]] = Field("list" if many else "text")
    return found


def fields_and_extras(facts: Mapping[str, Fact], schema: Schema) -> tuple[Wire, dict[str, str]]:
    """The facts as the schema's fields, and as extras those that it has no field for; empty extras are left out."""
    fields: Wire = {}
    extras: dict[str, str] = {}
    for name, fact in facts.items():
        there = schema.dataset.get(name)
        if there is not None and there.takes(fact):
            fields[name] = there.value(fact)
        elif isinstance(fact, dict):
            extras |= {extra_name(name, part): text for part, text in fact.items()}
        else:
            extras[name] = _text(fact)
    return fields, {name: text for name, text in extras.items() if text}


def resource_fields(facts: Mapping[str, Fact], schema: Schema) -> Wire:
    """The facts of a resource: its fields may have any name, so only their form is the schema's."""
    text = Field("text")
    return {name: schema.resource.get(name, text).value(fact) for name, fact in facts.items()}


def _text(fact: str | list[str]) -> str:
    if isinstance(fact, str):
        return fact
    return json.dumps(fact, ensure_ascii=False) if fact else ""


def facts(base_url: str, entry: Entry, *, private: bool) -> dict[str, Fact]:
    """What is said of an edition, as the portal's DCAT says it: the same nodes, the same words."""
    described, page = entry.dataset, f"{base_url}datasets/{entry.slug}"
    publisher, temporal, place = described.publisher, described.temporal, entry.place
    node = f"{page}#{entry.edition}"
    upstream = "" if described.harvested is None else described.harvested.identifier
    return {
        "uri": node,
        "identifier": node,
        "issued": described.issued.isoformat(),
        "modified": entry.modified.isoformat(),
        "frequency": f"{EU}frequency/{described.frequency}",
        "access_rights": f"{EU}access-right/{'RESTRICTED' if private else 'PUBLIC'}",
        "provenance": "" if described.provenance is None else said(described.provenance).strip(),
        "theme": [f"{EU}data-theme/{code}" for code in described.themes],
        "language": [f"{EU}language/{LANGUAGES[lang]}" for lang in described.title],
        "hvd_category": [HVD[word]["uri"] if word in HVD else word for word in described.hvd],
        "applicable_legislation": laws(entry),
        "source": [upstream] if upstream.startswith(("http://", "https://")) else [],
        "publisher": {
            "uri": f"{base_url}#publisher-{publisher.siren or quote(publisher.name, safe='')}",
            "name": publisher.name,
            "url": "" if publisher.url is None else str(publisher.url),
            "identifier": publisher.siren or "",
        },
        "contact": {
            "uri": f"{page}#contact-point",
            "name": described.contact.name,
            "email": described.contact.email,
        },
        "spatial_coverage": {
            "uri": f"{page}#place-covered",
            "text": place.name,
            "bbox": "" if place.bbox is None else _ring(place.bbox),
            "geom": place.geojson or "",
        },
        "temporal_coverage": {
            "start": "" if temporal is None or temporal.start is None else temporal.start.isoformat(),
            "end": "" if temporal is None or temporal.end is None else temporal.end.isoformat(),
        },
    }


def laws(entry: Entry) -> list[str]:
    """The laws that have an address; a high-value dataset is under EU 2023/138, as DCAT-AP asks, on its files too."""
    urls = [str(basis.url) for basis in entry.dataset.legal_basis if basis.url is not None]
    return list(dict.fromkeys([*urls, HVD_LAW] if entry.dataset.hvd else urls))


def _ring(box: tuple[float, float, float, float]) -> str:
    west, south, east, north = box
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    return f"POLYGON(({', '.join(f'{x:.10g} {y:.10g}' for x, y in corners)}))"
