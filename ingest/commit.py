"""What an ingest made → the raw table with its rejects and its receipt, and the editions made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.lake import ServedColumn
from ingest import lineage, modes
from ingest.before import identity_of, rejects_of
from ingest.changes import Snapshot, changes
from ingest.editions import Raw, commit_editions, stage_editions
from policies.errors import LakeError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from catalog.lake import Served, StagedTable
    from catalog.receipt import Changes, Receipt, Reject
    from ingest.before import Before, Job

REJECTS = (
    ServedColumn(name="line", type="BIGINT"),
    ServedColumn(name="reason", type="VARCHAR"),
    ServedColumn(name="text", type="VARCHAR"),
    ServedColumn(name="fetched", type="TIMESTAMP WITH TIME ZONE"),
)
_SCHEMA = pa.schema(
    [("line", pa.int64()), ("reason", pa.string()), ("text", pa.string()), ("fetched", pa.timestamp("us", "UTC"))]
)


@dataclass(frozen=True, kw_only=True)
class Made:
    """What one ingest made of a source: its rows, staged beside the raw table, its rejects, and the receipt."""

    staged: StagedTable
    columns: tuple[ServedColumn, ...]
    rejects: pa.Table
    receipt: Receipt


def rejects_table(rejects: Sequence[Reject], receipt: Receipt) -> pa.Table:
    """The rejects as rows that can be queried."""
    return pa.Table.from_pylist(
        [{**reject.model_dump(), "fetched": receipt.fetched} for reject in rejects], schema=_SCHEMA
    )


def commit(job: Job, name: str, before: Before, made: Made) -> tuple[Receipt, tuple[str, ...]]:
    """Let what was made count, alone or with what was served before, as the resource's mode says.

    Every edition is staged before anything is committed; then the raw table and its rejects, then the editions. Returns
    the receipt that was committed and the editions that were built. When it raises, what was served before still is,
    and the staged files are gone.
    """
    lake, slug = job.lab.lake, job.slug
    made = _with_before(job, name, before, made)
    receipt = made.receipt
    raw = Raw(
        dataset=slug,
        resource=name,
        files=[made.staged.path],
        columns=made.columns,
        rows=made.staged.rows,
        identity=identity_of(receipt),
    )
    try:
        receipt = receipt.model_copy(update={"changes": _changes(job, name, before, made)})
        editions = stage_editions(lake, raw, job.workshop)
        tables = {name: (made.staged, made.columns, receipt.model_dump(mode="json"))}
        current = lake.current(slug, RAW)
        rejects = rejects_of(name)
        if made.rejects.num_rows > 0 or (current is not None and rejects in current.resources):
            staged = lake.stage(slug, RAW, rejects, lambda path: write_rejects(made.rejects, path))
            tables[rejects] = (staged, REJECTS, {"rows_out": made.rejects.num_rows})
    except BaseException:
        made.staged.discard()
        raise
    served = lake.commit(slug, RAW, tables)[name]
    built = commit_editions(lake, raw, editions, served.version)
    lineage.tell(job, name, served, receipt, built)
    return receipt, tuple(built)


def write_rejects(rejects: pa.Table, path: Path) -> None:
    """Write rejects to a Parquet file."""
    pq.write_table(rejects, path, compression="zstd")


def _with_before(job: Job, name: str, before: Before, made: Made) -> Made:
    """What was made, together with the rows and the rejects before it where the mode adds to them."""
    base = base_of(job, name, before)
    if base is None:
        return made
    lake, slug, receipt = job.lab.lake, job.slug, made.receipt
    served, told = base
    try:
        joined = modes.join(
            modes.Side(files=tuple(lake.files(slug, RAW, name, served)), columns=served.columns, rows=served.rows),
            modes.Side(files=(made.staged.path,), columns=made.columns, rows=made.staged.rows),
            key=job.resources[name].key if receipt.mode == "merge" else (),
            stage=lambda write: lake.stage(slug, RAW, name, write),
            spill=job.workshop.spill,
        )
        rejects = made.rejects
        current = lake.current(slug, RAW)
        if current is not None and rejects_of(name) in current.resources:
            older = lake.files(slug, RAW, rejects_of(name), current.resources[rejects_of(name)])
            rejects = pa.concat_tables([*(pq.read_table(path) for path in older), rejects], promote_options="default")
            rejects = rejects.select(_SCHEMA.names)
    finally:
        made.staged.discard()
    receipt = receipt.model_copy(
        update={
            "rows_before": served.rows,
            "rows_replaced": joined.replaced,
            "rows_total": joined.staged.rows,
            "rejects_total": rejects.num_rows,
            "content": modes.content(identity_of(told), receipt),
        }
    )
    return Made(staged=joined.staged, columns=joined.columns, rejects=rejects, receipt=receipt)


def _changes(job: Job, name: str, before: Before, made: Made) -> Changes | None:
    """What the table has that the one served before had not."""
    if before.raw is None:
        return None
    served, _ = before.raw
    return changes(
        Snapshot(files=job.lab.lake.files(job.slug, RAW, name, served), columns=served.columns),
        Snapshot(files=(made.staged.path,), columns=made.columns),
        job.workshop.spill,
        job.workshop.memory_mb,
    )


def base_of(job: Job, name: str, before: Before) -> tuple[Served, Receipt] | None:
    """The snapshot that new rows are added to, and its receipt; None if the mode adds to none, or there is none.

    Raises LakeError if it is not whole: its source may not have all its rows any more.
    """
    mode = job.resources[name].mode
    if mode == "snapshot" or before.served is None:
        return None
    if before.raw is None:
        raise LakeError(
            f"{job.slug}.{name}: the table that {mode} adds to is gone or damaged, and its source may not have all its "
            "rows any more; restore it from the backup, or ingest once with 'mode: snapshot' to start anew"
        )
    return before.raw
