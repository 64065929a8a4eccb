"""The way to a server that is not the Web's: a socket to a checked address, and the time that it has."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

from ingest.sources.guarded import checked_addresses
from policies.errors import SourceError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.settings import IngestSettings

CONNECT = 10.0
"""Seconds that a connection may take to be made."""
_SAID = 400


def reached(host: str, port: int, settings: IngestSettings, place: str) -> socket.socket:
    """A socket to the first of the host's checked addresses that answers. Raises SourceError if none does in time."""
    error: OSError | None = None
    end = time.monotonic() + settings.timeout
    for address in checked_addresses(host, port, settings, place):
        left = end - time.monotonic()
        if left <= 0:  # a name server may give any number of addresses
            raise late(place)
        try:
            return socket.create_connection((address, port), min(CONNECT, left))
        except OSError as one:
            error = one
    raise SourceError(f"{place}: cannot be reached: {said(error or 'no address')}; check host and port")


@contextlib.contextmanager
def ended_after(seconds: float, descriptor: int, place: str) -> Iterator[None]:
    """Shut the socket of that descriptor down after so long, whatever its server does; raise `late` then."""
    copy = socket.socket(fileno=os.dup(descriptor))
    over = threading.Event()

    def end() -> None:
        over.set()
        with contextlib.suppress(OSError):  # the server may have closed it
            copy.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        copy.close()
        if over.is_set():  # the failure that came of it says less
            raise late(place)


def late(place: str) -> SourceError:
    """The error of what was not there in time."""
    return SourceError(f"{place}: not here in time; ask for less, or raise timeout in [ingest] of datalab.toml")


def too_much(place: str, settings: IngestSettings) -> SourceError:
    """The error of what is larger than the lab allows."""
    return SourceError(
        f"{place}: more than {settings.max_bytes} bytes; ask for less, or raise max_bytes in [ingest] of datalab.toml"
    )


def too_many(place: str, settings: IngestSettings) -> SourceError:
    """The error of a glob that more files match than the lab allows."""
    return SourceError(
        f"{place}: more than {count_of(settings.max_files, 'file matches', 'files match')}; ask for "
        "less, or raise max_files in [ingest] of datalab.toml"
    )


def said(error: BaseException | str) -> str:
    """A server's words, on one line and not too long."""
    return " ".join(str(error).split())[:_SAID] or type(error).__name__
