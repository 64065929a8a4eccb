"""Tells of what a job made, for lineage (catalog/lineage.py): what is told never decides what counts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.lake import Served
    from catalog.receipt import Receipt
    from ingest.before import Job


def tell(job: Job, name: str, raw: Served, receipt: Receipt | None, built: Mapping[str, Served]) -> None:
    """Tell of a raw table, with the receipt of its ingest if it was made now, and of the editions built from it."""
    if receipt is None and not built:
        return
    lineage = _lineage()
    where = lineage.namespace(job.lab)
    source = lineage.raw_of(job.slug, name, raw)
    events = [] if receipt is None else [lineage.ingested(where, receipt, source)]
    for edition, served in built.items():
        made = lineage.Table(dataset=job.slug, edition=edition, resource=name, served=served)
        kept = None if job.policy is None else job.policy.editions[edition][name]
        if kept is not None:
            events.append(lineage.edition_built(where, source, made, kept))
    _emit(job, events)


def tell_failed(job: Job, name: str, error: str) -> None:
    """Tell that an ingest failed."""
    lineage = _lineage()
    _emit(job, [lineage.failed(lineage.namespace(job.lab), job.slug, name, error)])


def _emit(job: Job, events: list[Any]) -> None:
    why = _lineage().emit(job.lab, *events)
    if why is not None:
        job.say(why)


def _lineage() -> Any:
    """OpenLineage's client takes half a second to load, which an ingest that finds nothing new can do without."""
    return import_module("catalog.lineage")
