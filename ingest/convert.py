"""Any file → clean Parquet or CSV with a receipt, without a lab: the same reading, typing and proof as an ingest."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb
import pyarrow.parquet as pq
from pyarrow.csv import CSVWriter

from catalog.download import GEOMETRY, parquet_select
from catalog.lake import StagedTable
from ingest.desk import open_desk
from ingest.evidence import AT_ONCE
from ingest.formats import tables_in
from ingest.outcome import broken_off
from ingest.parquetfile import write_parquet
from ingest.prove import prove
from ingest.sources import fetched_file, stamp_of
from ingest.table import only
from ingest.typed import clean_sql
from ingest.wide import write_beside
from policies.editions import literal
from policies.errors import DatalabError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.prove import Proven
    from ingest.settings import IngestSettings
    from ingest.sources import Fetched
    from ingest.table import Table, Tables

Format = Literal["parquet", "csv"]
_SHOWN_REJECTS = 100


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What became of one table of a file: `out`, where it was written, or `error`, why not."""

    file: Path
    table: str
    out: Path | None = None
    rows: int = 0
    rejected: int = 0
    error: str | None = None


def convert(
    files: Sequence[Path],
    out: Path,
    form: Format,
    reading: Reading,
    settings: IngestSettings,
    *,
    threads: int | None = None,
) -> Iterator[Converted]:
    """Write each file's table as `out/STEM.parquet` (or .csv) with `out/STEM.receipt.json`.

    Of a file of several tables, each becomes `out/STEM/TABLE.…`. A table appears whole or not at all; one that fails
    stops no other. `threads` are the engine's, None as many as there are processors. Raises UsageError if `out` is no
    folder and cannot become one.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: cannot be made a folder to write to: {error.strerror}") from None
    taken = {file.resolve(): f"is {file}, which is read" for file in files}
    rest = deque(files)
    with tempfile.TemporaryDirectory(dir=out, prefix=".datalab-") as scratch:
        while rest:
            with open_desk(Path(scratch), settings, threads=threads) as desk:
                sound = True
                while rest and sound:
                    yield from _file(rest.popleft(), out, form, reading, desk, taken)
                    sound = desk.clear()


def _file(
    file: Path, out: Path, form: Format, reading: Reading, desk: Desk, taken: dict[Path, str]
) -> Iterator[Converted]:
    """What becomes of one file's tables; `taken` says of each path that must not be written why."""
    try:
        stamp, hashed, tables = _open(file, reading, desk)
        stem = stem_of(file)
        if len(tables) > 1:
            (out / stem).mkdir(exist_ok=True)
    except Exception as error:  # noqa: BLE001  whatever a file does to its reader, the others are read
        yield Converted(file=file, table="", error=_placed(error, file))
        return
    for name, opened in tables.items():
        target = out / f"{stem}.{form}" if len(tables) == 1 else out / stem / f"{_file_name(name)}.{form}"
        try:
            _refuse_taken(target, taken)
            yield _table(hashed, stamp, name, opened, target, reading, desk)
            taken[target.resolve()] = f"is already made of {file}"
        except Exception as error:  # noqa: BLE001  as above
            yield Converted(file=file, table=name, error=_placed(error, file, name))


def _open(file: Path, reading: Reading, desk: Desk) -> tuple[tuple[int, int], Callable[[], Fetched], Tables]:
    """The file's stamp, what its hash will be, and its tables. A pipe is refused, as it would be waited for."""
    if file.is_dir():
        raise UsageError(f"is a folder; name the files in it: {file}/*")
    if file.exists() and not file.is_file():
        raise UsageError("is no regular file; write what it gives to one")
    try:
        stamp = stamp_of(file)
        hashed = desk.meanwhile(partial(fetched_file, file, file.name, str(file)))
        return stamp, hashed, only(tables_in(file, file.name, reading, desk), reading.table)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}") from None


def _refuse_taken(target: Path, taken: dict[Path, str]) -> None:
    """Raise UsageError if the table or its receipt would be written over what is read, or was made, in the same run."""
    for made in (target, target.with_suffix(".receipt.json")):
        why = taken.get(made.resolve())
        if why is not None:
            raise UsageError(f"{made} {why}; write to another folder")


def _table(
    hashed: Callable[[], Fetched],
    stamp: tuple[int, int],
    name: str,
    opened: Callable[[], Table],
    target: Path,
    reading: Reading,
    desk: Desk,
) -> Converted:
    start = time.monotonic()
    table = opened()
    parquet, clean = desk.path("out.parquet"), desk.path("out.csv")

    def stage(write: Callable[[Path], object]) -> StagedTable:
        write(parquet)
        return StagedTable(parquet)

    proven = prove(table, {}, stage, markers=reading.missing, may_be_empty=True)
    fetched = hashed()
    if {fetched.parts[0].stamp, stamp_of(fetched.parts[0].path)} != {stamp}:
        raise SourceError("the file changed while it was read; try again")
    if target.suffix == ".csv":
        _write_csv(proven, clean, desk)
    elif any(column.type == GEOMETRY for column in proven.served):
        plain, parquet = parquet, desk.path("geo.parquet")
        rows = parquet_select(proven.served, [plain])
        write_parquet(desk.con, rows, parquet, row_bytes=proven.row_bytes)
    receipt = _receipt(fetched, proven, time.monotonic() - start)
    told = desk.path("receipt.json")
    told.write_text(json.dumps(receipt, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (clean if target.suffix == ".csv" else parquet).replace(target)
    told.replace(target.with_suffix(".receipt.json"))
    return Converted(
        file=fetched.parts[0].path, table=name, out=target, rows=proven.staged.rows, rejected=len(proven.rejects)
    )


def _write_csv(proven: Proven, path: Path, desk: Desk) -> None:
    """Write the rows as clean texts, some columns at a time where the engine cannot write all of them at once."""
    table, typings = proven.table, proven.typings
    # What is left out depends on all columns: apart, their rows would not meet
    if len(typings) <= AT_ONCE or any(one.declared or one.checks for one in typings):
        desk.con.execute(f"COPY ({clean_sql(table, typings)}) TO {literal(path)} (HEADER)")
        return
    parts = [typings[start : start + AT_ONCE] for start in range(0, len(typings), AT_ONCE)]
    texts = [f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({clean_sql(table, some)})" for some in parts]  # noqa: S608
    wide = desk.path("wide.parquet")
    write_beside(desk.con, texts, wide)
    with pq.ParquetFile(wide) as file, CSVWriter(path, file.schema_arrow) as writer:
        for batch in file.iter_batches():
            writer.write_batch(batch)


def _receipt(fetched: Fetched, proven: Proven, seconds: float) -> dict[str, Any]:
    dialect: dict[str, Any] = {"encoding": None, "delimiter": None, "quote": None, "header_row": None, **proven.dialect}
    file = {
        "source": fetched.place,
        "sha256": fetched.sha256,
        "bytes": fetched.bytes,
        "format": proven.format,
    }
    return {
        **file,
        **dialect,
        **file,  # a document may say something of its own under these names
        "rows_in": proven.rows_in,
        "rows_out": proven.staged.rows,
        "rejects": {
            "count": len(proven.rejects),
            "first": [reject.model_dump() for reject in proven.rejects[:_SHOWN_REJECTS]],
        },
        "columns": [column.model_dump() for column in proven.columns],
        "notes": list(proven.notes),
        "seconds": round(seconds, 3),
    }


def stem_of(file: Path) -> str:
    """The file's name without its ending, and without that of what is packed in it: `x.csv.gz` → `x`."""
    name = file.stem if file.suffix.lower() == ".gz" else file.name
    return Path(name).stem or file.stem


def _file_name(table: str) -> str:
    """A table's name as that of a file in one folder."""
    return re.sub(r"[/\\\x00-\x1f]+", "_", table).strip(". ") or "table"


def _placed(error: Exception, file: Path, table: str = "") -> str:
    """The error, after the file and the table that it is about; of one that nobody foresaw, its trace."""
    foreseen = isinstance(error, DatalabError | duckdb.Error | OSError)
    said = str(error).removeprefix(f"{file}: ") if foreseen else broken_off(error)
    return f"{file}: {table}: {said}" if table else f"{file}: {said}"
