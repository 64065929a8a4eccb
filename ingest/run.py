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

from catalog.lake import ServedColumn
from catalog.model import FileSource, Receipt
from ingest.columns import Declared
from ingest.editions import Raw, StagedEdition, stage_editions
from ingest.prove import Proven, prove
from ingest.readers.csv import read_csv
from ingest.readers.excel import read_excel
from ingest.readers.geo import read_geojson
from ingest.settings import IngestSettings
from ingest.sources import Fetched, stamp_of
from ingest.sources.files import fetch_file
from ingest.sources.http import fetch_http
from ingest.tableschema import read_tableschema
from policies.document import suggest
from policies.errors import DatalabError, DocumentError, ReadingError, SourceError
from policies.keys import pseudonym_key
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog.lab import Lab
    from catalog.model import Resource
    from ingest.table import Table

READER = 1
"""Raised when the same bytes would be read otherwise than before, so that they are read again."""
_KEPT_REJECTS = 100
_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".geojson": "geojson", ".json": "geojson"}
_REJECTS = (
    ServedColumn(name="line", type="BIGINT"),
    ServedColumn(name="reason", type="VARCHAR"),
    ServedColumn(name="text", type="VARCHAR"),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one resource: `ingested`, `unchanged`, or failed, and then `error` says why."""

    dataset: str
    resource: str
    status: str
    seconds: float
    rows_in: int = 0
    rows_out: int = 0
    rejected: int = 0
    editions: tuple[str, ...] = ()
    error: str | None = None


def ingest(lab: Lab, slug: str, say: Callable[[str], None]) -> Iterator[Outcome]:
    """Bring in each resource of a dataset; `say` is told of each step. One that fails does not stop the others.

    Raises DatalabError only if the descriptor or the policy is wrong, or another job holds the dataset.
    """
    resources = lab.dataset(slug).resources
    policy = lab.policy(slug)
    with lab.lake.hold(slug):
        if policy is not None:
            lab.lake.withdraw(slug, {name: frozenset(tables) for name, tables in policy.editions.items()})
        # What a killed job left of passing files; the hold says that no other job has any
        shutil.rmtree(_scratch(lab, slug), ignore_errors=True)
        for name, resource in resources.items():
            start = time.monotonic()
            try:
                yield _ingest(lab, slug, name, resource, start, say)
            except (DatalabError, OSError) as error:
                seconds = time.monotonic() - start
                yield Outcome(dataset=slug, resource=name, status="failed", seconds=seconds, error=str(error))


def _ingest(lab: Lab, slug: str, name: str, resource: Resource, start: float, say: Callable[[str], None]) -> Outcome:
    say(f"{slug}.{name}: fetch")
    fetched = _fetch(lab, slug, name, resource)
    reading = _reading_id(lab, resource)
    before = _raw_receipt(lab, slug, name)
    if before is not None and (before.sha256, before.reading) == (fetched.sha256, reading):
        editions = _refresh_editions(lab, slug, name, before)
        status = "ingested" if editions else "unchanged"
        return _outcome(before, status, editions or _edition_names(lab, slug, name), start)
    _scratch(lab, slug).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_scratch(lab, slug)) as scratch, duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        try:
            say(f"{slug}.{name}: read")
            table = _read(fetched, resource, con, Path(scratch))
            declared = _declared(lab, slug, resource, table)
            say(f"{slug}.{name}: type {table.rows_in} rows")
            proven = prove(table, declared, lambda write: lab.lake.stage(slug, RAW, name, write))
        except ReadingError as error:
            message = f"{fetched.place}: {str(error).removeprefix(f'{fetched.path}: ')}"
            raise ReadingError(message) from None
        _refuse_changed(fetched, proven)
    receipt = _receipt(slug, name, resource, fetched, proven, reading, time.monotonic() - start)
    say(f"{slug}.{name}: commit {receipt.rows_out} rows and build the editions")
    editions = _commit(lab, slug, name, proven, receipt)
    return _outcome(receipt, "ingested", editions, start)


def _fetch(lab: Lab, slug: str, name: str, resource: Resource) -> Fetched:
    if isinstance(resource.source, FileSource):
        return fetch_file(resource.source, lab.root)
    settings = lab.section("ingest", IngestSettings)
    return fetch_http(resource.source, lab.var / "sources" / slug / name, settings)


def _read(fetched: Fetched, resource: Resource, con: duckdb.DuckDBPyConnection, scratch: Path) -> Table:
    chosen = resource.read.format or _SUFFIXES.get(Path(fetched.name).suffix.lower(), "csv")
    if chosen == "xlsx":
        return read_excel(fetched.path, resource.read, con)
    if chosen == "geojson":
        return read_geojson(fetched.path, resource.read, con)
    return read_csv(fetched.path, resource.read, con, scratch)


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


def _commit(lab: Lab, slug: str, name: str, proven: Proven, receipt: Receipt) -> tuple[str, ...]:
    """Stage every edition first; commit the raw table and its rejects, then the editions, once all are staged."""
    lake = lab.lake
    try:
        raw = Raw(
            files=[proven.staged.path],
            columns=proven.served,
            rows=receipt.rows_out,
            identity=_identity(receipt),
        )
        editions = stage_editions(lake, slug, name, raw, lab.policy(slug), _key(lab))
        tables = {name: (proven.staged, proven.served, receipt.model_dump(mode="json"))}
        before = lake.current(slug, RAW)
        rejects = f"{name}_rejects"
        if proven.rejects or (before is not None and rejects in before.resources):
            staged = lake.stage(slug, RAW, rejects, lambda path: _write_rejects(proven, path))
            tables[rejects] = (staged, _REJECTS, {"rows_out": len(proven.rejects)})
    except BaseException:
        proven.staged.discard()
        raise
    version = lake.commit(slug, RAW, tables)[name].version
    return _commit_editions(lab, slug, name, editions, version)


def _commit_editions(
    lab: Lab, slug: str, name: str, editions: list[StagedEdition], raw_version: int
) -> tuple[str, ...]:
    for made in editions:
        before = lab.lake.current(slug, made.edition)
        receipt = {**made.receipt, "raw_version": raw_version}
        lab.lake.commit(slug, made.edition, {name: (made.staged, made.columns, receipt)})
        served = None if before is None else before.resources.get(name)
        if served is not None and served.receipt.get("definition") != receipt["definition"]:
            # What the policy no longer shows must not stay readable in older snapshots
            lab.lake.drop_superseded(slug, made.edition, name)
    return tuple(made.edition for made in editions)


def _refresh_editions(lab: Lab, slug: str, name: str, before: Receipt) -> tuple[str, ...]:
    """Build again, from the raw table that is served, the editions that the policy or a killed job left behind."""
    current = lab.lake.current(slug, RAW)
    if current is None:
        return ()
    served = current.resources[name]
    raw = Raw(
        files=lab.lake.files(slug, RAW, name, served),
        columns=served.columns,
        rows=served.rows,
        identity=_identity(before),
    )
    editions = stage_editions(lab.lake, slug, name, raw, lab.policy(slug), _key(lab))
    return _commit_editions(lab, slug, name, editions, served.version)


def _edition_names(lab: Lab, slug: str, name: str) -> tuple[str, ...]:
    policy = lab.policy(slug)
    return () if policy is None else tuple(edition for edition, tables in policy.editions.items() if name in tables)


def _write_rejects(proven: Proven, path: Path) -> None:
    schema = pa.schema([("line", pa.int64()), ("reason", pa.string()), ("text", pa.string())])
    rows = [reject.model_dump() for reject in proven.rejects]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")


def _raw_receipt(lab: Lab, slug: str, name: str) -> Receipt | None:
    current = lab.lake.current(slug, RAW)
    if current is None or name not in current.resources:
        return None
    return Receipt.model_validate(current.resources[name].receipt)


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


def _outcome(receipt: Receipt, status: str, editions: tuple[str, ...], start: float) -> Outcome:
    return Outcome(
        dataset=receipt.dataset,
        resource=receipt.resource,
        status=status,
        seconds=time.monotonic() - start,
        rows_in=receipt.rows_in,
        rows_out=receipt.rows_out,
        rejected=receipt.rejected,
        editions=editions,
    )


def _reading_id(lab: Lab, resource: Resource) -> str:
    """Names how the bytes are read: the same bytes read in the same way give the same table."""
    parts: list[Any] = [READER, resource.read.model_dump_json()]
    parts += sorted((name, column.type) for name, column in resource.columns.items())
    if resource.tableschema is not None:
        path = lab.root / resource.tableschema
        parts.append(hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _identity(receipt: Receipt) -> str:
    return f"{receipt.sha256}:{receipt.reading}"


def _refuse_changed(fetched: Fetched, proven: Proven) -> None:
    if stamp_of(fetched.path) != fetched.stamp:
        proven.staged.discard()
        message = f"{fetched.path}: the file changed while it was read; try again"
        raise SourceError(message)


def _scratch(lab: Lab, slug: str) -> Path:
    return lab.var / "tmp" / slug


def _key(lab: Lab) -> Callable[[], bytes]:
    return lambda: pseudonym_key(lab.var / "keys" / "pseudonym.key")
