"""How one dataset gets in: fetch → read → type → hold for review, or commit → editions. Read this first."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from catalog.receipt import Receipt
from ingest import held, lineage, review
from ingest.before import opened
from ingest.commit import Made, base_of, commit, rejects_table
from ingest.fetch import fetch
from ingest.judged import judged
from ingest.outcome import Outcome, broken_off, counted
from ingest.parts import told
from ingest.polite import polite
from ingest.prove import prove
from ingest.reading import desk_of, expected, read, reading_id, refuse_changed
from policies.errors import DatalabError, ReadingError
from policies.model import RAW
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from catalog.lab import Lab
    from catalog.lake import StagedTable
    from ingest.before import Before, Job
    from ingest.prove import Proven
    from ingest.review import Visit

_KEPT_REJECTS = 100


def ingest(
    lab: Lab, slug: str, say: Callable[[str], None], only: Collection[str] | None = None, beside: int = 1
) -> Iterator[Outcome]:
    """Bring in each resource of a dataset, or `only` some; `say` is told of each step. One that fails stops no other.

    So many jobs as `beside` says run side by side, this one too, and share the memory.

    What a policy no longer shows is gone from the lake's editions before the first source is asked. Raises
    DatalabError only if the descriptor or the policy is wrong, another job holds the dataset, or the disk refuses to
    mend or sweep it.
    """
    with opened(lab, slug, say, beside) as (job, before):
        for name in job.resources:
            if only is None or name in only:
                yield attempt(job, name, before[name], _bring_in)


def attempt(job: Job, name: str, before: Before, work: Callable[[Job, str, Before], Outcome]) -> Outcome:
    """The outcome of `work` on one resource, or that it failed and why; with the seconds, and what was repaired."""
    start = time.monotonic()
    try:
        outcome = work(job, name, before)
    except Exception as error:  # noqa: BLE001  what nobody foresaw stops no other resource either
        foreseen = isinstance(error, DatalabError | OSError)
        said = str(error) if foreseen else f"{job.slug}.{name}: {broken_off(error)}"
        told = [said, *([] if before.error is None or before.error is error else [str(before.error)])]
        lineage.tell_failed(job, name, said)
        outcome = Outcome(
            dataset=job.slug, resource=name, status="failed", seconds=0, editions=before.rebuilt, error="\n".join(told)
        )
    return replace(outcome, seconds=time.monotonic() - start, repaired=before.repaired)


def _bring_in(job: Job, name: str, before: Before) -> Outcome:
    lab, resource, start = job.lab, job.resources[name], time.monotonic()
    base_of(job, name, before)
    job.say(f"{job.slug}.{name}: fetch")
    with polite(lab.var / "locks" / "hosts", resource.source, job.settings.per_host):
        fetched = fetch(resource.source, lab.root, lab.var / "sources" / job.slug / name, job.settings)
    visit = review.visited(job, name, before, fetched, reading_id(lab, resource))
    done = review.dealt_with(visit)
    if done is not None:
        return done
    try:
        proven = _read_and_type(visit)
    except ReadingError as error:
        review.note(visit, error)
        raise
    receipt = _receipt(visit, proven, time.monotonic() - start)
    rejects = rejects_table(proven.rejects, receipt)
    made = Made(staged=proven.staged, columns=proven.served, rejects=rejects, receipt=receipt)
    made, poor = review.judged_by_quality(visit, made)
    reasons, made = review.compared(visit, made)
    reasons += poor
    if reasons:
        job.say(f"{job.slug}.{name}: hold for review")
        return review.hold(visit, made, reasons)
    rows = count_of(made.receipt.rows_out, "row")
    job.say(f"{job.slug}.{name}: commit {rows} and build the editions")
    receipt, editions = commit(job, name, before, made)
    held.drop(visit.shelf)
    return counted(receipt, "ingested", editions)


def _read_and_type(visit: Visit) -> Proven:
    """The table on disk beside the raw one, every value proven; nothing counts yet."""
    job, name, resource = visit.job, visit.name, visit.resource

    def stage(write: Callable[[Path], object]) -> StagedTable:
        return job.lab.lake.stage(job.slug, RAW, name, write)

    with desk_of(job, visit.fetched) as desk:
        job.say(f"{job.slug}.{name}: read")
        table = read(visit.fetched, resource, desk, alone=not visit.files)
        wanted = expected(visit, table)
        job.say(f"{job.slug}.{name}: type")
        adds = resource.mode != "snapshot" and visit.last is not None
        proven = prove(table, wanted.columns, stage, markers=wanted.missing, may_be_empty=adds)
        proven = judged(proven, wanted, stage)
    try:
        refuse_changed(visit.fetched)
    except BaseException:
        proven.staged.discard()
        raise
    return proven


def _receipt(visit: Visit, proven: Proven, seconds: float) -> Receipt:
    resource, fetched = visit.resource, visit.fetched
    return Receipt(
        dataset=visit.job.slug,
        resource=visit.name,
        source=fetched.place,
        origin=resource.origin,
        etag=fetched.etag,
        last_modified=fetched.last_modified,
        sha256=fetched.sha256,
        bytes=fetched.bytes,
        fetched=fetched.when,
        format=proven.format,
        dialect=proven.dialect,
        rows_in=proven.rows_in,
        rows_out=proven.staged.rows,
        rejected=len(proven.rejects),
        rejects=proven.rejects[:_KEPT_REJECTS],
        columns=proven.columns,
        files=told(visit.files, proven),
        notes=proven.notes,
        reading=visit.reading,
        seconds=round(seconds, 3),
        mode=resource.mode,
    )
