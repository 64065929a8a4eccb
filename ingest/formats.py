"""The format of a file, by its bytes and then by its name, and the reader of each."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ingest.readers.csv import read_csv
from ingest.readers.excel import read_excel
from ingest.readers.geo import read_geojson

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.model import Format, Reading
    from ingest.desk import Desk
    from ingest.table import Tables

    Reader = Callable[[Path, Reading, Desk], Tables]

READERS: dict[Format, Reader] = {
    "csv": read_csv,
    "xlsx": read_excel,
    "geojson": read_geojson,
}
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "xlsx",
    ".geojson": "geojson",
    ".json": "geojson",
}


def tables_in(path: Path, name: str, reading: Reading, desk: Desk, known: Format | None = None) -> Tables:
    """The tables of the file at `path`, which its source calls `name`; `known` is what its source says it is.

    Raises ReadingError if the file is none of the formats, or not what it is said to be.
    """
    return READERS[reading.format or known or format_of(path, name)](path, reading, desk)


def format_of(_path: Path, name: str) -> Format:
    """What the file is."""
    return _SUFFIXES.get(PurePath(name).suffix.lower(), "csv")
