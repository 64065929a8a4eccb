"""Inside the jail: JupyterLab on a listening unix socket that it was handed, by the number in DATALAB_LISTEN.

The socket's path stays outside, where nobody in the jail can put another one in its place. For a user of the Hub, who
may enter is asked of the Hub, through the one socket at /run/datalab/hub.sock; all that is told by JUPYTERHUB_….
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from jupyter_server.serverapp import ServerApp
from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]
from panel import answer_on  # type: ignore[import-not-found]  # beside this file in a jail


def adopt(server: ServerApp) -> bool:
    """Take the socket that was handed in; no other is opened."""
    listening = socket.socket(fileno=int(os.environ["DATALAB_LISTEN"]))
    listening.setblocking(False)  # noqa: FBT003  socket takes no keywords
    server.http_server.add_socket(listening)
    answer_on(server)
    return True


class HandedServer(ServerApp):
    """A Jupyter server that opens no socket of its own."""

    _bind_http_server_unix = adopt


class HandedLab(LabApp):  # type: ignore[misc]
    """JupyterLab on that server."""

    serverapp_class = HandedServer


def offer(notebooks: Path, home: Path) -> None:
    """Copy the lab's notebooks that are not there yet into the home, where they can be changed."""
    for source in sorted(notebooks.glob("*.ipynb")):
        target = home / source.name
        if not target.exists():
            with contextlib.suppress(OSError):  # one that we may not read is not offered
                shutil.copyfile(source, target)


def welcome(pages: Path, home: Path) -> None:
    """Put the start page of today into the home, in the place of an earlier one, whatever that has become."""
    for source in pages.glob("*.md"):
        new = home / f".{source.name}"
        with contextlib.suppress(OSError):  # a full home, or a folder of that name: it opens without
            new.unlink(missing_ok=True)
            shutil.copyfile(source, new)
            new.replace(home / source.name)


if __name__ == "__main__":
    offer(Path("/notebooks"), Path.home())
    welcome(Path("/opt/datalab-start"), Path.home())
    if "DATALAB_PACKAGES" in os.environ:
        with contextlib.suppress(OSError):  # a full home
            Path(os.environ["DATALAB_PACKAGES"]).mkdir(parents=True, exist_ok=True)  # or Python would not look again
        subprocess.Popen([sys.executable, "/opt/datalab-scripts/forward.py"])
    if "JUPYTERHUB_API_TOKEN" in os.environ:
        from hubless import stand_in  # type: ignore[import-not-found]  # handed in where there is a Hub

        stand_in()
        from jupyterhub.singleuser import main  # type: ignore[import-untyped]

        ServerApp._bind_http_server_unix = adopt  # type: ignore[assignment]  # noqa: SLF001  the Hub makes the class
        main()
    else:
        HandedLab.launch_instance()
