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
    if not allows(lab):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="datalab-") as folder:
        path = Path(folder) / "s"
        with serving(lab, user, path):
            yield path


def allows(lab: Lab) -> bool:
    """Whether there is any package that a sandbox may install."""
    return bool(lab.section("packages", PackagesSettings).allow)


@contextlib.contextmanager
def serving(lab: Lab, user: str, path: Path) -> Iterator[None]:
    """Answer on a socket at `path`, in a folder that nobody else enters."""
    settings = lab.section("packages", PackagesSettings)
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        path.unlink(missing_ok=True)
        listening.bind(str(path))
        listening.listen(_BACKLOG)  # who connects before the server runs waits for it
        path.chmod(0o666)  # the jail has another uid
        fetch = Fetch(settings)
        stack.callback(fetch.close)
        config = uvicorn.Config(
            create_app(lab, user, settings, fetch),
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
            yield
        finally:
            server.should_exit = True
            thread.join(_ENDS_WITHIN)


def with_packages(profile: Profile, socket_: Path | None, python: str) -> Profile:
    """The jail with the socket in it, and pip told where to ask and where to put: the home. `python` is `python3.11`.

    `socket_` None: whoever starts the jail has it at SOCKET already. What was installed comes before what the lab
    gives, for these are the user's own programs.
    """
    target, text = script("forward.py")
    site = f"{PREFIX}/lib/{python}/site-packages"
    return replace(
        profile,
        mounts=(*profile.mounts, *([] if socket_ is None else [Mount(socket_, SOCKET)])),
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
