"""One table's Delta log. delta-rs writes it; it is read and healed by hand, for its last entries may be torn.

Which version counts is not the log's to say, but `current.json`'s (see `lake.py`): what comes after it never counted.
Each entry of ours carries the receipt and the columns of its snapshot, so that the pointer can be made again from it.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pa_types
from deltalake import CommitProperties, DeltaTable, Schema, TableFeatures
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from policies.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RECEIPT = "datalab.receipt"
COLUMNS = "datalab.columns"
LOG = "_delta_log"
_CHECKPOINT = "_last_checkpoint"
_KEEP_LOG = {"delta.enableExpiredLogCleanup": "false"}  # the receipts lie in it


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One snapshot, as its entry in the log tells it; `columns` is None where an older release wrote none."""

    version: int
    committed: dt.datetime
    receipt: dict[str, Any]
    columns: list[dict[str, str]] | None
    files: dict[str, int]
    rows: int


def entries(table: Path, counted: int) -> Iterator[Entry]:
    """Every snapshot up to the version that counts, newest first. Raises LakeError where an entry is gone or torn."""
    for version in range(counted, -1, -1):
        entry = _read(table / LOG / _name(version))
        if entry is not None:
            yield entry


def whole(table: Path) -> Iterator[Entry]:
    """Every snapshot whose entry is whole, newest first, whether it counted or not: for when nothing else tells."""
    log = table / LOG
    for version in sorted(_versions(log), reverse=True) if log.is_dir() else ():
        try:
            entry = _read(log / _name(version))
        except LakeError:
            continue
        if entry is not None:
            yield entry


def append(file: Path, rows: int, schema: pa.Schema, metadata: Mapping[str, object], counted: int | None) -> int:
    """Make `file` all there is of its table, in the version after `counted`; returns that version, not yet synced.

    `metadata` is kept in the entry: RECEIPT and COLUMNS. Where `counted` is None, or the log was taken away, the log
    starts anew. Raises LakeError naming the table if the log is damaged, or a column has a type that Delta lacks.
    """
    table = file.parent
    drop_uncounted(table, counted)
    add = AddAction(
        file.name,
        file.stat().st_size,
        {},
        int(time.time() * 1000),
        True,  # noqa: FBT003  AddAction takes no keywords
        json.dumps({"numRecords": rows}),
    )
    told = {key: json.dumps(value, ensure_ascii=False) for key, value in metadata.items()}
    properties = CommitProperties(custom_metadata=told)
    delta_schema = _delta_schema(table, schema)
    try:
        if counted is None or not (table / LOG).is_dir():
            create_table_with_add_actions(
                str(table), delta_schema, [add], configuration=_KEEP_LOG, commit_properties=properties
            )
            return 0
        delta = DeltaTable(table)
        if delta.version() != counted:
            raise LakeError(_damaged(table, f"version {counted} is not in it"))
        zoneless = any(pa_types.is_timestamp(field.type) and field.type.tz is None for field in schema)
        if zoneless and "timestampNtz" not in (delta.protocol().writer_features or ()):
            delta.alter.add_feature(TableFeatures.TimestampWithoutTimezone, allow_protocol_versions_increase=True)
        delta.create_write_transaction([add], "overwrite", delta_schema, commit_properties=properties)
        return DeltaTable(table).version()
    except DeltaError as error:
        raise LakeError(_damaged(table, str(error).split("\n", 1)[0])) from None


def drop_uncounted(table: Path, counted: int | None) -> None:
    """Take away Delta versions after `counted`, and what speaks of them: they never counted, and may be torn."""
    log = table / LOG
    if counted is None:
        shutil.rmtree(log, ignore_errors=True)
        return
    if not log.is_dir():
        return
    # The hint goes first: it may stay away, but it must not name a checkpoint that is gone
    if not _counts(log / _CHECKPOINT, counted):
        (log / _CHECKPOINT).unlink(missing_ok=True)
    for entry in log.iterdir():
        number = entry.name.split(".", 1)[0]
        if number.isdigit() and int(number) > counted:
            entry.unlink()


def _counts(hint: Path, counted: int) -> bool:
    """Whether delta-rs's hint at its last checkpoint is whole and names a version that counts."""
    try:
        return int(json.loads(hint.read_bytes())["version"]) <= counted
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read(path: Path) -> Entry | None:
    """The snapshot of one entry, or None if it made none (a new feature of the table, say)."""
    try:
        actions = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
        info = next((action["commitInfo"] for action in actions if "commitInfo" in action), None)
        if info is None:
            raise LakeError(_damaged(path.parent.parent, f"{path.name} is torn"))
        if RECEIPT not in info:
            return None
        added = [action["add"] for action in actions if "add" in action]
        return Entry(
            version=int(path.stem),
            committed=dt.datetime.fromtimestamp(info["timestamp"] / 1000, dt.UTC),
            receipt=json.loads(info[RECEIPT]),
            columns=json.loads(info[COLUMNS]) if COLUMNS in info else None,
            files={add["path"]: add["size"] for add in added},
            rows=sum(json.loads(add["stats"])["numRecords"] for add in added),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LakeError(_damaged(path.parent.parent, f"{path.name}: {error}")) from None


def _versions(log: Path) -> Iterator[int]:
    return (int(path.stem) for path in log.glob("*.json") if path.stem.isdigit())


def _delta_schema(table: Path, schema: pa.Schema) -> Schema:
    try:
        return Schema.from_arrow(schema)
    except Exception as error:  # noqa: BLE001  delta-rs raises nothing narrower here
        raise LakeError(f"{table}: Delta has no such type: {str(error).split(chr(10), 1)[0]}") from None


def _name(version: int) -> str:
    """The name of a version's entry in the log (Delta protocol: 20 digits)."""
    return f"{version:020}.json"


def _damaged(table: Path, why: str) -> str:
    return (
        f"{table}: its Delta log is damaged ({why}); restore it from the backup, or take {LOG} away and ingest again: "
        "its history then starts anew"
    )
