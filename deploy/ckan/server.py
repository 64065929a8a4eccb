"""One server as a child process: started, waited for, stopped, and never left behind."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 120.0  # seconds for a server to answer: it takes 5 at most, but a test machine can be busy

# What is on this machine is never reached through a proxy.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StackError(Exception):
    """A part of the stack is missing, did not start, or ended.

    The message names it, and ends with what it said last or with what to do.
    """


@dataclass
class Server:
    """A child process with a log file. It dies with the thread that called `start`, even by kill -9.

    It ends on the signal `stop_by`. `privileges` are arguments of setpriv, which starts it.
    """

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str]
    privileges: Sequence[str] = ()
    stop_by: signal.Signals = signal.SIGTERM
    _process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start the process; `wait` tells when it is of use."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                ["setpriv", f"--pdeathsig={self.stop_by.name.removeprefix('SIG')}", *self.privileges, *self.argv],
                stdin=subprocess.PIPE,  # held open: SolrServer.java ends when it closes
                stdout=output,
                stderr=output,
                env=self.env,
                cwd="/",
                start_new_session=True,  # Ctrl-C comes to us alone, who stop the servers in order
            )

    def check(self) -> None:
        """Raise StackError if the process has ended."""
        if (code := self._process.poll()) is not None:
            raise StackError(f"{self.name} ended with code {code}:\n{self._tail()}")

    def wait(self, answers: Callable[[], bool]) -> None:
        """Return once `answers()`. Raise StackError if the process ends first, or the answer is too long in coming."""
        deadline = time.monotonic() + PATIENCE
        while not answers():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} did not answer in {PATIENCE:.0f} s:\n{self._tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask the process to end, and return when it has; kill it after 10 s."""
        if self._process.poll() is None:
            self._process.send_signal(self.stop_by)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        self.kill()

    def kill(self) -> None:
        """End the process and its children at once, as a crash would."""
        with contextlib.suppress(ProcessLookupError):  # nothing of it is left: the usual case after `stop`
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def _tail(self) -> str:
        return tail(self.log.read_text(errors="replace"))


def run(*argv: str, env: Mapping[str, str], stdin: str = "", privileges: Sequence[str] = ()) -> str:
    """What a command prints. Raise StackError with the end of its errors if it fails."""
    done = subprocess.run(
        ["setpriv", "--pdeathsig=KILL", *privileges, *argv],
        input=stdin,
        capture_output=True,
        text=True,
        env=env,
        cwd="/",
        check=False,
        start_new_session=True,  # without a terminal, a program that asks for a password reads stdin
    )
    if done.returncode != 0:
        raise StackError(f"`{' '.join(argv)}` ended with code {done.returncode}:\n{tail(done.stderr)}")
    return done.stdout


def fetch(url: str, json_body: bytes | None = None) -> bytes:
    """The answer to a GET, or to a POST of JSON. Raise OSError when there is none, or it is an error."""
    request = urllib.request.Request(url, json_body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    with _direct.open(request, timeout=PATIENCE) as answer:
        return bytes(answer.read())


def responds(url: str) -> bool:
    """Whether a GET succeeds."""
    try:
        fetch(url)
    except OSError:
        return False
    return True


def accepts(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def tail(text: str, lines: int = 20) -> str:
    """The last lines of a log, indented, without the inner lines of Java's long traces."""
    telling = [line for line in text.splitlines() if not line.startswith("\tat ")]
    return "\n".join(f"    {line}" for line in telling[-lines:]) or "    (it said nothing)"
