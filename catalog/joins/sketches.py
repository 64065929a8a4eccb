"""What is kept of the codes in a table's columns, so that tables can be compared without reading them again.

A sketch holds, for each column that may be a code, the hashes of its distinct values: all of them, or of a large column
those below a threshold, some HASHES of them. Whether a value is in a sketch depends on the value alone, so two columns
are compared on the values below the lower of their thresholds: a uniform sample of both. Sketches are made from the
files of the edition that is shown, so they hold nothing of a column that it lacks, and they never leave `var/`.
"""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import duckdb
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from catalog.download import content_key
from catalog.joins.codes import INTEGER, may_be_code
from catalog.query import view_sql
from policies.editions import quoted
from policies.errors import LakeError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from catalog.entries import Entry
    from catalog.lab import Lab
    from catalog.lake import ServedColumn

    Hashes = npt.NDArray[np.uint32]

HASHES = 65_536
"""How many distinct values a sketch holds of a column, or about that many of one that has more: 256 KiB."""

COLUMNS = 20
"""How many columns of a table are sketched, in their order."""

MEMORY = "512MB"

_SAMPLE = 20_000  # rows, to see what a column looks like
_ALL = 2**32
_LAYOUT = 1
_HEADER = 8  # bytes, for the length of what follows


class Sketched(BaseModel):
    """One column: its rows that are not NULL, its distinct values, and what they look like.

    `threshold` is 2**32 where every distinct value is there; else only hashes below it are, and `distinct` is a guess.
    Of the hashed values, `hashes` in all, `low` and `high` bound the `numbers` that are whole numbers; `shortest` and
    `longest` are lengths, in characters. `start` is where the hashes start, in bytes.
    """

    model_config = ConfigDict(frozen=True)

    column: str
    type: str
    rows: int
    distinct: int
    threshold: int
    low: int | None
    high: int | None
    numbers: int
    shortest: int
    longest: int
    hashes: int
    start: int


class _Header(BaseModel):
    layout: int
    columns: tuple[Sketched, ...]


@dataclass(frozen=True)
class TableSketch:
    """The sketches of one table's columns, and the file that has their hashes."""

    columns: tuple[Sketched, ...]
    path: Path

    def hashes(self, sketched: Sketched) -> Hashes:
        """The hashes of a column's values, ascending. Raises OSError if the file has been taken away."""
        return _hashes(self.path, sketched.start, sketched.hashes)


@lru_cache(maxsize=64)  # 16 MiB: one table's columns are compared with those of thousands
def _hashes(path: Path, start: int, count: int) -> Hashes:
    with path.open("rb") as file:
        file.seek(start)
        return np.fromfile(file, np.dtype("<u4"), count)


def known(lab: Lab, entry: Entry, resource: str) -> TableSketch | None:
    """The sketch of the table that `entry` serves, or None while there is none."""
    path = place(lab, entry, resource)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_HEADER), "little")
            header = _Header.model_validate_json(file.read(min(length, 1_000_000)))
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValidationError):
        return None
    ends = max((one.start + 4 * one.hashes for one in header.columns), default=_HEADER + length)
    return TableSketch(header.columns, path) if header.layout == _LAYOUT and ends == size else None


def sketch(lab: Lab, entry: Entry, resource: str) -> TableSketch:
    """The sketch of the table that `entry` serves, made if there is none; sketches of earlier snapshots go.

    One thread of the engine, MEMORY, and one look at the table and one at each column that may be a code. Raises
    LakeError when the table cannot be read.
    """
    found = known(lab, entry, resource)
    if found is not None:
        return found
    _, served = entry.resources[resource]
    files = lab.lake.files(entry.slug, entry.edition, resource, served)
    try:
        with duckdb.connect(config={"threads": 1, "memory_limit": MEMORY}) as con:
            con.execute("SET autoinstall_known_extensions = false")
            con.execute(f"CREATE VIEW t AS {view_sql(files, served)}")
            columns = [_column(con, column) for column in _candidates(con, served.columns)]
    except duckdb.Error as error:
        message = f"{entry.slug}.{resource}: its codes cannot be compared: {str(error).splitlines()[0]}"
        raise LakeError(message) from None
    path = place(lab, entry, resource)
    _write(path, [column for column in columns if column is not None])
    for old in path.parent.glob("*.sketch"):
        if old != path and re.fullmatch(rf"{re.escape(resource)}-v[0-9]+-.*", old.name) is not None:
            old.unlink(missing_ok=True)
    made = known(lab, entry, resource)
    if made is None:
        raise LakeError(f"{path}: cannot be read as it was written; check the disk")
    return made


def _candidates(con: duckdb.DuckDBPyConnection, columns: tuple[ServedColumn, ...]) -> list[ServedColumn]:
    found = []
    for column in columns:
        if column.type == "VARCHAR" or INTEGER.fullmatch(column.type):
            name = quoted(column.name)
            rows = con.execute(
                f"SELECT DISTINCT CAST({name} AS VARCHAR) FROM (SELECT {name} FROM t LIMIT {_SAMPLE}) "  # noqa: S608  quoted
                f"WHERE {name} IS NOT NULL LIMIT 1000"
            ).fetchall()
            if may_be_code(column.type, column.name, [value for (value,) in rows]):
                found.append(column)
    return found[:COLUMNS]


def _column(con: duckdb.DuckDBPyConnection, column: ServedColumn) -> tuple[Sketched, Hashes] | None:
    """The sketch of a column, its `start` still 0."""
    name = quoted(column.name)
    counted = con.execute(f"SELECT count({name}), approx_count_distinct({name}) FROM t").fetchone()  # noqa: S608
    rows, about = counted or (0, 0)
    threshold = _ALL if about <= HASHES * 0.9 else int(_ALL * HASHES / about)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE told AS SELECT v, (hash(v) >> 32)::UINTEGER AS h FROM "  # noqa: S608
        f"(SELECT DISTINCT CAST({name} AS VARCHAR) AS v FROM t WHERE {name} IS NOT NULL "
        f"AND hash(CAST({name} AS VARCHAR)) >> 32 < {threshold})"
    )
    low, high, numbers, shortest, longest = con.execute(
        "SELECT min(n), max(n), count(n), min(length(v)), max(length(v)) FROM "
        "(SELECT v, CASE WHEN v SIMILAR TO '[0-9]+' THEN TRY_CAST(v AS BIGINT) END AS n FROM told)"
    ).fetchone() or (None, None, 0, 0, 0)
    hashes = con.execute("SELECT DISTINCT h FROM told ORDER BY h").fetchnumpy()["h"].astype("<u4")
    if len(hashes) == 0:
        return None
    distinct = len(hashes) if threshold == _ALL else round(len(hashes) * _ALL / threshold)
    told = Sketched(
        column=column.name,
        type=column.type,
        rows=rows,
        distinct=distinct,
        threshold=threshold,
        low=low,
        high=high,
        numbers=numbers,
        shortest=shortest,
        longest=longest,
        hashes=len(hashes),
        start=0,
    )
    return told, hashes


def _write(path: Path, columns: list[tuple[Sketched, Hashes]]) -> None:
    """One file: the length of the header, the header, the hashes of each column. It appears whole or not at all."""

    def header(first: int) -> bytes:
        start, placed = first, []
        for told, hashes in columns:
            placed.append(told.model_copy(update={"start": start}))
            start += 4 * len(hashes)
        return _Header(layout=_LAYOUT, columns=tuple(placed)).model_dump_json().encode()

    length = len(header(10**9)) + 16 * len(columns)
    text = header(_HEADER + length).ljust(length)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.parent / f".{uuid.uuid4().hex}.new"
    try:
        with new.open("wb") as file:
            file.write(length.to_bytes(_HEADER, "little") + text)
            for _, hashes in columns:
                file.write(hashes.tobytes())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def place(lab: Lab, entry: Entry, resource: str) -> Path:
    """Where the sketch of the table that `entry` serves lies, once it is made; another snapshot's lies elsewhere."""
    served = entry.current.resources[resource]
    # DuckDB's hashes may change from one release to the next
    name = f"{resource}-v{served.version}-{content_key(served)}-duckdb{duckdb.__version__}.sketch"
    return lab.var / "sketches" / entry.slug / entry.edition / name
