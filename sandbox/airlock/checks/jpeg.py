"""A JPEG holds its pixels and nothing beside: no EXIF, comment, profile, thumbnail, or bytes after its end.

Markers are those of ITU-T T.81, the JFIF segment that of T.871. Not found: what is drawn, and what is hidden in it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .finding import Finding, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .facts import Facts

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_JFIF, _ADOBE = 0xE0, 0xEE
_NEEDED = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, _SCAN})
_BARE_JFIF = 14
_BARE_ADOBE = 12


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001  as all checks
    if candidate.kind != "jpeg":
        return
    content, at, extra = candidate.content, 2, []
    while True:
        if content[at : at + 1] != b"\xff" or at + 2 > len(content):
            yield Finding("image", "stop", f"byte {at}", "the image is cut or damaged")
            return
        marker = content[at + 1]
        if marker == _END:
            break
        if at + 4 > len(content):
            yield Finding("image", "stop", f"byte {at}", "the image is cut or damaged")
            return
        (length,) = struct.unpack_from(">H", content, at + 2)
        if not _harmless(marker, content[at + 4 : at + 2 + length]):
            extra.append(f"segment {marker:02X} at byte {at}")
        at += 2 + length
        if marker == _SCAN:
            at = _after_scan(content, at)
    if at + 2 < len(content):
        left = len(content) - at - 2
        yield Finding("image", "stop", f"byte {at + 2}", f"{left} bytes stand after the end of the image")
    if extra:
        said = "the image holds EXIF, comments or other data beside its pixels; save it without metadata"
        yield Finding("image", "stop", places(extra), said)


def _harmless(marker: int, body: bytes) -> bool:
    if marker == _JFIF:
        return body.startswith(b"JFIF\0") and len(body) == _BARE_JFIF
    return (marker == _ADOBE and body.startswith(b"Adobe") and len(body) == _BARE_ADOBE) or marker in _NEEDED


def _after_scan(content: bytes, at: int) -> int:
    """Where the next marker stands: in a scan, FF is followed by 00 or by the number of a restart."""
    while 0 <= (found := content.find(b"\xff", at)) < len(content) - 1:
        following = content[found + 1]
        if following != 0 and not 0xD0 <= following <= 0xD7:  # noqa: PLR2004  the restarts
            return found
        at = found + 2
    return len(content)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def _jpeg(*extra: bytes, after: bytes = b"") -> bytes:
    jfif = _segment(_JFIF, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    return b"\xff\xd8" + jfif + b"".join(extra) + _segment(_SCAN, b"\1\1\0\0?\0") + b"\x12\xff\0\x34\xff\xd9" + after


JPEG = Check(
    word="image",
    run=_run,
    good=(Example("plot.jpg", _jpeg()), Example("plot.jpeg", _jpeg(_segment(0xDB, b"\0" * 65)))),
    bad=(
        Example("plot.jpg", _jpeg(_segment(0xE1, b"Exif\0\0MM"))),
        Example("plot.jpg", _jpeg(_segment(0xFE, b"a row"))),
        Example("plot.jpg", _jpeg(_segment(_JFIF, b"JFXX\0\x10a thumbnail"))),
        Example("plot.jpg", _jpeg(after=b"PK\3\4")),
        Example("plot.jpg", _jpeg()[:20]),
    ),
)
