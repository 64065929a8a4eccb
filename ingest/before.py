"""What the lake holds of a dataset before its sources are asked; it is mended, and its editions made good, at once."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from catalog import upkeep
from catalog.receipt import Receipt
from catalog.settings import LakeSettings
from ingest import lineage
from ingest.editions import Raw, Workshop, commit_editions, stage_editions
from ingest.settings import IngestSettings
from policies.editions import definition
from policies.errors import DatalabError
from policies.keys import pseudonym_key
from policies.model import RAW
from policies.settings import PolicySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from catalog.lab import Lab
    from catalog.lake import Served
    from catalog.model import Resource
    from policies.model import Policy


@dataclass(frozen=True, kw_only=True)
class Job:
    """One ingest of a dataset. What it goes by is read once: a change meanwhile is for the next ingest.

    `territory` is where the descriptor says that the data lie: west, south, east, north; None where by codes alone.
    """

    lab: Lab
    slug: str
    resources: dict[str, Resource]
    policy: Policy | None
    settings: IngestSettings
    territory: tuple[float, float, float, float] | None
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
            path=self.lab.root / "policies" / f"{self.slug}.yaml",
            zones=self.lab.section("policies", PolicySettings).zones,
            key=lambda: pseudonym_key(self.lab.var / "keys" / "pseudonym.key"),
            memory_mb=self.settings.memory_mb,
            spill=self.scratch / "spill",
        )

    def editions(self, name: str) -> tuple[str, ...]:
        """The editions that the policy makes of a resource."""
        editions = {} if self.policy is None else self.policy.editions
        return tuple(edition for edition, tables in editions.items() if name in tables)


@dataclass(frozen=True, kw_only=True)
class Before:
    """What the lake held of a resource at the start.

    `served` is what its pointer names; `raw` is that with its receipt, if both are whole. `rebuilt` are the editions
    that were made of it now.
    """

    served: Served | None
    raw: tuple[Served, Receipt] | None
    rebuilt: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    error: DatalabError | OSError | None = None


@contextlib.contextmanager
def opened(lab: Lab, slug: str, say: Callable[[str], None], beside: int = 1) -> Iterator[tuple[Job, dict[str, Before]]]:
    """Hold a dataset for one job of `beside` that share the memory; what is left at its end, and what the policy no
    longer shows, is swept away.

    Raises DatalabError if the descriptor, the policy or a setting is wrong, another job holds the dataset, or the disk
    refuses to mend or sweep it.
    """
    dataset = lab.dataset(slug)
    job = Job(
        lab=lab,
        slug=slug,
        resources=dataset.resources,
        policy=lab.policy(slug),
        settings=lab.section("ingest", IngestSettings).shared(beside),
        territory=dataset.spatial.bbox,
        say=say,
    )
    wanted = {
        edition: {name: definition(table) for name, table in tables.items() if name in job.resources}
        for edition, tables in ({} if job.policy is None else job.policy.editions).items()
    }
    kept = lab.section("lake", LakeSettings)
    with lab.lake.hold(slug):
        # What a killed job left of passing files; the hold says that no other job has any
        shutil.rmtree(job.scratch, ignore_errors=True)
        job.scratch.mkdir(parents=True, exist_ok=True)
        mended = tuple(upkeep.mend(lab.lake, slug))
        for note in mended:
            say(note)
        before = {name: _made_good(job, name, mended) for name in job.resources}
        upkeep.sweep(lab.lake, slug, wanted, kept)
        try:
            yield job, before
        finally:
            upkeep.sweep(lab.lake, slug, wanted, kept)


def _made_good(job: Job, name: str, mended: tuple[str, ...]) -> Before:
    """Build again, from the raw table that is served, the editions that the policy or a killed job left behind."""
    lake = job.lab.lake
    served = raw = None
    try:
        current = lake.current(job.slug, RAW)
        served = None if current is None else current.resources.get(name)
        raw = _raw(job, name)
        if raw is None:
            note = f"{job.slug}.{name}: the raw table is gone or damaged; the source is read again"
            return Before(served=served, raw=None, repaired=mended if served is None else (*mended, note))
        whole, receipt = raw
        made_from = Raw(
            dataset=job.slug,
            resource=name,
            files=lake.files(job.slug, RAW, name, whole),
            columns=whole.columns,
            rows=whole.rows,
            identity=identity_of(receipt),
        )
        built = commit_editions(lake, made_from, stage_editions(lake, made_from, job.workshop), whole.version)
        lineage.tell(job, name, whole, None, built)
        return Before(served=served, raw=raw, rebuilt=tuple(built), repaired=mended)
    except (DatalabError, OSError) as error:
        # New data may put it right: it is told if they do not
        return Before(served=served, raw=raw, repaired=mended, error=error)


def _raw(job: Job, name: str) -> tuple[Served, Receipt] | None:
    """The raw table that is served and its receipt, or None if the source must be read (again).

    That is when it or its rejects are not whole, or when the receipt cannot be read or does not agree with them.
    """
    lake = job.lab.lake
    current = lake.current(job.slug, RAW)
    served = lake.sound(job.slug, RAW, name)
    receipt = None if served is None else receipt_of(served)
    if current is None or served is None or receipt is None:
        return None
    rejected = 0
    if rejects_of(name) in current.resources:
        rejects = lake.sound(job.slug, RAW, rejects_of(name))
        if rejects is None:
            return None
        rejected = rejects.rows
    rows = receipt.rows_out if receipt.rows_total is None else receipt.rows_total
    expected = receipt.rejected if receipt.rejects_total is None else receipt.rejects_total
    return (served, receipt) if (served.rows, rejected) == (rows, expected) else None


def receipt_of(served: Served) -> Receipt | None:
    """The receipt of a snapshot of the raw table, or None if it cannot be read."""
    try:
        return Receipt.model_validate(served.receipt)
    except ValidationError:
        return None


def rejects_of(name: str) -> str:
    """The raw table that holds what was rejected of a resource."""
    return f"{name}_rejects"


def identity_of(receipt: Receipt) -> str:
    """Names the content of a raw table: the same bytes, read in the same way (and added to the same)."""
    return f"{receipt.sha256}:{receipt.reading}" if receipt.content is None else receipt.content
