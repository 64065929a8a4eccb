"""GTFS Schedule: each file of the feed a table, its fields of the types that the reference gives them.

A time of a service day may be past 24:00:00: it stays as written, and `<name>_seconds` beside it counts from the start
of that day. A date YYYYMMDD is a date. A row whose field is not of its type is rejected. Fields that the reference does
not know are typed as those of any CSV; files without a row, and files that are none of a feed's, are left out by name.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ingest.archive import unpack
from ingest.readers.csv import read_csv
from ingest.readers.gtfs_fields import FIELDS
from ingest.table import SourceColumn
from ingest.typings import Check, Declared
from policies.editions import quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Table, Tables

_HEAD = 1 << 16
_SHOWN = 2_000
_BLANK = "trim({x}, ' \t') = ''"
_TIME = "'^[ \t]*[0-9]{{1,3}}:[0-5][0-9]:[0-5][0-9][ \t]*$'"
_CHECKS = {
    "time": Check(f"NOT ({_BLANK} OR regexp_matches({{x}}, {_TIME}))", "expected a time HH:MM:SS"),
    "latitude": Check("abs(TRY_CAST({x} AS DOUBLE)) > 90", "expected a latitude, from -90 to 90"),
    "longitude": Check("abs(TRY_CAST({x} AS DOUBLE)) > 180", "expected a longitude, from -180 to 180"),
}
_WORDS = {"time": "text", "latitude": "float", "longitude": "float"}


def read_gtfs(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The files of the feed in the .zip at `path` that have rows, by their names without .txt. Raises ReadingError."""
    files = {file: PurePosixPath(file.name) for file in unpack(path, desk.path("gtfs"), desk.settings)}
    feed = [file for file, name in files.items() if name.suffix.lower() == ".txt" and name.stem.lower() in FIELDS]
    beside = [file.name for file in files if file not in feed]
    empty = [file for file in feed if not _has_rows(file)]
    left_out = ", ".join([*(f"{file.name} (no rows)" for file in empty), *beside])[:_SHOWN]
    tables: Tables = {}
    for file in feed:
        if file not in empty:
            name = file.stem.lower()
            if name in tables:
                raise ReadingError(f"{path}: {file.name} stands in two folders; a feed has one of each")
            (opened,) = read_csv(file, _as_gtfs(reading), desk).values()
            tables[name] = partial(_open, f"{path}: {file.name}", file, opened, left_out)
    if not tables:
        raise ReadingError(f"{path}: no file of a GTFS feed with rows in it; expected stops.txt, trips.txt and others")
    return tables


def _as_gtfs(reading: Reading) -> Reading:
    """How the reference says the files are written, but for what is declared."""
    return reading.model_copy(
        update={
            "delimiter": reading.delimiter or ",",
            "quote": reading.quote or '"',
            "header_row": 1 if reading.header_row is None else reading.header_row,
        }
    )


def _has_rows(file: Path) -> bool:
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
        return len(head) == _HEAD or sum(1 for line in head.splitlines() if line.strip(b'\xef\xbb\xbf ,"\t')) > 1


def _open(place: str, file: Path, opened: Callable[[], Table], left_out: str) -> Table:
    try:
        table = opened()
    except ReadingError as error:
        raise ReadingError(f"{place}: {str(error).removeprefix(f'{file}: ')}") from None
    return _typed(table, file.stem.lower(), left_out)


def _typed(table: Table, name: str, left_out: str) -> Table:
    types = {field: word for word, fields in FIELDS[name].items() for field in fields.split()}
    known = {
        column.name: types[column.source_name.strip()]
        for column in table.columns
        if column.source_name.strip() in types
    }
    careful = table.careful
    return replace(
        table,
        source=f"(SELECT {', '.join(_values(table, known))} FROM {table.source})",  # noqa: S608  names are quoted
        format="gtfs",
        columns=tuple(_columns(table, known)),
        declared={
            column: Declared(_WORDS.get(word, word), (_CHECKS[word],) if word in _CHECKS else ())
            for column, word in known.items()
        },
        dialect={**table.dialect, "file": f"{name}.txt", **({"left_out": left_out} if left_out else {})},
        careful=None if careful is None else lambda: _typed(careful(), name, left_out),
    )


def _columns(table: Table, known: dict[str, str]) -> Iterator[SourceColumn]:
    for column in table.columns:
        yield column
        if known.get(column.name) == "time":
            yield SourceColumn(_seconds(column), column.source_name, native="BIGINT")


def _values(table: Table, known: dict[str, str]) -> Iterator[str]:
    for column in table.columns:
        raw = quoted(column.name)
        if known.get(column.name) == "date":
            bare = f"trim({raw}, ' \t')"
            # As ISO 8601, so that the typing proves that there is such a day
            parts = f"{bare}[1:4] || '-' || {bare}[5:6] || '-' || {bare}[7:8]"
            yield f"CASE WHEN regexp_full_match({bare}, '[0-9]{{8}}') THEN {parts} ELSE {raw} END AS {raw}"
        else:
            yield raw
        if known.get(column.name) == "time":
            parts = f"string_split(trim({raw}, ' \t'), ':')"
            seconds = f"{parts}[1]::BIGINT * 3600 + {parts}[2]::BIGINT * 60 + {parts}[3]::BIGINT"
            is_time = f"regexp_matches({raw}, {_TIME.format()})"
            yield f"CASE WHEN {is_time} THEN {seconds} END AS {quoted(_seconds(column))}"


def _seconds(column: SourceColumn) -> str:
    return f"{column.name}_seconds"
