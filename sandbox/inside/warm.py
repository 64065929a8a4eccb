"""Inside a warm jail: what JupyterLab imports is loaded before the sandbox is anybody's; then it waits.

It runs as root with what it takes to stop being root, sees no home and no data, and runs nobody's code. When it is
claimed, home and data stand in its view already; its socket (the number in DATALAB_CLAIM) tells it who to be, and
brings the listening socket. It gives up all privileges, looks whether it has (become.py), and only then runs the script
it is told. A second process, which becomes the same user, has loaded what a kernel needs (kernels.py).
"""

import contextlib
import importlib
import json
import os
import runpy
import socket
import sys
from typing import Any

import kernels  # type: ignore[import-not-found]  # beside this file in a jail
from become import obey  # type: ignore[import-not-found]
from hubless import stand_in  # type: ignore[import-not-found]

_MOST = 1 << 20

_SERVER = (
    *("ipykernel.kernelspec", "jinja2.ext", "jupyter_core.migrate", "jupyter_lsp.virtual_documents_shadow"),
    *("jupyter_server.services.contents.largefilemanager", "jupyter_server.services.kernels.connection.channels"),
    *("jupyter_server.services.kernels.kernelmanager", "jupyter_server.services.sessions.sessionmanager"),
    *(f"jupyter_server.services.{name}.handlers" for name in ("api", "config", "contents", "events", "kernels")),
    *(f"jupyter_server.services.{name}.handlers" for name in ("kernelspecs", "nbconvert", "security", "sessions")),
    *("jupyter_server.kernelspecs.handlers", "jupyter_server.nbconvert.handlers", "jupyter_server.view.handlers"),
    *("jupyter_server_terminals", "jupyterlab.labapp", "jupyterlab_server", "nbconvert.exporters"),
    *("jupyterhub.singleuser", "jupyterhub.singleuser.extension", "jupyterhub.services.auth"),
    *("notebook_shim.nbserver", "psutil", "tornado.platform.asyncio"),
)
"""What a server imports until it has started its first kernel. One that is missing is loaded when it is wanted."""


def main() -> None:
    """Wait to be claimed; become who that is; run what they would have started."""
    with socket.socket(fileno=int(os.environ.pop("DATALAB_CLAIM"))) as asked:
        zygote = kernels.prepare([asked.fileno()])
        _load()
        if zygote.recv(_MOST) != b"ready":
            sys.exit("warm: no kernel can be kept warm")
        asked.send(b"warm")
        told, listening = _told(asked)
        zygote.send(json.dumps(told).encode())
        obey(told)
        if zygote.recv(_MOST) != b"claimed":
            sys.exit("warm: the kernels did not become the user's")
        asked.send(b"claimed")
    os.environ["DATALAB_LISTEN"] = str(listening)
    from jupyter_client.provisioning import local_provisioner  # noqa: PLC0415  after `_load`

    kept = vars(local_provisioner)
    kept["launch_kernel"] = kernels.launcher(zygote, kept["launch_kernel"])
    sys.argv = told["argv"]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _load() -> None:
    stand_in()
    for name in _SERVER:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _told(asked: socket.socket) -> tuple[dict[str, Any], int]:
    """What the claim says, and the listening socket that comes with it; ends where the owner has ended."""
    text, descriptors, _, _ = socket.recv_fds(asked, _MOST, 1)
    if not text:
        sys.exit(0)
    return json.loads(text), descriptors[0]


if __name__ == "__main__":
    main()
