"""What whoever holds a dataset for writing does before and after: mend its pointers, and sweep its folders."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from typing import TYPE_CHECKING

from pydantic import ValidationError

from catalog import deltalog
from catalog.lake import POINTER, Current, Served, ServedColumn, StagedTable
from policies.editions import alike
from policies.errors import LakeError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from catalog.deltalog import Entry
    from catalog.lake import Lake
    from catalog.settings import LakeSettings


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


def sweep(lake: Lake, dataset: str, wanted: Mapping[str, Mapping[str, str]], rule: LakeSettings) -> None:
    """Take away what nobody may read: what never counted, what today's policy no longer shows, what `rule` finds old.

    `wanted` is what the policy names: edition → table → its definition. Editions and tables that it does not name go;
    of the others, the files of snapshots whose receipt has another `definition`. `raw` keeps every table that counts.
    Of the snapshots that counted, the files of old ones go; the receipts of all stay in the log. Only for who holds the
    dataset; who reads a file at that moment gets an error at worst. Raises LakeError if the disk refuses, or a pointer
    is damaged.
    """
    try:
        for edition in lake.editions(dataset):
            if edition == RAW:
                _sweep_raw(lake, dataset, rule)
            elif edition in wanted:
                _sweep_edition(lake, dataset, edition, wanted[edition], rule)
            else:
                shutil.rmtree(lake.edition_path(dataset, edition))
    except OSError as error:
        raise LakeError(f"{dataset}: what is no longer to be read cannot be removed: {error}") from None


def _sweep_raw(lake: Lake, dataset: str, rule: LakeSettings) -> None:
    current = lake.current(dataset, RAW)
    counting = {} if current is None else current.resources
    for name, served in counting.items():
        table = lake.edition_path(dataset, RAW) / name
        try:
            kept = [entry.files for entry in _recent(deltalog.entries(table, served.version), rule)]
        except LakeError:
            continue  # a damaged log does not tell which files counted
        _keep(table, served, frozenset(served.files).union(*kept))
    for table in lake.edition_path(dataset, RAW).iterdir():
        if table.is_dir() and table.name not in counting and not (table / deltalog.LOG).exists():
            shutil.rmtree(table)  # nothing but what a killed first ingest staged


def _sweep_edition(lake: Lake, dataset: str, edition: str, wanted: Mapping[str, str], rule: LakeSettings) -> None:
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
            _keep(table, served, _files_of(table, served, wanted[table.name], rule))
        else:
            shutil.rmtree(table)


def _files_of(table: Path, served: Served, definition: str, rule: LakeSettings) -> frozenset[str]:
    """The files of the snapshots to keep that were built by this definition, as far as the log can be read.

    What was made with another key than what is served goes too: with that key, its pseudonyms can be turned back.
    """
    snapshots = [(served.receipt, served.files)]
    with contextlib.suppress(LakeError):
        entries = _recent(deltalog.entries(table, served.version), rule)
        snapshots += [(entry.receipt, entry.files) for entry in entries]
    of_today = {"definition": definition, "made_with": served.receipt.get("made_with")}
    return frozenset(name for receipt, files in snapshots if alike(receipt, of_today) for name in files)


def _recent(entries: Iterable[Entry], rule: LakeSettings) -> list[Entry]:
    """Of entries, the newest first, those whose files are kept."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=rule.keep_days)
    return [entry for number, entry in enumerate(entries) if number < rule.keep_versions or entry.committed >= since]


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
