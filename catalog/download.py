"""A served snapshot as one file to take away: Parquet for tools, CSV for spreadsheets, and a few rows to look at.

A table without geometry that lies in one file is served as the lake holds it. Everything else is made once, beside the
lake, and found again by version and content.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import uuid
from typing import TYPE_CHECKING, Literal

import duckdb

from catalog.answers import defused, defused_name
from policies.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from catalog.entries import Entry
    from catalog.lab import Granted, Lab
    from catalog.lake import Served, ServedColumn

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = ("parquet", "csv")

GEOMETRY = "GEOMETRY"
_NO_FORMULA = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL.*|FLOAT|DOUBLE|REAL|BOOLEAN|DATE|TIME.*")
"""Types whose text a spreadsheet can only read as a value; all others are text, and may hold a formula."""

PREVIEW_ROWS = 20
PREVIEW_TEXT = 90
"""The longest cell a preview shows, in characters; one more is asked for, so that a cut can be seen."""


def is_number(column: ServedColumn) -> bool:
    """Whether the column holds numbers, which a page aligns on the right."""
    return _NO_FORMULA.fullmatch(column.type) is not None and not column.type.startswith(("BOOL", "DATE", "TIME"))


def as_it_is(served: Served) -> bool:
    """Whether the lake's own Parquet file is the download: one file, and no WKB that needs GeoParquet's metadata."""
    return len(served.files) == 1 and all(column.type != GEOMETRY for column in served.columns)


def content_key(served: Served) -> str:
    """A short name for exactly these bytes: a table that was rebuilt under an old version number gets another."""
    files = "\n".join(f"{name} {size}" for name, size in sorted(served.files.items()))
    return hashlib.sha256(files.encode()).hexdigest()[:12]


def parquet_select(columns: Sequence[ServedColumn], files: Iterable[Path]) -> str:
    """The SELECT whose COPY is (Geo)Parquet: DuckDB writes the `geo` metadata for its own GEOMETRY type."""
    return _select([(_typed(column), column.name) for column in columns], files)


def csv_select(columns: Sequence[ServedColumn], files: Iterable[Path]) -> str:
    """The SELECT whose COPY is CSV: geometry as WKT, and no cell or header that a spreadsheet would run."""
    return _select(
        [(_defused(column), defused_name(column.name)) for column in columns],
        files,
    )


def preview_select(columns: Sequence[ServedColumn], files: Iterable[Path]) -> str:
    """The SELECT of the first rows as short text."""
    cells = [(f"left({_text(column)}, {PREVIEW_TEXT + 1})", f"c{number}") for number, column in enumerate(columns)]
    return f"{_select(cells, files)} LIMIT {PREVIEW_ROWS}"


def preview(lab: Lab, entry: Entry, resource: str, columns: Sequence[ServedColumn]) -> list[tuple[str | None, ...]]:
    """The first rows of `columns`, each cell as text cut at PREVIEW_TEXT + 1 characters; raises LakeError."""
    files = lab.lake.files(entry.slug, entry.edition, resource, entry.current.resources[resource])
    with _engine() as engine:
        try:
            return engine.execute(preview_select(columns, files)).fetchall()
        except duckdb.Error as error:
            message = f"{entry.slug}.{resource}: the first rows cannot be read: {error}"
            raise LakeError(message) from None


def null_counts(lab: Lab, entry: Entry, resource: str) -> dict[str, int]:
    """How many cells of each column are NULL, by the statistics in the Parquet files; raises LakeError.

    A column without statistics is not in the answer; row groups without rows have none, and do not count.
    """
    files = lab.lake.files(entry.slug, entry.edition, resource, entry.current.resources[resource])
    query = (
        f"SELECT path_in_schema, CAST(sum(stats_null_count) AS BIGINT) FROM parquet_metadata({_listed(files)}) "  # noqa: S608
        "WHERE row_group_num_rows > 0 GROUP BY path_in_schema HAVING count(*) = count(stats_null_count)"
    )
    with _engine() as engine:
        try:
            return dict(engine.execute(query).fetchall())
        except duckdb.Error as error:
            message = f"{entry.slug}.{resource}: the statistics cannot be read: {error}"
            raise LakeError(message) from None


def existing(lab: Lab, entry: Entry | Granted, resource: str, form: Format) -> Path | None:
    """The file to serve if it is already there, or None: then `export` makes it. Raises LakeError."""
    served = entry.current.resources[resource]
    if form == "parquet" and as_it_is(served):
        return lab.lake.files(entry.slug, entry.edition, resource, served)[0]
    path = _export_path(lab, entry, resource, form)
    return path if path.is_file() else None


def export(lab: Lab, entry: Entry | Granted, resource: str, form: Format) -> Path:
    """The file to serve, made if it is not there; raises LakeError when it cannot be made.

    Requests that come together wait for the first; the file appears whole, in one rename, or not at all. Exports of
    the resource's earlier versions are taken away then.
    """
    found = existing(lab, entry, resource, form)
    if found is not None:
        return found
    path = _export_path(lab, entry, resource, form)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{resource}.{form}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.is_file():
            _make(lab, entry, resource, form, path)
            for old in path.parent.glob(f"{resource}-v*.{form}"):
                if old != path:
                    old.unlink(missing_ok=True)
    return path


def _make(lab: Lab, entry: Entry | Granted, resource: str, form: Format, path: Path) -> None:
    served = entry.current.resources[resource]
    files = lab.lake.files(entry.slug, entry.edition, resource, served)
    new = path.parent / f".{uuid.uuid4().hex}.new"
    target = str(new).replace("'", "''")
    if form == "csv":
        copy = f"COPY ({csv_select(served.columns, files)}) TO '{target}' (FORMAT csv, HEADER, DELIMITER ',')"
    else:
        select = parquet_select(served.columns, files)
        copy = f"COPY ({select}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
    try:
        with _engine() as engine:
            engine.execute(copy)
        with new.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut could leave the name with no bytes behind it
        new.replace(path)
    except (duckdb.Error, OSError) as error:
        message = f"{entry.slug}.{resource}: the {form} file cannot be made: {error}"
        raise LakeError(message) from None
    finally:
        new.unlink(missing_ok=True)


def _export_path(lab: Lab, entry: Entry | Granted, resource: str, form: Format) -> Path:
    served = entry.current.resources[resource]
    name = f"{resource}-v{served.version}-{content_key(served)}.{form}"
    return lab.var / "exports" / entry.slug / entry.edition / name


def _engine() -> duckdb.DuckDBPyConnection:
    # nothing is fetched at run time, and a long export leaves a core to the pages
    return duckdb.connect(
        config={
            "threads": max(1, (os.cpu_count() or 1) // 2),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )


def _select(cells: Iterable[tuple[str, str]], files: Iterable[Path]) -> str:
    listed = ", ".join(f"{expression} AS {_quoted(name)}" for expression, name in cells)
    return f"SELECT {listed} FROM read_parquet({_listed(files)})"  # noqa: S608  names quoted, files ours


def _listed(files: Iterable[Path]) -> str:
    return "[" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in files) + "]"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _typed(column: ServedColumn) -> str:
    name = _quoted(column.name)
    return f"st_geomfromwkb({name})" if column.type == GEOMETRY else name


def _text(column: ServedColumn) -> str:
    return f"st_astext({_typed(column)})" if column.type == GEOMETRY else f"CAST({_quoted(column.name)} AS VARCHAR)"


def _defused(column: ServedColumn) -> str:
    if column.type == GEOMETRY:
        return _text(column)
    if _NO_FORMULA.fullmatch(column.type):
        return _quoted(column.name)
    return defused(_text(column))
