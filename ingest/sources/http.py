"""A file on a web server, asked for again only when it has changed (ETag, Last-Modified)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ingest.sources import Fetched, Part, now, stamp_of
from ingest.sources.secret import secret
from ingest.sources.web import Web
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.sources import HttpSource
    from ingest.settings import IngestSettings

_CONDITIONS = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}


def fetch_http(source: HttpSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring the file into the folder `cache`, or find that the copy there is still the same.

    Raises SourceError naming the URL: an address that the lab does not allow, a status other than 200 or 304, an HTML
    page, a body cut off, more than `max_bytes`, or `timeout` seconds passed. The copy of before stays until the new one
    is whole.
    """
    body, memory = cache / "body", cache / "response.json"
    url = str(source.url)
    headers = {} if source.authorization is None else {"Authorization": secret(source.authorization)}
    known = _remembered(url, body, memory)
    conditions = {header: known[field] for field, header in _CONDITIONS.items() if known.get(field)}
    with Web(url, settings) as web:
        kept = web.changed(url, body, headers, conditions)
    if kept is not None:
        known = {"url": url, "when": now().isoformat(), **asdict(kept)}
        try:
            memory.write_text(json.dumps(known), encoding="utf-8")
        except OSError as error:
            raise SourceError(f"{url}: cannot be kept in {cache}: {error}") from None
    return Fetched(
        parts=(Part(body, known["name"], stamp_of(body)),),
        place=url,
        sha256=known["sha256"],
        bytes=known["bytes"],
        when=dt.datetime.fromisoformat(known["when"]),
        etag=known["etag"],
        last_modified=known["last_modified"],
    )


def _remembered(url: str, body: Path, memory: Path) -> dict[str, Any]:
    """What is known of the copy of before; nothing if it is not what it was, or of another address: all is fetched."""
    try:
        known: dict[str, Any] = json.loads(memory.read_text(encoding="utf-8"))
        with body.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == known["sha256"]
    except (OSError, ValueError, KeyError):
        return {}
    return known if same and known.get("url") == url else {}
