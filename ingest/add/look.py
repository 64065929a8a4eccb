"""Fetch and read the tables of a source as an ingest would, to see what a descriptor can say of them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import shapely

from catalog.lake import StagedTable
from catalog.model import Reading
from ingest.desk import open_desk
from ingest.fetch import fetch
from ingest.formats import tables_in
from ingest.prove import prove
from policies.editions import literal, quoted
from policies.errors import DatalabError, ReadingError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from catalog.receipt import ProvenColumn
    from catalog.sources import Source
    from ingest.desk import Desk
    from ingest.prove import Proven
    from ingest.settings import IngestSettings
    from ingest.table import Table

CODES = ("commune", "departement", "region", "epci")
MOST_TABLES = 30
_MOST_CODES = 2_000


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A table as it was read: its columns, how many rows came out and were rejected.

    `codes` are the INSEE codes in it by level, `box` where its geometry or coordinates lie (west, south, east, north),
    `days` the first and last day of its one column of dates.
    """

    columns: tuple[ProvenColumn, ...]
    rows: int
    rejected: int
    codes: dict[str, frozenset[str]]
    box: tuple[float, float, float, float] | None
    days: tuple[dt.date, dt.date] | None


def look(
    source: Source, root: Path, scratch: Path, settings: IngestSettings, say: Callable[[str], None]
) -> tuple[dict[str, Seen], dict[str, str]]:
    """The tables of a source by name, and of those that cannot be read why.

    Raises SourceError if it cannot be fetched, ReadingError if it is no table at all.
    """
    say("fetch")
    scratch.mkdir(parents=True, exist_ok=True)
    fetched = fetch(source, root, scratch / "cache", settings)
    part = fetched.parts[0]
    seen: dict[str, Seen] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=scratch) as passing, open_desk(Path(passing), settings) as desk:
        tables = tables_in(part.path, part.name, Reading(), desk, fetched.format)
        for name in list(tables)[:MOST_TABLES]:
            say(f"read {name or part.name}")
            try:
                seen[name] = _seen(tables[name](), desk)
            except DatalabError as error:
                failed[name] = str(error).removeprefix(f"{part.path}: ")
        if len(tables) > MOST_TABLES:
            failed[""] = f"{len(tables)} tables are in it; the first {MOST_TABLES} were looked at"
    if not seen:
        raise ReadingError(f"{fetched.place}: {'; '.join(failed.values()) or 'there is no table in it'}")
    return seen, failed


def _seen(table: Table, desk: Desk) -> Seen:
    path = desk.path("seen.parquet")

    def stage(write: Callable[[Path], object]) -> StagedTable:
        write(path)
        return StagedTable(path)

    proven = prove(table, {}, stage)
    return Seen(
        columns=proven.columns,
        rows=proven.staged.rows,
        rejected=len(proven.rejects),
        codes=_codes(proven, desk),
        box=_box(proven, desk),
        days=_days(proven, desk),
    )


def _codes(proven: Proven, desk: Desk) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for column in proven.columns:
        if column.type in CODES:
            rows = desk.con.execute(
                f"SELECT DISTINCT {quoted(column.name)} FROM read_parquet({literal(proven.staged.path)}) "  # noqa: S608
                f"WHERE {quoted(column.name)} IS NOT NULL LIMIT {_MOST_CODES}"
            ).fetchall()
            found[column.type] = found.get(column.type, frozenset()) | {code for (code,) in rows}
    return found


def _box(proven: Proven, desk: Desk) -> tuple[float, float, float, float] | None:
    kinds = {column.type: column.name for column in proven.columns}
    if "longitude" in kinds and "latitude" in kinds:
        x, y = quoted(kinds["longitude"]), quoted(kinds["latitude"])
        edges = desk.con.execute(
            f"SELECT min({x}), min({y}), max({x}), max({y}) "  # noqa: S608
            f"FROM read_parquet({literal(proven.staged.path)})"
        ).fetchone()
        return None if edges is None or edges[0] is None else edges
    geometry = next((column.name for column in proven.served if column.type == "GEOMETRY"), None)
    if geometry is None:
        return None
    boxes = []
    with pq.ParquetFile(proven.staged.path) as file:
        for batch in file.iter_batches(columns=[geometry], batch_size=10_000):
            shapes = shapely.from_wkb(batch.column(0).to_numpy(zero_copy_only=False))
            bounds = shapely.total_bounds(shapes)
            if bounds[0] == bounds[0]:  # NaN where all are empty
                boxes.append(shapely.box(*bounds))
    if not boxes:
        return None
    west, south, east, north = (float(edge) for edge in shapely.total_bounds(boxes))
    return west, south, east, north


def _days(proven: Proven, desk: Desk) -> tuple[dt.date, dt.date] | None:
    dates = [column.name for column in proven.columns if column.type in {"date", "timestamp"}]
    if len(dates) != 1:
        return None
    name = quoted(dates[0])
    found = desk.con.execute(
        f"SELECT min({name})::DATE, max({name})::DATE FROM read_parquet({literal(proven.staged.path)})"  # noqa: S608
    ).fetchone()
    return None if found is None or found[0] is None else found
