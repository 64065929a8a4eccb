"""The features of a geographic XML document (KML, GPX, GML), one at a time; no entity, no other file, no network.

Two passes: `survey` sees every element by expat, and counts; `features` builds each feature's tree by ElementTree.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError, tostring
from xml.parsers import expat

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ingest.readers.flat import MAX_DEPTH, MAX_RECORD, Bare, json_text
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_CHUNK = 1 << 18
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class _Source:
    """A file, of which no more than a record's bytes may pass without a feature."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        self.since = 0

    def read(self, size: int = _CHUNK, /) -> bytes:
        self.since += size
        if self.since > MAX_RECORD:
            raise ReadingError(f"{self._path}: a feature of more than {MAX_RECORD} bytes, or none in so many")
        return self._file.read(size)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the parsers raise, as a ReadingError that names the file."""
    try:
        yield
    except DefusedXmlException:
        message = f"{path}: it has a document type (DTD), which may hold entities; export it without"
        raise ReadingError(message) from None
    except (ParseError, expat.ExpatError, ValueError, LookupError) as error:
        raise ReadingError(f"{path}: is no whole XML document, it may be cut: {error}") from None


def local(name: str) -> str:
    """An element's name without its namespace."""
    return name.rpartition("}")[2]


def survey(
    path: Path,
    see: Callable[[Sequence[str], dict[str, str]], None],
    hear: Callable[[Sequence[str], str], None] | None = None,
) -> None:
    """Tell `see` of each element: the local names from the root to it, and its attributes; `hear` of its texts.

    Raises ReadingError if the document is not whole, has a DTD, or is nested too deep.
    """
    names: list[str] = []
    parser = expat.ParserCreate(namespace_separator="}")

    def start(name: str, attributes: dict[str, str]) -> None:
        names.append(local(name))
        if len(names) > MAX_DEPTH:
            raise ReadingError(f"{path}: nested more than {MAX_DEPTH} levels deep; that is no geodata")
        see(names, attributes)

    def doctype(*_: object) -> None:
        raise DefusedXmlException

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: names.pop()
    parser.StartDoctypeDeclHandler = doctype
    if hear is not None:
        parser.CharacterDataHandler = lambda text: hear(names, text)
    with _told(path), path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            parser.Parse(chunk)
        parser.Parse(b"", True)  # noqa: FBT003  expat's own


def features(
    path: Path,
    is_feature: Callable[[Sequence[Element]], bool],
    other: Callable[[Sequence[Element]], None] | None = None,
) -> Iterator[list[Element]]:
    """The elements from the root to each feature, the last of them whole; `other` is told of what ends outside of them.

    All that has ended is forgotten. Raises ReadingError as `survey` does.
    """
    opened: list[Element] = []
    inside = 0
    with _told(path), path.open("rb") as file:
        source = _Source(path, file)
        for event, element in iterparse(source, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                opened.append(element)
                inside = len(opened) if not inside and is_feature(opened) else inside
                continue
            if inside == len(opened):
                yield opened
                source.since = inside = 0
            elif not inside and other is not None:
                other(opened)
            opened.pop()
            if not inside and opened:
                opened[-1].remove(element)


def values_in(element: Element, skip: Callable[[Element], bool]) -> dict[str, str | None]:
    """The texts and attributes in an element, by their names joined by `_`; one that stands twice is a JSON list.

    Elements in a text, such as HTML, stay with it as XML.
    """
    found: dict[str, list[str]] = {}
    _collect(found, element, (), skip)
    return {
        name: json_text(list(texts)) if len(texts) > 1 else Bare(texts[0]) if texts else None
        for name, texts in found.items()
    }


def _collect(
    found: dict[str, list[str]], element: Element, names: tuple[str, ...], skip: Callable[[Element], bool]
) -> None:
    for child in element:
        if skip(child):
            continue
        below = (*names, local(child.tag))
        for key, value in child.attrib.items():
            if key != _NIL:
                found.setdefault("_".join((*below, local(key))), []).append(value)
        mixed = len(child) > 0 and any((text or "").strip() for text in (child.text, *(one.tail for one in child)))
        if len(child) > 0 and not mixed:
            _collect(found, child, below, skip)
            continue
        texts = found.setdefault("_".join(below), [])
        if mixed:
            texts.append((child.text or "") + "".join(tostring(one, encoding="unicode") for one in child))
        elif (child.text or "").strip():
            texts.append(str(child.text))
