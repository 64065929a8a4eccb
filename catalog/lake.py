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
import os
import uuid
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from catalog import deltalog
from catalog.deltalog import COLUMNS, RECEIPT
from catalog.receipt import Stored
from policies.errors import LakeError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POINTER = "current.json"


class ServedColumn(Stored):
    """A column's name and its proven type, as SQL says it (`DECIMAL(18,2)`); geometry is WKB bytes in the file."""

    name: str
    type: str


class Served(Stored):
    """The snapshot of one resource that counts: its Delta version, its files (relative to the table), its columns."""

    version: int
    files: dict[str, int]
    rows: int
    committed: dt.datetime
    columns: tuple[ServedColumn, ...]
    receipt: dict[str, Any] = {}


class Current(Stored):
    """What an edition serves: one snapshot a resource. `layout` is raised when a field changes its meaning."""

    layout: int = 1
    resources: dict[str, Served]


Stamp = tuple[str, int, int, int]
"""A file as the filesystem knows it, which differs once it has been written or replaced."""


def stamp(path: Path | str) -> Stamp | None:
    """The stamp of a file; None where there is none."""
    try:
        known = os.stat(path)  # noqa: PTH116  thousands are asked for in a row, and a Path takes longer than the disk
    except OSError:
        return None
    return str(path), known.st_mtime_ns, known.st_size, known.st_ino


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
            said = count_of(error.error_count(), "error")
            message = f"{pointer}: damaged ({said}); restore it from the backup, or ingest again"
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

    def sound(self, dataset: str, edition: str, resource: str) -> Served | None:
        """What is served of a resource, if its files are all there and can be opened; else None: make it again.

        Raises LakeError if the pointer is damaged; `upkeep.mend` comes first.
        """
        current = self.current(dataset, edition)
        served = None if current is None else current.resources.get(resource)
        if served is None:
            return None
        try:
            rows = sum(StagedTable(path).rows for path in self.files(dataset, edition, resource, served))
        except LakeError:
            return None
        return served if rows == served.rows else None

    def history(self, dataset: str, edition: str, resource: str) -> list[dict[str, Any]]:
        """The receipts of every snapshot that counted, newest first, each with `version` and `committed` (UTC).

        Raises LakeError if the pointer or the log is damaged.
        """
        current = self.current(dataset, edition)
        if current is None or resource not in current.resources:
            return []
        found = deltalog.entries(self.edition_path(dataset, edition) / resource, current.resources[resource].version)
        return [{**entry.receipt, "version": entry.version, "committed": entry.committed} for entry in found]

    def stage(self, dataset: str, edition: str, resource: str, write: Callable[[Path], object]) -> StagedTable:
        """Let `write` make a new Parquet file of the table at the path it is given, without committing it.

        The caller commits the file, or discards it; if `write` raises, nothing is left of it. Raises LakeError if what
        `write` made is no Parquet file.
        """
        table = self.edition_path(dataset, edition) / resource
        table.mkdir(parents=True, exist_ok=True)
        path = table / f"part-{uuid.uuid4().hex}.parquet"
        try:
            write(path)
            return StagedTable(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def commit(
        self,
        dataset: str,
        edition: str,
        tables: dict[str, tuple[StagedTable, tuple[ServedColumn, ...], dict[str, Any]]],
    ) -> dict[str, Served]:
        """Commit staged tables of one edition, with their columns and receipts; they count together or not at all.

        Returns what is served of each. Raises OSError when the disk refuses, or LakeError when a log is damaged: what
        was served before still is, and the staged files are gone. When the disk refuses only after the new snapshot
        counts, raises LakeError saying so: readers see it, but a power cut may still bring the one before back.
        """
        before = self.current(dataset, edition)
        resources = {} if before is None else dict(before.resources)
        folder = self.edition_path(dataset, edition)
        try:
            for resource, (staged, columns, receipt) in tables.items():
                counted = resources[resource].version if resource in resources else None
                told = {RECEIPT: receipt, COLUMNS: [column.model_dump() for column in columns]}
                resources[resource] = Served(
                    version=deltalog.append(staged.path, staged.rows, staged.schema, told, counted),
                    files={staged.path.name: staged.path.stat().st_size},
                    rows=staged.rows,
                    committed=dt.datetime.now(dt.UTC).replace(microsecond=0),
                    columns=columns,
                    receipt=receipt,
                )
            self._sync(self._root)
            self._replace(folder, Current(resources=resources))
        except (LakeError, OSError):
            for staged, _, _ in tables.values():
                staged.discard()
            raise
        self._confirm(folder)
        return {name: resources[name] for name in tables}

    def editions(self, dataset: str) -> list[str]:
        """Every edition of a dataset that has a folder, whether or not anything in it counts."""
        folder = self._root / dataset
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def stamps(self, dataset: str) -> tuple[Stamp, ...]:
        """The stamp of every edition's pointer: they differ as soon as anything else is served of the dataset."""
        folder = f"{self._root}/{dataset}"
        try:
            editions = sorted(os.listdir(folder))  # noqa: PTH208  as for `stamp`
        except OSError:
            return ()
        found = (stamp(f"{folder}/{edition}/{POINTER}") for edition in editions)
        return tuple(one for one in found if one is not None)

    def point(self, dataset: str, edition: str, current: Current) -> None:
        """Let an edition serve `current` from now on. Raises OSError when the disk refuses, LakeError as `commit`."""
        folder = self.edition_path(dataset, edition)
        self._replace(folder, current)
        self._confirm(folder)

    def _replace(self, edition: Path, current: Current) -> None:
        """Replace the pointer. When this returns, the new one counts; when it raises OSError, the old one does."""
        new = edition / f".{POINTER}.new"
        with new.open("w", encoding="utf-8") as file:
            file.write(current.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        new.replace(edition / POINTER)

    def _confirm(self, edition: Path) -> None:
        """Put the pointer's rename on disk."""
        try:
            self._sync(edition)
        except OSError as error:
            pointer = edition / POINTER
            message = f"{pointer}: counts, but the disk does not confirm that it is durable ({error}); check the disk"
            raise LakeError(message) from None


class StagedTable:
    """A Parquet file in its table's folder, as its own footer tells it; it need not be in any version."""

    def __init__(self, path: Path) -> None:
        """Read the file's own metadata: its row count and its Arrow schema. Raises LakeError if it has none."""
        self.path = path
        try:
            self._metadata = pq.read_metadata(path)
        except (pa.ArrowException, FileNotFoundError) as error:
            raise LakeError(f"{path}: no whole Parquet file: {str(error).splitlines()[0]}") from None
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

    def dictionary(self, name: str) -> set[str] | None:
        """The values of a column of texts that the file keeps once each, as there are few; else None."""
        place = self.schema.names.index(name)
        groups = [self._metadata.row_group(group).column(place) for group in range(self._metadata.num_row_groups)]
        if not all(group.has_dictionary_page and "PLAIN" not in group.encodings for group in groups):
            return None
        with pq.ParquetFile(self.path, read_dictionary=[name]) as file:
            batches = [batch.column(0) for batch in file.iter_batches(columns=[name])]
        return {value for batch in batches for value in batch.dictionary.to_pylist()}

    def discard(self) -> None:
        """Take the file away."""
        self.path.unlink(missing_ok=True)
