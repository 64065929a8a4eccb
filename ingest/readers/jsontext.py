"""A JSON document walked through value by value, numbers as they were written, in bounded memory."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TextIO

from ingest.readers.flat import MAX_RECORD, SHOWN, Bare, Exponent, json_text
from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.readers.coordinates import SlimText

_CHUNK = 1 << 20
MAX_VALUES = 8_000_000
"""How many values one record may have: each takes some 100 bytes, however few signs it has."""
_LONG = MAX_VALUES
_BETWEEN = ",[{"
_SPACES = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(r'[{}\[\]"]')
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class JsonDecoder(json.JSONDecoder):
    """Python's, its numbers as they are written; `doubled` are the keys that an object said twice since it was read."""

    def __init__(self) -> None:
        """Nothing to choose."""
        super().__init__(parse_float=_float, parse_int=Bare, parse_constant=Bare, object_pairs_hook=self._object)
        self.doubled: list[str] = []

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            self.doubled += [key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place])]
        return made


def _float(text: str) -> Bare:
    return Exponent(text) if "e" in text or "E" in text else Bare(text)


def refuse_large(place: str, text: str) -> None:
    """Raise ReadingError if the text of the record at `place` is larger than fits the memory."""
    if len(text) > MAX_RECORD:
        raise ReadingError(f"{place}: a record of more than {MAX_RECORD} signs; that is no table")
    if len(text) > _LONG and sum(map(text.count, _BETWEEN)) > MAX_VALUES:
        raise ReadingError(f"{place}: a record of more than {MAX_VALUES} values; that is no table")


def flaw(value: Any, raw: str, doubled: list[str]) -> str | None:
    """Why a value that is written `raw` cannot be kept: a key twice, or half a character, which Arrow does not take."""
    if doubled:
        return f"the key {doubled[0]!r} stands twice in one object"
    if _HALF.search(raw):
        try:
            json_text(value).encode()
        except UnicodeEncodeError:
            return "a text holds half a character"
    return None


def shown(raw: str) -> str:
    """What is kept of a rejected text."""
    return raw[:SHOWN].encode(errors="surrogateescape").decode(errors="replace")


class JsonText:
    """A document, and how far it was walked through. Every step raises ValueError where the document is broken."""

    def __init__(self, path: Path, file: TextIO | SlimText, decoder: json.JSONDecoder | None = None) -> None:
        """Walk through `file`, the text of the file at `path`, from where it stands; `decoder` None: as written."""
        self._path, self._file = path, file
        self._buffer, self._at, self._ended = "", 0, False
        self._decoder = JsonDecoder() if decoder is None else decoder

    @property
    def doubled(self) -> list[str]:
        """The keys that stand twice in one object of the last value; known only of what is read as written."""
        return self._decoder.doubled if isinstance(self._decoder, JsonDecoder) else []

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
        return self.written()[0]

    def written(self) -> tuple[Any, str]:
        """Walk past the next value: it, and as it is written. Raises ReadingError as `value` does."""
        self.sign()
        while True:
            self.doubled.clear()
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError:
                if self._ended:
                    raise
            else:
                if end < len(self._buffer) or self._ended:  # else a number may go on
                    raw, self._at = self._buffer[self._at : end], end
                    return value, raw
            self._more()

    def skip(self) -> None:
        """Walk past the next value, however large."""
        if self.sign() not in {"{", "["}:
            self.value()
            return
        depth = 0
        while True:
            found = _TOKEN.search(self._buffer, self._at)
            if found is not None and found[0] == '"':
                text = _STRING.match(self._buffer, found.start())
                self._at = found.start() if text is None else text.end()
                if text is None:
                    self._more()
            elif found is not None:
                self._at = found.end()
                depth += 1 if found[0] in "{[" else -1
                if depth == 0:
                    return
            else:
                self._at = len(self._buffer)
                self._more()

    def _more(self) -> None:
        """Read on; what was walked through is forgotten."""
        self._buffer, self._at = self._buffer[self._at :], 0
        refuse_large(str(self._path), self._buffer)
        chunk = self._file.read(min(max(_CHUNK, len(self._buffer)), MAX_RECORD + 1 - len(self._buffer)))
        self._buffer, self._ended = self._buffer + chunk, not chunk
