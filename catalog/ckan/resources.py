"""The tables of an edition → the resources of a CKAN dataset. Pure.

Every field of ours is always there, None when there is nothing to say: so it is taken away. Those that start with
`datalab_` are for people and for our next run, the others are CKAN's own and ckanext-dcat's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from catalog.ckan.facts import laws, resource_fields
from catalog.ckan.names import stable_id
from catalog.dcat import LABELS, MEDIA_TYPES
from catalog.download import FORMATS, Format, as_it_is
from catalog.metadata import said
from catalog.vocabulary import LICENCES

if TYPE_CHECKING:
    from catalog.ckan.facts import Schema, Wire
    from catalog.ckan.listing import Listing
    from catalog.lake import Served
    from catalog.model import Resource

SHA256 = "http://spdx.org/rdf/terms#checksumAlgorithm_sha256"


def resource_id(organisation: str, listing: Listing, name: str, form: Format | None) -> str:
    """The id of a download of a table; `form` None: of the table itself, as a private edition shows it."""
    return stable_id("resource", organisation, listing.entry.slug, listing.entry.edition, name, form or "table")


def resource_dicts(organisation: str, base_url: str, listing: Listing, schema: Schema) -> list[Wire]:
    """Each download of each table. Of a private edition each table once, and of it no more than what it is called.

    For who sees a private dataset, the members of the organisation in CKAN, need not be granted its rows.
    """
    found: list[Wire] = []
    for name, (resource, served) in listing.entry.resources.items():
        if listing.private:
            found.append(_announced(organisation, base_url, listing, name, schema))
            continue
        columns = _columns(resource, served)
        found += [
            _download(organisation, base_url, listing, name, form, schema) | {"datalab_columns": columns}
            for form in FORMATS
        ]
    return found


def _announced(organisation: str, base_url: str, listing: Listing, name: str, schema: Schema) -> Wire:
    entry = listing.entry
    resource, _ = entry.resources[name]
    page = f"{base_url}datasets/{entry.slug}"
    return {
        "id": resource_id(organisation, listing, name, None),
        "name": said(resource.title).strip(),
        "description": None if resource.description is None else said(resource.description).strip(),
        "url": page,
        "access_url": page,
        "uri": f"{page}#{entry.edition}-{name}",
        **_terms(listing, resource, schema),
    }


def _download(organisation: str, base_url: str, listing: Listing, name: str, form: Format, schema: Schema) -> Wire:
    entry = listing.entry
    resource, served = entry.resources[name]
    page = f"{base_url}datasets/{entry.slug}"
    url = f"{base_url}data/{entry.slug}/{entry.edition}/{name}.{form}"
    # Other files are made when they are asked for: of them neither size nor hash is known
    held = form == "parquet" and as_it_is(served)
    sha256 = listing.checksums.get(name) if held else None
    return {
        "id": resource_id(organisation, listing, name, form),
        "name": f"{said(resource.title).strip()} ({LABELS[form]})",
        "description": None if resource.description is None else said(resource.description).strip(),
        "url": url,
        "access_url": page,
        "download_url": url,
        "uri": f"{page}#{entry.edition}-{name}-{form}",
        "format": LABELS[form],
        "mimetype": MEDIA_TYPES[form],
        "size": sum(served.files.values()) if held else None,
        "hash": sha256,
        "hash_algorithm": None if sha256 is None else SHA256,
        "last_modified": served.committed.replace(tzinfo=None).isoformat(),
        "modified": served.committed.isoformat(),
        "datalab_rows": served.rows,
        "datalab_version": served.version,
        **_terms(listing, resource, schema),
    }


def _terms(listing: Listing, resource: Resource, schema: Schema) -> Wire:
    described = listing.entry.dataset
    standard = resource.tableschema or ""
    told = {
        "conforms_to": [standard] if standard.startswith(("http://", "https://")) else [],
        "applicable_legislation": laws(listing.entry),
    }
    return {
        "license": LICENCES[described.licence].uri,
        "rights": described.licence_note,
        **resource_fields(told, schema),
    }


def _columns(resource: Resource, served: Served) -> str:
    """The columns of a table as JSON, in order: name, type as SQL says it, and what the descriptor knows of them."""
    told = []
    for column in served.columns:
        one = {"name": column.name, "type": column.type}
        known = resource.columns.get(column.name)
        if known is not None:
            texts = (("title", known.title), ("description", known.description))
            one |= {key: said(text).strip() for key, text in texts if text is not None}
            one |= {} if known.unit is None else {"unit": known.unit}
        told.append(one)
    return json.dumps(told, ensure_ascii=False)
