"""The pass-through of one user: a unix socket here, which their jail sees, and what the jail needs to use it.

The socket lies in a folder that only its owner enters, and is handed in as a mount: who connects to it is that user.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from policies.errors import SandboxError
from sandbox.inside.forward import PORT, SOCKET
from sandbox.jail import HOME, Mount
from sandbox.packages.app import create_app
from sandbox.packages.fetch import Fetch
from sandbox.packages.settings import PackagesSettings
from sandbox.profile import script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.lab import Lab
    from sandbox.jail import Profile
    from sandbox.settings import SandboxSettings

PREFIX = f"{HOME}/.packages"
_ENDS_WITHIN = 10
_BACKLOG = 128


@contextlib.contextmanager
def offering(lab: Lab, user: str) -> Iterator[Path | None]:
    """The socket, while this holds; None where the lab allows no packages. Raises DocumentError for [packages]."""
    settings = lab.section("packages", PackagesSettings)
    if not settings.allow:
        yield None
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="datalab-")))
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(str(folder / "s"))
        listening.listen(_BACKLOG)  # who connects before the server runs waits for it
        (folder / "s").chmod(0o666)  # the jail has another uid; nobody else enters the folder
        fetch = Fetch(settings)
        stack.callback(fetch.close)
        app = create_app(lab, user, settings, fetch)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield folder / "s"
        finally:
            server.should_exit = True
            thread.join(_ENDS_WITHIN)


def with_packages(profile: Profile, socket_: Path, python: str) -> Profile:
    """The jail with the socket in it, and pip told where to ask and where to put: the home. `python` is `python3.11`.

    What was installed there comes before what the lab gives, for these are the user's own programs.
    """
    target, text = script("forward.py")
    site = f"{PREFIX}/lib/{python}/site-packages"
    return replace(
        profile,
        mounts=(*profile.mounts, Mount(socket_, SOCKET)),
        files={**profile.files, target: text},
        env={
            **profile.env,
            "DATALAB_PACKAGES": site,
            "PATH": f"{profile.env['PATH']}:{PREFIX}/bin",
            "PYTHONPATH": f"{profile.env['PYTHONPATH']}:{site}",
            "PIP_INDEX_URL": f"http://127.0.0.1:{PORT}/simple/",
            "PIP_PREFIX": PREFIX,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_TIMEOUT": "300",  # a file comes at once, when all of it is here
            "PIP_RETRIES": "0",
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
    )


def python_of(lab: Lab, settings: SandboxSettings) -> str:
    """`python3.11`, as the users' environment has it. Raises SandboxError where there is none."""
    found = sorted(path.name for path in (lab.root / settings.venv / "lib").glob("python3.*"))
    if not found:
        raise SandboxError(f"{lab.root / settings.venv}: has no lib/python3.*; run `make setup`")
    return found[-1]
