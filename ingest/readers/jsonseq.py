"""JSON texts one after another in a file: one a line (NDJSON), or each after the sign RS (RFC 7464, RFC 8142)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from catalog.receipt import Reject
from ingest.readers.flat import MAX_RECORD
from ingest.readers.jsontext import refuse_large, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.readers.jsontext import JsonDecoder

RS = "\x1e"
_CHUNK = 1 << 20
_BLANKS = " \t\r\n"


class JsonLine(NamedTuple):
    """A text that was read: the line where it begins, its value and itself, and the keys that stand twice in it."""

    line: int
    value: Any
    raw: str
    doubled: list[str]


def lenient(encoding: str) -> str:
    """How the file is opened: a text that is no UTF-8 is rejected alone."""
    return "surrogateescape" if encoding.startswith("utf-8") else "strict"


def count_texts(file: TextIO) -> int:
    """How many texts are not blank, apart from the reading of their JSON."""
    separator = _separator(file)
    blanks = re.compile(f"[{_BLANKS.replace(separator, '')}]+")
    count, begun = 0, False
    while chunk := file.read(_CHUNK):
        pieces = blanks.sub("", chunk).split(separator)
        count += sum(map(bool, pieces)) - (begun and pieces[0] != "")
        begun = pieces[-1] != "" or (begun and len(pieces) == 1)
    return count


def read_texts(path: Path, file: TextIO, decoder: JsonDecoder) -> Iterator[JsonLine | Reject]:
    """Each text, or a reject where it is no JSON. Raises ReadingError for one larger than a record may be."""
    for line, raw in _texts(path, file):
        decoder.doubled.clear()
        try:
            raw.encode()
            yield JsonLine(line, decoder.decode(raw), raw, decoder.doubled)
        except UnicodeEncodeError:
            yield Reject(line=line, reason="not UTF-8", text=shown(raw))
        except (ValueError, RecursionError) as error:
            yield Reject(line=line, reason=f"no JSON: {error}"[:300], text=shown(raw))


def _separator(file: TextIO) -> str:
    start = file.read(_CHUNK).lstrip(_BLANKS)
    file.seek(0)
    return RS if start.startswith(RS) else "\n"


def _texts(path: Path, file: TextIO) -> Iterator[tuple[int, str]]:
    """Each text that is not blank, and the line where it begins."""
    separator = _separator(file)
    line, rest, ended = 1, "", False
    while not ended:
        chunk = file.read(min(max(_CHUNK, len(rest)), MAX_RECORD + 1 - len(rest)))
        ended = not chunk
        *pieces, rest = (rest + chunk).split(separator)
        for piece in [*pieces, rest] if ended else pieces:
            text = piece.lstrip(_BLANKS)
            if text:
                at = line + piece.count("\n", 0, len(piece) - len(text))
                refuse_large(f"{path}: line {at}", text)
                yield at, text.rstrip(_BLANKS)
            line += piece.count("\n") + (separator == "\n")
        refuse_large(f"{path}: line {line}", rest)
