"""How many records a delimited text holds, by its bytes alone: what the readers' rows and rejects must add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ingest.encoding import nul_line
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

    from numpy.typing import NDArray

    Places = NDArray[np.intp]
    Bytes = NDArray[np.uint8]

_CHUNK = 1 << 20
_CR, _LF = b"\r\n"
_SPACE, _TAB = b" \t"
_SPACES = b" \t"
_LONGEST = 16 * 2**20
"""No record is looked at that is longer: the readers refuse it too."""
_LOOK = 64
"""So far is looked for the delimiter beside spaces beside a quote."""


def count_records(
    path: Path, skip: int, quote: str, delimiter: str, width: int | None = None, *, over: int | None = None
) -> int | None:
    """How many records stand after `skip` lines, by quotes and line ends alone; blank lines are none.

    None where that means nothing, because some quotes are no quotes: they are odd in number, or spaces, which DuckDB
    would drop, stand between one and a delimiter, or both lines beside a line end in a cell have, as rows do, `width`
    columns. None too where a record that ends in a delimiter has `over` of them: DuckDB would pass over the cell too
    many, wherever in the row it came from. Raises ReadingError on a NUL byte: those are no text.
    """
    count, sign = 0, delimiter.encode()
    part = _Part()
    for _ in _read(path, skip, part):
        text = part.text
        ends, whole, quotes = _line_ends(part, ord(quote) if quote else None)
        records = ends[whole]
        starts = np.concatenate([[0], records + 1])
        stops = records - ((text[records] == _LF) & (records > 0) & (text[records - 1] == _CR))
        if (
            part.size - starts[-1] > _LONGEST
            or _spaced(part, quotes, sign)
            or (width is not None and _holds_rows(part, ends, whole, ord(delimiter), width))
            or (over is not None and _overfull(part, starts[:-1], stops, quote.encode(), sign, over))
        ):
            return None
        count += int(np.count_nonzero(stops > starts[:-1]))
        part.drop(int(starts[-1]))
    return None if part.size else count


class _Part:
    """A part of the text that starts where a record does. It is read into the same memory, part by part.

    Memory of its own for each would cost more than all that is done with it: the kernel gives it page by page.
    """

    def __init__(self) -> None:
        self.size = 0
        self._hold(2 * _CHUNK)

    def _hold(self, size: int) -> None:
        self.raw, self._masks = bytearray(size), np.empty((2, size), np.bool_)
        self._bytes = np.frombuffer(self.raw, np.uint8)

    @property
    def text(self) -> Bytes:
        """All of it."""
        return self._bytes[: self.size]

    def add(self, file: BufferedReader) -> int:
        """Read on, by one byte more where a CR stands last; how many bytes came."""
        if self.size + _CHUNK + 2 > len(self.raw):
            held = self.raw[: self.size]
            self._hold(2 * len(self.raw))
            self.raw[: self.size] = held
        with memoryview(self.raw) as room:
            came = file.readinto(room[self.size : self.size + _CHUNK])
            if came and room[self.size + came - 1] == _CR:
                came += file.readinto(room[self.size + came :][:1])
        self.size += came
        return came

    def end(self) -> None:
        """End the last line."""
        self.raw[self.size] = _LF
        self.size += 1

    def drop(self, size: int) -> None:
        """Take away what stands before the place."""
        self.raw[: self.size - size] = self.raw[size : self.size]
        self.size -= size

    def has(self, sign: bytes, start: int = 0) -> bool:
        """Whether the sign stands in it, from a place on."""
        return self.raw.find(sign, start, self.size) >= 0

    def where(self, *signs: int) -> NDArray[np.bool_]:
        """Of each byte, whether it is one of the signs; good until the next call."""
        found, other = self._masks[0, : self.size], self._masks[1, : self.size]
        np.equal(self.text, signs[0], out=found)
        for sign in signs[1:]:
            np.equal(self.text, sign, out=other)
            np.logical_or(found, other, out=found)
        return found


def _read(path: Path, skip: int, part: _Part) -> Iterator[None]:
    """Read the text after `skip` lines into `part`, piece by piece, no line end cut in two, and its last line ended."""
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        last = _LF
        while came := part.add(file):
            if part.has(b"\0", part.size - came):
                raise ReadingError(f"a NUL byte on line {nul_line(path)}: this is no text file")
            last = part.raw[part.size - 1]
            yield
        if last not in {_CR, _LF}:
            part.end()
            yield


def _holds_rows(part: _Part, ends: Places, whole: NDArray[np.bool_], delimiter: int, width: int) -> bool:
    """Whether the lines before and after a line end that is not `whole`, inside a cell, have `width` columns each.

    What stands after the last whole record is looked at when it is whole.
    """
    inner = np.flatnonzero(~whole)
    inner = inner[inner < np.max(np.flatnonzero(whole), initial=0)]
    if not len(inner):
        return False
    places = np.concatenate([[0], ends])
    found = np.diff(_counts(part, delimiter, places[inner + np.array([[0], [1], [2]])]), axis=0)
    return bool(np.any((found[0] == width - 1) & (found[1] == width - 1)))


def _overfull(part: _Part, starts: Places, stops: Places, quote: bytes, delimiter: bytes, over: int) -> bool:
    """Whether one of the records ends in a delimiter and has, outside of cells in quotes, `over` of them."""
    ending = (stops > starts) & (part.text[stops - 1] == ord(delimiter))
    starts, stops = starts[ending], stops[ending]
    if not len(starts):
        return False
    many = _counts(part, ord(delimiter), stops) - _counts(part, ord(delimiter), starts) >= over
    for start, stop in zip(starts[many].tolist(), stops[many].tolist(), strict=True):
        record = part.raw[start:stop]
        outside = b"".join(record.split(quote)[::2]) if quote else record
        if outside.count(delimiter) >= over:
            return True
    return False


def _counts(part: _Part, sign: int, places: Places) -> Places:
    """How often the sign stands before each place: by sums of bits, as nearly every place is passed over."""
    bits = np.packbits(part.where(sign), bitorder="little")
    words = np.pad(bits, (0, 8 - len(bits) % 8 + 8)).view("<u8")
    sums = np.cumsum(np.bitwise_count(words), dtype=np.intp)
    at, upto = places >> 6, (np.uint64(1) << (places & 63).astype(np.uint64)) - np.uint64(1)
    counts: Places = sums[at] - np.bitwise_count(words[at] & ~upto)
    return counts


def _line_ends(part: _Part, quote: int | None) -> tuple[Places, NDArray[np.bool_], Places]:
    """Where lines end, at each LF and at each CR that has none after it; whether outside of quotes; and the quotes."""
    returns = part.has(b"\r")
    signs = [_LF, *([quote] if quote is not None else []), *([_CR] if returns else [])]
    places = np.flatnonzero(part.where(*signs))  # once for all of them: it takes longer than the rest
    found = part.text[places]
    quotes = found == quote if quote is not None else np.zeros(len(found), np.bool_)
    ends = ~quotes
    if returns:
        after = np.minimum(places + 1, part.size - 1)
        ends &= ~((found == _CR) & (part.text[after] == _LF))
    whole = np.cumsum(quotes)[ends] & 1 == 0
    return places[ends], whole, places[quotes]


def _spaced(part: _Part, quotes: Places, delimiter: bytes) -> bool:
    """Whether spaces stand between a quote and a delimiter or line end."""
    edges = (delimiter, b"\r", b"\n")
    opening, closing = quotes[::2], quotes[1::2]
    opening, closing = opening[opening > 0], closing[closing + 1 < part.size]
    for place in opening[_is_space(part.text[opening - 1])].tolist():
        before = part.raw[max(place - _LOOK, 0) : place].rstrip(_SPACES)
        if not before or before.endswith(edges):
            return True
    return any(
        part.raw[place + 1 : min(place + _LOOK, part.size)].lstrip(_SPACES).startswith(edges)
        for place in closing[_is_space(part.text[closing + 1])].tolist()
    )


def _is_space(text: Bytes) -> NDArray[np.bool_]:
    spaces: NDArray[np.bool_] = (text == _SPACE) | (text == _TAB)
    return spaces
