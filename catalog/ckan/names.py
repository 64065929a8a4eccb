"""The ids and names that things of the lab have in a CKAN. Pure."""

from __future__ import annotations

import re
import unicodedata
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.entries import Entry

MARK = "datalab"
"""The extra that says whose an organisation, group or dataset is: the name of the lab's organisation."""

OWNS = "datalab_owns"
"""The extra that lists, as JSON, the tags and groups of a dataset that are ours and not a curator's."""

PUSHED = "datalab_datastore"
"""The field of a resource that says which content the DataStore has of it; only we write it."""

USUAL = "open"
_REFUSED_NAMES = {"new", "edit", "search"}
_NAMESPACE = uuid.UUID("6f1d7a53-9f0e-5b0c-8e0e-3f6f1f5d2b61")
_SHORTEST, _LONGEST = 2, 100


def stable_id(kind: str, *names: str) -> str:
    """The id of an organisation, group, dataset or resource: uuid5 of its names in a namespace of the DataLab's own.

    A dataset's and a resource's start with the organisation, so two labs on one CKAN, which need two organisations,
    have different ids for the same slug. The portal's address is no part of it: a lab may move.
    """
    return str(uuid.uuid5(_NAMESPACE, "/".join((kind, *names))))


def is_derived(key: str) -> bool:
    """Whether `stable_id` may have made this id: those that CKAN makes itself are random (version 4)."""
    try:
        return uuid.UUID(key).version == 5  # noqa: PLR2004
    except ValueError:
        return False


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
