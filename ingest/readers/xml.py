"""XML: one element that repeats is the record; what stands in it, in columns of its own.

An attribute or a child without children is a column, those in a child are named CHILD_NAME, and a child that stands
more than once in some parent is a column of JSON text. Two passes of expat: the first finds the elements and counts
them, the second reads them. Names lose their namespaces. Document types, and so entities, are refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from catalog.receipt import Reject
from ingest.readers.flat import MAX_DEPTH, MAX_RECORD, SHOWN, Bare, Row, json_text, write_flat
from ingest.table import Table
from policies.document import suggest
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.model import Reading
    from ingest.desk import Desk
    from ingest.table import Tables

_CHUNK = 1 << 18
_MOST_PLACES = 20_000
_NAMED = 20


def read_xml(path: Path, reading: Reading, desk: Desk) -> Tables:
    """The records of the XML document at `path`. Opening it raises ReadingError if it is broken or unclear."""
    return {"": lambda: _open(path, reading, desk)}


def _open(path: Path, reading: Reading, desk: Desk) -> Table:
    shape = _Shape(path)
    for _ in _parsed(path, reading.encoding, shape):
        pass
    record = _chosen(path, shape.root, reading.records)
    flat = write_flat(path, _parsed(path, reading.encoding, _Records(path, shape.root, record)), desk)
    return Table(
        con=desk.con,
        source=flat.source,
        format="xml",
        columns=flat.columns,
        rows_in=record.count,
        rejects=lambda: flat.rejects,
        dialect={"encoding": reading.encoding or shape.encoding, "records": record.path},
        line_of=lambda rows: [flat.lines[row] for row in rows],
    )


@dataclass(eq=False)
class _Place:
    """A place such as `rss/channel/item`: how many elements stand there, and how many in one parent at most."""

    name: str
    above: _Place | None
    count: int = 0
    most: int = 0
    below: dict[str, _Place] = field(default_factory=dict)

    @cached_property
    def label(self) -> str:
        """The name without its namespace; with a number, where another beside it is then called the same."""
        local = _local(self.name)
        same = [] if self.above is None else [one for one in self.above.below.values() if _local(one.name) == local]
        number = next((at for at, one in enumerate(same, start=1) if one is self), 1)
        return local if number == 1 else f"{local}_{number}"

    @property
    def path(self) -> str:
        start = "" if self.above is None or self.above.above is None else f"{self.above.path}/"
        return f"{start}{self.label}"

    @property
    def repeats(self) -> bool:
        return self.most > 1


class _Shape:
    """The first pass: which elements stand where, and how often."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.root = _Place("", None)
        self.encoding = "utf-8"
        self._open: list[tuple[_Place, Counter[str]]] = [(self.root, Counter())]
        self._places = 0
        self.done: list[tuple[int, Row | Reject]] = []

    def start(self, name: str, _attributes: dict[str, str], _line: int) -> None:
        above, counts = self._open[-1]
        place = above.below.get(name)
        if place is None:
            place = above.below[name] = _Place(name, above)
            self._places += 1
            if self._places > _MOST_PLACES:
                raise ReadingError(f"{self._path}: more than {_MOST_PLACES} kinds of elements; that is no table")
        counts[name] += 1
        place.count += 1
        place.most = max(place.most, counts[name])
        self._open.append((place, Counter()))
        if len(self._open) > MAX_DEPTH:
            raise ReadingError(f"{self._path}: nested more than {MAX_DEPTH} levels deep; that is no table")

    def text(self, text: str) -> None:
        """Nothing: the shape has no texts."""

    def end(self) -> None:
        self._open.pop()


@dataclass
class _Element:
    """An element of a record that is being read."""

    place: _Place
    parts: dict[str, Any]
    text: list[str] = field(default_factory=list)


class _Records:
    """The second pass: each record, with the line that it starts on, into `done`."""

    def __init__(self, path: Path, root: _Place, record: _Place) -> None:
        self._path, self._record = path, record
        self.encoding = ""
        self._at = root
        self._open: list[_Element] = []
        self._line = self._signs = 0
        self._mixed: str | None = None
        self.done: list[tuple[int, Row | Reject]] = []

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        self._at = self._at.below[name]
        if self._at is self._record:
            self._line, self._signs, self._mixed = line, 0, None
        if self._open or self._at is self._record:
            counts = Counter(map(_local, attributes))
            parts = {f"@{_local(key) if counts[_local(key)] == 1 else key}": value for key, value in attributes.items()}
            self._open.append(_Element(self._at, parts))
            self._count(sum(map(len, attributes.values())))

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1].text.append(text)
            self._count(len(text))

    def end(self) -> None:
        place, self._at = self._at, self._at.above or self._at
        if not self._open:
            return
        element = self._open.pop()
        value = self._value(element)
        if self._open:
            above = self._open[-1].parts
            if place.repeats:
                above.setdefault(place.label, []).append(value)
            else:
                above[place.label] = value
        else:
            self.done.append((self._line, self._row(value)))

    def _value(self, element: _Element) -> Any:
        """Its text, or its parts; blanks between parts say nothing, a text between parts makes the record a reject."""
        text = "".join(element.text)
        if not element.parts:
            return text
        said = text.strip(" \t\r\n")
        if said and any(not key.startswith("@") for key in element.parts):
            self._mixed = element.place.label
        if said:
            element.parts[""] = text
        return element.parts

    def _row(self, value: Any) -> Row | Reject:
        if self._mixed is not None:
            reason = f"<{self._mixed}> has text between its elements; expected one or the other"
            return Reject(line=self._line, reason=reason, text=json_text(value)[:SHOWN])
        row: Row = {}
        _flatten(row, (), value if isinstance(value, dict) else {self._record.label: value})
        return row

    def _count(self, signs: int) -> None:
        self._signs += signs + 1
        if self._signs > MAX_RECORD:
            raise ReadingError(f"{self._path}: line {self._line}: a record of more than {MAX_RECORD} signs")


def _flatten(row: Row, names: tuple[str, ...], value: Any) -> None:
    if isinstance(value, dict):
        for name, one in value.items():
            _flatten(row, (*names, name) if name else names, one)
    elif isinstance(value, list):
        row[names] = json_text(value)
    else:
        row[names] = Bare(value) if value else None


def _local(name: str) -> str:
    """The `NAMESPACE NAME` of expat without the namespace."""
    return name.rpartition(" ")[2]


def _chosen(path: Path, root: _Place, declared: str | None) -> _Place:
    """The place of the records: the declared one, or the only one that repeats and is not in one that does."""
    if declared is not None:
        every = {place.path: place for place in _places(root)}
        if declared not in every:
            raise ReadingError(f"{path}: no element stands at {declared!r}; {suggest(declared, list(every))}")
        return every[declared]
    found = [place for place in _places(root, inside_repeats=False) if place.repeats]
    if not found:
        only = ", ".join([place.path for place in _places(root)][:_NAMED])
        raise ReadingError(
            f"{path}: no element repeats, so none is seen to be a record; declare it: read: {{records: …}}; "
            f"there are: {only}"
        )
    if len(found) > 1:
        said = ", ".join(f"{place.path} ({place.count})" for place in found[:_NAMED])
        raise ReadingError(
            f"{path}: {len(found)} elements repeat: {said}; choose the records: read: {{records: {found[0].path}}}"
        )
    return found[0]


def _places(above: _Place, *, inside_repeats: bool = True) -> Iterator[_Place]:
    for place in above.below.values():
        yield place
        if inside_repeats or not place.repeats:
            yield from _places(place, inside_repeats=inside_repeats)


def _parsed(path: Path, encoding: str | None, into: _Shape | _Records) -> Iterator[tuple[int, Row | Reject]]:
    """Feed the document to `into`, and give what it has done. Raises ReadingError where it is no safe XML."""
    parser = expat.ParserCreate(encoding, namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: into.start(name, attributes, parser.CurrentLineNumber)
    parser.CharacterDataHandler = into.text
    parser.EndElementHandler = lambda _name: into.end()

    def refuse(*_: object) -> None:
        raise ReadingError(
            f"{path}: line {parser.CurrentLineNumber}: a document type (<!DOCTYPE) may hide other files and bombs, and "
            "is not read; take it out"
        )

    def declaration(_version: str, said: str | None, _standalone: int) -> None:
        into.encoding = said or into.encoding

    parser.StartDoctypeDeclHandler = refuse
    parser.XmlDeclHandler = declaration
    run = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                tag = chunk.rfind(b"<")
                run = run + len(chunk) if tag < 0 else len(chunk) - tag
                if run > MAX_RECORD:
                    raise ReadingError(f"{path}: a text of more than {MAX_RECORD} bytes; that is no table")
                parser.Parse(chunk, False)  # noqa: FBT003  expat takes no keywords
                yield from into.done
                into.done.clear()
            parser.Parse(b"", True)  # noqa: FBT003
            yield from into.done
            into.done.clear()
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise ReadingError(f"{path}: cannot be read as XML, it may be cut: {error}") from None
