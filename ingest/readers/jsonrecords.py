"""JSON and NDJSON: the records of a document, what stands in objects in columns of its own, numbers as written.

The records are the objects of the one list that stands in the document, or in objects in it; `read: {records: a.b}`
says which. They are counted by ijson (yajl) and read one by one by Python's `json`. Lists in a record stay JSON text.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import ijson

from catalog.receipt import Reject
from ingest.markup import text_encoding
from ingest.readers.flat import MAX_RECORD, SHOWN, Bare, Flat, Row, json_text, write_flat
from ingest.readers.jsonlists import RecordList, chosen_list, lists_in
from ingest.readers.jsontext import JsonDecoder, JsonText
from ingest.table import Table
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Tables

_CHUNK = 1 << 20
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The records of the JSON document at `path`. Opening it raises ReadingError if it is broken or unclear."""
    return {"": lambda: _open_json(path, reading, desk)}


def read_ndjson(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The records at `path`, one a line. A line that is no JSON object is rejected."""
    return {"": lambda: _open_lines(path, reading, desk)}


def _open_json(path: Path, reading: Reading, desk: Desk) -> Table:
    encoding = text_encoding(path, reading.encoding)
    with _told(path, encoding):
        found = chosen_list(path, lists_in(path, encoding), reading.records)
        with path.open(encoding=encoding, newline="") as file:
            flat = write_flat(path, _listed(path, file, found), desk)
    rows_in = found.total - (found.objects == 0)  # a list of lists has its names in the first
    return _table(flat, "json", rows_in, {**found.beside, "encoding": encoding, "records": found.name}, desk)


def _open_lines(path: Path, reading: Reading, desk: Desk) -> Table:
    encoding = text_encoding(path, reading.encoding)
    with _told(path, encoding):
        with path.open(encoding=encoding, newline="", errors=_lenient(encoding)) as file:
            rows_in = _count_lines(file)
        with path.open(encoding=encoding, newline="", errors=_lenient(encoding)) as file:
            flat = write_flat(path, _lines(path, file), desk)
    return _table(flat, "ndjson", rows_in, {"encoding": encoding}, desk)


def _table(flat: Flat, form: str, rows_in: int, dialect: dict[str, str | int | None], desk: Desk) -> Table:
    return Table(
        con=desk.con,
        source=flat.source,
        format=form,
        columns=flat.columns,
        rows_in=rows_in,
        rejects=lambda: flat.rejects,
        dialect=dialect,
        line_of=lambda rows: [flat.lines[row] for row in rows],
    )


@contextmanager
def _told(path: Path, encoding: str) -> Iterator[None]:
    """What the parsers raise, as a ReadingError that names the file."""
    try:
        yield
    except (UnicodeError, LookupError) as error:
        raise ReadingError(f"{path}: cannot be read as {encoding}: {error}; declare its encoding under read:") from None
    except (ijson.JSONError, ValueError, RecursionError) as error:
        if path.stat().st_size == 0:
            raise ReadingError(f"{path}: the file is empty") from None
        reason = str(error).split("\n", 1)[0][:300]
        raise ReadingError(f"{path}: cannot be read as JSON, it may be cut: {reason}") from None


def _lenient(encoding: str) -> str:
    """How lines are read: one that is no UTF-8 is rejected alone."""
    return "surrogateescape" if encoding.startswith("utf-8") else "strict"


def _listed(path: Path, file: TextIO, found: RecordList) -> Iterator[tuple[int, Row | Reject]]:
    """The records of the list, by their number in it."""
    text = JsonText(path, file)
    for key in found.keys:
        text.take("{")
        while text.value() != key:
            text.take(":")
            text.skip()
            text.take(",")
        text.take(":")
    text.take("[")
    header: list[str] | None = None
    for number in range(1, found.total + 1):
        value, raw = text.written()
        text.take(",", "]")
        if found.objects == 0:
            if header is None:
                header = _header(path, value)
                continue
            yield number, _of_list(header, value, raw, number, text.doubled)
        else:
            yield number, _row(value, raw, number, text.doubled)


def _header(path: Path, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and not isinstance(one, Bare) for one in value):
        raise ReadingError(f"{path}: a list of lists whose first has no names; expected the columns' names in it")
    if len(set(value)) < len(value):
        raise ReadingError(f"{path}: the first list, of the columns' names, has one twice")
    return value


def _of_list(header: list[str], value: Any, raw: str, number: int, doubled: list[str]) -> Row | Reject:
    if not isinstance(value, list) or len(value) != len(header):
        return Reject(line=number, reason=f"expected a list of {len(header)} values", text=raw[:SHOWN])
    return _row(dict(zip(header, value, strict=True)), raw, number, doubled)


def _row(value: Any, raw: str, number: int, doubled: list[str]) -> Row | Reject:
    if not isinstance(value, dict):
        return Reject(line=number, reason="expected an object", text=_shown(raw))
    if doubled:
        reason = f"the key {doubled[0]!r} stands twice in one object"
        return Reject(line=number, reason=reason, text=_shown(raw))
    if _HALF.search(raw):
        try:
            json_text(value).encode()
        except UnicodeEncodeError:
            return Reject(line=number, reason="a text holds half a character", text=_shown(raw))
    row: Row = {}
    _flatten(row, (), value)
    return row


def _flatten(row: Row, keys: tuple[str, ...], value: Any) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            _flatten(row, (*keys, key), one)
    elif value is None or isinstance(value, str):
        row[keys] = value
    elif isinstance(value, bool):
        row[keys] = Bare("true" if value else "false")
    else:
        row[keys] = json_text(value)


def _shown(raw: str) -> str:
    return raw[:SHOWN].encode(errors="surrogateescape").decode(errors="replace")


def _count_lines(file: TextIO) -> int:
    """How many lines are not blank, apart from the reading of their JSON."""
    count, begun = 0, False
    while chunk := file.read(_CHUNK):
        bare = re.sub(r"[ \t\r]+", "", chunk)
        bare = re.sub(r"\n+", "\n", bare)
        if bare:
            count += bare.count("\n") + 1 - bare.startswith("\n") - bare.endswith("\n") + (bare == "\n")
            count -= begun and not bare.startswith("\n")
            begun = not bare.endswith("\n")
    return count


def _lines(path: Path, file: TextIO) -> Iterator[tuple[int, Row | Reject]]:
    decoder = JsonDecoder()
    number = 0
    while line := file.readline(MAX_RECORD):
        number += 1
        if len(line) >= MAX_RECORD:
            raise ReadingError(f"{path}: line {number} has more than {MAX_RECORD} signs; that is no table")
        if raw := line.strip(" \t\r\n"):
            yield number, _line(raw, number, decoder)


def _line(raw: str, number: int, decoder: JsonDecoder) -> Row | Reject:
    decoder.doubled.clear()
    try:
        raw.encode()
        return _row(decoder.decode(raw), raw, number, decoder.doubled)
    except UnicodeEncodeError:
        return Reject(line=number, reason="not UTF-8", text=_shown(raw))
    except (ValueError, RecursionError) as error:
        return Reject(line=number, reason=f"no JSON: {error}"[:300], text=_shown(raw))
