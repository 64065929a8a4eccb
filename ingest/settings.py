"""The section `[ingest]` of datalab.toml: the bounds of what comes in."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from policies.document import Model


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"unknown time zone {name!r}; expected a name such as Europe/Paris, Indian/Reunion or UTC"
        raise ValueError(message) from None
    return name


LEAST_MB = 200
"""Wide tables do not fit into less."""


class IngestSettings(Model):
    """How long and how much a source may give, unpacked too, and which inner hosts it may be on.

    `timeout` is seconds for all that is asked of one source, in which a request that failed in passing is made anew at
    most `retries` times; a server may ask to wait `max_wait` seconds before. `max_page_bytes` bounds one answer of an
    API, `max_bytes` all that comes, and `max_records` the datasets that a harvest takes. `memory_mb` is what the
    engines of all jobs side by side may take. Loopback, link-local and private addresses are refused unless the
    URL's host stands in `allow_hosts`. At most `per_host` fetches are made of one host at a time. A refresh whose rows
    fall by more than the share `max_drop` is held for review. Schedules go by the clock of `timezone`.
    """

    timeout: float = Field(60, gt=0, le=3600)
    retries: int = Field(4, ge=0, le=10)
    max_wait: float = Field(60, ge=0, le=3600)
    max_bytes: int = Field(8 * 2**30, gt=0)
    max_page_bytes: int = Field(64 * 2**20, gt=0)
    memory_mb: int = Field(400, ge=100)
    max_files: int = Field(10_000, gt=0)
    max_pages: int = Field(100_000, gt=0)
    max_records: int = Field(20_000, gt=0)
    allow_hosts: tuple[str, ...] = ()
    per_host: int = Field(2, ge=1, le=100)
    max_drop: float = Field(0.5, ge=0, le=1)
    timezone: Annotated[str, AfterValidator(_zone)] = "Europe/Paris"

    def shared(self, jobs: int) -> IngestSettings:
        """The settings of one of so many jobs side by side: each has its part of the memory, but not too little."""
        part = max(self.memory_mb // jobs, min(self.memory_mb, LEAST_MB))
        return self.model_copy(update={"memory_mb": part})
