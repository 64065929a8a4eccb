"""What the lake holds of a resource before its source is asked; the editions are made good from it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from catalog.model import Receipt
from ingest.editions import Raw, Workshop, commit_editions, stage_editions
from policies.errors import DatalabError
from policies.keys import pseudonym_key
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.lab import Lab
    from catalog.lake import Served
    from policies.model import Policy


@dataclass(frozen=True, kw_only=True)
class Job:
    """One ingest of a dataset. The policy is read once: a change meanwhile is for the next ingest."""

    lab: Lab
    slug: str
    policy: Policy | None
    say: Callable[[str], None]

    @property
    def scratch(self) -> Path:
        """Where passing files lie."""
        return self.lab.var / "tmp" / self.slug

    @property
    def workshop(self) -> Workshop:
        """What the editions are built with."""
        return Workshop(
            policy=self.policy,
            key=lambda: pseudonym_key(self.lab.var / "keys" / "pseudonym.key"),
            spill=self.scratch / "spill",
        )


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the lake held of a resource at the start: its raw table if it is whole, and the editions made of it then."""

    raw: tuple[Served, Receipt] | None
    rebuilt: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    error: DatalabError | OSError | None = None


def refresh(job: Job, name: str, mended: tuple[str, ...]) -> Held:
    """Build again, from the raw table that is served, the editions that the policy or a killed job left behind."""
    lake = job.lab.lake
    raw = None
    try:
        raw = _raw(job, name)
        if raw is None:
            current = lake.current(job.slug, RAW)
            lost = current is not None and name in current.resources
            note = f"{job.slug}.{name}: the raw table is gone or damaged; the source is read again"
            return Held(raw=None, repaired=(*mended, note) if lost else mended)
        served, receipt = raw
        made_from = Raw(
            dataset=job.slug,
            resource=name,
            files=lake.files(job.slug, RAW, name, served),
            columns=served.columns,
            rows=served.rows,
            identity=identity_of(receipt),
        )
        rebuilt = commit_editions(lake, made_from, stage_editions(lake, made_from, job.workshop), served.version)
        return Held(raw=raw, rebuilt=rebuilt, repaired=mended)
    except (DatalabError, OSError) as error:
        # New data may put it right: it is told if they do not
        return Held(raw=raw, repaired=mended, error=error)


def _raw(job: Job, name: str) -> tuple[Served, Receipt] | None:
    """The raw table that is served and its receipt, or None if the source must be read (again).

    That is when it or its rejects are not whole, or when the receipt cannot be read or does not agree with them.
    """
    lake = job.lab.lake
    current = lake.current(job.slug, RAW)
    served = lake.sound(job.slug, RAW, name)
    if current is None or served is None:
        return None
    try:
        receipt = Receipt.model_validate(served.receipt)
    except ValidationError:
        return None
    rejected = 0
    if rejects_of(name) in current.resources:
        rejects = lake.sound(job.slug, RAW, rejects_of(name))
        if rejects is None:
            return None
        rejected = rejects.rows
    return (served, receipt) if (served.rows, rejected) == (receipt.rows_out, receipt.rejected) else None


def rejects_of(name: str) -> str:
    """The raw table that holds what was rejected of a resource."""
    return f"{name}_rejects"


def identity_of(receipt: Receipt) -> str:
    """Names the content of a raw table: the same bytes, read in the same way."""
    return f"{receipt.sha256}:{receipt.reading}"
