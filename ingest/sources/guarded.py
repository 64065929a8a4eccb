"""Where a fetch may go and until when: the transport under httpx that holds both at the socket.

A name is resolved once, as the connection is made: all its addresses are checked, and one of these is connected to. So
a name server that answers otherwise a moment later changes nothing, and a redirect is checked like the first address.
The Host header and the certificate's check keep the name.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from policies.errors import SourceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from ingest.settings import IngestSettings

FAILURES = (httpx.HTTPError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
"""What a request through the transport may raise beside SourceError: it does not translate httpcore's into httpx's."""


def addresses_of(host: str, port: int) -> list[str]:
    """The host's addresses, as the machine's resolver gives them; raises OSError or UnicodeError if it has none."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class GuardedTransport(httpx.BaseTransport):
    """The way to `url` and where it redirects, for `timeout` seconds from now in all.

    Raises SourceError for what is no http(s) address, for a name or password in one, for a host that has an inner
    address and is not in `allow_hosts`, and when the time is over. Only a name server can overrun the time, by as long
    as the machine's resolver waits for it.
    """

    def __init__(
        self, url: str, settings: IngestSettings, resolve: Callable[[str, int], list[str]] = addresses_of
    ) -> None:
        """`resolve` says a host's addresses, and is asked once for each connection."""
        self._url = url
        self._network = _Network(url, settings, resolve)
        self._pool = httpcore.ConnectionPool(ssl_context=httpx.create_ssl_context(), network_backend=self._network)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request over a checked connection; the answer's body is still to be read, in the same time."""
        at = request.url
        if at.userinfo:
            message = f"{self._url}: redirected to an address with a user name or password in it; such are not fetched"
            raise SourceError(message)
        self._network.place = self._url if str(at) == self._url else f"{self._url}: redirected to {at}"
        if at.scheme not in {"http", "https"} or not at.host:
            message = f"{self._network.place}: only http and https addresses are fetched"
            raise SourceError(message)
        target = httpcore.URL(scheme=at.raw_scheme, host=at.raw_host, port=at.port, target=at.raw_path)
        answer = self._pool.handle_request(
            httpcore.Request(
                request.method,
                target,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer), extensions=dict(answer.extensions)
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Network(httpcore.NetworkBackend):
    """Connections to checked addresses, of which none outlives the deadline; errors name `place`."""

    def __init__(self, url: str, settings: IngestSettings, resolve: Callable[[str, int], list[str]]) -> None:
        self.place = url
        self._allowed = settings.allow_hosts
        self._deadline = time.monotonic() + settings.timeout
        self._resolve = resolve
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._checked(host, port)
        while True:
            address = addresses.pop(0)
            try:
                with self.within(timeout) as seconds:
                    stream = self._sockets.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not addresses:
                    raise
            else:
                return _Stream(stream, self)

    def _checked(self, host: str, port: int) -> list[str]:
        """The host's addresses: all of them public, unless the lab's settings name the host."""
        name = httpx.URL(scheme="http", host=host).host  # `é.fr` as the settings say it, not `xn--9ca.fr`
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            message = f"{self.place}: the host {name!r} has no address ({error}); check the name and the network"
            raise SourceError(message) from None
        for address in addresses:
            if name not in self._allowed and not ipaddress.ip_address(address.split("%", 1)[0]).is_global:
                message = (
                    f"{self.place}: {name} is {address}, an inner address; "
                    f'if that is meant, add it to allow_hosts in [ingest] of datalab.toml: allow_hosts = ["{name}"]'
                )
                raise SourceError(message)
        return addresses

    @contextlib.contextmanager
    def within(self, timeout: float | None) -> Iterator[float]:
        """The seconds that one call on a socket may take: `timeout`, or what is left of the whole if that is less."""
        left = self._deadline - time.monotonic()
        late = SourceError(f"{self.place}: not here in time; raise timeout in [ingest] of datalab.toml")
        if left <= 0:
            raise late
        try:
            yield left if timeout is None else min(timeout, left)
        except httpcore.TimeoutException:
            if timeout is None or left <= timeout:
                raise late from None
            raise


class _Stream(httpcore.NetworkStream):
    """A connection each of whose calls ends with the deadline, so a server that sends byte by byte gains nothing."""

    def __init__(self, stream: httpcore.NetworkStream, network: _Network) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._network.within(timeout) as seconds:
            return self._stream.read(max_bytes, seconds)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with self._network.within(timeout) as seconds:
            self._stream.write(buffer, seconds)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        with self._network.within(timeout) as seconds:
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._network)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
