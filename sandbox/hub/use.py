"""When a sandbox was last used, asked of its JupyterLab every few seconds, for the Hub to read.

The proxy would count what a tab in the background sends to stay connected; JupyterLab knows what was done in it, and
whether a kernel is at work. The answer is the sandbox's own: whoever makes it say "busy" keeps one that they could keep
by computing as well.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.hub.order import Order

_EACH = 10
_LONGEST = 1 << 16
_SECONDS = 5


class Watch:
    """Asks in a thread of its own, and notes when the sandbox was last used."""

    def __init__(self, order: Order) -> None:
        """Nothing is asked yet."""
        self._order = order

    def start(self) -> None:
        """Begin; it ends with the process."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(_EACH)
            at = last_use(self._order.folder / "lab.sock", self._order.base, self._order.token)
            if at is not None:
                with contextlib.suppress(OSError):
                    note = noted(self._order.folder)
                    if not note.exists():  # to touch one that is there would say "now" for a moment
                        note.touch()
                    os.utime(note, (at, at))


def noted(folder: Path) -> Path:
    """The file whose time says when a sandbox was last used."""
    return folder / "used"


def last_use(lab: Path, base: str, token: str) -> float | None:
    """Seconds since the epoch: now, if a kernel says that it is busy; None where there is no answer."""
    try:
        kernels = _told(lab, f"{base}api/kernels?no_track_activity=1", token)  # or to be asked would be a use
        if any(kernel.get("execution_state") == "busy" for kernel in kernels):
            return time.time()
        at = dt.datetime.fromisoformat(_told(lab, f"{base}api/status", token)["last_activity"])
        return min(at.timestamp(), time.time())
    except (OSError, ValueError, AttributeError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _told(lab: Path, url: str, token: str) -> Any:
    """The JSON that is answered. Time and size are bounded, for whoever answers may be anybody's program."""
    received = bytearray()
    with socket.socket(socket.AF_UNIX) as asked:
        last = time.monotonic() + _SECONDS
        asked.settimeout(_SECONDS)
        asked.connect(str(lab))
        asked.sendall(f"GET {url} HTTP/1.0\r\nHost: localhost\r\nAuthorization: token {token}\r\n\r\n".encode("ascii"))
        while chunk := asked.recv(_LONGEST):
            received += chunk
            left = last - time.monotonic()
            if len(received) > _LONGEST or left <= 0:
                raise TimeoutError
            asked.settimeout(left)
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ValueError
    return json.loads(body)
