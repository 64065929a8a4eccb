"""How many records a delimited text holds, by its bytes alone: what the readers' rows and rejects must add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ingest.encoding import nul_line
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    count, rest, sign = 0, b"", delimiter.encode()
    for piece in _pieces(path, skip):
        chunk = rest + piece
        text = np.frombuffer(chunk, np.uint8)
        quotes = np.flatnonzero(text == ord(quote)) if quote else np.empty(0, np.intp)
        ends = _line_ends(chunk, text)
        whole = np.searchsorted(quotes, ends) % 2 == 0
        records = ends[whole]
        starts = np.concatenate([[0], records + 1])
        stops = records - ((text[records] == _LF) & (records > 0) & (text[records - 1] == _CR))
        rest = chunk[starts[-1] :]
        if (
            len(rest) > _LONGEST
            or _spaced(chunk, text, quotes, sign)
            or (width is not None and _holds_rows(text, ends, whole, ord(delimiter), width))
            or (over is not None and _overfull(chunk, starts[:-1], stops, quote.encode(), sign, over))
        ):
            return None
        count += int(np.count_nonzero(stops > starts[:-1]))
    return None if rest else count


def _pieces(path: Path, skip: int) -> Iterator[bytes]:
    """The text after `skip` lines, no line end cut in two, and its last line ended."""
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        last = b"\n"
        while chunk := file.read(_CHUNK):
            if chunk[-1] == _CR:
                chunk += file.read(1)
            if b"\0" in chunk:
                raise ReadingError(f"a NUL byte on line {nul_line(path)}: this is no text file")
            last = chunk[-1:]
            yield chunk
        if last not in b"\r\n":
            yield b"\n"


def _holds_rows(text: Bytes, ends: Places, whole: NDArray[np.bool_], delimiter: int, width: int) -> bool:
    """Whether the lines before and after a line end that is not `whole`, inside a cell, have `width` columns each.

    What stands after the last whole record is looked at when it is whole.
    """
    inner = np.flatnonzero(~whole)
    inner = inner[inner < np.max(np.flatnonzero(whole), initial=0)]
    if not len(inner):
        return False
    places = np.concatenate([[0], ends])
    found = np.diff(_counts(text, delimiter, places[inner + np.array([[0], [1], [2]])]), axis=0)
    return bool(np.any((found[0] == width - 1) & (found[1] == width - 1)))


def _overfull(chunk: bytes, starts: Places, stops: Places, quote: bytes, delimiter: bytes, over: int) -> bool:
    """Whether one of the records ends in a delimiter and has, outside of cells in quotes, `over` of them."""
    text = np.frombuffer(chunk, np.uint8)
    ending = (stops > starts) & (text[stops - 1] == ord(delimiter))
    starts, stops = starts[ending], stops[ending]
    if not len(starts):
        return False
    many = _counts(text, ord(delimiter), stops) - _counts(text, ord(delimiter), starts) >= over
    for start, stop in zip(starts[many].tolist(), stops[many].tolist(), strict=True):
        outside = b"".join(chunk[start:stop].split(quote)[::2]) if quote else chunk[start:stop]
        if outside.count(delimiter) >= over:
            return True
    return False


def _counts(text: Bytes, sign: int, places: Places) -> Places:
    """How often the sign stands before each place: by sums of bits, as nearly every place is passed over."""
    bits = np.packbits(text == sign, bitorder="little")
    words = np.pad(bits, (0, 8 - len(bits) % 8 + 8)).view("<u8")
    sums = np.cumsum(np.bitwise_count(words), dtype=np.intp)
    at, upto = places >> 6, (np.uint64(1) << (places & 63).astype(np.uint64)) - np.uint64(1)
    counts: Places = sums[at] - np.bitwise_count(words[at] & ~upto)
    return counts


def _line_ends(chunk: bytes, text: Bytes) -> Places:
    """Where lines end: at each LF, and at each CR that has none after it."""
    ends = np.flatnonzero(text == _LF)
    if b"\r" not in chunk:
        return ends
    returns = np.flatnonzero(text == _CR)
    after = np.minimum(returns + 1, len(text) - 1)
    return np.sort(np.concatenate([ends, returns[text[after] != _LF]]))


def _spaced(chunk: bytes, text: Bytes, quotes: Places, delimiter: bytes) -> bool:
    """Whether spaces stand between a quote and a delimiter or line end."""
    edges = (delimiter, b"\r", b"\n")
    opening, closing = quotes[::2], quotes[1::2]
    opening, closing = opening[opening > 0], closing[closing + 1 < len(chunk)]
    for place in opening[_is_space(text[opening - 1])].tolist():
        before = chunk[max(place - _LOOK, 0) : place].rstrip(_SPACES)
        if not before or before.endswith(edges):
            return True
    return any(
        chunk[place + 1 : place + _LOOK].lstrip(_SPACES).startswith(edges)
        for place in closing[_is_space(text[closing + 1])].tolist()
    )


def _is_space(text: Bytes) -> NDArray[np.bool_]:
    spaces: NDArray[np.bool_] = (text == _SPACE) | (text == _TAB)
    return spaces
