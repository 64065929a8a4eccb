"""How many records a delimited text holds, by its bytes alone: what the readers' rows and rejects must add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 22
_SPACES = b" \t"


def count_records(path: Path, skip: int, quote: str, delimiter: str = ";") -> int | None:
    """How many records stand after `skip` lines, by quotes and line ends alone; blank lines are none.

    None where that means nothing, because some quotes are no quotes: they are odd in number, or spaces, which DuckDB
    would drop, stand between one and a delimiter.
    """
    edges = (delimiter.encode(), b"\r", b"\n")
    mark, inside, begun, count = quote.encode(), False, False, 0
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        while chunk := file.read(_CHUNK):
            pieces = chunk.split(mark)
            if len(pieces) > 1 and any(_spaced(piece, edges) for piece in pieces[int(inside) :: 2]):
                return None
            # What stands between quotes becomes one `q`, so that its line ends do not count
            bare = (b"q" if inside else b"") + b"q".join(pieces[int(inside) :: 2])
            inside ^= len(pieces) % 2 == 0
            bare += b"q" if inside else b""
            if b"\r" in bare:
                bare = bare.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            while b"\n\n" in bare:
                bare = bare.replace(b"\n\n", b"\n")
            # One more line than line ends, but for those that are empty at either end of the chunk
            count += bare.count(b"\n") + 1 - bare.startswith(b"\n") - bare.endswith(b"\n")
            count -= begun and not bare.startswith(b"\n")
            begun = not bare.endswith(b"\n")
    return None if inside else count


def _spaced(between: bytes, edges: tuple[bytes, ...]) -> bool:
    """Whether what stands outside of quotes has spaces between a quote and a delimiter or line end."""
    if not between or (between[0] not in _SPACES and between[-1] not in _SPACES):
        return False
    after, before = between.lstrip(b" \t"), between.rstrip(b" \t")
    return (after != between and after.startswith(edges)) or (
        before != between and (not before or before.endswith(edges))
    )
