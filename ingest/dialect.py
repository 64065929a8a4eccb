"""Bytes → encoding, delimiter, quote and header row. What a steward declares is taken; the rest is detected."""

from __future__ import annotations

import codecs
import mmap
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ingest.doubts import refuse_doubts
from ingest.encoding import detect_encoding, may_break
from ingest.header import Header, find_header
from ingest.kinds import kinds_of
from ingest.marks import LINE_END, NEWLINES, Marks, read_rows
from ingest.signs import find_marks, hinted, wrapped
from ingest.strays import Ends, ends_of, has_strays, outside, refuse_open_names
from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.model import Reading

_HEAD = 1 << 18
_LONGEST_HEAD = 1 << 25
_LEAST_LINES = 50
_START = 2048
_MARKS = re.compile(r"(?<![^\r\n])\ufeff+")


@dataclass(frozen=True)
class Dialect:
    """How a delimited text file is written.

    The data start on line `first_line` (1 is the first of the file). `trusted` says that the quotes are declared.
    `kinds` are the shapes that the values of each column have in the first rows, where they have one (`kinds.py`), and
    `ends` says how these rows end. `newline` names the line ends that there are, the most frequent first.
    `footer_rows` is how many rows below the table are declared to be none of it.
    """

    encoding: str
    marks: Marks
    header: Header
    trusted: bool = False
    kinds: tuple[str | None, ...] = ()
    ends: Ends = field(default_factory=Ends)
    newline: str | None = None
    footer_rows: int | None = None

    @property
    def first_line(self) -> int:
        """The line on which the data start."""
        return self.header.first

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.header.names)


def detect(path: Path, reading: Reading, *, sure: bool = True) -> Dialect:
    """The dialect of the file at `path`. Raises ReadingError when it is empty, binary, or has no table in it.

    Not `sure`, the encoding of a large file is found in parts of it.
    """
    encoding = _with_mark(path, reading.encoding) if reading.encoding else detect_encoding(path, sure=sure)
    try:
        head, cut = _head(path, encoding)
    except (UnicodeError, LookupError) as error:
        raise ReadingError(
            f"{path}: cannot be read as {encoding}: {error}; declare another encoding under read:"
        ) from None
    if not head.strip("\ufeff \t\r\n"):
        message = f"{path}: the file is empty"
        raise ReadingError(message)
    _refuse_markup(path, head)
    if "\ufeff" in head:  # of a file put together: it is none of the first name
        head = _MARKS.sub("", head, count=1)
    try:
        marks = find_marks(head, reading, cut=cut, newline=_only_end(path, head, encoding, reading.newline))
        if not marks.quote and reading.quote is None and _has_wrapped(path, encoding):
            marks = replace(marks, quote='"')
        rows = read_rows(head, marks, cut=cut)
        if hinted(head) is not None and rows[:1] and rows[0].start == 1:
            rows = rows[1:]
        header = find_header(rows, reading)
        below = [row for row in rows if row.start >= header.first]
        _refuse_spaced_title(header, marks, len(below))
        values = [row.cells for row in below if not header.stands_in(row.cells)]
        ends = ends_of(below, len(header.names))
        refuse_doubts(header, below, marks, reading)
        trusted = reading.quote is not None
        if not trusted:
            refuse_open_names(head, rows, header.first, ends, marks)
    except ReadingError as error:
        raise ReadingError(f"{path}: {error}") from None
    # A row too wide has cells out of place, and shows no kind where others do
    kinds = kinds_of([cells for cells in values if len(cells) == len(header.names)] or values, len(header.names))
    stray = has_strays(head, marks, ends, len(header.names), cut=cut)
    marks = replace(marks, stray=stray or (len(values) < len(below) and any(kinds)))
    newline = reading.newline or _ends_found(head, marks)
    return Dialect(encoding, marks, header, trusted, tuple(kinds), ends, newline, reading.footer_rows)


def _only_end(path: Path, head: str, encoding: str, declared: str | None) -> str:
    """What alone ends a row, as declared; empty where the file has no other line end, so that nothing is to be done.

    Raises ReadingError where no line ends so.
    """
    found = set(LINE_END.findall(head))
    if declared is None or not found:
        return ""
    newline = NEWLINES[declared]
    if newline not in found:
        raise ReadingError(f"no line ends in {declared}, the declared newline; declare another under read:")
    if encoding.startswith("utf-16"):
        return newline
    others = {"\n": rb"\r", "\r\n": rb"(?<!\r)\n|\r(?!\n)", "\r": rb"\n"}[newline]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return "" if re.search(others, content) is None else newline


def _ends_found(head: str, marks: Marks) -> str | None:
    """The names of the line ends outside of cells within quotes, the most frequent first."""
    if "\r" not in head:
        return "lf" if "\n" in head else None
    ends = Counter(LINE_END.findall(outside(head, marks)[0]))
    return ", ".join(name for end, _ in ends.most_common() for name, one in NEWLINES.items() if one == end) or None


def _refuse_spaced_title(header: Header, marks: Marks, rows: int) -> None:
    """Raise ReadingError where a line above may name one column, whose values hold commas with spaces after them."""
    if marks.spaced and header.above and (header.row is None or rows == 1):
        raise ReadingError(
            f"{header.above[0]!r} may be a title, or the name of one column whose values hold {marks.delimiter!r}; "
            "declare header_row or delimiter under read:"
        )


def _head(path: Path, encoding: str) -> tuple[str, bool]:
    """The first part of the text, longer where its lines are, and whether there is more."""
    errors = "replace" if may_break(encoding) else "strict"
    with path.open(encoding=encoding, errors=errors, newline="") as file:
        head = file.read(_HEAD)
        while len(head) >= _HEAD and head.count("\n") + head.count("\r") < _LEAST_LINES and len(head) < _LONGEST_HEAD:
            more = file.read(len(head))
            head += more
            if not more:
                break
        return head, bool(file.read(1))


def _has_wrapped(path: Path, encoding: str) -> bool:
    """Whether some cell of the whole file begins and ends with a quote; in UTF-16, it is taken to have one."""
    if encoding.startswith("utf-16"):
        return True
    pattern = wrapped('"').encode()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return re.search(pattern, content, re.MULTILINE) is not None


def _with_mark(path: Path, encoding: str) -> str:
    """The declared encoding, in the form that takes away the mark the file starts with."""
    with path.open("rb") as file:
        start = file.read(3)
    plain = encoding.lower().replace("_", "-")
    if plain in {"utf-8", "utf8", "utf-8-sig"}:
        return "utf-8-sig" if start == codecs.BOM_UTF8 else "utf-8"
    marked = start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    return "utf-16" if marked and plain in {"utf-16-le", "utf-16-be", "utf-16le", "utf-16be"} else encoding


def _refuse_markup(path: Path, head: str) -> None:
    start = head[:_START].lstrip("\ufeff \t\r\n").lower()
    if start.startswith("<") and re.search(r"<(!doctype|html|head|body|\?xml)\b", start):
        raise ReadingError(
            f"{path}: this is an HTML or XML page, not a delimited text file; check the source's address"
        )
    if start.startswith(("pk\x03\x04", "%pdf-")):
        raise ReadingError(f"{path}: this is an archive or a PDF, not a delimited text file; unpack it first")
