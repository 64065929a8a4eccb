"""A steward's word on what was held for review: accept or refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pyarrow.parquet as pq

from catalog.impact import broken
from catalog.receipt import Accepted
from ingest import held
from ingest.before import opened
from ingest.commit import Made, commit
from ingest.held import Refusal
from ingest.outcome import Outcome, counted
from ingest.reading import reading_id
from ingest.run import attempt
from ingest.sources import now
from policies.audit.event import Event, Opened
from policies.audit.origin import terminal
from policies.document import suggest
from policies.errors import DocumentError, UsageError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from catalog.impact import Broken
    from catalog.lab import Lab
    from ingest.before import Before, Job
    from ingest.held import Held


def waiting(lab: Lab, what: str | None = None) -> dict[tuple[str, str], Held]:
    """What waits for a steward, by dataset and resource: of `DATASET`, `DATASET.RESOURCE`, or all when None.

    What no descriptor has any more waits for nobody.
    Raises UsageError if there is no such dataset or resource, and LakeError if what is held is damaged.
    """
    slug, name = (None, None) if what is None else named(lab, what)
    found = {}
    for path in sorted((lab.var / "held").glob("*/*/held.json")):
        place = (path.parent.parent.name, path.parent.name)
        asked = slug in {None, place[0]} and name in {None, place[1]} and _is_described(lab, *place)
        one = held.held_of(path.parent) if asked else None
        if one is not None:
            found[place] = one
    return found


def _is_described(lab: Lab, slug: str, name: str) -> bool:
    """Whether the descriptor has the resource; one that is wrong may have it."""
    try:
        return slug in lab.slugs and name in lab.dataset(slug).resources
    except DocumentError:
        return True


def named(lab: Lab, what: str) -> tuple[str, str | None]:
    """The dataset and the resource that `DATASET` or `DATASET.RESOURCE` names. Raises UsageError if there is none."""
    slug, _, name = what.partition(".")
    resources = lab.dataset(slug).resources
    if name and name not in resources:
        raise UsageError(f"unknown resource {what!r}; {suggest(name, list(resources))}")
    return slug, name or None


def accept(lab: Lab, what: str, *, by: str, why: str, say: Callable[[str], None]) -> Iterator[Outcome]:
    """Let what is held count, exactly as it was held; the receipts say `by` whom, when and `why`.

    Raises UsageError if nothing waits there, and DatalabError as `ingest` does.
    """
    slug, wanted = named(lab, what)
    with opened(lab, slug, say) as (job, before):
        names = _names(lab, what, slug, wanted)
        lab.audit.write(_event("accept", slug, names, by, why))
        for name in names:

            def let_in(job: Job, name: str, before: Before) -> Outcome:
                return _accept(job, name, before, by, why)

            yield attempt(job, name, before[name], let_in)


def breaks(lab: Lab, waits: Mapping[tuple[str, str], Held]) -> dict[str, tuple[Broken, ...]]:
    """What of the lab's own would break if what waits were accepted, by `DATASET.RESOURCE`, where anything would."""
    found = {
        f"{slug}.{name}": broken(lab, slug, name, one.columns_before, one.columns)
        for (slug, name), one in waits.items()
        if one.receipt is not None
    }
    return {name: would for name, would in found.items() if would}


def refuse(lab: Lab, what: str, *, by: str, why: str) -> list[str]:
    """Drop what is held, and remember its bytes, so that they are not held again; returns the resources' names.

    Raises UsageError if nothing waits there, LakeError if another job holds the dataset.
    """
    slug, wanted = named(lab, what)
    with lab.lake.hold(slug):
        names = _names(lab, what, slug, wanted)
        lab.audit.write(_event("refuse", slug, names, by, why))
        for name in names:
            folder = held.shelf(lab, slug, name)
            one = held.held_of(folder)
            if one is not None:
                held.refuse(
                    folder,
                    Refusal(sha256=one.sha256, reading=one.reading, by=by, when=now(), why=why, reasons=one.reasons),
                )
    return names


def _event(what: Literal["accept", "refuse"], slug: str, names: list[str], by: str, why: str) -> Event:
    """What the audit log is told; `by` is who a steward says she is, and the account is who the system says."""
    editions = tuple(Opened(dataset=slug, edition=RAW, resource=name) for name in names)
    return Event(what=what, door="ingest", who=by, editions=editions, origin=terminal(), reason=why or None)


def _names(lab: Lab, what: str, slug: str, wanted: str | None) -> list[str]:
    names = [name for (_, name) in waiting(lab, slug) if wanted in {None, name}]
    if not names:
        raise UsageError(f"{what}: nothing waits for review; `datalab review` lists what does")
    return names


def _accept(job: Job, name: str, before: Before, by: str, why: str) -> Outcome:
    lake, folder = job.lab.lake, held.shelf(job.lab, job.slug, name)
    one = held.held_of(folder)
    if one is None or one.receipt is None or one.table is None or one.rejects is None:
        raise UsageError(
            f"{job.slug}.{name}: nothing of the new bytes could be read, so there is nothing to accept; correct the "
            "source or the descriptor and ingest again, or refuse them"
        )
    resource = job.resources[name]
    if (one.receipt.mode, one.reading) != (resource.mode, reading_id(job.lab, resource)):
        raise UsageError(f"{job.slug}.{name}: the descriptor has changed since this was held; ingest again")
    served = None if before.raw is None else before.raw[1]
    if served is not None and served.accepted is not None and served.sha256 == one.sha256:
        # A job was killed between the commit and the shelf
        held.drop(folder)
        return counted(served, "unchanged", job.editions(name))
    job.say(f"{job.slug}.{name}: commit what was held and build the editions")
    table, rejects = one.table, job.scratch / "rejects.parquet"
    held.take(folder, one.rejects, rejects)
    accepted = Accepted(by=by, when=now(), why=why, reasons=one.reasons)
    made = Made(
        staged=lake.stage(job.slug, RAW, name, lambda path: held.take(folder, table, path)),
        columns=one.columns,
        rejects=pq.read_table(rejects),
        receipt=one.receipt.model_copy(update={"accepted": accepted}),
    )
    try:
        receipt, editions = commit(job, name, before, made)
    except DocumentError as error:
        raise DocumentError(f"{error}\nit still waits: change the policy, then accept again, or refuse it") from None
    held.drop(folder)
    return counted(receipt, "ingested", editions)
