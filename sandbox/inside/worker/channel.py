"""The frames between an engine and the gateway, and an answer as the file that is written to them.

frame      one letter, four bytes of length (network order), so many bytes
from us    R ready    T the tables that a query reads    H it runs, its columns    D a piece of the answer
           Z the end, and how many rows    E why not (instead of T, H or Z)
to us      Q a query, JSON    G go on, after T    N do not
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from typing import Any

_HEAD = struct.Struct("!cI")
_HELD = 256 * 1024
"""So much of an answer is made before the first of it is sent: what fails by then is an error and no torn answer."""

_PIECE = 1024 * 1024


class Channel:
    """The frames, both ways."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` is a stream socket."""
        self._socket = socket.socket(fileno=descriptor)

    def send(self, letter: bytes, content: bytes | memoryview) -> None:
        """Send one frame, however long the other side takes to read it."""
        self._socket.sendall(_HEAD.pack(letter, len(content)))
        self._socket.sendall(content)

    def tell(self, letter: bytes, fields: dict[str, Any]) -> None:
        """Send one frame of JSON."""
        self.send(letter, json.dumps(fields).encode())

    def receive(self) -> tuple[bytes, bytes]:
        """The next frame; the process ends when there is none any more."""
        letter, size = _HEAD.unpack(self._exactly(_HEAD.size))
        return letter, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        pieces = bytearray()
        while len(pieces) < size:
            piece = self._socket.recv(size - len(pieces))
            if not piece:
                sys.exit(0)  # whoever asked is gone
            pieces += piece
        return bytes(pieces)


class Answer:
    """A file that can only be written: its head goes out before the first piece, which is sent once it is large."""

    closed = False

    def __init__(self, channel: Channel, columns: list[list[str]]) -> None:
        """`columns` are the names and types that the head tells."""
        self._channel = channel
        self._columns = columns
        self._held = bytearray()
        self._begun = False
        self._size = 0

    def write(self, data: Any) -> int:
        """Take some bytes of the answer."""
        view = memoryview(data).cast("B")
        self._size += len(view)
        if len(self._held) + len(view) < (_PIECE if self._begun else _HELD):
            self._held += view
            return len(view)
        self.send()
        for start in range(0, len(view), _PIECE):
            self._channel.send(b"D", view[start : start + _PIECE])
        return len(view)

    def send(self) -> None:
        """Send what is held."""
        if not self._begun:
            self._channel.tell(b"H", {"columns": self._columns})
            self._begun = True
        if self._held:
            self._channel.send(b"D", bytes(self._held))
            self._held.clear()

    def tell(self) -> int:
        """How many bytes were written."""
        return self._size

    def flush(self) -> None:
        """Nothing is gained by smaller pieces."""

    def close(self) -> None:
        """The channel stays."""

    def readable(self) -> bool:
        """It is not."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is not."""
        return False
