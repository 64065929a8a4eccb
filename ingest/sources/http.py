"""A file on a web server, asked for again only when it has changed (ETag, Last-Modified)."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import json
import socket
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx

from ingest.sources import Fetched, stamp_of
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.model import HttpSource
    from ingest.settings import IngestSettings

_REDIRECTS = 5
_CHUNK = 1 << 20


def fetch_http(source: HttpSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring the file into the folder `cache`, or find that the copy there is still the same.

    Raises SourceError naming the URL: an address that the lab does not allow, a status other than 200 or 304, an HTML
    page, more than `max_bytes`, or `timeout` seconds passed. The copy of before stays until the new one is whole.
    """
    cache.mkdir(parents=True, exist_ok=True)
    body, memory = cache / "body", cache / "response.json"
    known = _remembered(body, memory)
    url = str(source.url)
    deadline = time.monotonic() + settings.timeout
    try:
        with httpx.Client(timeout=min(settings.timeout, 30), follow_redirects=False) as client:
            return _get(client, url, known, body, memory, deadline, settings)
    except httpx.HTTPError as error:
        message = f"{url}: cannot be fetched: {error or type(error).__name__}; check the address and the network"
        raise SourceError(message) from None
    except OSError as error:
        message = f"{url}: cannot be kept in {cache}: {error}"
        raise SourceError(message) from None


def _get(
    client: httpx.Client,
    url: str,
    known: dict[str, Any],
    body: Path,
    memory: Path,
    deadline: float,
    settings: IngestSettings,
) -> Fetched:
    headers = {"User-Agent": "datalab", "Accept-Encoding": "gzip"}
    if known.get("etag"):
        headers["If-None-Match"] = known["etag"]
    if known.get("last_modified"):
        headers["If-Modified-Since"] = known["last_modified"]
    at = httpx.URL(url)
    for _ in range(_REDIRECTS + 1):
        _refuse_inner_address(url, at, settings.allow_hosts)
        with client.stream("GET", at, headers=headers) as response:
            if response.is_redirect and "location" in response.headers:
                at = at.join(response.headers["location"])
                continue
            if response.status_code == httpx.codes.NOT_MODIFIED and known:
                return _fetched(body, url, known)
            if response.status_code != httpx.codes.OK:
                message = (
                    f"{url}: the server answered {response.status_code} {response.reason_phrase}; "
                    "expected the file. Check the address in the descriptor"
                )
                raise SourceError(message)
            new = _keep(response, body, url, deadline, settings.max_bytes)
        memory.write_text(json.dumps(new), encoding="utf-8")
        return _fetched(body, url, new)
    message = f"{url}: more than {_REDIRECTS} redirects"
    raise SourceError(message)


def _keep(response: httpx.Response, body: Path, url: str, deadline: float, max_bytes: int) -> dict[str, Any]:
    """Stream the answer into `body`, whole or not at all."""
    digest, size = hashlib.sha256(), 0
    part = body.with_suffix(".part")
    with part.open("wb") as file:
        for chunk in response.iter_bytes(_CHUNK):
            if size == 0 and _is_html(chunk):
                message = f"{url}: the server answered with an HTML page (a login, an error?), not with data"
                raise SourceError(message)
            size += len(chunk)
            if size > max_bytes:
                message = f"{url}: more than {max_bytes} bytes; raise max_bytes in [ingest] of datalab.toml"
                raise SourceError(message)
            if time.monotonic() > deadline:
                message = f"{url}: not here in time; raise timeout in [ingest] of datalab.toml"
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
        path=body,
        name=unquote(PurePosixPath(httpx.URL(url).path).name) or "body",
        place=url,
        sha256=known["sha256"],
        bytes=known["bytes"],
        stamp=stamp_of(body),
        when=dt.datetime.fromisoformat(known["when"]),
        etag=known["etag"],
        last_modified=known["last_modified"],
    )


def _is_html(start: bytes) -> bool:
    head = start[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def _refuse_inner_address(url: str, at: httpx.URL, allowed: tuple[str, ...]) -> None:
    """Raise SourceError unless `at`, where `url` led, is http(s) and its host has none but public addresses.

    The hosts in `allowed`, which the lab's settings name, may have any.
    """
    place = url if str(at) == url else f"{url}: redirected to {at}"
    if at.scheme not in {"http", "https"} or not at.host:
        message = f"{place}: only http and https addresses are fetched"
        raise SourceError(message)
    if at.host in allowed:
        return
    try:
        found = socket.getaddrinfo(at.host, at.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        message = f"{place}: the host {at.host!r} has no address ({error}); check the name and the network"
        raise SourceError(message) from None
    for *_, address in found:
        if not ipaddress.ip_address(str(address[0]).split("%", 1)[0]).is_global:
            message = (
                f"{place}: {at.host} is {address[0]}, an inner address; "
                f'if that is meant, add it to allow_hosts in [ingest] of datalab.toml: allow_hosts = ["{at.host}"]'
            )
            raise SourceError(message)
