"""A JSON document walked through value by value, numbers as they were written, in bounded memory."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TextIO

from ingest.readers.flat import MAX_RECORD, Bare
from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20
_SPACES = re.compile(r"[ \t\r\n]*")


class WrittenFloat(float):
    """A number with a fraction, and the text it was written as."""

    text: str


class JsonDecoder(json.JSONDecoder):
    """Python's, its numbers as they were written; refuses NaN and a key that stands twice in one object."""

    def __init__(self) -> None:
        """Nothing to choose."""
        super().__init__(
            parse_float=_float, parse_int=_int, parse_constant=no_constant, object_pairs_hook=_object, strict=True
        )


def _float(text: str) -> WrittenFloat:
    number = WrittenFloat(text)
    number.text = text
    return number


def _int(text: str) -> int | WrittenFloat:
    return _float(text) if text == "-0" else int(text)


def no_constant(text: str) -> None:
    """Refuse NaN and Infinity, which Python would read."""
    raise ValueError(f"{text} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        doubled = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        message = f"the key {doubled!r} stands twice in one object"
        raise ValueError(message)
    return made


def written(value: Any) -> str | None:
    """A value as text: a text itself, else JSON (`Bare`), its numbers as they were written; None if it says nothing."""
    if value is None or isinstance(value, str):
        return value or None
    return Bare(_json(value))


def _json(value: Any) -> str:
    if isinstance(value, WrittenFloat):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(key)}: {_json(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_json(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


class JsonText:
    """A document, and how far it was walked through. Every step raises ValueError where the document is broken."""

    def __init__(self, path: Path, file: TextIO, decoder: json.JSONDecoder | None = None) -> None:
        """Walk through `file`, the text of the file at `path`, from where it stands; `decoder` None: as written."""
        self._path, self._file = path, file
        self._buffer, self._at, self._ended = "", 0, False
        self._decoder = JsonDecoder() if decoder is None else decoder

    def sign(self) -> str:
        """The next sign that is no space; "" at the end."""
        while True:
            found = _SPACES.match(self._buffer, self._at)
            self._at = self._at if found is None else found.end()
            if self._at < len(self._buffer) or self._ended:
                return self._buffer[self._at : self._at + 1]
            self._more()

    def end(self) -> None:
        """Nothing may follow."""
        sign = self.sign()
        if sign:
            message = f"expected its end, found {sign!r}"
            raise ValueError(message)

    def take(self, *expected: str) -> str:
        """Walk past the next sign."""
        sign = self.sign()
        if sign not in expected:
            message = f"expected {' or '.join(expected)}, found {sign!r}"
            raise ValueError(message)
        self._at += len(sign)
        return sign

    def value(self) -> Any:
        """Walk past the next value. Raises ReadingError if it is longer than a record may be."""
        self.sign()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError:
                if self._ended:
                    raise
            else:
                if end < len(self._buffer) or self._ended:  # else a number may go on
                    self._at = end
                    return value
            self._more()

    def _more(self) -> None:
        """Read on; what was walked through is forgotten."""
        self._buffer, self._at = self._buffer[self._at :], 0
        if len(self._buffer) > MAX_RECORD:
            raise ReadingError(f"{self._path}: a value of more than {MAX_RECORD} signs stands in it; that is no record")
        chunk = self._file.read(max(_CHUNK, len(self._buffer)))
        self._buffer, self._ended = self._buffer + chunk, not chunk
