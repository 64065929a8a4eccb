"""`datalab sandbox lab`: JupyterLab in the jail of a user, reached through 127.0.0.1 and one unix socket.

    browser → 127.0.0.1:PORT → relay (here) → unix socket → jail

The listening socket is bound here, in a folder that only we may enter, and handed in by descriptor. It is never a TCP
socket: that would belong to the host's network, and stay there.
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
from sandbox.command import jail, memory_exceeded
from sandbox.jail import HOME, Mount
from sandbox.profile import profile_of, script
from sandbox.python import PYTHON
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab
    from sandbox.jail import Profile
    from sandbox.process import Jailed

_CHUNK = 65536
_BACKLOG = 128
_LOG_CHUNKS = 16
_OPTIONS = (
    "--no-browser",
    "--ServerApp.sock=/tmp/handed-in",  # only says "unix"; the socket is handed in
    f"--ServerApp.root_dir={HOME}",
    "--ServerApp.quit_button=False",
    "--LabApp.extension_manager=readonly",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)


def serve_lab(  # noqa: PLR0913  who, what for, where, and whom to tell
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
    target, text = script("serve.py")
    profile = profile_of(lab, user, settings, purpose=purpose, command=(PYTHON, target, *_OPTIONS))
    profile = replace(
        profile,
        files={**profile.files, target: text},
        env={**profile.env, "JUPYTER_TOKEN": token},
        mounts=(*profile.mounts, *_notebooks(lab)),
    )
    with tempfile.TemporaryDirectory(prefix="datalab-") as folder:
        path = Path(folder) / "lab.sock"
        with _start(profile, settings, path, warn) as jailed:
            asyncio.run(_serve(jailed, settings, path, port, lambda at: ready(f"http://127.0.0.1:{at}/lab?token={token}")))


def _notebooks(lab: Lab) -> tuple[Mount, ...]:
    folder = lab.root / "notebooks"
    return (Mount(folder, "/notebooks"),) if folder.is_dir() else ()


def _start(profile: Profile, settings: SandboxSettings, path: Path, warn: Callable[[str], None]) -> Jailed:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(_BACKLOG)
        profile = replace(profile, env={**profile.env, "DATALAB_LISTEN": str(listening.fileno())})
        return jail(profile, settings, warn, keep=(listening.fileno(),))


async def _serve(
    jailed: Jailed, settings: SandboxSettings, path: Path, port: int, ready: Callable[[int], None]
) -> None:
    log: deque[bytes] = deque(maxlen=_LOG_CHUNKS)
    loop = asyncio.get_running_loop()
    ended, stopped = asyncio.Event(), asyncio.Event()
    loop.add_reader(jailed.ended, ended.set)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        relay = await asyncio.start_server(lambda *streams: _relay(path, *streams), "127.0.0.1", port)
    except OSError as error:
        message = f"127.0.0.1:{port}: {error.strerror}; choose another one with --port, or none"
        raise SandboxError(message) from None
    async with asyncio.TaskGroup() as tasks, relay:
        ...
