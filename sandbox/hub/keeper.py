"""One user's sandbox, held by a process of its own: it lives on when the Hub or the proxy dies, and is found again.

    an order on standard input → one line of JSON, {"pid", "started"} or {"error"}; then it is alone

It is forked (zygote.py), and loads little by itself, for there are as many of it as there are sandboxes. One that is
started early keeps a jail warm, says so in a line before, and ends when its owner does and no order has come.

It starts the jail and hands it a listening socket, relays what the jail may ask of the Hub, reads the jail's output to
its end and keeps the last of it, and asks when it was last used. SIGTERM ends the jail in order, and
then the keeper.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from policies.errors import DatalabError, SandboxError
from policies.replace import replace_file
from sandbox.hub import use
from sandbox.hub.held import held
from sandbox.hub.order import JAIL, Early, Order, read, read_early
from sandbox.hub.relay import Relay
from sandbox.hub.signals import asked_to_end
from sandbox.jail import Mount
from sandbox.limits import NoCgroup
from sandbox.warm import Warm, open_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.process import Jailed

TOLD = "/run/datalab"
"""Where a jail sees what it is told: the Hub's socket, and notice.json when it will be stopped."""

_BACKLOG = 128
_CHUNK = 65536
_KEPT = 256 * 1024
_TURN = 0.2
_A_SECOND = 1 << 20
"""What is read of a jail's output in one second; whoever writes more waits."""


def main() -> int:
    """Hold one sandbox to its end."""
    with contextlib.ExitStack() as stack:
        early = read_early(sys.stdin.buffer.readline())
        warm = None if early is None else kept_warm(early, stack)
        if early is not None and warm is None:
            return 0
        text = sys.stdin.buffer.read()
        if not text:  # who started it is gone
            return 0
        order = read(text)
        wake = asked_to_end(signal.SIGTERM)
        try:
            jailed = started(order, warm, stack)
        except (DatalabError, OSError) as error:
            _tell({"error": str(error)})
            return 1
        me = held(os.getpid())
        _tell({"pid": me.pid, "started": me.started})  # nobody listens any more where this took too long: it ends
        _note(order, jailed)
        _stand_alone()
        use.Watch(order).start()
        log = _Log(order.log)
        try:
            _wait(jailed, wake, log, order.grace)
        finally:
            log.keep()
        why = _why(jailed)
    closed(order, why)
    return 0


def kept_warm(early: Early, stack: contextlib.ExitStack) -> Warm | None:
    """A warm jail, once an order comes for it; None where there can be none, or it ended before."""
    with contextlib.suppress(SandboxError):
        warm = stack.enter_context(Warm(early.profile, early.limits))
        if warm.wait():
            _tell({"warm": True})
            ready, _, _ = select.select([sys.stdin.fileno(), warm.ended], [], [])
            return None if warm.ended in ready else warm
    return None


def started(order: Order, warm: Warm | None, stack: contextlib.ExitStack) -> Jailed:
    """The jail, with the sockets by which it is reached and reaches. Raises SandboxError where nothing bounds it."""
    told = order.folder / "told"
    told.mkdir(mode=0o755, parents=True, exist_ok=True)
    (told / "notice.json").unlink(missing_ok=True)
    relayed = stack.enter_context(_listening(told / "hub.sock", 0o666))
    listening = stack.enter_context(_listening(order.folder / "lab.sock", 0o600))
    if order.packages:
        from catalog.lab import Lab  # noqa: PLC0415  a keeper without it stays small
        from sandbox.packages.service import serving  # noqa: PLC0415  the same

        stack.enter_context(serving(Lab.open(order.lab), order.user, told / "pip.sock"))
    profile = replace(order.profile, mounts=(*order.profile.mounts, Mount(told, TOLD)))
    jailed = stack.enter_context(open_sandbox(profile, order.limits, listening, warm))
    if warm is not None:
        warm.end()  # one that could not become it takes no memory any longer
    if isinstance(jailed.cgroup, NoCgroup) and os.geteuid() == 0:
        raise SandboxError(
            f"no cgroup bounds its memory and processors ({jailed.cgroup.reason}), and one sandbox could take those of "
            "all others: mount cgroups, or give this service one of its own"
        )
    listening.close()  # ours: once the jail's is closed too, whoever waits for an answer is told
    Relay(relayed, order.hub, order.user).start()
    return jailed


@contextlib.contextmanager
def _listening(path: Path, mode: int) -> Iterator[socket.socket]:
    """A listening socket, which has its name until it is left."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        path.chmod(mode)
        made.listen(_BACKLOG)
        inode = path.stat().st_ino
        try:
            yield made
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == inode:  # or it is another keeper's by now
                    path.unlink()


def _note(order: Order, jailed: Jailed) -> None:
    """Say which process the jail is, for whoever follows its grants."""
    whose = {"user": order.user, "purpose": order.purpose, "origin": order.origin}
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        replace_file(order.folder / JAIL, json.dumps({**asdict(held(jailed.pid)), **whose}).encode(), 0o600)


def _tell(said: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _stand_alone() -> None:
    """Let go of the Hub's streams, whose other ends go with it."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)


class _Log:
    """The last of what a jail wrote, put on disk while it writes; whoever floods it waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = bytearray()
        self._left = _A_SECOND
        self._second = 0
        self._kept = True

    def waits(self) -> bool:
        """Whether enough was read in this second."""
        if int(time.monotonic()) != self._second:
            self._second, self._left = int(time.monotonic()), _A_SECOND
        return self._left <= 0

    def read(self, stream: int) -> bool:
        """Take what was written; False at the end of it."""
        chunk = os.read(stream, _CHUNK)
        self._text += chunk
        del self._text[:-_KEPT]
        self._left -= len(chunk)
        self._kept = self._kept and not chunk
        return bool(chunk)

    def keep(self) -> None:
        """Put it on disk, if there is anything new."""
        if not self._kept:
            with contextlib.suppress(OSError):  # a full disk ends no sandbox
                self._path.write_bytes(self._text)
            self._kept = True


def _wait(jailed: Jailed, wake: int, log: _Log, grace: float) -> None:
    """Return when the jail has ended, by itself or because we were told to end it."""
    streams = [stream.fileno() for stream in (jailed.bwrap.stdout, jailed.bwrap.stderr) if stream is not None]
    deadline: float | None = None
    while not jailed.has_ended:
        listened = [] if log.waits() else streams
        ready, _, _ = select.select([jailed.ended, wake, *listened], [], [], _TURN)
        if not ready:
            log.keep()
        if wake in ready:
            os.read(wake, _CHUNK)
            deadline = time.monotonic() + grace if deadline is None else deadline
            _ask_to_end(jailed)
        for stream in [one for one in streams if one in ready]:
            if not log.read(stream):
                streams.remove(stream)
        if deadline is not None and time.monotonic() >= deadline:
            jailed.kill()


def _ask_to_end(jailed: Jailed) -> None:
    """SIGTERM to what the jail's first process has started: that one itself, as the init that it is, takes none."""
    try:
        first = jailed.pid
    except ProcessLookupError:  # it ends by itself at this moment
        return
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                if int(stat[1]) == first:
                    os.kill(int(folder.name), signal.SIGTERM)


def _why(jailed: Jailed) -> str:
    return "a process was killed for its memory" if jailed.out_of_memory else "closed"


def closed(order: Order, why: str) -> None:
    """Write the line of the audit log that says that the sandbox has ended; what that needs is imported only now."""
    from catalog.lab import Lab  # noqa: PLC0415
    from sandbox import told  # noqa: PLC0415

    with contextlib.suppress(DatalabError):
        Lab.open(order.lab).audit.write(told.closed(order.user, order.purpose, why))
