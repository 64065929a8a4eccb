"""The lists in a JSON document that may be its records: found, and their values counted, by ijson (yajl).

What counts here is not what reads: the values are read by Python's `json`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import ijson

from ingest.readers.flat import MAX_DEPTH, MAX_RECORD
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CHUNK = 1 << 20
_MOST_KEYS = 1_000_000
_NAMED = 20
_MOST_SAID, _MOST_SIGNS = 50, 1000
_NAN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|(?P<open>\\?\Z))|(?P<nan>-?\b(?:NaN|Infinity)\b)', re.DOTALL)


@dataclass
class RecordList:
    """A list in the document: the keys that lead to it, and how many objects, lists and other values are in it.

    `beside` are the numbers and truths that stand outside of the lists, such as how many records a server has in all.
    Texts are not among them: the address of a next page may hold a secret.
    """

    keys: tuple[str, ...]
    objects: int = 0
    lists: int = 0
    others: int = 0
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many values are in it."""
        return self.objects + self.lists + self.others

    @property
    def name(self) -> str:
        """The keys as a steward writes them."""
        return ".".join(self.keys)

    def count(self, event: str) -> None:
        """Count the value that starts with ijson's event."""
        if event == "start_map":
            self.objects += 1
        elif event == "start_array":
            self.lists += 1
        else:
            self.others += 1


class _Utf8:
    """Pieces of text as the bytes that ijson wants. Refuses strings without an end, which it would collect."""

    def __init__(self, path: Path, pieces: Iterator[str]) -> None:
        self._path, self._pieces, self._run, self._escape = path, pieces, 0, b""

    def read(self, size: int) -> bytes:
        chunk = next(self._pieces, "").encode() if size > 0 else b""
        bare = (self._escape + chunk).replace(b"\\\\", b"").replace(b'\\"', b"")
        self._escape = b"\\" if bare.endswith(b"\\") else b""
        quote = bare.rfind(b'"')
        self._run = self._run + len(bare) if quote < 0 else len(bare) - quote
        if self._run > MAX_RECORD:
            raise ReadingError(f"{self._path}: a text of more than {MAX_RECORD} signs stands in it; that is no table")
        return chunk


def _as_it_is(file: TextIO) -> Iterator[str]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _without_nan(file: TextIO) -> Iterator[str]:
    """The text with null for NaN and Infinity, which are no JSON, but which Python writes and reads."""
    rest, ended = "", False
    while not ended:
        chunk = file.read(max(_CHUNK, len(rest)))
        text, out, at, ended = rest + chunk, [], 0, not chunk
        for found in _NAN.finditer(text):
            if found["open"] is not None and not ended:
                rest = text[found.start() :]
                out.append(text[at : found.start()])
                break
            out += [text[at : found.start()], "null" if found["nan"] is not None else found[0]]
            at = found.end()
        else:
            cut = len(text) if ended else max(at, len(text) - len("-Infinity"))
            out.append(text[at:cut])
            rest = text[cut:]
        if any(out):
            yield "".join(out)


class _Walk:
    """Follows a document's events: the lists that stand in it or in objects in it, but not those in other lists."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.found: list[RecordList] = []
        self._beside: dict[str, str] = {}
        self._keys: list[str] = []
        self._seen: list[set[str]] = []
        self._start: int | None = None
        self._depth = self._known = 0

    def follow(self, event: str, value: Any) -> None:
        if event == "map_key":
            if self._start is None:
                self._key(value)
        elif event in {"end_map", "end_array"}:
            self._depth -= 1
            if self._start is None:
                self._keys.pop()
                self._seen.pop()
            elif self._depth == self._start:
                self._start = None
        else:
            self._value(event, value)

    def _key(self, key: str) -> None:
        if key in self._seen[-1]:
            raise ReadingError(f"{self._path}: the key {key!r} stands twice in one object: which one is meant?")
        self._keys[-1] = key
        self._seen[-1].add(key)
        self._known += 1
        if self._known > _MOST_KEYS:
            raise ReadingError(f"{self._path}: an object with so many keys; expected a list of objects, one a record")

    def _value(self, event: str, value: Any) -> None:
        if self._start is not None:
            if self._depth == self._start + 1:
                self.found[-1].count(event)
        elif event == "start_array":
            self.found.append(RecordList(tuple(self._keys), beside=self._beside))
            self._start = self._depth
        elif event == "start_map":
            self._keys.append("")
            self._seen.append(set())
        elif event in {"number", "boolean"} and self._keys and len(self._beside) < _MOST_SAID:
            self._beside[".".join(self._keys)[:_MOST_SIGNS]] = str(value).lower()[:_MOST_SIGNS]
        self._depth += event in {"start_map", "start_array"}
        if self._depth > MAX_DEPTH:
            raise ReadingError(f"{self._path}: nested more than {MAX_DEPTH} levels deep; that is no table")


def lists_in(path: Path, encoding: str) -> list[RecordList]:
    """The lists in which records may be: those that stand in the document, or in objects in it.

    Raises ReadingError, UnicodeError or ijson.JSONError if the document is not whole; all of it is looked at.
    """
    try:
        return _lists(path, encoding, _as_it_is)
    except ijson.JSONError:
        return _lists(path, encoding, _without_nan)


def _lists(path: Path, encoding: str, pieces: Callable[[TextIO], Iterator[str]]) -> list[RecordList]:
    walk = _Walk(path)
    with path.open(encoding=encoding, newline="") as file:
        for event, value in ijson.basic_parse(_Utf8(path, pieces(file)), buf_size=_CHUNK):
            walk.follow(event, value)
    return walk.found


def chosen_list(path: Path, lists: list[RecordList], declared: str | None) -> RecordList:
    """The list of the records: the declared one, or the only one there is. Raises ReadingError if that is unclear."""
    named = [one for one in lists if one.objects > 0] or [one for one in lists if one.lists > 0]
    said = ", ".join(f"{one.name or 'the document itself'} ({one.total})" for one in named[:_NAMED])
    if declared is not None:
        named = [one for one in lists if one.name == declared]
        if len(named) != 1:
            raise ReadingError(f"{path}: no list of records stands at {declared!r}; there are: {said or 'none'}")
    elif not named and any(one.total > 1 for one in lists):
        values = ", ".join(one.name or "the document itself" for one in lists[:_NAMED])
        raise ReadingError(
            f"{path}: it has lists of values ({values}), as if each were a column; expected a list of objects, one a "
            "record"
        )
    elif not named:
        raise ReadingError(f"{path}: no list of records stands in it; expected a list of objects with values in it")
    elif len(named) > 1:
        raise ReadingError(
            f"{path}: it has {len(named)} lists of records: {said}; choose one: read: {{records: {named[0].name}}}"
        )
    if named[0].objects + named[0].lists == 0:
        raise ReadingError(f"{path}: the list at {named[0].name!r} has no objects in it; expected one a record")
    return named[0]
