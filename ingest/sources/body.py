"""The body of an answer: unpacked, bounded, refused where it is no data, and kept as a file."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from httpx import codes

from ingest.markup import root_of, text_of
from ingest.sources.guarded import FAILURES
from ingest.sources.partial import coding_of
from ingest.sources.sockets import LateError
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import httpx

    from ingest.sources.partial import Partial

_CHUNK = 1 << 20
_HEAD = 1 << 12
_GZIP = zlib.MAX_WBITS | 16
_LONGEST = 200  # signs of a file's name
_PAGE = frozenset({"html", "head", "body", "title", "meta", "script", "style"})
"""What a page may begin with, but no table."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A file that was brought in: its name at the source, and what is known of it."""

    name: str
    sha256: str
    bytes: int
    etag: str | None
    last_modified: str | None


def keep(answer: httpx.Response, place: str, partial: Partial, target: Path, max_bytes: int) -> Kept:
    """Bring the body to `target`, by way of `partial`, which a 206 goes on with and a 200 begins.

    Raises SourceError for an HTML page and what `pieces` refuses. A body that breaks off stays in `partial`, if the
    rest can be asked for; nothing else does.
    """
    goes_on = answer.status_code == codes.PARTIAL_CONTENT
    note = partial.noted() if goes_on else partial.begin(answer, name_of(answer, place))
    try:
        sha256, size = _written(answer, place, partial.path, max_bytes)
    except (*FAILURES, LateError, KeyboardInterrupt):
        if not partial.noted():
            partial.discard()
        raise
    except BaseException:
        partial.discard()
        raise
    partial.become(target)
    return Kept(name=note["name"], sha256=sha256, bytes=size, etag=note["etag"], last_modified=note["last_modified"])


def _written(answer: httpx.Response, place: str, path: Path, max_bytes: int) -> tuple[str, int]:
    """Write the body after what the file holds; its SHA-256 and size are of the whole."""
    digest, size, head = hashlib.sha256(), 0, b""
    with path.open("r+b") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            head = head or chunk[:_HEAD]
        for chunk in pieces(answer, place, max_bytes, "max_bytes", before=size):
            if len(head) < _HEAD:
                head += chunk[:_HEAD]
                if is_html(head):
                    raise SourceError(
                        f"{place}: the server answered with an HTML page (a login, an error?), not with data"
                    )
            size += len(chunk)
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest(), size


def pieces(answer: httpx.Response, place: str, limit: int, setting: str, before: int = 0) -> Iterator[bytes]:
    """The body, without the gzip that may be around it. Raises SourceError if it is damaged, or too large.

    `before` is how many bytes are there already, and `setting` the name of the `limit` on all of them.
    """
    too_much = SourceError(f"{place}: more than {limit} bytes; raise {setting} in [ingest] of datalab.toml")
    size = before
    if not coding_of(answer) and before + int(answer.headers.get("content-length", 0)) > limit:
        raise too_much
    for piece in _plain(answer, place):
        size += len(piece)
        if size > limit:
            raise too_much
        yield piece


def _plain(answer: httpx.Response, place: str) -> Iterator[bytes]:
    coding = coding_of(answer)
    if not coding:
        return answer.iter_raw()
    if coding == "gzip":
        return _unpacked(answer.iter_raw(), place)
    raise SourceError(
        f"{place}: the server packs the file as {coding!r}, but gzip was asked for; give an address without that"
    )


def _unpacked(packed: Iterable[bytes], place: str) -> Iterator[bytes]:
    """The content of a gzip file, in pieces of at most `_CHUNK`. Raises SourceError if it is damaged or cut off.

    httpx's own decoder takes what is cut off for whole, and unpacks all that it is given at once.
    """
    member = zlib.decompressobj(_GZIP)
    for piece in packed:
        data = piece
        while data:
            if member.eof:
                member = zlib.decompressobj(_GZIP)  # a gzip file may be several, one after the other
            try:
                yield member.decompress(data, _CHUNK)
            except zlib.error as error:
                raise SourceError(
                    f"{place}: what the server sends is no good gzip ({error}); tell its publisher"
                ) from None
            data = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise SourceError(f"{place}: the gzip body is cut off; fetch it again, and if it stays so tell its publisher")


def name_of(answer: httpx.Response, url: str) -> str:
    """What the file is called: by Content-Disposition, by the address it came from, or by `url`, the one asked for.

    The first that has a suffix, as that may say the format.
    """
    said = Message()
    said["content-disposition"] = answer.headers.get("content-disposition", "")
    paths = [said.get_filename() or "", *(unquote(one.split("?")[0].split("#")[0]) for one in (str(answer.url), url))]
    names = [re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", path)[-1])[-_LONGEST:] for path in paths]
    return next((name for name in names if PurePosixPath(name).suffix), next(filter(None, names), "body"))


def is_html(start: bytes) -> bool:
    """Whether these bytes start a page for a browser, past declarations and comments; other XML may be data."""
    root = root_of(text_of(start[:_HEAD]))
    return root is not None and root.html and (root.declared or root.name.lower() in _PAGE)
