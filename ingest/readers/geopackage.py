"""GeoPackage (OGC 12-128r19, https://www.geopackage.org/spec/): an SQLite file, read by Python's `sqlite3`.

Not by GDAL, which makes 0 of a text that stands in a column of numbers, as SQLite allows. The file's own code is not
run: only plain tables are read, of a copy that cannot change, with no function but SQLite's, and with a deadline.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ingest.geometry import projection
from ingest.readers.flat import MAX_RECORD, Bare
from ingest.readers.layer import Feature, Layer, layer_table
from policies.editions import quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.model import Reading
    from catalog.receipt import Reject
    from ingest.desk import Desk
    from ingest.table import Table, Tables

_STEPS = 1_000_000
_SECONDS = 600.0
"""How long one statement may take."""
_ENVELOPES = (0, 32, 48, 48, 64)
_INTEGERS = frozenset({"INT", "INTEGER", "MEDIUMINT", "SMALLINT", "TINYINT"})
_FLOATS = frozenset({"DOUBLE", "FLOAT", "REAL"})
_KINDS = {"integer": "BIGINT", "real": "DOUBLE", "text": "VARCHAR"}


@dataclass(frozen=True)
class _Column:
    """A column of values: its name, the type that the file declares, and what SQLite types its values have."""

    name: str
    declared: str
    kinds: frozenset[str]

    @property
    def native(self) -> str | None:
        """Its SQL type, if every value is of the declared one; None for texts that may be more."""
        kinds = self.kinds - {"null"}
        if self.declared in {"DATE", "DATETIME", "BOOLEAN"}:
            return None
        if not kinds:
            return "BIGINT" if self.declared in _INTEGERS else "DOUBLE" if self.declared in _FLOATS else "VARCHAR"
        if self.declared in _FLOATS and kinds <= {"real", "integer"}:
            return "DOUBLE"
        return _KINDS.get(next(iter(kinds)), "VARCHAR") if len(kinds) == 1 else "VARCHAR"


def read_geopackage(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The layers of features of the GeoPackage at `path`, by their names, and its tables without geometry.

    Raises ReadingError if it is another SQLite file, or damaged.
    """
    with _opened(path) as con:
        known = {name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "gpkg_contents" not in known:
            shown = ", ".join(sorted(known))[:200] or "none"
            raise ReadingError(
                f"{path}: this is an SQLite file, but no GeoPackage: it has no gpkg_contents (its tables: {shown}); "
                "export its tables as GeoPackage or CSV"
            )
        layers = con.execute(
            "SELECT table_name, data_type FROM gpkg_contents "
            "WHERE data_type IN ('features', 'attributes') ORDER BY rowid"
        ).fetchall()
    names = [str(name) for name, kind in layers if kind == "features"] or [str(name) for name, _ in layers]
    if not names:
        raise ReadingError(f"{path}: the GeoPackage has no layer of features; it may hold images only")
    return {"" if len(names) == 1 else name: partial(_open, path, name, reading, desk) for name in names}


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, read-only; what SQLite raises, as a ReadingError."""
    con = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
    try:
        con.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_RECORD)
        con.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        con.execute("PRAGMA trusted_schema = OFF")
        con.execute("PRAGMA cell_size_check = ON")
        con.execute("PRAGMA mmap_size = 0")
        end = time.monotonic() + _SECONDS
        con.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        yield con
    except sqlite3.Error as error:
        raise ReadingError(f"{path}: cannot be read as GeoPackage, it may be cut or damaged: {error}") from None
    except UnicodeError as error:
        raise ReadingError(f"{path}: cannot be read as GeoPackage: a text is no UTF-8: {error}") from None
    finally:
        con.close()


def _open(path: Path, name: str, reading: Reading, desk: Desk) -> Table:
    with _opened(path) as con:
        found = con.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", [name]).fetchall()
        if len(found) != 1 or not re.match(r"(?i)\s*CREATE\s+TABLE\b", str(found[0][0])):
            raise ReadingError(f"{path}: the layer {name!r} is no table of the file; export it as a layer of its own")
        geometry, srs = _geometry_column(path, con, name)
        if geometry is None and reading.crs is not None:
            raise ReadingError(f"{path}: read: crs says nothing of {name!r}, which has no geometry; leave it out")
        columns = _value_columns(path, con, name, geometry)
        (rows_in,) = con.execute(f"SELECT count(*) FROM {quoted(name)}").fetchall()[0]  # noqa: S608  quoted
        layer = Layer(
            path=path,
            format="gpkg",
            system=projection(path, _definition(path, con, srs, reading), reading.crs),
            rows_in=rows_in,
            dialect={"layer": name},
            natives={column.name: column.native for column in columns if column.native is not None},
        )
        return layer_table(layer, _features(con, name, geometry, columns), desk)


def _geometry_column(path: Path, con: sqlite3.Connection, name: str) -> tuple[str | None, int | None]:
    """The name of the layer's geometry column and the id of its system; None where it has no geometry."""
    if not con.execute("SELECT 1 FROM sqlite_master WHERE name = 'gpkg_geometry_columns'").fetchall():
        return None, None
    found = con.execute("SELECT column_name, srs_id FROM gpkg_geometry_columns WHERE table_name = ?", [name]).fetchall()
    if len(found) > 1:
        raise ReadingError(f"{path}: the layer {name!r} has {len(found)} columns of geometry; export it with one")
    return (str(found[0][0]), int(found[0][1])) if found else (None, None)


def _value_columns(path: Path, con: sqlite3.Connection, name: str, geometry: str | None) -> list[_Column]:
    described = con.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
    named = [(str(one[1]), re.sub(r"\(.*", "", str(one[2])).strip().upper()) for one in described]
    if geometry is not None and geometry not in [column for column, _ in named]:
        raise ReadingError(f"{path}: the layer {name!r} has no column {geometry!r}, where its geometry should be")
    columns = []
    for column, declared in named:
        if column == geometry:
            continue
        kinds = con.execute(f"SELECT DISTINCT typeof({quoted(column)}) FROM {quoted(name)}").fetchall()  # noqa: S608
        columns.append(_Column(column, declared, frozenset(kind for (kind,) in kinds)))
    return columns


def _definition(path: Path, con: sqlite3.Connection, srs: int | None, reading: Reading) -> str | None:
    """The system's code, or the WKT that stands in the file; None for the two ids that mean that it is unknown."""
    if srs is None:
        return "EPSG:4326"
    if srs in {-1, 0} or reading.crs is not None:
        return None
    found = con.execute(
        "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?", [srs]
    ).fetchall()
    if not found:
        raise ReadingError(f"{path}: its system of coordinates {srs} is not described in it; declare read: crs")
    organization, code, definition = found[0]
    return f"EPSG:{code}" if str(organization).upper() == "EPSG" else str(definition)


def _features(
    con: sqlite3.Connection, name: str, geometry: str | None, columns: list[_Column]
) -> Iterator[Feature | Reject]:
    shape = "NULL" if geometry is None else quoted(geometry)
    listed = ", ".join([shape, *(quoted(column.name) for column in columns)])
    for number, (blob, *values) in enumerate(con.execute(f"SELECT {listed} FROM {quoted(name)}"), start=1):  # noqa: S608
        texts = {column.name: _text(column, value) for column, value in zip(columns, values, strict=True)}
        wkb = _wkb(blob)
        whole = not isinstance(wkb, str)
        yield Feature(number, texts, wkb) if whole else Feature(number, texts, None).rejected(str(wkb))


def _text(column: _Column, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return Bare(value) if isinstance(value, str) and column.native is None else value
    if isinstance(value, bytes):
        return value.hex()
    if column.declared == "BOOLEAN" and value in {0, 1}:
        return Bare("true" if value == 1 else "false")
    return Bare(repr(value))


def _wkb(blob: Any) -> bytes | str | None:
    """The WKB in a geometry of GeoPackage (its clause 2.1.3); why it is none, as a text."""
    if blob is None:
        return None
    if not isinstance(blob, bytes) or blob[:2] != b"GP" or len(blob) < 8:  # noqa: PLR2004  the header's size
        return "its geometry is none of GeoPackage's"
    flags = blob[3]
    envelope = (flags >> 1) & 7
    if envelope >= len(_ENVELOPES) or flags & 0x20:
        return "its geometry is of a kind that GeoPackage leaves to its makers"
    return blob[8 + _ENVELOPES[envelope] :]
