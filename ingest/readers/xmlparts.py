"""The XML parts of a zipped document, each parsed as it is unpacked; a document type is refused."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any
from xml.parsers import expat

from policies.errors import ReadingError

if TYPE_CHECKING:
    import re
    import zipfile
    from collections.abc import Callable

_CHUNK = 1 << 20
_MAX_PART = 64 << 20


def parser_for(start: Callable[..., None], text: Callable[..., None], end: Callable[..., None]) -> Any:
    """An XML parser that refuses document types: no entity is ever defined, and nothing is fetched."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.CharacterDataHandler = text
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = _no_doctype
    return parser


def _no_doctype(*_: object) -> None:
    raise ReadingError("its XML declares a document type, which no spreadsheet does; do not trust it")


def elements(book: zipfile.ZipFile, part: str) -> list[tuple[str, dict[str, str]]]:
    """The elements of a small part, each with its attributes; prefixes of tags are left out."""
    if book.getinfo(part).file_size > _MAX_PART:
        raise ValueError(f"{part} is larger than {_MAX_PART} bytes")
    found: list[tuple[str, dict[str, str]]] = []
    parser = parser_for(lambda tag, one: found.append((tag.rpartition(":")[2], one)), lambda _: None, lambda _: None)
    parser.Parse(book.read(part), True)  # noqa: FBT003  expat takes no keywords
    return found


def feed(
    file: IO[bytes], parser: Any, end: bytes, known: re.Pattern[bytes], count: Callable[[re.Match[bytes]], None]
) -> None:
    """Parse a part, but for the elements that are `known`, which are whole and counted. `end` is their last tag."""
    rest = b""
    while chunk := file.read(_CHUNK):
        data = rest + chunk
        cut = data.rfind(end) + len(end)
        cut = cut if cut >= len(end) else len(data)
        at = 0
        for found in known.finditer(data, 0, cut):
            if found.start() > at:
                parser.Parse(data[at : found.start()], False)  # noqa: FBT003
            count(found)
            at = found.end()
        parser.Parse(data[at:cut], False)  # noqa: FBT003
        rest = data[cut:]
    parser.Parse(rest, True)  # noqa: FBT003
