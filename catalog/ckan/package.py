"""What of a lab is told to CKAN → what CKAN should hold: an organisation, a group a theme, a dataset an edition. Pure.

Values are written as CKAN 2.12 gives them back, so that a comparison finds only real changes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.ckan.facts import EXTRAS, FIELDS, Schema, Wire, facts, fields_and_extras
from catalog.ckan.names import MARK, OWNS, group_name, package_name, stable_id, tag_name
from catalog.ckan.resources import resource_dicts
from catalog.metadata import said
from catalog.vocabulary import LICENCES, THEMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.ckan.listing import Listing
    from catalog.entries import Entry
    from catalog.settings import CkanSettings

OWNED_EXTRAS = EXTRAS | FIELDS | {MARK, OWNS}
"""Every extra that `package_dict` may write. One that it no longer writes is taken away.

What is a field under one schema is an extra, or several, under another: so both are ours.
"""

_LONGEST_VERSION = 100


@dataclass(frozen=True)
class Catalogue:
    """What a CKAN should hold of a lab, or holds: dicts as `*_create` takes them, or as `*_show` gives them.

    Organisations and groups are found by name, as datasets point to them so; datasets by id.
    """

    organisations: dict[str, Wire]
    groups: dict[str, Wire]
    datasets: dict[str, Wire]


def catalogue(
    settings: CkanSettings, base_url: str, listings: Sequence[Listing], schema: Schema | None = None
) -> Catalogue:
    """What CKAN should hold of these.

    `base_url` is where the portal answers, with a slash at the end; `schema` what CKAN says of its datasets' fields.
    """
    datasets = [package_dict(settings, base_url, listing, schema or Schema()) for listing in listings]
    themes = sorted({code for listing in listings for code in listing.entry.dataset.themes})
    groups = [group_dict(settings, code) for code in themes]
    organisation = organisation_dict(settings)
    return Catalogue(
        organisations={organisation["name"]: organisation},
        groups={group["name"]: group for group in groups},
        datasets={dataset["id"]: dataset for dataset in datasets},
    )


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


def package_dict(settings: CkanSettings, base_url: str, listing: Listing, schema: Schema) -> Wire:
    """The dataset as `package_create` takes it: every field, extra and resource that is ours, with stable ids.

    CKAN has one language, so texts are French where there is French. `owner_org` is the id that the organisation gets
    when we make it; one that stood there before has another, which the plan puts in.
    """
    entry, name = listing.entry, package_name(listing.entry)
    described = entry.dataset
    page = f"{base_url}datasets/{entry.slug}"
    keywords = (tag_name(keyword) for words in described.keywords.values() for keyword in words)
    tags = sorted({tag for tag in keywords if tag is not None})
    groups = sorted({group_name(code) for code in described.themes})
    fields, extras = fields_and_extras(facts(base_url, entry, private=listing.private), schema)
    extras |= {
        MARK: settings.organisation,
        OWNS: json.dumps({"groups": groups, "tags": tags}, ensure_ascii=False),
    }
    title = said(described.title).strip()
    return {
        "id": stable_id("dataset", settings.organisation, name),
        "name": name,
        "title": f"{title} ({entry.edition})" if listing.private else title,
        "notes": said(described.description).strip(),
        "url": page if described.landing_page is None else str(described.landing_page),
        # dcat would make a second contact of it where the first is a field
        "author": None if "contact" in schema.dataset else described.publisher.name.strip(),
        "version": None if listing.private else _version(entry),
        "owner_org": stable_id("organisation", settings.organisation),
        "license_id": LICENCES[described.licence].ckan,
        "private": listing.private,
        "state": "active",
        "tags": [{"name": tag} for tag in tags],
        "groups": [{"name": group} for group in groups],
        **fields,
        "extras": [{"key": key, "value": value} for key, value in sorted(extras.items())],
        "resources": resource_dicts(settings.organisation, base_url, listing, schema),
    }


def _version(entry: Entry) -> str | None:
    """`3` for a dataset of one table, `mesures 3, stations 1` for one of several; None if CKAN has no room for it."""
    versions = {name: served.version for name, (_, served) in entry.resources.items()}
    if len(versions) == 1:
        return str(next(iter(versions.values())))
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return told if len(told) <= _LONGEST_VERSION else None
