"""Shapefiles (ESRI Shapefile Technical Description, 1998): geometry by GDAL, attributes by `dbf.py`.

One lies as .shp, .shx, .dbf and .prj beside each other, so it comes in a .zip; several in one .zip are several tables.
GDAL is given the .shp and .shx alone, under a name of ours in the job's own folder, and no driver but shapefiles'.
"""

from __future__ import annotations

import os
import struct
import warnings
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pyogrio
import shapely
from pyogrio._ogr import _register_drivers
from pyogrio.errors import DataLayerError, DataSourceError
from pyogrio.raw import open_arrow

from catalog.receipt import Reject
from ingest.archive import packing_of, unpack
from ingest.geometry import projection
from ingest.readers.archive import shapefiles
from ingest.readers.dbf import Dbf, deleted, open_dbf, values_of
from ingest.readers.layer import Feature, Layer, layer_table
from ingest.readers.shapemeasures import has_measures
from ingest.table import leaving_out
from policies.errors import ReadingError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Table, Tables

_DRIVER = "ESRI Shapefile"
_HEAD, _ENTRY, _MAGIC = 100, 8, 9994
_BATCH = 5_000
_MEASURED = 2_000
"""From here on the types of ISO's WKB have measures."""
_MOST_TEXT = 1 << 16


def read_shapefile(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The shapefiles in the .zip at `path`, or the one whose unpacked .shp it is, by their names.

    Raises ReadingError if there is none, or it was given without the files that belong to it.
    """
    beside: list[str] = []
    if packing_of(path) == "zip":
        folder = desk.path("shapefiles")
        files = unpack(path, folder, desk.settings)
        mains = [one for one in files if one.suffix.lower() == ".shp" and not one.name.startswith(".")]
        mains = [one for one in mains if "__MACOSX" not in one.parts]
        if not mains:
            raise ReadingError(f"{path}: no .shp is in the archive; expected a shapefile: .shp, .shx, .dbf and .prj")
        names = [one.relative_to(folder).as_posix() for one in files]
        groups = shapefiles(names)
        read = {name for main in mains for name in groups[main.relative_to(folder).as_posix()]}
        beside = [name for name in names if name not in read]
    elif path.is_relative_to(desk.scratch):
        mains, folder = [path], path.parent
    else:
        raise ReadingError(
            f"{path}: a .shp alone has no attributes and no system of coordinates; put .shp, .shx, .dbf and .prj in "
            "one .zip, and give that"
        )
    if len(mains) == 1:
        return leaving_out({"": partial(_open, path, mains[0], reading, desk)}, beside)
    stems = [one.stem for one in mains]
    titles = [
        stem if stems.count(stem) == 1 else str(one.relative_to(folder).with_suffix(""))
        for stem, one in zip(stems, mains, strict=True)
    ]
    tables = {name: partial(_open, path, one, reading, desk) for name, one in zip(titles, mains, strict=True)}
    return leaving_out(tables, beside)


def _open(path: Path, main: Path, reading: Reading, desk: Desk) -> Table:
    beside = {one.suffix.lower(): one for one in main.parent.iterdir() if one.stem.casefold() == main.stem.casefold()}
    missing = [suffix for suffix in (".shx", ".dbf") if suffix not in beside]
    if missing:
        raise ReadingError(
            f"{path}: {main.name} is there without {' and '.join(main.stem + suffix for suffix in missing)}; a "
            "shapefile is .shp, .shx, .dbf and .prj: pack all of them"
        )
    dbf = open_dbf(beside[".dbf"], _text(beside.get(".cpg")), reading.encoding, desk)
    shapes = _count_shapes(path, main, beside[".shx"])
    if shapes != dbf.records:
        raise ReadingError(
            f"{path}: {main.name} has {count_of(shapes, 'shape')}, but {dbf.path.name} has "
            f"{count_of(dbf.records, 'record')}; export it anew"
        )
    measures = has_measures(main)
    if measures:
        raise ReadingError(f"{path}: {main.name} has measures (M) that would be lost; export it without them")
    layer = Layer(
        path=path,
        format="shapefile",
        system=projection(path, _text(beside.get(".prj")), reading.crs),
        rows_in=shapes - deleted(dbf),
        dialect={
            "encoding": dbf.encoding,
            "file": main.name,
            **({} if measures is None else {"measures": "all 0, left out"}),
        },
        natives={field.name: "VARCHAR" for field in dbf.fields if field.kind == "C"},
    )
    return layer_table(layer, _features(path, main, beside[".shx"], dbf, desk), desk)


def _text(path: Path | None) -> str | None:
    """What the little file beside the others says."""
    if path is None:
        return None
    with path.open("rb") as file:
        return file.read(_MOST_TEXT).decode("utf-8-sig", errors="replace")


def _count_shapes(path: Path, main: Path, index: Path) -> int:
    """How many shapes the index has; raises ReadingError if it or the .shp is cut or something else."""
    for one in (main, index):
        with one.open("rb") as file:
            head = file.read(_HEAD)
        magic, words = struct.unpack_from(">i20xi", head) if len(head) == _HEAD else (0, 0)
        if magic != _MAGIC or words * 2 > one.stat().st_size:
            raise ReadingError(f"{path}: {one.name} is cut, or no part of a shapefile; fetch or export it anew")
    return (index.stat().st_size - _HEAD) // _ENTRY


def _features(path: Path, main: Path, index: Path, dbf: Dbf, desk: Desk) -> Iterator[Feature | Reject]:
    folder = desk.path("shape")
    folder.mkdir()
    os.link(main, folder / "layer.shp")
    os.link(index, folder / "layer.shx")
    shapes = _shapes(path, folder / "layer.shp")
    for number, values in enumerate(values_of(dbf), start=1):
        shape = next(shapes, b"")
        if shape == b"":
            raise ReadingError(f"{path}: {main.name}: cut or damaged: shape {number} cannot be read; export it anew")
        if isinstance(values, str):
            yield Reject(line=number, reason=values, text="")
        elif values is not None:
            yield Feature(number, values, shape)


def _shapes(path: Path, main: Path) -> Iterator[bytes | None]:
    """Each shape as WKB."""
    try:
        with _only(_DRIVER), ExitStack() as opened:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # about measures, of which all are 0
                meta, reader = opened.enter_context(open_arrow(main, use_pyarrow=True, batch_size=_BATCH))
            for batch in reader:
                yield from map(_without_zeros, batch.column(meta["geometry_name"] or "wkb_geometry").to_pylist())
    except (DataSourceError, DataLayerError, OSError, RuntimeError) as error:
        raise ReadingError(f"{path}: {main.name}: cut or damaged: {str(error)[:200]}; export it anew") from None


def _without_zeros(wkb: bytes | None) -> bytes | None:
    """The shape without measures, all of which are 0."""
    if wkb is None or int.from_bytes(wkb[1:5], "little") < _MEASURED:
        return wkb
    shape = shapely.from_wkb(wkb)
    plain = shapely.transform(shape, lambda positions: positions, include_z=bool(shapely.has_z(shape)))
    return bytes(shapely.to_wkb(plain, flavor="iso"))


@contextmanager
def _only(driver: str) -> Iterator[None]:
    """GDAL with this driver and no other, so that no bytes are taken for a format that names other files or hosts."""
    pyogrio.set_gdal_config_options({"OGR_SKIP": ",".join(name for name in pyogrio.list_drivers() if name != driver)})
    try:
        _register_drivers()
        if list(pyogrio.list_drivers()) != [driver]:
            raise ReadingError(f"GDAL cannot be held to the driver {driver!r}; install the pyogrio that is locked")
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_SKIP": None})
        _register_drivers()
