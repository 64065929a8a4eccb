"""Requests to the web: over checked connections, redirected by hand, made anew where that may help.

What the environment says of proxies and passwords (HTTPS_PROXY, .netrc) is not used: a lab asks what a steward wrote
down, and asks it itself. A body in HTTP/1.0's manner, with no length and ended by the close of the connection, cannot
be told from one that was cut there.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, cast

import httpx

from ingest.sources.body import Kept, is_html, keep, pieces
from ingest.sources.guarded import FAILURES, GuardedTransport
from ingest.sources.partial import Partial
from ingest.sources.retries import BUSY, BusyError, tried, wait_asked
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ingest.settings import IngestSettings

AGENT = f"datalab/{version('datalab')} (ingest of public data)"
_REDIRECTS = 5
_PATIENCE = httpx.Timeout(30, connect=10)  # seconds of silence; `timeout` bounds the whole
_OK = httpx.codes.OK
_PRIVATE = {401, 403}
_OPEN = {"accept", "accept-encoding", "accept-language", "connection", "if-range", "range"}
_OPEN |= {"if-modified-since", "if-none-match"}
"""The headers, of those that a caller gives, that say nothing of who asks, and so may go to any host."""
_NONE: Mapping[str, str] = MappingProxyType({})
_SAID = 1 << 16  # bytes that an error's words may have


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server said: all of it, unpacked. `url` is where it came from in the end."""

    url: str
    status: int
    headers: httpx.Headers
    body: bytes


class Web:
    """All that is asked to fetch one source, for `timeout` seconds from now; a context manager.

    Errors are SourceErrors that name the address asked for. A header that may be a secret is sent to the server of that
    address alone: not where it redirects on another host or port, and never from https to http.
    """

    def __init__(self, url: str, settings: IngestSettings, sleep: Callable[[float], None] = time.sleep) -> None:
        """`url` is the source's address. `sleep` waits so many seconds before a request is made anew."""
        self._settings = settings
        self._sleep = sleep
        self._transport = GuardedTransport(url, settings)
        agent = {"User-Agent": AGENT}
        self._client = httpx.Client(transport=self._transport, timeout=_PATIENCE, trust_env=False, headers=agent)

    def __enter__(self) -> Self:
        """Ready to ask."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._client.close()

    def get(
        self,
        url: str,
        params: Mapping[str, str | int] = MappingProxyType({}),
        headers: Mapping[str, str] = _NONE,
        *,
        refusals: bool = False,
    ) -> Answer:
        """What is at the address: a 200 of at most `max_page_bytes`, or an error.

        With `refusals` a 4xx is an answer too, as an API says in it what is wrong; not so where a secret is asked for.
        """

        def once() -> Answer:
            with self._opened(url, params, headers) as response:
                refused = refusals and _refuses(response.status_code)
                _expect(response, url, headers, also=response.status_code if refused else None)
                body = b"".join(pieces(response, url, self._settings.max_page_bytes, "max_page_bytes"))
                return Answer(url=str(response.url), status=response.status_code, headers=response.headers, body=body)

        return tried(url, once, self._settings, self._transport.left, self._sleep)

    def download(self, url: str, target: Path, headers: Mapping[str, str] = _NONE) -> Kept:
        """Bring the file at `url` to `target`, which is as it was until the new one is whole."""
        return cast(Kept, self.changed(url, target, headers, _NONE))  # 304 is taken if there are conditions alone

    def changed(self, url: str, target: Path, headers: Mapping[str, str], conditions: Mapping[str, str]) -> Kept | None:
        """Bring the file as `download` does, or None if the server answers 304 to the headers `conditions`.

        What came of a body that breaks off lies beside `target`: the rest is asked for, now or by a later job.
        """
        partial = Partial(target, url)

        def once() -> Kept | None:
            rest = partial.asking()
            asking = {"Connection": "close", **headers, **(rest or conditions)}
            with self._opened(url, _NONE, asking) as response:
                if response.status_code == httpx.codes.NOT_MODIFIED and conditions and not rest:
                    return None
                if not rest or response.status_code in {_OK, *BUSY} or partial.continued_by(response):
                    _expect(response, url, headers, also=httpx.codes.PARTIAL_CONTENT if rest else None)
                    return keep(response, url, partial, target, self._settings.max_bytes)
            partial.discard()  # it is not what the server has now, or the server does not know parts
            return once()

        try:
            return tried(url, once, self._settings, self._transport.left, self._sleep)
        except OSError as error:
            raise SourceError(f"{url}: cannot be kept in {target.parent}: {error}") from None

    @contextlib.contextmanager
    def _opened(
        self, url: str, params: Mapping[str, str | int], headers: Mapping[str, str]
    ) -> Iterator[httpx.Response]:
        """The answer that is no redirect, its body still to be read."""
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable() and value == value.strip()):
                raise SourceError(f"{url}: the value for {name} has signs that no header may have; check the secret")
        try:
            at = httpx.URL(url).copy_merge_params(params) if params else httpx.URL(url)
        except httpx.InvalidURL as error:
            raise SourceError(f"{url}: this is no address: {error}") from None
        sent, place = {"Accept-Encoding": "gzip", **headers}, url
        for _ in range(_REDIRECTS + 1):
            with self._client.stream("GET", at, headers=sent, extensions={"place": place}) as response:
                if response.next_request is None:
                    yield response
                    return
                to = response.next_request.url
            if not same_server(at, to):
                sent = {name: value for name, value in sent.items() if name.lower() in _OPEN}
            at, place = to, f"{url}: redirected to {to.copy_with(userinfo=b'', query=None, fragment=None)}"
        raise SourceError(f"{url}: more than {_REDIRECTS} redirects")


def _refuses(status: int) -> bool:
    """Whether the server says that the request is wrong, and not who asks or when."""
    return 400 <= status < 500 and status not in _PRIVATE | BUSY  # noqa: PLR2004  the class of such answers


def _expect(response: httpx.Response, url: str, headers: Mapping[str, str], also: int | None = None) -> None:
    """Raise what any status means but 200, and `also`; with the server's words, if no secret was sent to be in them."""
    status = response.status_code
    if status in {_OK, also}:
        return
    said = f"{url}: the server answered {status} {httpx.codes.get_reason_phrase(status)}".rstrip()
    if status in BUSY:
        raise BusyError(said, wait_asked(response))
    words = _words(response, url) if all(name.lower() in _OPEN for name in headers) else ""
    if status in _PRIVATE:
        raise SourceError(f"{said}; it asks for a secret, or for another than was sent{words}")
    raise SourceError(f"{said}; expected the file. Check the address in the descriptor{words}")


def _words(response: httpx.Response, url: str) -> str:
    """What the server says of its refusal, unless that is a page for a browser."""
    said = b""
    with contextlib.suppress(SourceError, *FAILURES):
        for piece in pieces(response, url, _SAID, ""):
            said += piece
    line = "".join(sign if sign.isprintable() else " " for sign in said.decode("utf-8", errors="replace"))
    return f". It says: {' '.join(line.split())[:400]}" if line.strip() and not is_html(said) else ""


def same_server(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether a secret for the one may be sent to the other: the same server, or the same host now by https."""
    if (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port):
        return True
    return one.host == other.host and (one.scheme, other.scheme) == ("http", "https") and one.port is other.port is None
