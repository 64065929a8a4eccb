"""The attributes of a shapefile (dBASE III, .dbf): every value as its text, so that no digit is lost on the way.

GDAL makes doubles of numbers of 19 digits, 0 of what is no number, and takes an encoding for what it is not.
Layout: https://www.dbase.com/Knowledgebase/INT/db7_file_fmt.htm and the ESRI Shapefile Technical Description.
"""

from __future__ import annotations

import codecs
import re
import struct
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from ingest.encoding import detect_encoding
from ingest.readers.flat import Bare
from policies.errors import ReadingError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.desk import Desk

_HEADER, _FIELD, _END = 32, 32, 0x0D
_DELETED = b"*"
_RECORDS = 10_000
_LDID = {
    0x01: "cp437",
    0x02: "cp850",
    0x03: "cp1252",
    0x04: "mac_roman",
    0x57: "cp1252",
    0x58: "cp1252",
    0x59: "cp1252",
}
"""What the language drivers of dBASE, byte 29 of the header, mean here."""
_CODE_PAGE = re.compile(r"(?i)(?:ansi|oem|cp|windows|ldid/)?[ _-]*([0-9]{3,5})")
_MOST_EXPONENT = 40
_PADDED = 4
"""Fields of more decimals hold floats, which dBASE fills up with zeros."""
_YES, _NO, _UNSET = frozenset("TtYy"), frozenset("FfNn"), frozenset(" ?")


@dataclass(frozen=True)
class Field:
    """A column: its name, its type (C, N, F, D or L), and where its text stands in a record."""

    name: str
    kind: str
    start: int
    width: int
    decimals: int


@dataclass(frozen=True)
class Dbf:
    """What the header says: `size` is a record's in bytes, `records` how many there are, deleted ones too."""

    path: Path
    records: int
    start: int
    size: int
    encoding: str
    fields: tuple[Field, ...]


def open_dbf(path: Path, code_page: str | None, declared: str | None, desk: Desk) -> Dbf:
    """The header of the .dbf at `path`; its texts are in the declared encoding, in that of its .cpg, or as they look.

    Raises ReadingError if it is cut or has a field of a type that a shapefile has not.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER)
        if len(head) < _HEADER:
            raise ReadingError(f"{path.name}: cut in its header; fetch it anew")
        records, start, size = struct.unpack_from("<IHH", head, 4)
        layout = head + file.read(max(start - _HEADER, 0))
    if path.stat().st_size < start + records * size:
        raise ReadingError(
            f"{path.name}: cut: its header says {count_of(records, 'record')} of {count_of(size, 'byte')}; "
            "fetch it anew"
        )
    found = _fields(path, layout, size)
    raw = Dbf(path, records, start, size, "latin-1", tuple(found))
    encoding = declared or _of_code_page(code_page) or _detected(raw, head[29], desk)
    try:
        encoding = codecs.lookup(encoding).name
        starts = range(_HEADER, _HEADER + _FIELD * len(found), _FIELD)
        names = [layout[at : at + 11].split(b"\0")[0].decode(encoding) for at in starts]
    except (LookupError, ValueError) as error:  # a name of no encoding, or one that is no name
        raise ReadingError(
            f"{path.name}: cannot be read as {encoding!r}: {error}; declare its encoding under read:"
        ) from None
    named = tuple(
        Field(name, one.kind, one.start, one.width, one.decimals)
        for name, one in zip(_unique(names), found, strict=True)
    )
    return Dbf(path, records, start, size, encoding, named)


def values_of(dbf: Dbf) -> Iterator[dict[str, str | None] | str | None]:
    """Each record's values by field; why they cannot be read, if they cannot; None if the record is deleted."""
    with dbf.path.open("rb") as file:
        file.seek(dbf.start)
        left = dbf.records
        while left > 0:
            count = min(left, _RECORDS)
            chunk = file.read(count * dbf.size)
            left -= count
            for at in range(0, count * dbf.size, dbf.size):
                yield _values(dbf, chunk[at : at + dbf.size])


def deleted(dbf: Dbf) -> int:
    """How many records are marked as deleted, by their first bytes alone."""
    count = 0
    with dbf.path.open("rb") as file:
        file.seek(dbf.start)
        for at in range(0, dbf.records, _RECORDS):
            chunk = file.read(min(_RECORDS, dbf.records - at) * dbf.size)
            count += chunk[:: dbf.size].count(_DELETED)
    return count


def _fields(path: Path, layout: bytes, size: int) -> list[Field]:
    found: list[Field] = []
    start = 1
    for at in range(_HEADER, len(layout) - _FIELD + 1, _FIELD):
        if layout[at] == _END:
            break
        kind, width, decimals = chr(layout[at + 11]), layout[at + 16], layout[at + 17]
        if kind == "C":  # the decimals of a text are the high byte of its width
            width, decimals = width + 256 * decimals, 0
        if kind not in "CNFDL":
            raise ReadingError(
                f"{path.name}: field {len(found) + 1} has the type {kind!r}, which no shapefile has; export it anew"
            )
        found.append(Field("", kind, start, width, decimals))
        start += width
    if start != size or not found:
        raise ReadingError(f"{path.name}: its fields take {start} bytes, but its records have {size}; export it anew")
    return found


def _unique(names: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        given, count = name, 1
        while given in seen:
            count += 1
            given = f"{name}_{count}"
        seen.add(given)
        yield given


def _of_code_page(said: str | None) -> str | None:
    """The encoding that a .cpg names: `UTF-8`, `1252`, `ANSI 1252`, `ISO-8859-1`, `ISO 88591`."""
    text = (said or "").strip().strip("\0\ufeff")
    if not text or text.lower() == "system":
        return None
    plain = re.sub(r"(?i)^iso[ _-]?8859[ _-]?", "iso8859-", text)
    if plain.startswith("iso8859-"):
        # GDAL writes ISO-8859-1 where Windows writes cp1252, which has the same letters and some more
        return "cp1252" if plain == "iso8859-1" else plain
    number = _CODE_PAGE.fullmatch(text)
    if number is None:
        return text
    known = {"65001": "utf-8", "28591": "cp1252", "10000": "mac_roman"}
    return known.get(number[1], f"cp{number[1]}")


def _detected(dbf: Dbf, driver: int, desk: Desk) -> str:
    """UTF-8, which no language driver stands for, if the texts look so; else what the driver says, or how they look."""
    texts = desk.path("texts.txt")
    spans = [slice(field.start, field.start + field.width) for field in dbf.fields if field.kind == "C"]
    with dbf.path.open("rb") as file, texts.open("wb") as target:
        file.seek(dbf.start)
        for _ in range(dbf.records):
            record = file.read(dbf.size)
            if not record.isascii():
                target.write(b"\n".join(record[span].replace(b"\0", b" ") for span in spans) + b"\n")
    if texts.stat().st_size == 0:
        return "utf-8"
    seen = detect_encoding(texts)
    texts.unlink()
    return seen if seen == "utf-8" else _LDID.get(driver, seen)


def _values(dbf: Dbf, record: bytes) -> dict[str, str | None] | str | None:
    if record[:1] == _DELETED:
        return None
    found: dict[str, str | None] = {}
    for field in dbf.fields:
        raw = record[field.start : field.start + field.width]
        try:
            text = raw.decode(dbf.encoding)
        except UnicodeDecodeError as error:
            return f"{field.name}: {raw[:100]!r} cannot be read as {dbf.encoding}: {error.reason}"
        found[field.name] = _value(field, text)
    return found


def _value(field: Field, text: str) -> str | None:
    if field.kind == "C":
        return text.rstrip(" \0") or None
    plain = text.strip(" \0")
    if field.kind == "L":
        return None if plain in {"", "?"} else Bare("true" if plain in _YES else "false" if plain in _NO else plain)
    if not plain or set(plain) == {"*"}:  # stars stand where a number did not fit
        return None
    if field.kind == "D":
        empty = not plain.strip("0")
        dated = re.fullmatch(r"([0-9]{4})([0-9]{2})([0-9]{2})", plain)
        return None if empty else Bare(plain if dated is None else "-".join(dated.groups()))
    return Bare(_number(plain, field.decimals))


def _number(text: str, decimals: int) -> str:
    """The number as it is written everywhere, without an exponent; a text that is none stays what it is."""
    try:
        number = Decimal(text.replace(",", ".", 1))
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > _MOST_EXPONENT:
        return text
    plain = f"{number:f}"
    if "." in plain and (decimals > _PADDED or "e" in text.lower()):
        whole, _, fraction = plain.partition(".")
        plain = f"{whole}.{fraction.rstrip('0') or '0'}"
    return plain
