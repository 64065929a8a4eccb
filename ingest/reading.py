"""The bytes of a source → a table in which every value is proven, as the descriptor says it or as it was before."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from catalog.receipt import Receipt
from ingest.desk import open_desk
from ingest.formats import tables_in
from ingest.kept import Kept
from ingest.markers import SUFFIX
from ingest.parts import data_alone, together
from ingest.sources import stamp_of
from ingest.table import chosen
from ingest.tableschema import read_tableschema
from ingest.typings import Declared, Key
from policies.document import suggest
from policies.errors import DocumentError, ReadingError, SourceError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog.lab import Lab
    from catalog.model import Resource
    from catalog.receipt import ProvenColumn
    from ingest.before import Job
    from ingest.desk import Desk
    from ingest.review import Visit
    from ingest.sources import Fetched
    from ingest.table import Table

READER = 6
"""Raised when the same bytes would be read otherwise than before, so that they are read again."""


def reading_id(lab: Lab, resource: Resource) -> str:
    """Names how the bytes are read: the same bytes read in the same way give the same table."""
    parts: list[Any] = [READER, resource.read.model_dump_json()]
    parts += sorted((name, column.type) for name, column in resource.columns.items())
    if resource.tableschema is not None:
        path = lab.root / resource.tableschema
        parts.append(hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@contextmanager
def desk_of(job: Job, fetched: Fetched) -> Iterator[Desk]:
    """A desk for reading what was fetched; a ReadingError there names the source's place."""
    with (
        tempfile.TemporaryDirectory(dir=job.scratch) as scratch,
        open_desk(
            Path(scratch), job.settings, {} if job.territory is None else {"the dataset's `spatial`": job.territory}
        ) as desk,
    ):
        try:
            yield desk
        except ReadingError as error:
            raise ReadingError(_placed(str(error), fetched)) from None


def read(fetched: Fetched, resource: Resource, desk: Desk, *, alone: bool) -> Table:
    """The table that the resource is: the one file `alone`, or all parts together."""
    opened = []
    for part in fetched.parts:
        try:
            tables = tables_in(part.path, part.name, resource.read, desk, fetched.format)
            opened.append((part.name, chosen(tables, resource.read.table)))
        except ReadingError as error:
            place = fetched.place if alone else f"{fetched.place}: {part.name}"
            glob = None if alone else data_alone([one.name for one in fetched.parts], part.name)
            advice = "" if glob is None else f"; if it is no data, name the data alone in the source, such as {glob}"
            raise ReadingError(f"{place}: {str(error).removeprefix(f'{part.path}: ')}{advice}") from None
    return opened[0][1] if alone else together(opened)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What is expected: of the columns, by their names in the lake, of the rows, and the texts for no value.

    `missing` None: the known markers. `notes` are for the receipt.
    """

    columns: Mapping[str, Declared | Kept]
    keys: tuple[Key, ...]
    missing: tuple[str, ...] | None
    notes: tuple[str, ...] = ()


def expected(visit: Visit, table: Table) -> Expected:
    """What is expected of the table: what is declared, or else the types that its columns had.

    Declared is what the TableSchema and then the descriptor say. No type is kept from a snapshot that was read by
    another `reading`: who changes the descriptor wants the types to be found anew.
    """
    job, resource, before = visit.job, visit.resource, visit.last
    had = () if before is None else tuple(column.name for column in before[0].columns)
    schema = None
    if resource.tableschema is not None:
        schema = read_tableschema(job.lab.root / resource.tableschema, table.columns)
    declared = _declared(job.slug, resource, table, had, {} if schema is None else schema.columns)
    keys, missing = ((), None) if schema is None else (schema.keys, schema.missing)
    if resource.mode == "merge":
        keys = (Key(resource.key, place=f"datasets/{job.slug}.yaml: {visit.name}", required=True), *keys)
    missing = missing if resource.read.missing is None else resource.read.missing
    notes = () if schema is None else schema.notes
    return Expected(columns={**_kept(visit), **declared}, keys=keys, missing=missing, notes=notes)


def _kept(visit: Visit) -> dict[str, Kept]:
    """The types that the columns had; where rows are added, those that the last ones have not, too."""
    served, last = (None, None) if visit.last is None else visit.last
    if served is None or last is None or last.reading != visit.reading:
        return {}
    told: dict[str, ProvenColumn] = {}
    for receipt in _receipts(visit, last):
        told = {**{column.name: column for column in receipt.columns}, **told}
    return {
        column.name: Kept(
            column.type,
            told[column.name].why if column.name in told else "",
            f"{column.name}{SUFFIX}" in told and told[f"{column.name}{SUFFIX}"].source_name == "",
        )
        for column in served.columns
    }


def _receipts(visit: Visit, last: Receipt) -> Iterator[Receipt]:
    """The receipts of all that is in the table, newest first, as far as they can be read."""
    yield last
    older = visit.job.lab.lake.history(visit.job.slug, RAW, visit.name)[1:] if last.mode != "snapshot" else []
    for stored in older:
        try:
            receipt = Receipt.model_validate(stored)
        except ValidationError:
            return
        yield receipt
        if receipt.mode == "snapshot":
            return


def _declared(
    slug: str, resource: Resource, table: Table, had: tuple[str, ...], schema: Mapping[str, Declared]
) -> dict[str, Declared]:
    """What the descriptor and its TableSchema say; of a column that the source `had` until now the review speaks."""
    declared = dict(schema)
    known = [column.name for column in table.columns]
    for column, described in resource.columns.items():
        if column not in known and column in had:
            continue
        if column not in known:
            message = f"datasets/{slug}.yaml: the column {column!r} is not in the source; {suggest(column, known)}"
            raise DocumentError(message)
        if described.type is not None:
            declared[column] = replace(declared.get(column, Declared(described.type)), word=described.type)
    return declared


def refuse_changed(fetched: Fetched) -> None:
    """Raise SourceError if a file is no longer what was fetched."""
    for part in fetched.parts:
        if stamp_of(part.path) != part.stamp:
            message = f"{part.path}: the file changed while it was read; try again"
            raise SourceError(message)


def _placed(message: str, fetched: Fetched) -> str:
    """The message, with the source's place where it named a passing file, and before it if it named none."""
    for part in fetched.parts:
        message = message.removeprefix(f"{part.path}: ")
    return message if message.startswith(fetched.place) else f"{fetched.place}: {message}"
