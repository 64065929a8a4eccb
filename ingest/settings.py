"""The section `[ingest]` of datalab.toml: the bounds of what comes in."""

from __future__ import annotations

from pydantic import Field

from policies.document import Model


class IngestSettings(Model):
    """How long and how much a source may give, and which inner hosts it may be on.

    Loopback, link-local and private addresses are refused unless the URL's host stands in `allow_hosts`.
    """

    timeout: float = Field(60, gt=0, le=3600)
    max_bytes: int = Field(8 * 2**30, gt=0)
    allow_hosts: tuple[str, ...] = ()
