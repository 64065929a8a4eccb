"""One GET of an index: only to its hosts, over an address that was checked, within bytes and seconds.

A name is looked up once, and the address that was checked is the one connected to; redirects are followed by hand.
"""

from __future__ import annotations

import contextlib
import queue
import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from policies.addresses import addresses_of, is_public, looked_up
from policies.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.addresses import Resolve
    from sandbox.packages.settings import PackagesSettings

_REDIRECTS = 3
_SILENCE = 30.0
_GONE = 404


def hosts_of(settings: PackagesSettings) -> frozenset[str]:
    """The hosts that may be asked, with their ports where these are not the scheme's."""
    return frozenset({urlsplit(str(settings.index)).netloc.lower(), *(host.lower() for host in settings.files)})


class Fetch:
    """Asks the index. Safe between threads; close it when done."""

    def __init__(self, settings: PackagesSettings, resolve: Resolve = addresses_of) -> None:
        """`resolve` says a host's addresses."""
        self._settings = settings
        self._hosts = hosts_of(settings)
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(), network_backend=_Checked(settings, resolve)
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    @contextlib.contextmanager
    def get(self, url: str, accept: str, most: int) -> Iterator[tuple[str, str, Iterator[bytes]] | None]:
        """Where the answer came from in the end, its content type, and its pieces; None for 404.

        Raises RemoteError for another host, another answer, too much, or too late.
        """
        deadline = time.monotonic() + self._settings.seconds
        try:
            for _ in range(_REDIRECTS + 1):
                self._check(url)
                with self._pool.stream("GET", url, headers=_headers(url, accept), extensions=_patience()) as answer:
                    told = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
                    if answer.status in {301, 302, 303, 307, 308}:
                        url = urljoin(url, told.get("location", ""))
                        continue
                    if answer.status == _GONE:
                        yield None
                        return
                    if answer.status != httpx.codes.OK or told.get("content-encoding", "identity") != "identity":
                        raise RemoteError(f"{url}: the index answers {answer.status}")
                    kind = told.get("content-type", "").partition(";")[0].strip().lower()
                    yield url, kind, _bounded(answer, url, most, deadline)
                    return
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise RemoteError(f"{url}: the index cannot be reached: {type(error).__name__}") from None
        raise RemoteError(f"{url}: the index redirects more than {_REDIRECTS} times")

    def _check(self, url: str) -> None:
        parts, index = urlsplit(url), urlsplit(str(self._settings.index))
        secure = parts.scheme == "https" or (parts.scheme, index.scheme) == ("http", "http")
        if not secure or parts.netloc.lower() not in self._hosts:
            raise RemoteError(
                f"{url}: is not on a host of the index; [packages] files names those that its files lie on"
            )


def _bounded(answer: httpcore.Response, url: str, most: int, deadline: float) -> Iterator[bytes]:
    size = 0
    for piece in answer.iter_stream():
        size += len(piece)
        if size > most:
            raise RemoteError(f"{url}: has more than {most} bytes; the bound is [packages] size")
        if time.monotonic() > deadline:
            raise RemoteError(f"{url}: takes too long; the bound is [packages] seconds")
        yield piece


def _headers(url: str, accept: str) -> list[tuple[str, str]]:
    return [
        ("Host", urlsplit(url).netloc),
        ("Accept", accept),
        ("Accept-Encoding", "identity"),
        ("User-Agent", "datalab (packages for sandboxes)"),
    ]


def _patience() -> dict[str, dict[str, float]]:
    return {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), _SILENCE)}


class _Checked(httpcore.NetworkBackend):
    """Connects to an address of a host, once all of them are known to be public, or the host to be meant."""

    def __init__(self, settings: PackagesSettings, resolve: Resolve) -> None:
        self._settings = settings
        self._resolve = resolve
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002  none is asked for
        socket_options: object = None,  # noqa: ARG002  the same
    ) -> httpcore.NetworkStream:
        try:
            addresses = looked_up(host, port, _SILENCE if timeout is None else timeout, self._resolve)
        except (queue.Empty, OSError, UnicodeError):
            raise RemoteError(f"{host}: has no address; check the name in [packages] and the network") from None
        inner = [address for address in addresses if not is_public(address)]
        if inner and host not in self._settings.allow_hosts:
            raise RemoteError(
                f"{host} is {inner[0]}, an inner address; if that is meant, add it to [packages] allow_hosts"
            )
        return self._sockets.connect_tcp(addresses[0], port, timeout)
