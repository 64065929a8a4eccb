"""What whoever holds a dataset for writing does before and after: mend its pointers, and sweep its folders."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from pydantic import ValidationError

from catalog import deltalog
from catalog.lake import POINTER, Current, Served, ServedColumn, StagedTable
from policies.errors import LakeError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from catalog.lake import Lake


def mend(lake: Lake, dataset: str) -> list[str]:
    """Make every damaged pointer of a dataset again from its tables' Delta logs; says what was mended.

    Of each table the newest snapshot counts whose entry in the log and whose file are whole; a table without one is no
    longer served, and must be made again. Only for who holds the dataset. Raises LakeError if the disk refuses.
    """
    said = []
    for edition in lake.editions(dataset):
        try:
            lake.current(dataset, edition)
        except LakeError:
            folder = lake.edition_path(dataset, edition)
            found = {table.name: _newest_whole(table) for table in sorted(folder.iterdir()) if table.is_dir()}
            mended = {name: served for name, served in found.items() if served is not None}
            try:
                lake.point(dataset, edition, Current(resources=mended))
            except OSError as error:
                raise LakeError(f"{folder / POINTER}: is damaged, and cannot be made again: {error}") from None
            tables = ", ".join(f"{name} version {served.version}" for name, served in mended.items()) or "no table"
            said.append(f"{folder / POINTER}: was damaged; made again from the Delta logs, with {tables}")
    return said


def sweep(lake: Lake, dataset: str, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Take away what nobody may read: what never counted, and what today's policy no longer shows.

    `wanted` is what the policy names: edition → table → its definition. Editions and tables that it does not name go;
    of the others, the files of snapshots whose receipt has another `definition` (the receipts stay). `raw` keeps every
    table, and the file of every snapshot that counted. Only for who holds the dataset; who reads a file at that moment
    gets an error at worst. Raises LakeError if the disk refuses, or a pointer is damaged.
    """
    try:
        for edition in lake.editions(dataset):
            if edition == RAW:
                _sweep_raw(lake, dataset)
            elif edition in wanted:
                _sweep_edition(lake, dataset, edition, wanted[edition])
            else:
                shutil.rmtree(lake.edition_path(dataset, edition))
    except OSError as error:
        raise LakeError(f"{dataset}: what is no longer to be read cannot be removed: {error}") from None


def _sweep_raw(lake: Lake, dataset: str) -> None:
    current = lake.current(dataset, RAW)
    for name, served in ({} if current is None else current.resources).items():
        table = lake.edition_path(dataset, RAW) / name
        try:
            counted = [entry.files for entry in deltalog.entries(table, served.version)]
        except LakeError:
            continue  # a damaged log does not tell which files counted
        _keep(table, served, frozenset(served.files).union(*counted))


def _sweep_edition(lake: Lake, dataset: str, edition: str, wanted: Mapping[str, str]) -> None:
    current = lake.current(dataset, edition)
    before = {} if current is None else current.resources
    left = {name: served for name, served in before.items() if name in wanted}
    if len(left) < len(before):
        lake.point(dataset, edition, Current(resources=left))
    for table in lake.edition_path(dataset, edition).iterdir():
        if not table.is_dir():
            continue
        if table.name in left:
            served = left[table.name]
            _keep(table, served, _files_of(table, served, wanted[table.name]))
        else:
            shutil.rmtree(table)


def _files_of(table: Path, served: Served, definition: str) -> frozenset[str]:
    """The files of every snapshot that counted and was built by this definition, as far as the log can be read."""
    snapshots = [(served.receipt, served.files)]
    with contextlib.suppress(LakeError):
        snapshots += [(entry.receipt, entry.files) for entry in deltalog.entries(table, served.version)]
    return frozenset(name for receipt, files in snapshots if receipt.get("definition") == definition for name in files)


def _keep(table: Path, served: Served, kept: frozenset[str]) -> None:
    """Take away the table's versions that never counted, and every data file but those to keep."""
    deltalog.drop_uncounted(table, served.version)
    for path in table.glob("*.parquet"):
        if path.name not in kept:
            path.unlink()


def _newest_whole(table: Path) -> Served | None:
    """The newest snapshot of a table whose entry in the log is whole, and its file too."""
    for entry in deltalog.whole(table):
        try:
            rows = sum(StagedTable(table / name).rows for name in entry.files)
            if entry.columns is None or not entry.files or rows != entry.rows:
                continue
            return Served(
                version=entry.version,
                files={name: (table / name).stat().st_size for name in entry.files},
                rows=rows,
                committed=entry.committed.replace(microsecond=0),
                columns=tuple(ServedColumn.model_validate(column) for column in entry.columns),
                receipt=entry.receipt,
            )
        except (LakeError, OSError, ValidationError):
            continue
    return None
