"""Whether a kernel of a sandbox is at work, asked of its JupyterLab each minute, for the Hub to read.

The answer is the sandbox's own: whoever makes it say "busy" keeps a sandbox that they could keep by computing as well.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.hub.order import Order

EACH = 30
_LONGEST = 1 << 20
_SECONDS = 20


class Watch:
    """Asks in a thread of its own, and notes when a kernel was last seen busy."""

    def __init__(self, order: Order) -> None:
        """Nothing is asked yet."""
        self._order = order

    def start(self) -> None:
        """Begin; it ends with the process."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(EACH)
            if busy(self._order.folder / "lab.sock", self._order.base, self._order.token):
                with contextlib.suppress(OSError):
                    noted(self._order.folder).touch()


def noted(folder: Path) -> Path:
    """The file whose time says when a kernel was last busy."""
    return folder / "busy"


def busy(lab: Path, base: str, token: str) -> bool:
    """Whether one of the kernels says that it is busy; False where there is no answer."""
    connection = _Connection(lab)
    try:
        connection.request("GET", f"{base}api/kernels", headers={"Authorization": f"token {token}"})
        kernels = json.loads(connection.getresponse().read(_LONGEST))
        return any(kernel.get("execution_state") == "busy" for kernel in kernels)
    except (OSError, http.client.HTTPException, ValueError, AttributeError, TypeError):
        return False
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)
