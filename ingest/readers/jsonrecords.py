"""JSON and NDJSON: the records of a document, what stands in objects in columns of its own, numbers as written.

The records are the objects of the one list that stands in the document, or in objects in it; `read: {records: a.b}`
says which. They are counted by ijson (yajl) and read one by one by Python's `json`. Lists in a record stay JSON text.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import ijson

from catalog.receipt import Reject
from ingest.markup import text_encoding
from ingest.readers.flat import MAX_RECORD, SHOWN, Bare, Flat, Row, json_text, write_flat
from ingest.readers.jsonlists import RecordList, chosen_list, lists_in
from ingest.table import Table
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Tables

_CHUNK = 1 << 20
_SPACES = re.compile(r"[ \t\r\n]*")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_TOKEN = re.compile(r'[{}\[\]"]')
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


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
    return _table(flat, "json", rows_in, {"encoding": encoding, "records": found.name}, desk)


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


class _Decoder(json.JSONDecoder):
    """Python's, its numbers as they are written; `doubled` are the keys that an object said twice since it was read."""

    def __init__(self) -> None:
        super().__init__(parse_float=Bare, parse_int=Bare, parse_constant=Bare, object_pairs_hook=self._object)
        self.doubled: list[str] = []

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            self.doubled += [key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place])]
        return made


class _Text:
    """A document that yajl has found whole, walked through value by value."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path, self._file = path, file
        self.buffer, self.at, self.ended = "", 0, False
        self.decoder = _Decoder()

    def more(self) -> None:
        """Read on; what was walked through is forgotten."""
        self.buffer, self.at = self.buffer[self.at :], 0
        if len(self.buffer) > MAX_RECORD:
            raise ReadingError(f"{self._path}: a record of more than {MAX_RECORD} signs; that is no table")
        chunk = self._file.read(max(_CHUNK, len(self.buffer)))
        self.buffer, self.ended = self.buffer + chunk, not chunk

    def sign(self) -> str:
        """The next sign that is no space; "" at the end."""
        while True:
            found = _SPACES.match(self.buffer, self.at)
            self.at = self.at if found is None else found.end()
            if self.at < len(self.buffer) or self.ended:
                return self.buffer[self.at : self.at + 1]
            self.more()

    def take(self, *expected: str) -> str:
        """Walk past the next sign."""
        sign = self.sign()
        if sign not in expected:
            raise ValueError(f"expected {' or '.join(expected)}, found {sign!r}")
        self.at += 1
        return sign

    def value(self) -> tuple[Any, str]:
        """Walk past the next value: it, and as it is written."""
        self.sign()
        while True:
            self.decoder.doubled.clear()
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.at)
            except json.JSONDecodeError:
                if self.ended:
                    raise
            else:
                if end < len(self.buffer) or self.ended:  # else a number may go on
                    raw, self.at = self.buffer[self.at : end], end
                    return value, raw
            self.more()

    def skip(self) -> None:
        """Walk past the next value, however large."""
        if self.sign() not in {"{", "["}:
            self.value()
            return
        depth = 0
        while True:
            found = _TOKEN.search(self.buffer, self.at)
            if found is not None and found[0] == '"':
                text = _STRING.match(self.buffer, found.start())
                self.at = found.start() if text is None else text.end()
                if text is None:
                    self.more()
            elif found is not None:
                self.at = found.end()
                depth += 1 if found[0] in "{[" else -1
                if depth == 0:
                    return
            else:
                self.at = len(self.buffer)
                self.more()


def _listed(path: Path, file: TextIO, found: RecordList) -> Iterator[tuple[int, Row | Reject]]:
    """The records of the list, by their number in it."""
    text = _Text(path, file)
    for key in found.keys:
        text.take("{")
        while text.value()[0] != key:
            text.take(":")
            text.skip()
            text.take(",")
        text.take(":")
    text.take("[")
    header: list[str] | None = None
    for number in range(1, found.total + 1):
        value, raw = text.value()
        text.take(",", "]")
        if found.objects == 0:
            if header is None:
                header = _header(path, value)
                continue
            yield number, _of_list(header, value, raw, number, text.decoder)
        else:
            yield number, _row(value, raw, number, text.decoder)


def _header(path: Path, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and not isinstance(one, Bare) for one in value):
        raise ReadingError(f"{path}: a list of lists whose first has no names; expected the columns' names in it")
    if len(set(value)) < len(value):
        raise ReadingError(f"{path}: the first list, of the columns' names, has one twice")
    return value


def _of_list(header: list[str], value: Any, raw: str, number: int, decoder: _Decoder) -> Row | Reject:
    if not isinstance(value, list) or len(value) != len(header):
        return Reject(line=number, reason=f"expected a list of {len(header)} values", text=raw[:SHOWN])
    return _row(dict(zip(header, value, strict=True)), raw, number, decoder)


def _row(value: Any, raw: str, number: int, decoder: _Decoder) -> Row | Reject:
    if not isinstance(value, dict):
        return Reject(line=number, reason="expected an object", text=_shown(raw))
    if decoder.doubled:
        reason = f"the key {decoder.doubled[0]!r} stands twice in one object"
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
    decoder = _Decoder()
    number = 0
    while line := file.readline(MAX_RECORD):
        number += 1
        if len(line) >= MAX_RECORD:
            raise ReadingError(f"{path}: line {number} has more than {MAX_RECORD} signs; that is no table")
        if raw := line.strip(" \t\r\n"):
            yield number, _line(raw, number, decoder)


def _line(raw: str, number: int, decoder: _Decoder) -> Row | Reject:
    decoder.doubled.clear()
    try:
        raw.encode()
        return _row(decoder.decode(raw), raw, number, decoder)
    except UnicodeEncodeError:
        return Reject(line=number, reason="not UTF-8", text=_shown(raw))
    except (ValueError, RecursionError) as error:
        return Reject(line=number, reason=f"no JSON: {error}"[:300], text=_shown(raw))
