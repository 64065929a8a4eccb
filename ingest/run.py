"""How one dataset gets in: fetch → read → type → commit → editions. Read this first."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from catalog import upkeep
from catalog.lake import ServedColumn
from catalog.model import Receipt
from ingest.columns import Declared
from ingest.desk import Desk
from ingest.editions import Raw, commit_editions, stage_editions
from ingest.fetch import fetch
from ingest.formats import tables_in
from ingest.held import Held, Job, identity_of, refresh, rejects_of
from ingest.parts import together
from ingest.prove import Proven, prove
from ingest.settings import IngestSettings
from ingest.sources import Fetched, stamp_of
from ingest.table import chosen
from ingest.tableschema import read_tableschema
from policies.document import suggest
from policies.editions import definition
from policies.errors import DatalabError, DocumentError, ReadingError, SourceError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog.lab import Lab
    from catalog.model import Resource
    from ingest.table import Table

READER = 1
"""Raised when the same bytes would be read otherwise than before, so that they are read again."""
_KEPT_REJECTS = 100
_REJECTS = (
    ServedColumn(name="line", type="BIGINT"),
    ServedColumn(name="reason", type="VARCHAR"),
    ServedColumn(name="text", type="VARCHAR"),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one resource: `ingested`, `unchanged`, or failed, and then `error` says why.

    `editions` are those that were built, or, where nothing was to do, those that there are; `repaired` says what was
    found damaged in the lake and made good.
    """

    dataset: str
    resource: str
    status: str
    seconds: float
    rows_in: int = 0
    rows_out: int = 0
    rejected: int = 0
    editions: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    error: str | None = None


def ingest(lab: Lab, slug: str, say: Callable[[str], None]) -> Iterator[Outcome]:
    """Bring in each resource of a dataset; `say` is told of each step. One that fails does not stop the others.

    What a policy no longer shows is gone from the lake's editions before the first source is asked. Raises
    DatalabError only if the descriptor or the policy is wrong, another job holds the dataset, or the disk refuses to
    mend or sweep it.
    """
    resources = lab.dataset(slug).resources
    job = Job(lab=lab, slug=slug, policy=lab.policy(slug), say=say)
    wanted = {
        edition: {name: definition(table) for name, table in tables.items() if name in resources}
        for edition, tables in ({} if job.policy is None else job.policy.editions).items()
    }
    with lab.lake.hold(slug):
        # What a killed job left of passing files; the hold says that no other job has any
        shutil.rmtree(job.scratch, ignore_errors=True)
        job.scratch.mkdir(parents=True, exist_ok=True)
        mended = tuple(upkeep.mend(lab.lake, slug))
        for note in mended:
            say(note)
        held = {name: refresh(job, name, mended) for name in resources}
        upkeep.sweep(lab.lake, slug, wanted)
        try:
            for name, resource in resources.items():
                yield _attempt(job, name, resource, held[name])
        finally:
            upkeep.sweep(lab.lake, slug, wanted)


def _attempt(job: Job, name: str, resource: Resource, held: Held) -> Outcome:
    start = time.monotonic()
    try:
        return _ingest(job, name, resource, held, start)
    except (DatalabError, OSError) as error:
        told = [str(error), *([] if held.error is None or held.error is error else [str(held.error)])]
        return Outcome(
            dataset=job.slug,
            resource=name,
            status="failed",
            seconds=time.monotonic() - start,
            editions=held.rebuilt,
            repaired=held.repaired,
            error="\n".join(told),
        )


def _ingest(job: Job, name: str, resource: Resource, held: Held, start: float) -> Outcome:
    lab, slug, say = job.lab, job.slug, job.say
    settings = lab.section("ingest", IngestSettings)
    say(f"{slug}.{name}: fetch")
    fetched = fetch(resource.source, lab.root, lab.var / "sources" / slug / name, settings)
    reading = _reading_id(lab, resource)
    if held.raw is not None and (held.raw[1].sha256, held.raw[1].reading) == (fetched.sha256, reading):
        if held.error is not None:
            raise held.error
        status = "ingested" if held.rebuilt or held.repaired else "unchanged"
        return _outcome(held.raw[1], status, held.rebuilt or _edition_names(job, name), held.repaired, start)
    with tempfile.TemporaryDirectory(dir=job.scratch) as scratch, duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET temp_directory = ?", [str(job.workshop.spill)])
        try:
            say(f"{slug}.{name}: read")
            table = _read(fetched, resource, Desk(con=con, scratch=Path(scratch), settings=settings))
            declared = _declared(lab, slug, resource, table)
            say(f"{slug}.{name}: type {table.rows_in} rows")
            proven = prove(table, declared, lambda write: lab.lake.stage(slug, RAW, name, write))
        except ReadingError as error:
            raise ReadingError(_placed(str(error), fetched)) from None
        _refuse_changed(fetched, proven)
    receipt = _receipt(slug, name, resource, fetched, proven, reading, time.monotonic() - start)
    say(f"{slug}.{name}: commit {receipt.rows_out} rows and build the editions")
    editions = _commit(job, name, proven, receipt)
    return _outcome(receipt, "ingested", editions, held.repaired, start)


def _read(fetched: Fetched, resource: Resource, desk: Desk) -> Table:
    """The table that the resource is, of all parts together."""
    opened = []
    for part in fetched.parts:
        try:
            tables = tables_in(part.path, part.name, resource.read, desk, fetched.format)
            opened.append((part.name, chosen(tables, resource.read.table)))
        except ReadingError as error:
            place = fetched.place if len(fetched.parts) == 1 else f"{fetched.place}: {part.name}"
            raise ReadingError(f"{place}: {str(error).removeprefix(f'{part.path}: ')}") from None
    return together(opened)


def _declared(lab: Lab, slug: str, resource: Resource, table: Table) -> dict[str, Declared]:
    """What the TableSchema and then the descriptor declare, by the columns' names in the lake."""
    declared = {}
    if resource.tableschema is not None:
        declared = read_tableschema(lab.root / resource.tableschema, table.columns)
    known = [column.name for column in table.columns]
    for column, described in resource.columns.items():
        if column not in known:
            message = f"datasets/{slug}.yaml: the column {column!r} is not in the source; {suggest(column, known)}"
            raise DocumentError(message)
        if described.type is not None:
            checks = declared[column].checks if column in declared else ()
            declared[column] = Declared(described.type, checks)
    return declared


def _commit(job: Job, name: str, proven: Proven, receipt: Receipt) -> tuple[str, ...]:
    """Stage every edition first; commit the raw table and its rejects, then the editions, once all are staged."""
    lake, slug = job.lab.lake, job.slug
    raw = Raw(
        dataset=slug,
        resource=name,
        files=[proven.staged.path],
        columns=proven.served,
        rows=receipt.rows_out,
        identity=identity_of(receipt),
    )
    try:
        editions = stage_editions(lake, raw, job.workshop)
        tables = {name: (proven.staged, proven.served, receipt.model_dump(mode="json"))}
        before = lake.current(slug, RAW)
        rejects = rejects_of(name)
        if proven.rejects or (before is not None and rejects in before.resources):
            staged = lake.stage(slug, RAW, rejects, lambda path: _write_rejects(proven, path))
            tables[rejects] = (staged, _REJECTS, {"rows_out": len(proven.rejects)})
    except BaseException:
        proven.staged.discard()
        raise
    version = lake.commit(slug, RAW, tables)[name].version
    return commit_editions(lake, raw, editions, version)


def _edition_names(job: Job, name: str) -> tuple[str, ...]:
    editions = {} if job.policy is None else job.policy.editions
    return tuple(edition for edition, tables in editions.items() if name in tables)


def _write_rejects(proven: Proven, path: Path) -> None:
    schema = pa.schema([("line", pa.int64()), ("reason", pa.string()), ("text", pa.string())])
    rows = [reject.model_dump() for reject in proven.rejects]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")


def _receipt(
    slug: str, name: str, resource: Resource, fetched: Fetched, proven: Proven, reading: str, seconds: float
) -> Receipt:
    return Receipt(
        dataset=slug,
        resource=name,
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
        reading=reading,
        seconds=round(seconds, 3),
    )


def _outcome(
    receipt: Receipt, status: str, editions: tuple[str, ...], repaired: tuple[str, ...], start: float
) -> Outcome:
    return Outcome(
        dataset=receipt.dataset,
        resource=receipt.resource,
        status=status,
        seconds=time.monotonic() - start,
        rows_in=receipt.rows_in,
        rows_out=receipt.rows_out,
        rejected=receipt.rejected,
        editions=editions,
        repaired=repaired,
    )


def _reading_id(lab: Lab, resource: Resource) -> str:
    """Names how the bytes are read: the same bytes read in the same way give the same table."""
    parts: list[Any] = [READER, resource.read.model_dump_json()]
    parts += sorted((name, column.type) for name, column in resource.columns.items())
    if resource.tableschema is not None:
        path = lab.root / resource.tableschema
        parts.append(hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _placed(message: str, fetched: Fetched) -> str:
    """The message, with the source's place where it named a passing file, and before it if it named none."""
    for part in fetched.parts:
        message = message.removeprefix(f"{part.path}: ")
    return message if message.startswith(fetched.place) else f"{fetched.place}: {message}"


def _refuse_changed(fetched: Fetched, proven: Proven) -> None:
    for part in fetched.parts:
        if stamp_of(part.path) != part.stamp:
            proven.staged.discard()
            message = f"{part.path}: the file changed while it was read; try again"
            raise SourceError(message)
