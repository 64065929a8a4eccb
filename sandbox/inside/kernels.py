"""Inside a warm jail: a process that has loaded what a Python kernel needs, and forks one when the server wants it.

It has no threads and no sockets of a kernel's, so a fork of it is as good as a start. Whatever else is wanted, another
kernel or a fork that fails, is started as ever. It takes 40 MB, so it ends when it was not asked for a while.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from become import obey  # type: ignore[import-not-found]  # beside this file in a jail

_LAUNCHER = "ipykernel_launcher"
_MOST = 1 << 20
_ANSWERS = 15
_KEPT = 600
"""Seconds for which it waits to be asked again."""


class Forked:
    """A kernel that was forked, as jupyter_client knows a process: what it asks of a Popen, and no more."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError if it has ended already."""
        self.pid = pid
        self.returncode: int | None = None
        self._process = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """0 once it has ended: how, only its parent would know."""
        if self.returncode is None and select.select([self._process], [], [], 0)[0]:
            self.returncode = 0
            os.close(self._process)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            select.select([self._process], [], [], timeout)
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._process, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def prepare(others: list[int]) -> socket.socket:
    """Fork the process that will fork kernels, and return the socket by which it is told; `others` it closes.

    It says `ready`; then it takes a claim, and says `claimed`; then orders of kernels, until none comes for _KEPT s.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() != 0:
        theirs.close()
        return ours
    ours.close()
    for descriptor in others:
        os.close(descriptor)
    _load()
    theirs.send(b"ready")
    claim = theirs.recv(_MOST)
    if not claim:
        os._exit(0)
    obey(json.loads(claim))
    theirs.send(b"claimed")
    with contextlib.suppress(ImportError):
        import lab  # type: ignore[import-not-found]  # noqa: F401, PLC0415  it is there since the claim
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # kernels that end are reaped by themselves
    while select.select([theirs], [], [], _KEPT)[0] and (order := theirs.recv(_MOST)):
        fork(theirs, json.loads(order))
    os._exit(0)


def _load() -> None:
    """Import what a kernel loads as it starts, and what `import lab` waits for."""
    import sqlite3  # noqa: F401, PLC0415  IPython's history

    import duckdb  # noqa: PLC0415
    import ipykernel.debugger  # noqa: PLC0415
    import ipykernel.kernelapp  # noqa: F401, PLC0415
    import IPython.core.completerlib  # noqa: PLC0415
    import IPython.extensions.storemagic  # noqa: F401, PLC0415
    import psutil  # type: ignore[import-untyped]  # noqa: F401, PLC0415
    import tornado.platform.asyncio  # noqa: F401, PLC0415

    duckdb.connect().close()  # its threads are gone with it


def fork(asked: socket.socket, order: dict[str, Any]) -> None:
    """Fork a kernel, and answer its process id once it leads a session of its own and its sockets are there.

    Whoever connects to them before has to try again, and misses what it says first: that would take half a second more.
    """
    ended, begun = os.pipe()
    pid = os.fork()
    if pid != 0:
        os.close(begun)
        os.read(ended, 1)
        os.close(ended)
        asked.send(str(pid).encode())
        return
    os.setsid()
    os.close(ended)
    asked.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.environ.clear()
    # What its debugger sets as it is loaded; a kernel would end with its parent, but here ends with the whole jail
    os.environ.update(order["env"], PYDEVD_USE_FRAME_EVAL="NO")
    os.environ.pop("JPY_PARENT_PID", None)
    os.chdir(order["cwd"])
    sys.argv = [_LAUNCHER, *order["argv"]]
    sys.path[:] = [place for place in sys.path if place != os.path.dirname(__file__)]  # noqa: PTH120
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415

    class Kernel(IPKernelApp):
        def init_sockets(self) -> None:
            super().init_sockets()  # type: ignore[no-untyped-call]
            os.close(begun)

    Kernel.launch_instance()
    sys.exit(0)


def launcher(zygote: socket.socket, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """What takes the place of jupyter_client's `launch_kernel`, which is `otherwise`."""
    zygote.settimeout(_ANSWERS)  # a kernel whose own settings never end holds the server up no longer

    def launch(cmd: list[str], **options: Any) -> Any:
        if _LAUNCHER in cmd and not options.get("extra_arguments"):
            order = {
                "argv": cmd[cmd.index(_LAUNCHER) + 1 :],
                "env": options.get("env") or dict(os.environ),
                "cwd": str(options.get("cwd") or os.getcwd()),  # noqa: PTH109
            }
            try:
                zygote.send(json.dumps(order).encode())
                return Forked(int(zygote.recv(_MOST)))
            except (OSError, ValueError):
                zygote.close()  # what it would answer late is not the next one's
                return otherwise(cmd, **options)
        return otherwise(cmd, **options)

    return launch
