"""`datalab sandbox lab`: JupyterLab in the jail of a user, reached through 127.0.0.1 and one unix socket.

    browser → 127.0.0.1:PORT → relay (here) → unix socket → jail

The listening socket is made here, loses its name at once, and is handed in by descriptor: nobody can put another in
its place. It is never a TCP socket, which would belong to the host's network, and could be turned round to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from policies.errors import SandboxError
from sandbox.command import memory_exceeded, open_jail
from sandbox.homes import full
from sandbox.jail import HOME
from sandbox.live.watch import watching
from sandbox.offer import offered
from sandbox.packages.service import allows, offering, python_of, with_packages
from sandbox.profile import SERVE, profile_of, serving
from sandbox.python import PYTHON
from sandbox.settings import SandboxSettings
from sandbox.start import PAGE
from sandbox.streams import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog.lab import Lab
    from sandbox.process import Jailed

_CHUNK = 65536
_BACKLOG = 128
_LOOKS_AT_HOME = 5
_LOG_CHUNKS = 16
_LOG_LINES = 20
OPTIONS = (
    "--no-browser",
    "--ServerApp.sock=/tmp/handed-in",  # only says "unix"; the socket is handed in
    f"--ServerApp.root_dir={HOME}",
    "--ServerApp.quit_button=False",
    "--LabApp.extension_manager=readonly",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)
FIRST = f"/lab/tree/{Path(PAGE).name}"
"""What is opened first: the start page."""


def serve_lab(
    lab: Lab,
    user: str,
    *,
    purpose: str | None = None,
    port: int = 0,
    ready: Callable[[str], None],
    warn: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve JupyterLab on 127.0.0.1 until SIGINT or SIGTERM; `ready` is given its URL once it answers.

    `port` 0 takes a free one. The URL holds the only token. Raises SandboxError where no jail can be made, where the
    port is taken, and when JupyterLab ends by itself.
    """
    settings = lab.section("sandbox", SandboxSettings)
    token = secrets.token_urlsafe(32)
    profile = profile_of(
        lab, user, settings, purpose=purpose, command=(PYTHON, SERVE, *OPTIONS), warn=warn, packages=allows(lab)
    )
    home = lab.var / "homes" / user
    profile = replace(
        profile,
        files={**profile.files, **serving(), **offered(lab.root / "notebooks", int(settings.output), warn)},
        env={**profile.env, "JUPYTER_TOKEN": token},
    )
    with offering(lab, user) as index, _listening() as (listening, path):
        if index is not None:
            profile = with_packages(profile, index, python_of(lab, settings))
        profile = replace(profile, env={**profile.env, "DATALAB_LISTEN": str(listening.fileno())})
        with open_jail(profile, settings, warn, keep=(listening.fileno(),)) as jailed:
            listening.close()  # ours: once the jail's is closed too, whoever waits for an answer is told
            url = f"http://127.0.0.1:{{}}{FIRST}?token={token}"
            stopped: list[str] = []

            def end(why: str) -> None:
                stopped.append(why)
                jailed.kill()

            with watching(lab, user, purpose, jailed, warn=warn, end=end):
                try:
                    asyncio.run(_serve(jailed, settings, path, port, lambda at: ready(url.format(at)), home, warn))
                except SandboxError as error:
                    raise (SandboxError(stopped[0]) if stopped else error) from None


@contextlib.contextmanager
def _listening() -> Iterator[tuple[socket.socket, Path]]:
    """A listening unix socket without a name, and the path by which this process alone can connect to it."""
    with socket.socket(socket.AF_UNIX) as listening:
        with tempfile.TemporaryDirectory(prefix="datalab-") as folder:
            listening.bind(f"{folder}/s")
            handle = os.open(f"{folder}/s", os.O_PATH | os.O_CLOEXEC)
        try:
            listening.listen(_BACKLOG)
            yield listening, Path(f"/proc/self/fd/{handle}")
        finally:
            os.close(handle)


async def _serve(
    jailed: Jailed,
    settings: SandboxSettings,
    path: Path,
    port: int,
    ready: Callable[[int], None],
    home: Path,
    warn: Callable[[str], None],
) -> None:
    """Relay until we are told to stop; raises SandboxError if the jail ends first."""
    log = _Log(jailed)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    loop.add_reader(jailed.ended, over.set)
    try:
        relay = await asyncio.start_server(lambda *streams: _relay(path, *streams), "127.0.0.1", port)
    except OSError as error:
        message = f"127.0.0.1:{port}: {os.strerror(error.errno or 0)}; choose another with --port, or none"
        raise SandboxError(message) from None
    async with relay:
        stop = asyncio.create_task(over.wait())
        watching = asyncio.create_task(_tell_when_full(home, warn))
        await asyncio.wait({stop, asyncio.create_task(_first_answer(path))}, return_when=asyncio.FIRST_COMPLETED)
        if not over.is_set():
            ready(relay.sockets[0].getsockname()[1])
        await stop
        watching.cancel()
    if jailed.has_ended:
        why = memory_exceeded(settings) if jailed.out_of_memory else f"it said:\n{log.tail()}"
        message = f"JupyterLab ended by itself; {why}"
        raise SandboxError(message)


async def _tell_when_full(home: Path, warn: Callable[[str], None]) -> None:
    """Say once that the home is full, and again when it has been emptied and filled."""
    said = full(home) is not None  # the profile's warning has told of that
    while True:
        await asyncio.sleep(_LOOKS_AT_HOME)
        why = full(home)
        if why is not None and not said:
            warn(why)
        said = why is not None


class _Log:
    """The last of what the jail writes. It is read to the end and not kept, so that a flood stops at us."""

    def __init__(self, jailed: Jailed) -> None:
        self._chunks: deque[bytes] = deque(maxlen=_LOG_CHUNKS)
        for stream in (jailed.bwrap.stdout, jailed.bwrap.stderr):
            if stream is not None:
                asyncio.get_running_loop().add_reader(stream.fileno(), self._read, stream.fileno())

    def _read(self, descriptor: int) -> None:
        chunk = os.read(descriptor, _CHUNK)
        if chunk:
            self._chunks.append(chunk)
        else:
            asyncio.get_running_loop().remove_reader(descriptor)

    def tail(self) -> str:
        lines = b"".join(self._chunks).decode(errors="replace").splitlines()[-_LOG_LINES:]
        return "\n".join(printable(line) for line in lines)


async def _first_answer(path: Path) -> None:
    """Return once the server answers: the socket listens already, so the request waits in its queue until then."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /api HTTP/1.0\r\nHost: localhost\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def _relay(path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection of a browser, to the jail and back."""
    try:
        from_jail, to_jail = await asyncio.open_unix_connection(path)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, to_jail), _copy(from_jail, writer))
    for end in (writer, to_jail):
        end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
