"""A file that a portal's catalogue links to, on the portal itself or anywhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import httpx
from pydantic import ValidationError

from catalog.sources import HttpSource
from ingest.sources.http import fetch_http
from ingest.sources.web import same_server
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.settings import IngestSettings
    from ingest.sources import Fetched


def fetch_linked(
    url: str, form: str | None, portal: str, secret_name: str | None, cache: Path, settings: IngestSettings
) -> Fetched:
    """Bring the file at `url`; `form` is the format that the portal says, a hint for a file whose name has none.

    The secret goes to the portal's own server alone. Raises SourceError as `fetch_http` does, or if `url` is no web
    address.
    """
    try:
        same = same_server(httpx.URL(portal), httpx.URL(url))
        source = HttpSource.model_validate({"url": url, "authorization": secret_name if same else None})
    except (ValidationError, httpx.InvalidURL, UnicodeError):
        raise SourceError(
            f"{portal}: the resource's address {url[:200]!r} is no web address; tell its publisher"
        ) from None
    fetched = fetch_http(source, cache, settings)
    (part,) = fetched.parts
    if form and form.isalnum() and not PurePosixPath(part.name).suffix:
        part = replace(part, name=f"{part.name}.{form.lower()}")
    return replace(fetched, parts=(part,))
