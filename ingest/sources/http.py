"""A file on a web server, asked for again only when it has changed (ETag, Last-Modified)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx

from ingest.sources import Fetched, Part, stamp_of
from ingest.sources.guarded import FAILURES, GuardedTransport
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from catalog.sources import HttpSource
    from ingest.settings import IngestSettings

_REDIRECTS = 5
_PATIENCE = httpx.Timeout(30, connect=10)  # seconds of silence; `timeout` bounds the whole
_CHUNK = 1 << 20
_HEAD = 1 << 10
_GZIP = zlib.MAX_WBITS | 16


def fetch_http(source: HttpSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring the file into the folder `cache`, or find that the copy there is still the same.

    Raises SourceError naming the URL: an address that the lab does not allow, a status other than 200 or 304, an HTML
    page, a body cut off, more than `max_bytes`, or `timeout` seconds passed. The copy of before stays until the new one
    is whole.
    """
    cache.mkdir(parents=True, exist_ok=True)
    body, memory = cache / "body", cache / "response.json"
    known = _remembered(body, memory)
    url = str(source.url)
    try:
        with httpx.Client(transport=GuardedTransport(url, settings), timeout=_PATIENCE, trust_env=False) as client:
            return _get(client, url, known, body, memory, settings.max_bytes)
    except FAILURES as error:
        message = f"{url}: cannot be fetched: {error or type(error).__name__}; check the address and the network"
        raise SourceError(message) from None
    except OSError as error:
        message = f"{url}: cannot be kept in {cache}: {error}"
        raise SourceError(message) from None


def _get(client: httpx.Client, url: str, known: dict[str, Any], body: Path, memory: Path, max_bytes: int) -> Fetched:
    headers = {"User-Agent": "datalab", "Accept-Encoding": "gzip"}
    if known.get("etag"):
        headers["If-None-Match"] = known["etag"]
    if known.get("last_modified"):
        headers["If-Modified-Since"] = known["last_modified"]
    at = httpx.URL(url)
    for _ in range(_REDIRECTS + 1):
        with client.stream("GET", at, headers=headers) as response:
            if response.next_request is not None:
                at = response.next_request.url
                continue
            if response.status_code == httpx.codes.NOT_MODIFIED and known:
                return _fetched(body, url, known)
            if response.status_code != httpx.codes.OK:
                message = (
                    f"{url}: the server answered {response.status_code} {response.reason_phrase}; "
                    "expected the file. Check the address in the descriptor"
                )
                raise SourceError(message)
            new = _keep(response, body, url, max_bytes)
        memory.write_text(json.dumps(new), encoding="utf-8")
        return _fetched(body, url, new)
    message = f"{url}: more than {_REDIRECTS} redirects"
    raise SourceError(message)


def _keep(response: httpx.Response, body: Path, url: str, max_bytes: int) -> dict[str, Any]:
    """Stream the answer into `body`, whole or not at all."""
    digest, size, head = hashlib.sha256(), 0, b""
    part = body.with_suffix(".part")
    with part.open("wb") as file:
        for chunk in _plain(response, url):
            if len(head) < _HEAD:
                head += chunk[:_HEAD]
                if _is_html(head):
                    message = f"{url}: the server answered with an HTML page (a login, an error?), not with data"
                    raise SourceError(message)
            size += len(chunk)
            if size > max_bytes:
                message = f"{url}: more than {max_bytes} bytes; raise max_bytes in [ingest] of datalab.toml"
                raise SourceError(message)
            digest.update(chunk)
            file.write(chunk)
    part.replace(body)
    return {
        "sha256": digest.hexdigest(),
        "bytes": size,
        "when": dt.datetime.now(dt.UTC).replace(microsecond=0).isoformat(),
        "etag": response.headers.get("etag"),
        "last_modified": response.headers.get("last-modified"),
    }


def _plain(response: httpx.Response, url: str) -> Iterator[bytes]:
    """The file's bytes, without the gzip that may be around them."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding in {"", "identity"}:
        return response.iter_raw()
    if coding == "gzip":
        return _unpacked(response.iter_raw(), url)
    message = f"{url}: the server packs the file as {coding!r}, but gzip was asked for; give an address without that"
    raise SourceError(message)


def _unpacked(packed: Iterable[bytes], url: str) -> Iterator[bytes]:
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
                message = f"{url}: what the server sends is no good gzip ({error}); tell its publisher"
                raise SourceError(message) from None
            data = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        message = f"{url}: the gzip body is cut off; fetch it again, and if it stays so tell its publisher"
        raise SourceError(message)


def _remembered(body: Path, memory: Path) -> dict[str, Any]:
    """What is known of the copy of before; nothing if the copy is not what it was, so that it is fetched again."""
    try:
        known: dict[str, Any] = json.loads(memory.read_text(encoding="utf-8"))
        with body.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == known["sha256"]
    except (OSError, ValueError, KeyError):
        return {}
    return known if same else {}


def _fetched(body: Path, url: str, known: dict[str, Any]) -> Fetched:
    return Fetched(
        parts=(Part(body, unquote(PurePosixPath(httpx.URL(url).path).name) or "body", stamp_of(body)),),
        place=url,
        sha256=known["sha256"],
        bytes=known["bytes"],
        when=dt.datetime.fromisoformat(known["when"]),
        etag=known["etag"],
        last_modified=known["last_modified"],
    )


def _is_html(start: bytes) -> bool:
    head = start[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))
