"""Objects of an S3-compatible store, asked for again only when they have changed (ETag).

botocore signs (Signature Version 4); the requests go over the guarded transport, path-style, as every store takes them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote_plus, urlencode
from xml.etree.ElementTree import Element, ParseError

import httpx
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ingest.sources import Fetched, fetched_file, fetched_files
from ingest.sources.copies import Copies
from ingest.sources.guarded import GuardedTransport
from ingest.sources.retries import BUSY, BusyError, tried, wait_asked
from ingest.sources.secret import secret
from ingest.sources.way import too_many, too_much
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from catalog.sources import S3Source
    from ingest.settings import IngestSettings

_T = TypeVar("_T")
_PATIENCE = httpx.Timeout(30, connect=10)  # seconds of silence; `timeout` bounds the whole
_CHUNK = 1 << 20
_PAGE = 1 << 24  # bytes of a page of a listing, or of an error: 1000 keys of 1 KiB, in XML


def fetch_s3(
    source: S3Source, cache: Path, settings: IngestSettings, sleep: Callable[[float], None] = time.sleep
) -> Fetched:
    """Bring the object, or all whose keys match a glob, into `cache`; what is there already and is the same stays.

    What failed in passing is asked for anew, an object from its start, after `sleep` of so many seconds. In a glob `*`
    and `?` stop at `/`. Raises SourceError: no such bucket or key, keys refused, no match, more than `max_files` or
    `max_bytes`, or `timeout` seconds passed.
    """
    origin = f"{str(source.s3).rstrip('/')}/{source.bucket}"
    place = f"{origin}/{source.key}"
    try:
        transport = GuardedTransport(str(source.s3), settings)
        with httpx.Client(transport=transport, timeout=_PATIENCE, trust_env=False) as client:
            store = _Store(client, source, place, _credentials(source), settings, transport.left, sleep)
            return _fetch(store, Copies(cache, origin))
    except OSError as error:
        raise SourceError(f"{place}: cannot be kept in {cache}: {error}") from None


def _credentials(source: S3Source) -> Credentials | None:
    if source.access_key is None or source.secret_key is None:
        return None
    return Credentials(secret(source.access_key), secret(source.secret_key))


@dataclass(frozen=True)
class _Store:
    """The bucket, and who asks."""

    client: httpx.Client
    source: S3Source
    place: str
    credentials: Credentials | None
    settings: IngestSettings
    left: Callable[[], float]
    sleep: Callable[[float], None]

    def tried(self, once: Callable[[], _T]) -> _T:
        """What `once` gives, in the end."""
        return tried(self.place, once, self.settings, self.left, self.sleep)

    def request(self, key: str, query: dict[str, str], headers: dict[str, str]) -> httpx.Request:
        """A signed GET of an object, or of the bucket when `key` is empty."""
        path = f"/{quote(self.source.bucket, safe='')}/{quote(key, safe='/')}".rstrip("/" if not key else "")
        url = f"{str(self.source.s3).rstrip('/')}{path}"
        if query:
            url = f"{url}?{urlencode(sorted(query.items()), quote_via=quote, safe='')}"
        signed = AWSRequest("GET", url, headers={"Accept-Encoding": "identity", **headers})
        if self.credentials is not None:
            S3SigV4Auth(self.credentials, "s3", self.source.region).add_auth(signed)
        return self.client.build_request("GET", url, headers={"User-Agent": "datalab", **dict(signed.headers.items())})

    def listed(self, prefix: str) -> Iterator[tuple[str, str, int]]:
        """Key, ETag and size of each object whose key starts with `prefix`."""
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        while True:
            page = self.tried(partial(self.page, query))
            decoded = unquote_plus if _said(page, "EncodingType") == "url" else str
            for one in page.iterfind("{*}Contents"):
                size = _said(one, "Size")
                if not size.isdecimal():
                    raise SourceError(f"{self.place}: the store's listing gives no size; is it S3-compatible?")
                yield decoded(_said(one, "Key")), _said(one, "ETag"), int(size)
            if _said(page, "IsTruncated") != "true":
                return
            query["continuation-token"] = _said(page, "NextContinuationToken")
            if not query["continuation-token"]:
                raise SourceError(f"{self.place}: the store's listing says more, but not where; is it S3-compatible?")

    def page(self, query: dict[str, str]) -> Element:
        """One page of the listing."""
        answer = self.client.send(self.request("", query, {}), stream=True)
        page = self.parsed(answer)
        if answer.status_code != httpx.codes.OK:
            raise self.refused(answer, page)
        return page

    def parsed(self, answer: httpx.Response) -> Element:
        """The answer's XML; an empty element if it has none."""
        body = b""
        try:
            for chunk in answer.iter_raw(_CHUNK):
                body += chunk
                if len(body) > _PAGE:
                    raise SourceError(f"{self.place}: the store's answer is too long; is it S3-compatible?")
        finally:
            answer.close()
        try:
            return fromstring(body)
        except (ParseError, DefusedXmlException, ValueError):
            if answer.status_code == httpx.codes.OK:
                raise SourceError(f"{self.place}: the store's listing is no XML; is it S3-compatible?") from None
            return Element("Error")

    def refused(self, answer: httpx.Response, page: Element) -> SourceError | BusyError:
        """What the store says is wrong, or that it may be otherwise a little later."""
        why = " ".join(f"{_said(page, 'Code')}: {_said(page, 'Message')}".split())[:400].strip(": ")
        said = f"{self.place}: the store answered {answer.status_code} {why or answer.reason_phrase}"
        if answer.status_code in BUSY:
            return BusyError(said, wait_asked(answer))
        return SourceError(f"{said}; check bucket, key, region and access keys")


def _fetch(store: _Store, copies: Copies) -> Fetched:
    source = store.source
    known = copies.remembered()
    single = not any(mark in source.key for mark in "*?[")
    found = {source.key: None} if single else _found(store)
    now: dict[str, str | None] = {}
    left = store.settings.max_bytes
    for key, etag in found.items():
        before = known.get(key)
        if before is None or etag != before:
            now[key] = store.tried(partial(_brought, store, key, copies.path(key), before, left))
        else:
            now[key] = before
        left -= copies.path(key).stat().st_size
        if left < 0:
            raise too_much(store.place, store.settings)
    copies.remember(now)
    if single:
        fetched = fetched_file(copies.path(source.key), PurePosixPath(source.key).name, store.place)
        return replace(fetched, etag=now[source.key])
    return fetched_files([(copies.path(key), key) for key in now], store.place)


def _found(store: _Store) -> dict[str, str | None]:
    """The ETags of all objects whose keys match the glob."""
    glob, place, settings = store.source.key, store.place, store.settings
    found: dict[str, str | None] = {}
    total = 0
    for key, etag, size in store.listed(glob[: min(glob.index(mark) for mark in "*?[" if mark in glob)]):
        if key.endswith("/") or not _matches(key, glob):
            continue
        found[key], total = etag, total + size
        if len(found) > settings.max_files:
            raise too_many(place, settings)
        if total > settings.max_bytes:
            raise too_much(place, settings)
    if not found:
        raise SourceError(f"{place}: no object of the bucket matches; check the key")
    return found


def _brought(store: _Store, key: str, path: Path, before: str | None, left: int) -> str | None:
    """Stream the object into `path`, whole or not at all, unless its ETag is `before` still. Its ETag now."""
    headers = {} if before is None else {"If-None-Match": before}
    answer = store.client.send(store.request(key, {}, headers), stream=True)
    if answer.status_code == httpx.codes.NOT_MODIFIED and before is not None:
        answer.close()
        return before
    if answer.status_code != httpx.codes.OK:
        raise store.refused(answer, store.parsed(answer))
    part = path.with_suffix(".part")
    size = 0
    try:
        with part.open("wb") as file:
            for chunk in answer.iter_raw(_CHUNK):
                size += len(chunk)
                if size > left:
                    raise too_much(store.place, store.settings)
                file.write(chunk)
    finally:
        answer.close()
    part.replace(path)
    return str(answer.headers["etag"]) if "etag" in answer.headers else None


def _matches(key: str, glob: str) -> bool:
    names, patterns = key.split("/"), glob.split("/")
    return len(names) == len(patterns) and all(map(fnmatchcase, names, patterns))


def _said(element: Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""
