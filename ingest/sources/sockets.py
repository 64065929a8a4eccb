"""Connections of which none outlives the time that a source has."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any

import httpcore

from policies.errors import SourceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

_BLANK = re.compile(rb"\n\r?\n")
_INTERIM = re.compile(rb"HTTP/[0-9.]+ 1[0-9]{2}")


class LateError(SourceError):
    """The time for a source was over."""


class Sockets(httpcore.NetworkBackend):
    """Connects to the addresses that `find` has for a host, within `timeout` seconds from now for all; errors name
    `place`.

    `find` is called with the host, the port and the seconds that are left.
    """

    def __init__(self, place: str, timeout: float, find: Callable[[str, int, float], list[str]]) -> None:  # noqa: D107
        self.place = place
        self._deadline = time.monotonic() + timeout
        self._find = find
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        with self.within(None) as left:
            addresses = self._find(host, port, left)
        while True:
            address = addresses.pop(0)
            try:
                with self.within(timeout) as seconds:
                    stream = self._sockets.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not addresses:
                    raise
            else:
                return Stream(stream, self)

    def left(self) -> float:
        """The seconds that are left."""
        return self._deadline - time.monotonic()

    @contextlib.contextmanager
    def within(self, timeout: float | None) -> Iterator[float]:
        """The seconds that one call on a socket may take: `timeout`, or what is left of the whole if that is less."""
        left = self.left()
        late = LateError(f"{self.place}: not here in time; raise timeout in [ingest] of datalab.toml")
        if left <= 0:
            raise late
        try:
            yield left if timeout is None else min(timeout, left)
        except httpcore.TimeoutException:
            if timeout is None or left <= timeout:
                raise late from None
            raise


class Stream(httpcore.NetworkStream):
    """A connection each of whose calls ends with the deadline, so a server that sends byte by byte gains nothing.

    `beyond` is how many bytes came after the head of the answer to what was written last, None before its end.
    """

    def __init__(self, stream: httpcore.NetworkStream, sockets: Sockets) -> None:  # noqa: D107
        self._stream = stream
        self._sockets = sockets
        self._head = b""
        self.beyond: int | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What comes next; empty at the end."""
        with self._sockets.within(timeout) as seconds:
            data = self._stream.read(max_bytes, seconds)
        if self.beyond is not None:
            self.beyond += len(data)
            return data
        self._head += data
        while self.beyond is None and (end := _BLANK.search(self._head)) is not None:
            interim, self._head = _INTERIM.match(self._head), self._head[end.end() :]
            if interim is None:
                self.beyond = len(self._head)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it, to which an answer is to come."""
        self._head, self.beyond = b"", None
        with self._sockets.within(timeout) as seconds:
            self._stream.write(buffer, seconds)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The connection made safe."""
        with self._sockets.within(timeout) as seconds:
            return Stream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._sockets)

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a connection."""
        return self._stream.get_extra_info(info)
