"""Where the front door's sockets, tokens and logs lie, and what the Hub keeps.

A unix socket's path has at most 107 bytes (sun_path, unix(7)). Where the lab lies too deep for that, the sockets go
into a folder of their own under /run or the folder of temporary files, always the same for the same lab.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from policies.errors import SandboxError

if TYPE_CHECKING:
    from catalog.lab import Lab

_LONGEST = 107
_BELOW = len("/s/0123456789ab/told/hub.sock")


@dataclass(frozen=True)
class Places:
    """`run` is the private folder of sockets, gone or stale when nothing runs; `kept` outlives every process."""

    run: Path
    kept: Path

    @property
    def proxy(self) -> Path:
        """Where the proxy is told its routes."""
        return self.run / "proxy.sock"

    @property
    def hub(self) -> Path:
        """Where the Hub answers."""
        return self.run / "hub.sock"

    @property
    def portal(self) -> Path:
        """Where the portal answers."""
        return self.run / "portal.sock"

    @property
    def gateway(self) -> Path:
        """Where the gateway answers."""
        return self.run / "gateway.sock"

    @property
    def tokens(self) -> Path:
        """What the children prove to each other who they are with, made anew at each start."""
        return self.run / "tokens.json"

    @property
    def logs(self) -> Path:
        """The children's logs, and the last words of each sandbox."""
        return self.kept / "logs"

    @property
    def sandboxes(self) -> Path:
        """The folders of all sandboxes."""
        return self.run / "s"

    def sandbox(self, user: str) -> Path:
        """The folder of one user's sandbox."""
        return self.sandboxes / hashlib.sha256(user.encode()).hexdigest()[:12]


def places_of(lab: Lab) -> Places:
    """The places of a lab, made where they are missing. Raises SandboxError if another account owns one of them."""
    kept = _private(lab.var / "hub")
    near = kept / "run"
    run = near if len(os.fsencode(near)) + _BELOW <= _LONGEST else _far(lab.root)
    places = Places(_private(run), kept)
    for folder in (places.logs, places.sandboxes):
        _private(folder)
    return places


def address(socket: Path) -> str:
    """The socket as JupyterHub and the proxy write one."""
    return f"http+unix://{quote(str(socket), safe='')}"


def _far(root: Path) -> Path:
    above = Path("/run") if os.geteuid() == 0 and Path("/run").is_dir() else Path(tempfile.gettempdir())
    return above / f"datalab-{os.geteuid()}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"


def _private(folder: Path) -> Path:
    """The folder, ours alone: one that somebody else has put there first is not taken."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise SandboxError(f"{folder}: belongs to another account, so no socket is put there; take it away")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
    return folder
