"""How many records a delimited text holds, by its bytes alone: what the readers' rows and rejects must add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ingest.encoding import nul_line
from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Places = NDArray[np.intp]
    Bytes = NDArray[np.uint8]

_CHUNK = 1 << 18
_CR, _LF = b"\r\n"
_SPACE, _TAB = b" \t"
_SPACES = b" \t"
_LOOK = 64
"""So far is looked for the delimiter beside spaces beside a quote."""


def count_records(path: Path, skip: int, quote: str, delimiter: str, width: int | None = None) -> int | None:
    """How many records stand after `skip` lines, by quotes and line ends alone; blank lines are none.

    None where that means nothing, because some quotes are no quotes: they are odd in number, or spaces, which DuckDB
    would drop, stand between one and a delimiter, or both lines beside a line end in a cell have, as rows do, `width`
    columns. Raises ReadingError on a NUL byte: those are no text.
    """
    inside, begun, count = False, False, 0
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        while chunk := file.read(_CHUNK):
            if chunk[-1] == _CR:
                chunk += file.read(1)  # the LF of a line end of both
            if b"\0" in chunk:
                raise ReadingError(f"a NUL byte on line {nul_line(path)}: this is no text file")
            text = np.frombuffer(chunk, np.uint8)
            quotes = np.flatnonzero(text == ord(quote)) if quote else np.empty(0, np.intp)
            if _spaced(chunk, text, quotes, delimiter.encode(), inside=inside):
                return None
            ends = _line_ends(chunk, text)
            whole = (np.searchsorted(quotes, ends) + inside) % 2 == 0
            if width is not None and not whole.all() and _holds_rows(text, ends, ~whole, delimiter, width):
                return None
            ends = ends[whole]
            inside ^= len(quotes) % 2 == 1
            if not len(ends):
                begun = True
                continue
            lengths = np.diff(ends, prepend=-1) - 1
            lengths -= (lengths > 0) & (text[ends] == _LF) & (text[ends - 1] == _CR)
            count += int(np.count_nonzero(lengths)) + (begun and lengths[0] == 0)
            begun = int(ends[-1]) + 1 < len(chunk)
    return None if inside else int(count + begun)


def _holds_rows(text: Bytes, ends: Places, inner: NDArray[np.bool_], delimiter: str, width: int) -> bool:
    """Whether the lines before and after one of the `inner` line ends have `width` columns each.

    What the chunk cuts is taken to have so many if it may.
    """
    cuts = np.searchsorted(np.flatnonzero(text == ord(delimiter)), np.concatenate([[0], ends, [len(text)]]))
    found = np.diff(cuts)
    rows = found == width - 1
    rows[[0, -1]] = found[[0, -1]] < width
    return bool(np.any(rows[:-1] & rows[1:] & inner))


def _line_ends(chunk: bytes, text: Bytes) -> Places:
    """Where lines end: at each LF, and at each CR that has none after it."""
    ends = np.flatnonzero(text == _LF)
    if b"\r" not in chunk:
        return ends
    returns = np.flatnonzero(text == _CR)
    after = np.minimum(returns + 1, len(text) - 1)
    return np.sort(np.concatenate([ends, returns[text[after] != _LF]]))


def _spaced(chunk: bytes, text: Bytes, quotes: Places, delimiter: bytes, *, inside: bool) -> bool:
    """Whether spaces stand between a quote and a delimiter or line end."""
    edges = (delimiter, b"\r", b"\n")
    opening, closing = quotes[int(inside) :: 2], quotes[1 - int(inside) :: 2]
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
