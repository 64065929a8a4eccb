"""Each user's home, at var/homes/NAME; as root, also the uid that is theirs alone."""

from __future__ import annotations

import fcntl
import os
import shutil
from typing import TYPE_CHECKING

from policies.errors import SandboxError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.lab import Lab


def home_of(lab: Lab, user: str, first_uid: int) -> tuple[Path, int | None]:
    """The user's home, made when it is missing, and the uid to run as: None unless we are root.

    The home's owner is the register of uids: a new user gets the one after the highest. Raises SandboxError if the
    home belongs to nobody's sandbox, for then it was made by another hand.
    """
    homes = lab.var / "homes"
    homes.mkdir(mode=0o700, exist_ok=True)
    home = homes / user
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, exist_ok=True)
        return home, None
    with (homes / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            taken = [path.stat().st_uid for path in homes.iterdir() if path.is_dir()]
            uid = max([first_uid - 1, *taken]) + 1
            fresh = homes / ".new"
            fresh.mkdir(mode=0o700, exist_ok=True)
            os.chown(fresh, uid, uid)
            fresh.rename(home)  # a home that has its name has its owner
    uid = home.stat().st_uid
    if uid < first_uid:
        message = (
            f"{home}: belongs to uid {uid}, but sandboxes run as {first_uid} and above; it was made without root, or "
            f"restored without owners. Give it one of its own: chown -R {first_uid} {home}"
        )
        raise SandboxError(message)
    return home, uid


def check_room(lab: Lab, free: int) -> None:
    """Raise SandboxError if less than `free` bytes are left where homes and the lake lie: a home has no quota yet."""
    left = shutil.disk_usage(lab.var).free
    if left < free:
        message = (
            f"{lab.var}: {left} bytes are free on its disk, and no sandbox starts below {free}: make room, "
            "or change [sandbox] free"
        )
        raise SandboxError(message)
