"""The tables of the files in an archive, each unpacked when it is opened.

A table is called as its file without the ending, or FILE/TABLE where a file has several. What goes with data but is
none (notices, prose, images, what a Mac adds) is left out, and named in the dialect.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from ingest.archive import Left, gunzip, members, packing_of, starts, take_out
from ingest.markup import text_of
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Table, Tables

_T = TypeVar("_T")
MAX_DEPTH = 3
"""A .tar.gz in a .zip has it; an archive deeper than that is no way to give data."""
_MANY = 100
_SHOWN = 2_000
_LEFT_OUT = frozenset(
    ".css .doc .docx .gif .htm .html .ini .jpeg .jpg .js .lnk .log .lyr .md .odt .pdf .png .ppt .pptx .qmd .qml .rst"  # noqa: SIM905
    " .rtf .sld .svg .tif .tiff .url .webp".split()
)
_NOTICE = re.compile(
    r"(readme|read_me|lisez[-_ ]?moi|a[-_ ]lire|licen[cs]e|copying|notice|changelog|metadata|metadonnees)([-_. ].*)?",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"\w\s+[^\d\W].*[.!?:…]$")
_HEAD, _LINES = 1 << 14, 50
"""So many bytes and lines of a text show whether it is prose."""
_SHAPEFILE = frozenset(".ain .aih .atx .cpg .cst .dbf .fix .ixs .mxs .prj .qix .qpj .sbn .sbx .shp .shx".split())  # noqa: SIM905
_ONE_TABLE = frozenset(
    ".csv .geojson .geojsonl .geojsons .json .jsonl .ndjson .parquet .tab .tsv .txt .xml".split()  # noqa: SIM905
)


def left_out(name: str) -> bool:
    """Whether the file of this name in an archive is one that goes with data, but is none itself."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    if hidden or path.name.lower() in {"thumbs.db", "desktop.ini"} or path.suffix.lower() in _LEFT_OUT:
        return True
    return path.suffix.lower() in {"", ".txt", ".xml"} and _NOTICE.fullmatch(path.stem) is not None


def is_prose(text: str) -> bool:
    """Whether half of the first lines are sentences, and no delimiter parts all lines alike.

    So it is with a text that tells of the data; a list of names has no sentences, and rows have a delimiter.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()][:_LINES]
    counts = [{line.count(sign) for line in lines} for sign in "\t;|,"] if len(lines) > 1 else []
    rows = any(len(one) == 1 and 0 not in one for one in counts)
    return bool(lines) and not rows and sum(map(bool, map(_SENTENCE.search, lines))) * 2 >= len(lines)


def shapefiles(names: Sequence[str]) -> dict[str, list[str]]:
    """The names of each .shp, and with it those of the files that belong to it."""
    groups: dict[str, list[str]] = {name: [] for name in names if name.lower().endswith(".shp")}
    stems = {name[:-4].casefold(): name for name in groups}
    for name in names:
        path = PurePosixPath(name.removesuffix(".xml") if name.lower().endswith(".shp.xml") else name)
        main = stems.get(str(path.with_suffix("")).casefold())
        if main is not None and path.suffix.lower() in _SHAPEFILE:
            groups[main].append(name)
    return groups


def read_archive(
    path: Path,
    name: str,
    reading: Reading,
    desk: Desk,
    left: Left,
    depth: int,
    tables_in: Callable[..., Tables],
) -> Tables:
    """The tables of the files in the archive at `path`, which its source calls `name`.

    Raises ReadingError if it lies in `MAX_DEPTH` archives, holds no data, or cannot be unpacked safely.
    """
    if depth >= MAX_DEPTH:
        raise ReadingError(f"{path}: an archive in {depth} archives; unpack it, and give the files themselves")
    nested = partial(tables_in, reading=reading, desk=desk, left=left, depth=depth + 1)
    if packing_of(path) == "gzip":
        inner = re.sub(r"\.(gz|tgz)$", lambda found: ".tar" if found[1] == "tgz" else "", name, flags=re.IGNORECASE)
        target = desk.path(f"unpacked{_suffix(inner)}")
        gunzip(path, target, left)
        return _told(partial(nested, target, inner), target, str(path), {})
    names = members(path, left)
    data = _data(path, names, reading)
    if not data:
        what = f"only {', '.join(names)[:_SHOWN]}" if names else "nothing"
        raise ReadingError(f"{path}: the archive holds no data, {what}")
    there = set(data)
    said = ", ".join(one for one in names if one not in there)[:_SHOWN]
    dialect = {"left_out": said} if said else {}
    groups = shapefiles(data)
    beside = {one for main, group in groups.items() for one in group if one != main}
    files = [one for one in data if one not in beside]
    folder = desk.path("unpacked")

    @cache
    def together() -> dict[str, Path]:
        return take_out(path, folder, data)

    @cache
    def unpacked(one: str) -> Path:
        # Each look into an archive reads its whole list of files
        return together()[one] if len(files) > _MANY else take_out(path, folder, groups.get(one, [one]))[one]

    def opened(one: str) -> Tables:
        place = f"{path}: {one}"
        return _told(lambda: nested(unpacked(one), one), folder / one, place, {"file": one, **dialect})

    if len(files) == 1:
        return opened(files[0])
    tables: Tables = {}
    for one, title in zip(files, _titles(files), strict=True):
        found = _of_member(title, one, opened)
        twice = next((called for called in found if called in tables), None)
        if twice is not None:
            raise ReadingError(f"{path}: two tables in it would be called {twice!r}; unpack it, and give the files")
        tables |= found
    return tables


def _data(path: Path, names: list[str], reading: Reading) -> list[str]:
    """The names of the files that are data; a declared format says that texts are, too."""
    data = [one for one in names if not left_out(one)]
    asked = {one for one in data if one.lower().endswith(".txt") and reading.format is None}
    texts = starts(path, asked, _HEAD) if asked else {}
    return [one for one in data if one not in texts or not is_prose(text_of(texts[one]))]


def _titles(files: list[str]) -> list[str]:
    """The shortest that tells each file from the others: its name without the ending, with its folders, in full."""
    paths = [PurePosixPath(one) for one in files]
    ways = [[one.stem for one in paths], [str(one.with_suffix("")) for one in paths], files]
    counts = [Counter(name.casefold() for name in way) for way in ways]
    return [
        next((way[at] for way, count in zip(ways, counts, strict=True) if count[way[at].casefold()] == 1), one)
        for at, one in enumerate(files)
    ]


def _of_member(title: str, one: str, opened: Callable[[str], Tables]) -> Tables:
    """The tables of one file of several. What is of one table is not unpacked before it is asked for."""

    def only() -> Table:
        tables = opened(one)
        if len(tables) > 1:
            raise ReadingError(f"{one}: holds {len(tables)} tables, where its name promises one; unpack it")
        return next(iter(tables.values()))()

    if PurePosixPath(one).suffix.lower() in _ONE_TABLE:
        return {title: only}
    try:
        tables = opened(one)
    except ReadingError as error:
        return {title: partial(_fail, str(error))}
    if len(tables) == 1:
        return {title: next(iter(tables.values()))}
    return {f"{title}/{name}": table for name, table in tables.items()}


def _fail(message: str) -> Table:
    raise ReadingError(message)


def _told(tables: Callable[[], Tables], unpacked: Path, place: str, dialect: dict[str, str]) -> Tables:
    """The tables, whose errors name `place`, not where it was unpacked, and whose dialect says `dialect` too."""

    def named(opened: Callable[[], Table]) -> Table:
        table = _placed(opened, unpacked, place)
        careful = table.careful
        return replace(
            table,
            dialect={**table.dialect, **_joined(table.dialect, dialect)},
            careful=None if careful is None else partial(named, careful),
        )

    return {name: partial(named, opened) for name, opened in _placed(tables, unpacked, place).items()}


def _joined(inner: dict[str, str | int | None], outer: dict[str, str]) -> dict[str, str]:
    """What the outer archive says, before what an archive or a feed in it says."""
    joined = dict(outer)
    if "file" in inner and "file" in outer and PurePosixPath(outer["file"]).name != inner["file"]:
        joined["file"] = f"{outer['file']}/{inner['file']}"
    if "left_out" in inner and "left_out" in outer:
        joined["left_out"] = f"{outer['left_out']}, {inner['left_out']}"
    return joined


def _placed(make: Callable[[], _T], unpacked: Path, place: str) -> _T:
    try:
        return make()
    except ReadingError as error:
        raise ReadingError(f"{place}: {str(error).removeprefix(f'{unpacked}: ')}") from None


def _suffix(name: str) -> str:
    """The ending of a name, if it may be that of a passing file's."""
    found = re.search(r"\.[A-Za-z0-9]{1,10}$", name)
    return "" if found is None else found[0].lower()
