"""The Hub as a sandbox reaches it: the few requests that a JupyterLab has to make for its own user, and nothing else.

What comes in is not passed on, but read, judged, and written anew: a head is bounded, a body has a plain length, one
request is one connection. So nothing that the Hub would read otherwise than we do can be hidden in it.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HEAD = 16 * 1024
_BODY = 256 * 1024
_CHUNK = 65536
_SECONDS = 30
_AT_ONCE = 8
_LINE = re.compile(rb"(GET|POST) (/[!-~]{0,500}) HTTP/1\.[01]")
_HEADER = re.compile(rb"([A-Za-z0-9-]{1,64}):[ \t]*([ -~]{0,8192})")
_PASSED = (b"authorization", b"content-type", b"content-length", b"accept")


@dataclass(frozen=True)
class Request:
    """A request that may go on."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]

    @property
    def length(self) -> int:
        """How long its body is."""
        return int(self.headers.get(b"content-length", b"0"))

    def head(self) -> bytes:
        """It, written anew."""
        kept = (name + b": " + self.headers[name] for name in _PASSED if name in self.headers)
        line = f"{self.method} {self.path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n".encode("ascii")
        return line + b"".join(header + b"\r\n" for header in kept) + b"\r\n"


def allowed(user: str) -> frozenset[tuple[str, str]]:
    """What a JupyterLab asks of the Hub: its version, whose a token is, a token for a code, and that it is in use."""
    return frozenset(
        {
            ("GET", "/hub/api"),
            ("GET", "/hub/api/"),
            ("GET", "/hub/api/user"),
            ("POST", "/hub/api/oauth2/token"),
            ("POST", f"/hub/api/users/{user}/activity"),
        }
    )


def judged(head: bytes, allowed: frozenset[tuple[str, str]]) -> Request | None:
    """The request that a head is; None for one that is malformed, or that is not allowed."""
    line, *lines = head.split(b"\r\n")
    asked = _LINE.fullmatch(line)
    told = [_HEADER.fullmatch(header) for header in lines]
    if asked is None or None in told:
        return None
    headers = {one[1].lower(): one[2].strip() for one in told if one is not None}
    length = headers.get(b"content-length", b"0")
    plain = len(headers) == len(told) and b"transfer-encoding" not in headers and re.fullmatch(rb"[0-9]{1,6}", length)
    if not plain or int(length) > _BODY:
        return None
    request = Request(asked[1].decode("ascii"), asked[2].decode("ascii"), headers)
    return request if (request.method, request.path) in allowed else None


class Relay:
    """Serves one listening socket, in threads that end with the process."""

    def __init__(self, listening: socket.socket, hub: Path, user: str) -> None:
        """`hub` need not answer yet, nor always."""
        self._listening = listening
        self._hub = str(hub)
        self._allowed = allowed(user)
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            self._places.acquire()  # more wait in the socket's queue
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(_SECONDS)
                with contextlib.suppress(OSError):
                    self._answer(connection)
        finally:
            self._places.release()

    def _answer(self, connection: socket.socket) -> None:
        received = bytearray()
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(_CHUNK)
            if not chunk or len(received) + len(chunk) > _HEAD + _BODY:
                return
            received += chunk
        head, _, body = bytes(received).partition(b"\r\n\r\n")
        request = judged(head, self._allowed) if len(head) <= _HEAD else None
        if request is None:
            connection.sendall(_said(403, "Forbidden", "the sandbox may not ask the Hub for this"))
            return
        with socket.socket(socket.AF_UNIX) as hub:
            hub.settimeout(_SECONDS)
            try:
                hub.connect(self._hub)
            except OSError:
                connection.sendall(_said(503, "Service Unavailable", "the Hub does not answer now"))
                return
            hub.sendall(request.head() + body[: request.length])
            left = request.length - len(body)
            while left > 0 and (chunk := connection.recv(min(left, _CHUNK))):
                hub.sendall(chunk)
                left -= len(chunk)
            while chunk := hub.recv(_CHUNK):
                connection.sendall(chunk)


def _said(status: int, reason: str, text: str) -> bytes:
    body = f'{{"status": {status}, "message": "{text}"}}'.encode("ascii")
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode("ascii") + b"Connection: close\r\n\r\n" + body
