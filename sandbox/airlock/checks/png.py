"""A PNG holds its pixels and nothing beside: no text, EXIF or unknown chunk, nothing after its end or in its stream.

Chunks are those of the W3C's Portable Network Graphics specification, 3rd edition, 2025. Not found: what is drawn, and
what is hidden in the pixels themselves.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .finding import Finding, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .facts import Facts

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HARMLESS = {b"IHDR": 13, b"IEND": 0, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"sBIT": 4, b"bKGD": 6}
"""With the most bytes that each may have."""
_PALETTES = {b"PLTE": 768, b"tRNS": 256}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MOST_PIXELS = 50_000_000
_SOFTWARE = b"Software\0"
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of Adam7: the first column and row of each, and its steps."""


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001  as all checks
    if candidate.kind != "png":
        return
    chunks = list(_chunks(candidate.content))
    kind, end, _ = chunks[-1] if chunks else (b"", len(_SIGNATURE), b"")
    if kind != b"IEND":
        yield Finding("image", "stop", f"byte {end}", "the image is cut or damaged")
        return
    left = len(candidate.content) - end
    if left > 0:
        yield Finding("image", "stop", f"byte {end}", f"{left} bytes stand after the end of the image")
    extra = [
        f"{kind.decode('ascii', 'replace')} before byte {end}"
        for kind, end, body in chunks
        if kind != b"IDAT" and not _harmless(kind, body)
    ]
    if extra:
        said = "the image holds texts or data beside its pixels; save it without metadata"
        yield Finding("image", "stop", places(extra), said)
    header = next((body for kind, _, body in chunks if kind == b"IHDR"), b"")
    wrong = _wrong_pixels(header, b"".join(body for kind, _, body in chunks if kind == b"IDAT"))
    if wrong is not None:
        yield Finding("image", "stop", candidate.name, wrong)


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """The kind, the end and the body of each chunk, up to the last one or to the first that is damaged."""
    at, kind = len(_SIGNATURE), b""
    while kind != b"IEND" and at + 12 <= len(content):
        (length,), kind = struct.unpack_from(">I", content, at), content[at + 4 : at + 8]
        body, at = content[at + 8 : at + 8 + length], at + 12 + length
        if at > len(content) or zlib.crc32(kind + body) != struct.unpack_from(">I", content, at - 4)[0]:
            return
        yield kind, at, body


def _harmless(kind: bytes, body: bytes) -> bool:
    if kind == b"tEXt":  # what matplotlib writes of itself
        return body.startswith(_SOFTWARE) and len(body) <= 100 and body.removeprefix(_SOFTWARE).isascii()  # noqa: PLR2004
    return len(body) <= {**_HARMLESS, **_PALETTES}.get(kind, -1)


def _wrong_pixels(header: bytes, packed: bytes) -> str | None:
    """What is wrong with the stream of pixels: it must hold as many bytes as the header says, and no more."""
    if len(header) != _HARMLESS[b"IHDR"]:
        return "the image has no header"
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if colour not in _CHANNELS or width * height > _MOST_PIXELS:
        return f"the image is of {width} by {height} pixels; {_MOST_PIXELS} are looked at"
    bits = depth * _CHANNELS[colour]
    sizes = (
        [((width - x + dx - 1) // dx, (height - y + dy - 1) // dy) for x, y, dx, dy in _PASSES]
        if interlaced
        else [(width, height)]
    )
    expected = sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)
    stream = zlib.decompressobj()
    try:
        size = len(stream.decompress(packed, expected + 1))
    except zlib.error:
        return "the image is damaged"
    if size != expected or not stream.eof or stream.unused_data or stream.unconsumed_tail:
        return "the image holds other bytes than its pixels"
    return None


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(*extra: tuple[bytes, bytes], after: bytes = b"", pixels: bytes = b"\0\0" * 2) -> bytes:
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 1, 2, 8, 0, 0, 0, 0)), *extra, (b"IDAT", zlib.compress(pixels))]
    return _SIGNATURE + b"".join(_chunk(*one) for one in chunks) + _chunk(b"IEND", b"") + after


PNG = Check(
    word="image",
    run=_run,
    good=(
        Example("plot.png", _png()),
        Example("plot.png", _png((b"tEXt", b"Software\0Matplotlib 3.10"), (b"pHYs", b"\0" * 9))),
    ),
    bad=(
        Example("plot.png", _png((b"tEXt", b"Comment\0a row"))),
        Example("plot.png", _png((b"zTXt", b"Comment\0\0" + zlib.compress(b"a row")))),
        Example("plot.png", _png((b"eXIf", b"MM\0*"))),
        Example("plot.png", _png((b"daTa", b"a row"))),
        Example("plot.png", _png(after=b"a row")),
        Example("plot.png", _png(pixels=b"\0\0" * 2 + b"a row")),
        Example("plot.png", _png()[:40]),
        Example("plot.png", _png().replace(b"IDAT", b"IDAX")),
    ),
)
