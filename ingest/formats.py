"""The format of a file, by its bytes and then by its name, and the reader of each."""

from __future__ import annotations

import re
import zipfile
import zlib
from importlib import import_module
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, cast

from ingest.archive import Left, Packing, listed, members, packing_of
from ingest.markup import json_kind, root_of, text_of
from ingest.readers.archive import left_out, read_archive, shapefiles
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.model import Format, Reading
    from ingest.desk import Desk
    from ingest.table import Tables

    Reader = Callable[[Path, Reading, Desk], Tables]

READERS: dict[Format, tuple[str, str]] = {
    "csv": ("csv", "read_csv"),
    "xlsx": ("excel", "read_excel"),
    "xls": ("excel", "read_excel"),
    "ods": ("excel", "read_excel"),
    "geojson": ("geojson", "read_geojson"),
    "shapefile": ("shapefile", "read_shapefile"),
    "gpkg": ("geopackage", "read_geopackage"),
    "kml": ("kml", "read_kml"),
    "gpx": ("gpx", "read_gpx"),
    "gml": ("gml", "read_gml"),
    "gtfs": ("gtfs", "read_gtfs"),
    "json": ("jsonrecords", "read_json"),
    "ndjson": ("jsonrecords", "read_ndjson"),
    "parquet": ("parquet", "read_parquet"),
    "xml": ("xml", "read_xml"),
}
"""Each format's reader: its module in `ingest.readers`, loaded when a file needs it, and its name there."""


_TEXT, _HEADER = (
    frozenset({"encoding", "delimiter", "quote", "escape", "newline"}),
    frozenset({"header_row", "header_rows"}),
)
_ROWS = _HEADER | {"names", "data_row", "footer_rows"}
_MEANS: dict[Format, frozenset[str]] = {
    "csv": _TEXT | _ROWS,
    "gtfs": _TEXT | _HEADER,
    "xlsx": _ROWS,
    "xls": _ROWS,
    "ods": _ROWS,
    "json": frozenset({"encoding", "records"}),
    "ndjson": frozenset({"encoding"}),
    "xml": frozenset({"encoding", "records"}),
    "geojson": frozenset({"encoding", "crs"}),
    "shapefile": frozenset({"encoding", "crs"}),
    "gpkg": frozenset({"crs"}),
    "kml": frozenset({"crs"}),
    "gpx": frozenset({"crs"}),
    "gml": frozenset({"crs"}),
    "parquet": frozenset({"crs"}),
}
"""The keys of `read` that say something of a format, beside those that say something of every one."""
_OF_ALL = frozenset({"format", "table", "missing"})


def reader_of(form: Format) -> Reader:
    """The reader of the format."""
    module, name = READERS[form]
    return cast("Reader", getattr(import_module(f"ingest.readers.{module}"), name))


_HEAD = 1 << 16
_MAGIC: dict[bytes, Format] = {
    b"PAR1": "parquet",
    b"PARE": "parquet",
    b"SQLite format 3\0": "gpkg",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "xls",
    b"\0\0\x27\x0a": "shapefile",
}
_REFUSED = {
    b"%PDF-": "a PDF",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ\0": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"{\\rtf": "an RTF text",
}
_TEXT_SUFFIXES = {".csv", ".tsv", ".txt", ".tab"}
_ROOTS: dict[str, Format] = {"kml": "kml", "gpx": "gpx", "FeatureCollection": "gml"}
_SUFFIXES: dict[str, Format] = {
    ".geojson": "geojson",
    ".geojsonl": "geojson",
    ".geojsons": "geojson",
    ".gml": "gml",
    ".gpkg": "gpkg",
    ".gpx": "gpx",
    ".json": "json",
    ".jsonl": "ndjson",
    ".kml": "kml",
    ".ndjson": "ndjson",
    ".parquet": "parquet",
    ".shp": "shapefile",
    ".xml": "xml",
}
"""What a name promises and the bytes must keep; a spreadsheet's name may stand on a CSV, as some portals do."""
_PACKED_SUFFIXES = {".gz", ".kmz", ".ods", ".tar", ".tgz", ".xlsx", ".zip"}
_TAKE_ZIP: frozenset[Format] = frozenset({"gtfs", "kml", "ods", "shapefile", "xlsx"})
_GTFS = ("trips.txt", "routes.txt", "agency.txt")


def tables_in(
    path: Path,
    name: str,
    reading: Reading,
    desk: Desk,
    known: Format | None = None,
    left: Left | None = None,
    depth: int = 0,
) -> Tables:
    """The tables of the file at `path`, which its source calls `name`; `known` is what its source says it is.

    In an archive, they are those of its files; `left` is what may still be unpacked, and `depth` in how many archives
    the file lies. Raises ReadingError if the file is none of the formats, or not what it is said to be.
    """
    said = reading.format or known
    left = Left.of(desk.settings) if left is None else left
    packing = packing_of(path)
    if packing is None:
        return _read(said or format_of(path, name), path, reading, desk)
    found = format_of(path, name)
    if found in {"tar", "gzip"} or (found == "zip" and said not in _TAKE_ZIP):
        return read_archive(path, name, reading, desk, left, depth, tables_in)
    members(path, left)
    return _read(said or found, path, reading, desk)


def _read(form: Format | Packing, path: Path, reading: Reading, desk: Desk) -> Tables:
    for key in reading.model_dump(exclude_unset=True, exclude_none=True):
        if key not in _OF_ALL | _MEANS[form]:  # type: ignore[index]  # an archive never comes here
            known = ", ".join(sorted(_OF_ALL | _MEANS[form]))  # type: ignore[index]
            raise ReadingError(
                f"{path}: read: {key} says nothing of {form}, which this is; leave it out (known: {known})"
            )
    return reader_of(form)(path, reading, desk)  # type: ignore[arg-type]


def format_of(path: Path, name: str) -> Format | Packing:
    """What the file at `path`, which its source calls `name`, is; an archive of files is what it is packed by.

    Raises ReadingError if its bytes are of no format that is read, or not what the name promises.
    """
    packing = packing_of(path)
    if packing is not None:
        return _in_zip(path) if packing == "zip" else packing
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for magic, found in _MAGIC.items():
        if head.startswith(magic):
            return found
    for magic, said in _REFUSED.items():
        if head.startswith(magic):
            raise ReadingError(
                f"{path}: this is {said}; expected a table: CSV, spreadsheet, JSON, XML, Parquet or geodata"
            )
    suffix = PurePath(name).suffix.lower()
    return _as_text(path, head, suffix) or _by_suffix(path, suffix, head)


def _as_text(path: Path, head: bytes, suffix: str) -> Format | None:
    """The format that the text's first signs show, if they do."""
    text = text_of(head)
    root = root_of(text)
    if root is not None and (suffix not in _TEXT_SUFFIXES or root.declared or root.html):
        if root.html:
            table = b"<table" in head.lower()
            why = ", with a table in it, as some programs save for Excel: open it in a spreadsheet and save it as"
            why = f"{why} .xlsx or CSV" if table else ", perhaps a login or an error"
            raise ReadingError(f"{path}: this is an HTML page, whatever its name{why}; check the source's address")
        if root.name == "Workbook":
            raise ReadingError(f"{path}: this is a spreadsheet as XML (Excel 2003); save it as .xlsx")
        return _ROOTS.get(root.name, "xml")
    kind = json_kind(path, text)
    if kind == "json" and suffix in {".ndjson", ".jsonl"} and not text.lstrip().startswith("["):
        return "ndjson"
    return "geojson" if kind == "json" and _SUFFIXES.get(suffix) == "geojson" else kind


def _by_suffix(path: Path, suffix: str, head: bytes) -> Format:
    """What is left is delimited text, but where the name promises what the bytes are not."""
    promised = _SUFFIXES.get(suffix)
    if head and (
        suffix in _PACKED_SUFFIXES or (promised is not None and promised not in {"json", "ndjson", "geojson"})
    ):
        raise ReadingError(f"{path}: named {suffix}, but its bytes are not that; it may be cut, or an error page")
    return promised or "csv"


def _in_zip(path: Path) -> Format | Packing:
    """What the .zip at `path` is, by the names in it."""
    names = [name for name, _ in listed(path)]
    low = {name.lower() for name in names}
    if "[content_types].xml" in low:
        return _office(path, low)
    if "mimetype" in low:
        return _open_document(path)
    data = [PurePosixPath(name.lower()) for name in names if not left_out(name)]
    feeds = [one.parent for one in data if one.name == "stops.txt"]
    if len(feeds) == 1 and any(feeds[0] / name in data for name in _GTFS):
        return "gtfs"
    if "doc.kml" in low or [one.suffix for one in data] == [".kml"]:
        return "kml"
    if any(one.suffix == ".gdbtable" for one in data):
        raise ReadingError(f"{path}: this is an Esri file geodatabase; export its layers as GeoPackage")
    groups = shapefiles([str(one) for one in data])
    return "shapefile" if data and sum(map(len, groups.values())) == len(data) else "zip"


def _office(path: Path, names: set[str]) -> Format:
    if "xl/workbook.xml" in names or not any(re.match("word/|ppt/|visio/|xl/workbook.bin", name) for name in names):
        return "xlsx"
    raise ReadingError(f"{path}: this is a document of Office, but no .xlsx; save its table as .xlsx")


def _open_document(path: Path) -> Format | Packing:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("mimetype") as file:
            kind = file.read(200).decode("ascii", errors="replace").strip()
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:  # NotImplementedError, too
        raise ReadingError(f"{path}: the archive is cut or damaged: {error}; fetch or pack it anew") from None
    if kind.startswith("application/vnd.oasis.opendocument.spreadsheet"):
        return "ods"
    if kind.startswith("application/vnd.oasis.opendocument"):
        raise ReadingError(f"{path}: this is a document of OpenDocument ({kind}), but no spreadsheet; save it as .ods")
    return "zip"
