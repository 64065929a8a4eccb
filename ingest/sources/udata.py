"""A file of a udata portal (data.gouv.fr), as its API says where it is and what its checksum must be."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ingest.sources.asked import asked
from ingest.sources.cut import parsed
from ingest.sources.linked import fetch_linked
from ingest.sources.web import Web
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.sources import UdataSource
    from ingest.settings import IngestSettings
    from ingest.sources import Fetched

_DIGESTS = {"sha1": hashlib.sha1, "sha2": hashlib.sha256, "sha256": hashlib.sha256, "md5": hashlib.md5}
"""udata's names of checksums; `sha2` is its older name of SHA-256. It also has crc, which proves nothing here."""


def fetch_udata(source: UdataSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring the resource's file into `cache`, or find that the copy there is still the same.

    Raises SourceError: no such dataset or resource, a link to a page and not to a file, or bytes that are not those of
    the checksum that the portal says.
    """
    place = f"{str(source.udata).rstrip('/')}/api/1/datasets/{source.dataset}/"
    for last in (False, True):
        with Web(place, settings) as web:
            answer = asked(web, place, {"Accept": "application/json"})
        resource = _chosen(parsed(answer.body, place), source.resource, place)
        fetched = fetch_linked(str(resource["url"]), _text(resource.get("format")), place, None, cache, settings)
        wrong = _wrong_checksum(resource.get("checksum"), fetched)
        if wrong is None:
            return fetched
        if last:  # else the file may have been replaced after the portal was asked
            break
    raise SourceError(
        f"{fetched.place}: {wrong}, as {place} says of the resource {resource.get('title')!r}; "
        "tell its publisher, or take the file by its address: url: …"
    )


def _chosen(dataset: Any, wanted: str, place: str) -> dict[str, Any]:
    listed = dataset.get("resources") if isinstance(dataset, dict) else None
    if not isinstance(listed, list):
        raise SourceError(f"{place}: expected a dataset of udata with its resources; check `udata` and `dataset`")
    resources = [one for one in listed if isinstance(one, dict) and one.get("url")]
    found = [one for one in resources if one.get("id") == wanted] or [
        one for one in resources if one.get("title") == wanted
    ]
    if len(found) == 1:
        return found[0]
    known = "; ".join(f"{one.get('id')} ({one.get('title')})" for one in (found or resources)[:20])
    said = f"{len(found)} resources are called" if found else "no resource"
    raise SourceError(f"{place}: {said} {wanted!r}; choose one by its id: {known or 'it has none any more'}")


def _wrong_checksum(checksum: Any, fetched: Fetched) -> str | None:
    """What is wrong with the bytes, if the portal says a checksum that can be told."""
    if not isinstance(checksum, dict) or not isinstance(checksum.get("value"), str):
        return None
    kind, value = str(checksum.get("type")).lower(), checksum["value"].lower()
    if kind not in _DIGESTS:
        return None
    with fetched.parts[0].path.open("rb") as file:
        found = hashlib.file_digest(file, _DIGESTS[kind]).hexdigest()
    return None if found == value else f"its {kind} is {found}, expected {value}"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
