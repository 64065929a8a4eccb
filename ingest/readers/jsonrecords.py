"""JSON and NDJSON: the records of a document, what stands in objects in columns of its own, numbers as written.

The records are the objects of the one list that stands in the document, or in objects in it; `read: {records: a.b}`
says which. They are counted by ijson (yajl) and read one by one by Python's `json`. Lists in a record stay JSON text.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import ijson

from catalog.receipt import Reject
from ingest.markup import text_encoding
from ingest.readers.flat import SHOWN, Bare, Flat, Row, json_text, write_flat
from ingest.readers.jsonlists import RecordList, chosen_list, lists_in
from ingest.readers.jsonseq import count_texts, lenient, read_texts
from ingest.readers.jsontext import JsonDecoder, JsonText, flaw, shown
from ingest.table import Table
from policies.errors import ReadingError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.readers.jsonseq import JsonLine
    from ingest.table import Tables


def read_json(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The records of the JSON document at `path`. Opening it raises ReadingError if it is broken or unclear."""
    return {"": lambda: _open_json(path, reading, desk)}


def read_ndjson(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The records at `path`, one a line or each after RS. What is no JSON object is rejected."""
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
    with _told(path, encoding), path.open(encoding=encoding, newline="", errors=lenient(encoding)) as file:
        rows_in = count_texts(file)
        file.seek(0)
        flat = write_flat(path, _lines(read_texts(path, file, JsonDecoder())), desk)
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
        return Reject(line=number, reason=f"expected a list of {count_of(len(header), 'value')}", text=raw[:SHOWN])
    return _row(dict(zip(header, value, strict=True)), raw, number, doubled)


def _row(value: Any, raw: str, number: int, doubled: list[str]) -> Row | Reject:
    why = flaw(value, raw, doubled) if isinstance(value, dict) else "expected an object"
    if why is not None:
        return Reject(line=number, reason=why, text=shown(raw))
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


def _lines(texts: Iterator[JsonLine | Reject]) -> Iterator[tuple[int, Row | Reject]]:
    for one in texts:
        yield one.line, one if isinstance(one, Reject) else _row(one.value, one.raw, one.line, one.doubled)
