"""Small open tables → CKAN's DataStore, where they can be looked at and asked through its API.

A table is put there whole, in one call that CKAN carries out in one transaction, after the one before was taken away;
then its resource says which content it has (`names.PUSHED`). So whatever breaks on the way, nobody meets half a table,
and the next run puts it there again; a content that the resource says it has already is not sent.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from catalog.ckan.merge import Action
from catalog.ckan.names import PUSHED, package_name, stable_id
from catalog.ckan.resources import resource_id
from catalog.download import content_key
from catalog.metadata import said
from catalog.query import view_sql
from policies.editions import quoted
from policies.errors import LakeError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.ckan.facts import Wire
    from catalog.ckan.listing import Listing
    from catalog.entries import Entry
    from catalog.lab import Lab
    from catalog.lake import ServedColumn
    from catalog.model import Resource
    from catalog.settings import CkanSettings

Rows = list[dict[str, str | None]]
"""Rows as `datastore_create` takes them: every value as text, which PostgreSQL reads by the field's type."""

LARGEST = 10_000_000
"""A table whose Parquet files have more bytes is not small, however few rows it has."""

_LAYOUT = 1
_MOST_COLUMNS = 1500  # PostgreSQL has 1,600, and CKAN puts two of its own
_LONGEST_NAME = 63
_TYPES = {
    "BOOLEAN": "bool",
    "TINYINT": "int4",
    "SMALLINT": "int4",
    "INTEGER": "int4",
    "BIGINT": "int8",
    "UTINYINT": "int4",
    "USMALLINT": "int4",
    "UINTEGER": "int8",
    "UBIGINT": "numeric",
    "HUGEINT": "numeric",
    "FLOAT": "float8",
    "DOUBLE": "float8",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}
"""SQL type → PostgreSQL's; a DECIMAL is numeric, and all else, geometry as WKT, is text."""


@dataclass(frozen=True)
class Table:
    """A table as the DataStore is to have it, on the CSV download of a dataset; `key` names its content.

    `fields` are those of `datastore_create`, in the order of the columns. `primary_key` is that of the descriptor.
    """

    name: str
    package_id: str
    resource_id: str
    fields: tuple[Wire, ...]
    primary_key: tuple[str, ...]
    rows: int
    key: str
    entry: Entry
    resource: str


def tables(settings: CkanSettings, listings: Sequence[Listing]) -> dict[str, Table]:
    """The tables that the DataStore is to have, by the id of their resource: open, not empty, and small."""
    found = {}
    for listing in listings:
        for name, (resource, served) in listing.entry.resources.items():
            small = 0 < served.rows <= settings.datastore_rows and sum(served.files.values()) <= LARGEST
            if small and not listing.private and len(served.columns) <= _MOST_COLUMNS:
                made = _table(settings.organisation, listing, name, resource)
                found[made.resource_id] = made
    return found


def _table(organisation: str, listing: Listing, name: str, resource: Resource) -> Table:
    entry = listing.entry
    served = entry.current.resources[name]
    ids = field_ids([column.name for column in served.columns])
    fields = tuple(_field(ids[column.name], column, resource) for column in served.columns)
    key = tuple(ids[column] for column in resource.key if column in ids)
    told = json.dumps([_LAYOUT, content_key(served), fields, resource.key], sort_keys=True)
    return Table(
        name=f"{package_name(entry)}.{name}",
        package_id=stable_id("dataset", organisation, package_name(entry)),
        resource_id=resource_id(organisation, listing, name, "csv"),
        fields=fields,
        primary_key=key if len(key) == len(resource.key) else (),
        rows=served.rows,
        key=hashlib.sha256(told.encode()).hexdigest()[:16],
        entry=entry,
        resource=name,
    )


def _field(name: str, column: ServedColumn, resource: Resource) -> Wire:
    known = resource.columns.get(column.name)
    label = column.name if known is None or known.title is None else said(known.title).strip()
    notes = "" if known is None or known.description is None else said(known.description).strip()
    if known is not None and known.unit is not None:
        notes = f"{notes} ({known.unit})".strip()
    kind = "numeric" if column.type.startswith("DECIMAL") else _TYPES.get(column.type, "text")
    return {"id": name, "type": kind, "info": {"label": label, "notes": notes}}


def field_ids(columns: Sequence[str]) -> dict[str, str]:
    """Column → the name that the DataStore takes for it: no `_` at its start, no `"`, 63 bytes at most, none twice."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for place, column in enumerate(columns, start=1):
        plain = re.sub(r'[\x00-\x1f\x7f-\x9f"]+', " ", column).strip().lstrip("_").strip()
        name = base = _cut(plain, _LONGEST_NAME) or f"column {place}"
        number = 2
        while name in taken:
            name = f"{_cut(base, _LONGEST_NAME - len(str(number)) - 1)} {number}"
            number += 1
        taken.add(name)
        found[column] = name
    return found


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore").strip()


def push(table: Table, held: Wire | None) -> Action:
    """What to do so that the DataStore has this table; `held` is its resource as CKAN has it, None if not yet."""
    there = {} if held is None else held
    if there.get(PUSHED) == table.key and there.get("datastore_active"):
        return Action("table", table.name, "unchanged", key=table.resource_id)
    before = there.get(PUSHED) or there.get("datastore_active")
    data = {
        "resource_id": table.resource_id,
        "force": True,
        "fields": list(table.fields),
        "primary_key": list(table.primary_key),
    }
    rows = (count_of(table.rows, "row"),)
    return Action(
        "table", table.name, "update" if before else "create", rows, "datastore_create", data, table.resource_id
    )


def taken_away(held: Wire, resource: Wire) -> Action:
    """What to do so that the DataStore has no table on this resource of a dataset."""
    key = resource["id"]
    data = {"resource_id": key, "force": True}
    return Action("table", f"{held['name']}: {resource['name']}", "delete", (), "datastore_delete", data, key)


def said_of(table: Table) -> Wire:
    """The call after which the resource says that the DataStore has this content."""
    return {
        "match": {"id": table.package_id},
        f"update__resources__{table.resource_id}": {PUSHED: table.key},
        "include": ["+package__id", "-*"],
    }


def records(lab: Lab, table: Table) -> Rows:
    """The rows of a table; raises LakeError if they cannot be read."""
    served = table.entry.current.resources[table.resource]
    files = lab.lake.files(table.entry.slug, table.entry.edition, table.resource, served)
    cells = ", ".join(
        f"st_astext({quoted(column.name)})" if column.type == "GEOMETRY" else f"CAST({quoted(column.name)} AS VARCHAR)"
        for column in served.columns
    )
    names = [field["id"] for field in table.fields]
    try:
        with duckdb.connect(config={"threads": 1}) as con:
            rows = con.execute(f"SELECT {cells} FROM ({view_sql(files, served)})").fetchall()  # noqa: S608  quoted
    except duckdb.Error as error:
        raise LakeError(f"{table.name}: its rows cannot be read: {str(error).splitlines()[0]}") from None
    return [dict(zip(names, row, strict=True)) for row in rows]


def primary_key(table: Table, rows: Rows) -> tuple[str, ...]:
    """The primary key, if it tells these rows apart: an edition may have rounded its columns."""
    keys = {tuple(row[name] for name in table.primary_key) for row in rows}
    return table.primary_key if len(keys) == len(rows) and all(None not in key for key in keys) else ()
