"""The process that keepers are forked from: they share what it has loaded, so that one more takes little memory.

    python -m sandbox.hub.zygote        # its standard input is a socket; with each message come two pipes for a keeper

It has no threads. It ends when who started it is gone; keepers stay, nobody's children, each in its own session.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import subprocess
import sys
import threading
import traceback
from typing import BinaryIO

from sandbox.hub import keeper

_ENVIRONMENT = ("PATH", "LANG", "DATALAB_AUDIT_KEY")
_PIPES = 2


class Zygote:
    """It, as who asks for keepers has it; it is started when it is first needed, and anew where it has died."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._asked: socket.socket | None = None
        self._lock = threading.Lock()

    def keeper(self) -> tuple[BinaryIO, BinaryIO]:
        """A new keeper, by its standard input and output. Raises OSError where no process can be made."""
        theirs, into = os.pipe()
        said, theirs_said = os.pipe()
        try:
            with self._lock:
                if self._asked is None or not _sent(self._asked, theirs, theirs_said):
                    self._end()
                    self._asked = _started()
                    _sent(self._asked, theirs, theirs_said)
        except OSError:
            os.close(into)
            os.close(said)
            raise
        finally:
            os.close(theirs)
            os.close(theirs_said)
        return os.fdopen(into, "wb"), os.fdopen(said, "rb")

    def close(self) -> None:
        """Let it end; keepers stay."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._asked is not None:
            self._asked.close()
            self._asked = None


def _started() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            ["/usr/bin/setsid", "--fork", sys.executable, "-m", "sandbox.hub.zygote"],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            cwd="/",
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        ).wait()
    return ours


def _sent(asked: socket.socket, *pipes: int) -> bool:
    with contextlib.suppress(OSError):  # it has died
        return bool(socket.send_fds(asked, [b"1"], pipes))
    return False


def main() -> None:
    """Fork a keeper for each message, until there are no more."""
    with socket.socket(fileno=os.dup(0)) as asked:
        gc.collect()
        gc.freeze()  # a collection writes to every object it looks at, and what is written to is not shared
        while True:
            _, pipes, _, _ = socket.recv_fds(asked, 1, _PIPES)
            if len(pipes) != _PIPES:
                return
            _fork(asked, pipes)


def _fork(asked: socket.socket, pipes: list[int]) -> None:
    """Fork a process that forks the keeper and ends, so that whoever starts the machine's processes is its parent."""
    between = os.fork()
    if between != 0:
        for pipe in pipes:
            os.close(pipe)
        os.waitpid(between, 0)
        return
    code = 1
    try:
        os.setsid()
        if os.fork() == 0:
            asked.close()
            for number, pipe in enumerate(pipes):
                os.dup2(pipe, number)
                os.close(pipe)
            code = keeper.main()
    except BaseException:  # noqa: BLE001  not one of them goes on as another zygote
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
