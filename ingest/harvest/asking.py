"""Requests to portals: each for itself, with the bounds of `[ingest]`, so that a long catalogue has its time."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from catalog.sources import HttpSource
from ingest.polite import polite
from ingest.sources.asked import asked
from ingest.sources.web import Web
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from ingest.settings import IngestSettings
    from ingest.sources.web import Answer


@dataclass(frozen=True)
class Asking:
    """How portals are asked: the settings, and the folder of the locks that keep a lab polite (None: no lab)."""

    settings: IngestSettings
    locks: Path | None = None

    def get(self, url: str, accept: str) -> Answer:
        """The answer to one GET: at most `max_page_bytes`, in at most `timeout` seconds, retried as `[ingest]` says.

        Raises SourceError naming the address: inner addresses, anything but 200, with the portal's words.
        """
        try:
            source = HttpSource.model_validate({"url": url})
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise SourceError(f"{url[:200]!r}: {said}; expected an http or https address") from None
        lock = contextlib.nullcontext() if self.locks is None else polite(self.locks, source, self.settings.per_host)
        with lock, Web(url, self.settings) as web:
            return asked(web, url, {"Accept": accept})

    def json(self, url: str) -> Any:
        """The answer in JSON. Raises SourceError."""
        body = self.get(url, "application/json").body
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            found = "a page or XML" if body.lstrip()[:1] == b"<" else str(error)
            raise SourceError(f"{url}: expected JSON, found {found}; check the address") from None
