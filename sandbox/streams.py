"""Moves bytes between us and a jail, within a deadline and an output bound. The jail has pipes, never our terminal."""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
from typing import IO, TYPE_CHECKING

from policies.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.process import Jailed
    from sandbox.settings import SandboxSettings

_CHUNK = 65536


def exchange(
    jailed: Jailed,
    *,
    feed: int | None,
    out: Callable[[bytes], None],
    err: Callable[[bytes], None],
    settings: SandboxSettings,
) -> None:
    """Feed the jail from the descriptor `feed`, hand on what it writes, and return when all its processes are gone.

    Raises SandboxError after the settings' `seconds`, or once it has written more than `output` bytes in all; what
    came before has been handed on, and the caller ends the jail by leaving its `with`.
    """
    _start_feeding(jailed.bwrap.stdin, feed)
    streams = ((jailed.bwrap.stdout, out), (jailed.bwrap.stderr, err))
    sinks = {stream.fileno(): sink for stream, sink in streams if stream is not None}
    deadline, left = time.monotonic() + settings.seconds, int(settings.output)
    with selectors.DefaultSelector() as watched:
        for descriptor in (jailed.ended, *sinks):
            watched.register(descriptor, selectors.EVENT_READ)
        while watched.get_map():
            ready = watched.select(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                message = f"stopped: it ran for more than {settings.seconds:g} seconds; the bound is [sandbox] seconds"
                raise SandboxError(message)
            for key, _ in ready:
                chunk = b"" if key.fd == jailed.ended else os.read(key.fd, _CHUNK)
                if not chunk:
                    watched.unregister(key.fd)
                    continue
                sinks[key.fd](chunk[:left])
                left -= len(chunk)
                if left < 0:
                    message = f"stopped: it wrote more than {int(settings.output)} bytes; the bound is [sandbox] output"
                    raise SandboxError(message)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however little the descriptor takes at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def printable(text: str) -> str:
    """`text` without what could drive a terminal: fit for one of our messages."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def _start_feeding(stdin: IO[bytes] | None, source: int | None) -> None:
    """Copy `source` to the jail, in a thread: reading a terminal may wait for ever, and then ends with us."""
    if stdin is None:
        return
    into = os.dup(stdin.fileno())
    stdin.close()
    if source is None:
        os.close(into)
        return
    threading.Thread(target=_feed, args=(source, into), daemon=True).start()


def _feed(source: int, into: int) -> None:
    with contextlib.suppress(OSError):  # the jail reads no more, or our own standard input is closed
        while chunk := os.read(source, _CHUNK):
            write_all(into, chunk)
    os.close(into)
