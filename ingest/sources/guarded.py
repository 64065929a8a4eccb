"""Where a fetch may go and until when: the transport under httpx that holds both at the socket.

A name is resolved once, as the connection is made: all its addresses are checked, and one of these is connected to. So
a name server that answers otherwise a moment later changes nothing, and a redirect is checked like the first address.
The Host header and the certificate's check keep the name.
"""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING

import httpcore
import httpx

from ingest.sources.sockets import LateError, Sockets
from policies.addresses import addresses_of, is_public, looked_up
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.settings import IngestSettings
    from policies.addresses import Resolve

FAILURES = (httpx.HTTPError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
"""What a request through the transport may raise beside SourceError: it does not translate httpcore's into httpx's."""
PASSING = (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError, httpcore.TimeoutException)
"""Those that may not come again when the request is made anew."""
_EXCESS = 1.0  # seconds in which a connection that is to be closed must be


def checked_addresses(
    host: str,
    port: int,
    settings: IngestSettings,
    place: str,
    seconds: float | None = None,
    resolve: Resolve = addresses_of,
) -> list[str]:
    """The host's addresses, looked up once: all of them public, unless the host stands in `allow_hosts`.

    Whoever connects to one of these, and not to the name, goes where it was checked. `seconds` is how long the
    resolver may take, `timeout` if None. Raises SourceError naming `place`.
    """
    try:
        name = httpx.URL(scheme="http", host=host).host  # `é.fr` as the settings say it, not `xn--9ca.fr`
        addresses = looked_up(host, port, settings.timeout if seconds is None else seconds, resolve)
    except queue.Empty:
        raise LateError(
            f"{place}: the name server does not answer for {host!r}; check the network, or raise timeout in [ingest]"
        ) from None
    except (OSError, UnicodeError, httpx.InvalidURL) as error:
        raise SourceError(
            f"{place}: the host {host!r} has no address ({error}); check the name and the network"
        ) from None
    for address in addresses:
        if name not in settings.allow_hosts and not is_public(address):
            raise SourceError(
                f"{place}: {name} is {address}, an inner address; "
                f'if that is meant, add it to allow_hosts in [ingest] of datalab.toml: allow_hosts = ["{name}"]'
            )
    return addresses


class GuardedTransport(httpx.BaseTransport):
    """The way to the source at `url`, for `timeout` seconds from now in all.

    Raises SourceError for what is no http(s) address, for a name or password in one, for a host that has an inner
    address and is not in `allow_hosts`, and for a body of more bytes than its Content-Length; LateError when the time
    is over. They name `url`, or what a request has as its extension `place`.
    """

    def __init__(self, url: str, settings: IngestSettings, resolve: Resolve = addresses_of) -> None:
        """`resolve` says a host's addresses, and is asked once for each connection."""
        self._url = url

        def find(host: str, port: int, seconds: float) -> list[str]:
            return checked_addresses(host, port, settings, self._sockets.place, seconds, resolve)

        self._sockets = Sockets(url, settings.timeout, find)
        self._pool = httpcore.ConnectionPool(ssl_context=httpx.create_ssl_context(), network_backend=self._sockets)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request over a checked connection; the answer's body is still to be read, in the same time."""
        at, place = request.url, str(request.extensions.get("place", self._url))
        self._sockets.place = place
        if at.userinfo:
            raise SourceError(f"{place}: an address with a user name or password in it is not fetched")
        if at.scheme not in {"http", "https"} or not at.host:
            raise SourceError(f"{place}: only http and https addresses are fetched")
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
        body = _Body(answer, place, ends=request.headers.get("connection") == "close")
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=dict(answer.extensions))

    def left(self) -> float:
        """The seconds that are left."""
        return self._sockets.left()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body as it comes, and an error if more of it comes than the server said: what it said would be a part."""

    def __init__(self, answer: httpcore.Response, place: str, *, ends: bool) -> None:
        """`ends`: the connection is to be closed after the body, so there is an end to wait for."""
        self._answer, self._place, self._ends = answer, place, ends

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()
        stream = self._answer.extensions["network_stream"]
        names = {name.lower(): value for name, value in self._answer.headers}
        if b"content-length" not in names or b"transfer-encoding" in names:
            return
        said = int(names[b"content-length"])
        if self._ends and stream.beyond == said:
            with contextlib.suppress(*FAILURES):  # it does not close; nothing more came so far
                stream.read(1, _EXCESS)
        if stream.beyond > said:
            raise SourceError(
                f"{self._place}: more comes than the {said} bytes that the server says; tell its publisher"
            )

    def close(self) -> None:
        self._answer.close()
