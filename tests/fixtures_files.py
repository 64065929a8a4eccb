"""A small good file of each format, as programs write it."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import warnings
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyogrio.raw
import shapely
import xlwt

NAMES = ["Évreux", "Le Havre", "Rouen", "Caen", "Bayeux"]
CODES = ["01001", "2A004", "76540", "14118", "14047"]
COUNTS = [4721, 166462, 110117, 105403, 13348]
CSV = "code;nom;habitants;part\n" + "".join(
    f'{code};"{name}";{count};{count / 7:.2f}\n' for code, name, count in zip(CODES, NAMES, COUNTS, strict=True)
)
RECORDS = [
    {"code": code, "nom": name, "habitants": count, "dans": {"pays": "FR", "liste": [1, 2]}}
    for code, name, count in zip(CODES, NAMES, COUNTS, strict=True)
]
XML = "<?xml version='1.0' encoding='utf-8'?>\n<villes>" + "".join(
    f'<ville code="{code}"><nom>{name}</nom><habitants>{count}</habitants></ville>'
    for code, name, count in zip(CODES, NAMES, COUNTS, strict=True)
)
GTFS = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\n1,Réseau,http://example.org,Europe/Paris\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\n007,Gare,49.4431,1.0993\n008,Mairie,49.5,1.1\n",
    "routes.txt": "route_id,agency_id,route_short_name,route_type\n1,1,12,3\n",
    "trips.txt": "route_id,service_id,trip_id\n1,10,100\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "100,23:59:30,23:59:40,007,1\n100,25:10:05,25:11:00,008,2\n",
}


def zipped(files: dict[str, bytes | str], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A .zip of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, packing)  # of 1980: the same bytes in each run
    return made.getvalue()


def members(content: bytes) -> dict[str, bytes]:
    """The files in a .zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {one: archive.read(one) for one in archive.namelist()}


def tarred(*entries: tarfile.TarInfo, **files: bytes | str) -> bytes:
    """A .tar of these files, `.` written as `__` in their names, and of what else is to stand in it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in entries:
            archive.addfile(info)
    return made.getvalue()


def parquet(**options: object) -> bytes:
    """The towns as Parquet."""
    made = io.BytesIO()
    table = pa.table({"code": CODES, "nom": NAMES, "habitants": COUNTS, "liste": [[one] for one in COUNTS]})
    pq.write_table(table, made, **options)
    return made.getvalue()


def xls() -> bytes:
    """The towns as an .xls, with dates and what a formula gave."""
    book, made = xlwt.Workbook(), io.BytesIO()
    sheet = book.add_sheet("Feuil1")
    day = xlwt.easyxf(num_format_str="DD/MM/YYYY")
    rows = [("code", "nom", "habitants", "jour"), *zip(CODES, NAMES, COUNTS, COUNTS, strict=True)]
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            sheet.write(row, column, value, day if row and column == 3 else xlwt.Style.default_style)
    book.save(made)
    return made.getvalue()


def written(
    driver: str,
    ending: str,
    crs: str | None = "EPSG:4326",
    fields: dict[str, list] | None = None,
    start: tuple[float, float] = (0.1, 49.1),
) -> dict[str, bytes]:
    """The files that GDAL's `driver` makes of the towns, by their names; as a table where there is no `crs`.

    The first town is at `start`, in the units of `crs`, and the others near to it.
    """
    shapes = [shapely.Point(start[0] + at / 10, start[1] + at / 10) for at in range(len(NAMES))]
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2026-01-01T00:00:00Z"})
    columns = fields or {"code": CODES, "name": NAMES, "habitants": COUNTS}
    with TemporaryDirectory() as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.raw.write(
            f"{made}/villes{ending}",
            geometry=None if crs is None else np.array([shapely.to_wkb(one, flavor="iso") for one in shapes], object),
            field_data=[
                np.array(values, object if isinstance(values[0], str) else None) for values in columns.values()
            ],
            fields=np.array(list(columns), object),
            geometry_type=None if crs is None else "Point",
            crs=crs,
            driver=driver,
        )
        return {one.name: one.read_bytes() for one in sorted(Path(made).iterdir())}


@cache
def shapefile(crs: str = "EPSG:2154") -> dict[str, bytes]:
    """The files of a shapefile, by their names; its coordinates are in metres, whatever `crs` says."""
    return written("ESRI Shapefile", ".shp", crs, start=(562000.0, 6928000.0))


@cache
def good_files() -> dict[str, bytes]:
    """A file of each format that is read, by its name, and packed ones."""
    kml = written("KML", ".kml")["villes.kml"]
    return {
        "villes.csv": CSV.encode(),
        "latin.csv": CSV.replace(";", ",").encode("cp1252"),
        "large.csv": CSV.encode("utf-16"),
        "villes.xlsx": zipped(members(written("XLSX", ".xlsx", None)["villes.xlsx"])),
        "villes.xls": xls(),
        "villes.ods": zipped(members(written("ODS", ".ods", None)["villes.ods"])),
        "villes.json": json.dumps({"total": 5, "results": RECORDS}, ensure_ascii=False).encode(),
        "villes.ndjson": "".join(json.dumps(one) + "\n" for one in RECORDS).encode(),
        "villes.geojson": written("GeoJSON", ".geojson")["villes.geojson"],
        "villes.shp.zip": zipped(shapefile()),
        "villes.gpkg": written("GPKG", ".gpkg")["villes.gpkg"],
        "villes.kml": kml,
        "villes.kmz": zipped({"doc.kml": kml}),
        "villes.gpx": written("GPX", ".gpx", fields={"name": NAMES})["villes.gpx"],
        "villes.gml": written("GML", ".gml")["villes.gml"],
        "villes.xml": (XML + "</villes>").encode(),
        "villes.parquet": parquet(),
        "plain.parquet": parquet(compression="none", use_dictionary=False, write_page_checksum=True),
        "gtfs.zip": zipped(GTFS),
        "villes.zip": zipped({"villes.csv": CSV, "lisezmoi.txt": "Ceci est un texte."}),
        "villes.tar": tarred(villes__csv=CSV),
        "villes.csv.gz": gzip.compress(CSV.encode(), mtime=0),
    }
