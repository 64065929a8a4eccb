"""What everyone is granted → what CKAN should hold: an organisation, a group a theme, a dataset an edition. Pure.

Values are written as CKAN 2.12 gives them back, so that a comparison finds only real changes. Extras have the names
that ckanext-dcat reads, so that CKAN's own DCAT says what the portal's says.
"""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from catalog.dcat import LABELS, MEDIA_TYPES
from catalog.download import FORMATS, Format, as_it_is
from catalog.metadata import said
from catalog.vocabulary import EU, LANGUAGES, LICENCES, THEMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.entries import Entry
    from catalog.settings import CkanSettings

Wire = dict[str, Any]
"""A dict as CKAN's actions take it, or give it back."""

MARK = "datalab"
"""The extra that says whose an organisation, group or dataset is: the name of the lab's organisation."""

OWNS = "datalab_owns"
"""The extra that lists, as JSON, the tags and groups of a dataset that are ours and not a curator's."""

OWNED_EXTRAS = frozenset(
    {
        MARK,
        OWNS,
        *("uri", "identifier", "issued", "modified", "frequency", "theme", "language", "access_rights"),
        *("publisher_uri", "publisher_name", "publisher_url", "publisher_identifier"),
        *("contact_uri", "contact_name", "contact_email"),
        *("spatial", "spatial_text", "temporal_start", "temporal_end"),
    }
)
"""Every extra that `package_dict` may write. One that it no longer writes is taken away."""

USUAL = "open"
_REFUSED_NAMES = {"new", "edit", "search"}
_NAMESPACE = uuid.UUID("6f1d7a53-9f0e-5b0c-8e0e-3f6f1f5d2b61")
_SHORTEST, _LONGEST = 2, 100


@dataclass(frozen=True)
class Catalogue:
    """What a CKAN should hold of a lab, or holds: dicts as `*_create` takes them, or as `*_show` gives them.

    Organisations and groups are found by name, as datasets point to them so; datasets by id.
    """

    organisations: dict[str, Wire]
    groups: dict[str, Wire]
    datasets: dict[str, Wire]


def catalogue(settings: CkanSettings, base_url: str, entries: Sequence[Entry]) -> Catalogue:
    """What CKAN should hold of these entries; they must be what everyone is granted, for all of it is public.

    `base_url` is where the portal answers, with a slash at the end.
    """
    datasets = [package_dict(settings, base_url, entry) for entry in entries]
    themes = sorted({code for entry in entries for code in entry.dataset.themes})
    groups = [group_dict(settings, code) for code in themes]
    organisation = organisation_dict(settings)
    return Catalogue(
        organisations={organisation["name"]: organisation},
        groups={group["name"]: group for group in groups},
        datasets={dataset["id"]: dataset for dataset in datasets},
    )


def stable_id(kind: str, *names: str) -> str:
    """The id of an organisation, group, dataset or resource: uuid5 of its names in a namespace of the DataLab's own.

    A dataset's and a resource's start with the organisation, so two labs on one CKAN, which need two organisations,
    have different ids for the same slug. The portal's address is no part of it: a lab may move.
    """
    return str(uuid.uuid5(_NAMESPACE, "/".join((kind, *names))))


def organisation_dict(settings: CkanSettings) -> Wire:
    """The lab's organisation."""
    return {
        "id": stable_id("organisation", settings.organisation),
        "name": settings.organisation,
        "title": settings.organisation_title.strip(),
        "extras": [{"key": MARK, "value": settings.organisation}],
    }


def group_dict(settings: CkanSettings, theme: str) -> Wire:
    """The group of a theme. All labs of a CKAN share it, and the first to need it makes it."""
    name = group_name(theme)
    return {
        "id": stable_id("group", name),
        "name": name,
        "title": THEMES[theme]["fr"],
        "extras": [{"key": MARK, "value": settings.organisation}],
    }


def group_name(theme: str) -> str:
    """CKAN has one set of names for groups and organisations: the prefix keeps clear of a town called Tech."""
    return f"theme-{theme.lower()}"


def package_name(entry: Entry) -> str:
    """The dataset's address in CKAN: the slug; `<slug>-<edition>` if the edition is not the usual one.

    So it is for the slugs that CKAN refuses as names, too. A slug has no hyphen: no two datasets get one name.
    """
    usual = entry.edition == USUAL and len(entry.slug) >= _SHORTEST and entry.slug not in _REFUSED_NAMES
    return entry.slug if usual else f"{entry.slug}-{entry.edition}"


def tag_name(keyword: str) -> str | None:
    """The keyword as CKAN takes it: letters, digits, space and `-_.`, 2 to 100 of them; None if too little is left."""
    plain = re.sub(r"[^\w\-.]+", " ", unicodedata.normalize("NFC", keyword))
    name = " ".join(plain.split())[:_LONGEST].strip()
    return name if len(name) >= _SHORTEST else None


def package_dict(settings: CkanSettings, base_url: str, entry: Entry) -> Wire:
    """The dataset as `package_create` takes it: every field, extra and resource that is ours, with stable ids.

    CKAN has one language, so texts are French where there is French. `owner_org` is the id that the organisation gets
    when we make it; one that stood there before has another, which the plan puts in.
    """
    described, name = entry.dataset, package_name(entry)
    page = f"{base_url}datasets/{entry.slug}"
    keywords = (tag_name(keyword) for words in described.keywords.values() for keyword in words)
    tags = sorted({tag for tag in keywords if tag is not None})
    groups = sorted({group_name(code) for code in described.themes})
    extras = {
        **_extras(base_url, page, entry),
        MARK: settings.organisation,
        OWNS: json.dumps({"groups": groups, "tags": tags}, ensure_ascii=False),
    }
    return {
        "id": stable_id("dataset", settings.organisation, name),
        "name": name,
        "title": said(described.title).strip(),
        "notes": said(described.description).strip(),
        "url": page if described.landing_page is None else str(described.landing_page),
        "author": described.publisher.name.strip(),
        "owner_org": stable_id("organisation", settings.organisation),
        "license_id": LICENCES[described.licence].ckan,
        "private": False,
        "state": "active",
        "tags": [{"name": tag} for tag in tags],
        "groups": [{"name": group} for group in groups],
        "extras": [{"key": key, "value": value} for key, value in sorted(extras.items()) if value],
        "resources": [
            _resource(settings, base_url, entry, resource, form) for resource in entry.resources for form in FORMATS
        ],
    }


def _extras(base_url: str, page: str, entry: Entry) -> dict[str, str | None]:
    described, node = entry.dataset, f"{page}#{entry.edition}"
    publisher, temporal = described.publisher, described.temporal
    start, end = (None, None) if temporal is None else (temporal.start, temporal.end)
    languages = (LANGUAGES[lang] for lang in described.title)
    return {
        "uri": node,
        "identifier": node,
        "issued": described.issued.isoformat(),
        "modified": entry.modified.isoformat(),
        "frequency": f"{EU}frequency/{described.frequency}",
        "theme": json.dumps([f"{EU}data-theme/{code}" for code in described.themes]),
        "language": json.dumps([f"{EU}language/{code}" for code in languages]),
        "access_rights": f"{EU}access-right/PUBLIC",
        "publisher_uri": f"{base_url}#publisher-{publisher.siren or quote(publisher.name, safe='')}",
        "publisher_name": publisher.name,
        "publisher_url": None if publisher.url is None else str(publisher.url),
        "publisher_identifier": publisher.siren,
        "contact_uri": f"{page}#contact-point",
        "contact_name": described.contact.name,
        "contact_email": described.contact.email,
        "spatial": entry.place.geojson,
        "spatial_text": described.spatial.name,
        "temporal_start": None if start is None else start.isoformat(),
        "temporal_end": None if end is None else end.isoformat(),
    }


def _resource(settings: CkanSettings, base_url: str, entry: Entry, name: str, form: Format) -> Wire:
    """One download of one table. Every field is always there, None when there is nothing to say: so it is taken away.

    `license` and `rights`, `conforms_to`, `access_url` and `download_url` are for ckanext-dcat, the two that start
    with `datalab_` for people.
    """
    resource, served = entry.resources[name]
    described = entry.dataset
    url = f"{base_url}data/{entry.slug}/{entry.edition}/{name}.{form}"
    schema = resource.tableschema
    is_address = schema is not None and schema.startswith(("http://", "https://"))
    return {
        "id": stable_id("resource", settings.organisation, entry.slug, entry.edition, name, form),
        "name": f"{said(resource.title).strip()} ({LABELS[form]})",
        "description": None if resource.description is None else said(resource.description).strip(),
        "url": url,
        "access_url": f"{base_url}datasets/{entry.slug}",
        "download_url": url,
        "format": LABELS[form],
        "mimetype": MEDIA_TYPES[form],
        "size": sum(served.files.values()) if form == "parquet" and as_it_is(served) else None,
        "last_modified": served.committed.replace(tzinfo=None).isoformat(),
        "license": LICENCES[described.licence].uri,
        "rights": described.licence_note,
        "conforms_to": json.dumps([schema]) if is_address else None,
        "datalab_rows": served.rows,
        "datalab_version": served.version,
    }
