"""GeoJSON, by GDAL (pyogrio): properties typed as JSON has them, geometry as WKB in longitude and latitude."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyogrio.raw import read_arrow

from ingest.table import SourceColumn, Table, lake_names
from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from catalog.model import Reading

_VIEW = "features"
_FEATURE = re.compile(rb'"type"\s*:\s*"Feature"')
_CHUNK = 1 << 22
_OVERLAP = 256
_LONLAT = {"EPSG:4326", "OGC:CRS84", None}


def read_geojson(path: Path, reading: Reading, con: duckdb.DuckDBPyConnection) -> Table:  # noqa: ARG001  same as others
    """Read the feature collection at `path`. Raises ReadingError if it is none, or not in longitude and latitude."""
    # Strings stay strings: GDAL would take some for dates
    pyogrio.set_gdal_config_options({"OGR_GEOJSON_DATE_AS_STRING": "YES"})
    try:
        meta, table = read_arrow(path)
    except (DataSourceError, DataLayerError) as error:
        message = f"{path}: cannot be read as GeoJSON: {error}"
        raise ReadingError(message) from None
    if meta["crs"] not in _LONLAT:
        message = f"{path}: its coordinates are in {meta['crs']}; expected longitude and latitude (EPSG:4326)"
        raise ReadingError(message)
    geometry = meta["geometry_name"] or "wkb_geometry"
    source_names = [name for name in table.column_names if name != geometry] + [geometry]
    names = lake_names([*source_names[:-1], "geometry"])
    # Without GDAL's metadata on the columns: to DuckDB they would make geometry a type that Delta has no word for
    con.register(_VIEW, pa.table([table.column(name) for name in source_names], names=names))
    described = con.execute(f"DESCRIBE SELECT * FROM {_VIEW}").fetchall()  # noqa: S608  our own view
    types = {row[0]: row[1] for row in described} | {names[-1]: "GEOMETRY"}
    columns = [SourceColumn(name, source, native=types[name]) for name, source in zip(names, source_names, strict=True)]
    return Table(
        con=con,
        source=_VIEW,
        audited=_VIEW,
        format="geojson",
        columns=tuple(columns),
        rows_in=count_features(path),
        rejects=list,
        dialect={"encoding": "utf-8", "crs": "EPSG:4326", "geometry": str(meta["geometry_type"])},
        line_of=lambda rows: [number + 1 for number in rows],
    )


def count_features(path: Path) -> int:
    """How many times the bytes say `"type": "Feature"`: GDAL's own count is not asked."""
    count, tail = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = tail + chunk
            matches = list(_FEATURE.finditer(text))
            count += len(matches)
            # A mark that lies across two chunks is seen once: the tail starts after the last one found
            last = matches[-1].end() if matches else 0
            tail = text[max(last, len(text) - _OVERLAP) :]
    return count
