"""The lake: Delta tables at `<root>/<dataset>/<edition>/<resource>/`. The only file that knows these paths.

A commit has two steps. The table's own Delta log gets a new version; then, once data and log are synced to disk, the
edition's `current.json` is replaced, in one rename, by one that names the new version and its files. Readers go by
`current.json` alone, so a snapshot counts only when it is whole and on disk; a Delta version after it is the leaving of
a job that was killed, and the next writer takes it away.

An edition's folder is complete in itself: it can be moved, mounted, backed up, and read by Spark, Trino or Polars.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import fcntl
import json
import os
import shutil
import time
import uuid
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pyarrow.types as pa_types
from deltalake import CommitProperties, DeltaTable, Schema, TableFeatures
from deltalake.transaction import AddAction, create_table_with_add_actions
from pydantic import ValidationError

from policies.document import Model
from policies.errors import LakeError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RECEIPT = "datalab.receipt"
POINTER = "current.json"
_LOG = "_delta_log"
_KEEP_LOG = {"delta.enableExpiredLogCleanup": "false"}  # the receipts lie in it


class ServedColumn(Model):
    """A column's name and its proven type, as SQL says it (`DECIMAL(18,2)`); geometry is WKB bytes in the file."""

    name: str
    type: str


class Served(Model):
    """The snapshot of one resource that counts: its Delta version, its files (relative to the table), its columns."""

    version: int
    files: dict[str, int]
    rows: int
    committed: dt.datetime
    columns: tuple[ServedColumn, ...]
    receipt: dict[str, Any]


class Current(Model):
    """What an edition serves: one snapshot a resource."""

    resources: dict[str, Served]


def sync_filesystem(path: Path) -> None:
    """Put everything written to the filesystem of `path` on disk (syncfs); raises OSError when the disk says no."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


class Lake:
    """All tables of a lab."""

    def __init__(self, root: Path, sync: Callable[[Path], None] = sync_filesystem) -> None:
        """`sync` puts on disk what was written; a test may give one that fails."""
        self._root = root
        self._sync = sync

    def edition_path(self, dataset: str, edition: str) -> Path:
        """The folder that holds one edition: what a sandbox mounts."""
        return self._root / dataset / edition

    @contextlib.contextmanager
    def hold(self, dataset: str) -> Iterator[None]:
        """Hold a dataset for writing; raises LakeError at once if another job holds it. A killed job lets go."""
        folder = self._root / dataset
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"{dataset}: another job is writing this dataset; wait for it to end, then try again"
                raise LakeError(message) from None
            yield

    def current(self, dataset: str, edition: str) -> Current | None:
        """What the edition serves now, or None if nothing was ever committed. Raises LakeError if it is damaged."""
        pointer = self.edition_path(dataset, edition) / POINTER
        try:
            return Current.model_validate_json(pointer.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            message = f"{pointer}: damaged ({error.error_count()} errors); restore it from the backup, or ingest again"
            raise LakeError(message) from None

    def files(self, dataset: str, edition: str, resource: str, served: Served) -> list[Path]:
        """The Parquet files of a served snapshot; raises LakeError if one is gone or has another size."""
        table = self.edition_path(dataset, edition) / resource
        paths = []
        for name, size in served.files.items():
            path = table / name
            if not path.is_file() or path.stat().st_size != size:
                message = f"{path}: the file is gone or damaged; restore it from the backup, or ingest {dataset} again"
                raise LakeError(message)
            paths.append(path)
        return paths

    def history(self, dataset: str, edition: str, resource: str) -> list[dict[str, Any]]:
        """The receipts of every snapshot that counted, newest first, each with `version` and `committed` (UTC)."""
        current = self.current(dataset, edition)
        if current is None or resource not in current.resources:
            return []
        log = self.edition_path(dataset, edition) / resource / _LOG
        found = []
        for version in range(current.resources[resource].version, -1, -1):
            entry = log / _log_name(version)
            # Read from the log itself: the library would also open an entry that never counted, and may be torn
            info = (
                json.loads(entry.read_text("utf-8").split("\n", 1)[0]).get("commitInfo", {}) if entry.exists() else {}
            )
            if RECEIPT in info:
                committed = dt.datetime.fromtimestamp(info["timestamp"] / 1000, dt.UTC)
                found.append({**json.loads(info[RECEIPT]), "version": version, "committed": committed})
        return found

    def stage(self, dataset: str, edition: str, resource: str, write: Callable[[Path], object]) -> StagedTable:
        """Let `write` make a new Parquet file of the table at the path it is given, without committing it.

        The caller commits the file, or discards it; if `write` raises, nothing is left of it.
        """
        table = self.edition_path(dataset, edition) / resource
        table.mkdir(parents=True, exist_ok=True)
        path = table / f"part-{uuid.uuid4().hex}.parquet"
        try:
            write(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return StagedTable(path)

    def commit(
        self,
        dataset: str,
        edition: str,
        tables: dict[str, tuple[StagedTable, tuple[ServedColumn, ...], dict[str, Any]]],
    ) -> dict[str, Served]:
        """Commit staged tables of one edition, with their columns and receipts; they count together or not at all.

        Returns what is served of each. Raises OSError when the disk refuses; what was served before still is.
        """
        before = self.current(dataset, edition)
        resources = {} if before is None else dict(before.resources)
        for resource, (staged, columns, receipt) in tables.items():
            counted = resources[resource].version if resource in resources else None
            version = self._log(staged, receipt, counted)
            resources[resource] = Served(
                version=version,
                files={staged.path.name: staged.path.stat().st_size},
                rows=staged.rows,
                committed=dt.datetime.now(dt.UTC).replace(microsecond=0),
                columns=columns,
                receipt=receipt,
            )
        self._sync(self._root)
        self._point(self.edition_path(dataset, edition), Current(resources=resources))
        return {name: resources[name] for name in tables}

    def drop_superseded(self, dataset: str, edition: str, resource: str) -> None:
        """Take away the data files of every snapshot of a table but the one that counts; their receipts stay."""
        current = self.current(dataset, edition)
        if current is None or resource not in current.resources:
            return
        kept = current.resources[resource].files
        for path in (self.edition_path(dataset, edition) / resource).glob("*.parquet"):
            if path.name not in kept:
                path.unlink()

    def withdraw(self, dataset: str, kept: dict[str, frozenset[str]]) -> None:
        """Take away, from every edition but raw, the tables that are not in `kept` (edition → resources)."""
        for folder in (self._root / dataset).iterdir():
            edition = folder.name
            if not folder.is_dir() or edition == RAW:
                continue
            current = self.current(dataset, edition)
            wanted = kept.get(edition, frozenset())
            if current is not None and not wanted >= current.resources.keys():
                left = {name: served for name, served in current.resources.items() if name in wanted}
                self._point(folder, Current(resources=left))
            for table in folder.iterdir():
                if table.is_dir() and table.name not in wanted:
                    shutil.rmtree(table)

    def _log(self, staged: StagedTable, receipt: dict[str, Any], counted: int | None) -> int:
        """Add the staged file to the table's Delta log as the version after `counted`; returns that version."""
        table = staged.path.parent
        _drop_uncounted(table, counted)
        add = AddAction(
            staged.path.name,
            staged.path.stat().st_size,
            {},
            int(time.time() * 1000),
            True,  # noqa: FBT003  AddAction takes no keywords
            json.dumps({"numRecords": staged.rows}),
        )
        properties = CommitProperties(custom_metadata={RECEIPT: json.dumps(receipt, ensure_ascii=False)})
        schema = Schema.from_arrow(staged.schema)
        if counted is None:
            create_table_with_add_actions(
                str(table), schema, [add], configuration=_KEEP_LOG, commit_properties=properties
            )
            return 0
        delta = DeltaTable(table)
        zoneless = any(pa_types.is_timestamp(field.type) and field.type.tz is None for field in staged.schema)
        if zoneless and "timestampNtz" not in (delta.protocol().writer_features or ()):
            delta.alter.add_feature(TableFeatures.TimestampWithoutTimezone, allow_protocol_versions_increase=True)
        delta.create_write_transaction([add], "overwrite", schema, commit_properties=properties)
        return DeltaTable(table).version()

    def _point(self, edition: Path, current: Current) -> None:
        new = edition / f".{POINTER}.new"
        with new.open("w", encoding="utf-8") as file:
            file.write(current.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        new.replace(edition / POINTER)
        self._sync(edition)


class StagedTable:
    """A Parquet file that stands in its table's folder but in no version of it."""

    def __init__(self, path: Path) -> None:
        """Read the file's own metadata: its row count and its Arrow schema."""
        self.path = path
        self._metadata = pq.read_metadata(path)
        self.rows: int = self._metadata.num_rows
        self.schema = self._metadata.schema.to_arrow_schema()

    def nulls(self) -> dict[str, int]:
        """How many values of each column are NULL."""
        counts = dict.fromkeys(self.schema.names, 0)
        for group in range(self._metadata.num_row_groups):
            for place in range(self._metadata.num_columns):
                column = self._metadata.row_group(group).column(place)
                counts[column.path_in_schema] += column.statistics.null_count
        return counts

    def discard(self) -> None:
        """Take the file away."""
        self.path.unlink(missing_ok=True)


def _log_name(version: int) -> str:
    """The name of a version's entry in the log (Delta protocol: 20 digits)."""
    return f"{version:020}.json"


def _drop_uncounted(table: Path, counted: int | None) -> None:
    """Take away Delta versions after `counted`: they never counted, and may be torn."""
    log = table / _LOG
    if counted is None:
        shutil.rmtree(log, ignore_errors=True)
        return
    for entry in log.iterdir():
        number = entry.name.split(".", 1)[0]
        if number.isdigit() and int(number) > counted:
            entry.unlink()
