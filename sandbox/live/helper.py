"""An order to change what a running jail sees, and the process that carries it out (mounting.py)."""

from __future__ import annotations

import marshal
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

_ABOVE = Path(__file__).resolve().parents[2]
_START = "import sys; sys.path[:0] = [sys.argv[1]]; from sandbox.live.mounting import main; main()"
_SOON = 60


@dataclass(frozen=True)
class Order:
    """Paths are the jail's, all under /data, but for the sources of `mounts`: (file of the host, place in the jail).
    A jail that is being claimed, in which nobody's code has run yet, may be given more: paths are under `base` then,
    `shared` are mounts in which it may write, and `home` is a folder, or a block device and where to mount it for now.

    First `gone` vanish with all that is mounted in them, then `files` are written and `mounts` attached, and `last` the
    files that say what there is.
    """

    gone: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    mounts: tuple[tuple[str, str], ...] = ()
    last: dict[str, bytes | None] = field(default_factory=dict)
    """None takes a file away."""
    base: str = "/data"
    shared: tuple[tuple[str, str], ...] = ()
    home: tuple[str, ...] = ()


def run(process: int, order: Order) -> str | None:
    """Have an order carried out in the view of a process, named by its pidfd; returns why that failed, or None.

    Where it failed, nothing of it may be relied on, but that nothing in `mounts` is seen unless its file is whole.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _START, str(_ABOVE)],
            input=marshal.dumps({"process": process, **asdict(order)}),
            pass_fds=(process,),
            cwd="/",
            env={},
            capture_output=True,
            check=False,
            timeout=_SOON,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (
        None
        if done.returncode == 0
        else (done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    )
