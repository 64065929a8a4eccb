"""Each user's home, at var/homes/NAME: an image of a certain size (quota.py), or where there can be none, a folder.

Its owner is the register of uids, whichever of the two it is. READ THIS FIRST of quota.py, loop.py, moving.py.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.errors import SandboxError
from policies.replace import held
from sandbox import moving, quota

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from catalog.lab import Lab
    from sandbox.settings import SandboxSettings

_USED = ".used"


@dataclass(frozen=True)
class HomeState:
    """A home as `datalab sandbox homes` lists it; `size` is None where only its disk bounds it, `last` never used."""

    user: str
    used: int
    size: int | None
    last: dt.datetime | None


def home_of(
    lab: Lab, user: str, settings: SandboxSettings, warn: Callable[[str], None] = lambda _: None
) -> tuple[Path, int | None]:
    """The user's home, made when it is missing, and the uid to run as: None unless we are root.

    A new user gets the uid after the highest. A home that is a folder, or smaller than `[sandbox] home`, is moved into
    an image of that size unless a sandbox runs in it; `warn` is told where a home stays as it is, and why. Raises
    SandboxError if the home belongs to nobody's sandbox, for then it was made by another hand.
    """
    homes = lab.var / "homes"
    homes.mkdir(mode=0o700, exist_ok=True)
    home = homes / user
    missing = quota.missing()
    if missing is not None:
        warn(f"homes have no size of their own here ({missing}): one can fill the disk of {homes}")
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, exist_ok=True)
        return home, None
    with held(homes / ".lock"):
        if not home.exists():
            _make(home, int(settings.home), _next_uid(homes, settings.first_uid), missing)
    uid = home.stat().st_uid
    if uid < settings.first_uid:
        message = (
            f"{home}: belongs to uid {uid}, but sandboxes run as {settings.first_uid} and above; it was made without "
            f"root, or restored without owners. Give it one of its own: chown -R {settings.first_uid} {home}"
        )
        raise SandboxError(message)
    if missing is None:
        _fit(home, int(settings.home), warn)
    elif home.is_file():
        raise SandboxError(f"{home}: is an image, and cannot be mounted here: {missing}")
    return home, uid


@contextlib.contextmanager
def using(home: Path) -> Iterator[None]:
    """Keep a home where it is: nobody moves it meanwhile (moving.py). Whoever runs in one, or opens it, comes here."""
    while True:
        descriptor = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if os.path.samestat(home.stat(), os.fstat(descriptor)):
            break
        os.close(descriptor)  # it was moved while we waited
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened_home(home: Path) -> Iterator[Path]:
    """The folder of a home, for this process, whether it is one or lies in an image; others may have it open, too.

    Raises FileNotFoundError where there is no home.
    """
    with using(home):
        if home.is_file():
            with quota.opened(home) as root:
                yield root / quota.FOLDER
        else:
            yield home


def users(lab: Lab) -> tuple[str, ...]:
    """Everybody who has a home."""
    homes = lab.var / "homes"
    found = homes.iterdir() if homes.is_dir() else ()
    return tuple(sorted(path.name for path in found if not path.name.startswith(".") and not path.is_symlink()))


def states(lab: Lab) -> tuple[HomeState, ...]:
    """How full each home is, and when a sandbox last started in it."""
    return tuple(_state(lab.var / "homes" / user) for user in users(lab))


def note_use(home: Path) -> None:
    """Say that a sandbox starts in a home now."""
    used = home.parent / _USED
    used.mkdir(mode=0o700, exist_ok=True)
    (used / home.name).touch()


def full(home: Path) -> str | None:
    """What to say of a home that is full; None while it is not, or has no size."""
    if not home.is_file():
        return None
    with opened_home(home) as folder:
        usage = quota.usage_at(folder)
    if not usage.full:
        return None
    what = "bytes" if usage.inodes_used < usage.inodes else "files and folders"
    taken, of = (usage.used, usage.size) if what == "bytes" else (usage.inodes_used, usage.inodes)
    return (
        f"the home of {home.name} is full: {taken} of {of} {what}; nothing can be written there until something of it "
        "is deleted, or [sandbox] home is raised and a new sandbox started"
    )


def check_room(lab: Lab, free: int) -> None:
    """Raise SandboxError if less than `free` bytes are left where homes and the lake lie: homes are not set aside."""
    left = shutil.disk_usage(lab.var).free
    if left < free:
        message = (
            f"{lab.var}: {left} bytes are free on its disk, and no sandbox starts below {free}: make room, "
            "or change [sandbox] free"
        )
        raise SandboxError(message)


def _make(home: Path, size: int, uid: int, missing: str | None) -> None:
    """A new home. One that has its name is whole, and has its owner."""
    fresh = moving.beside(home)
    if missing is None:
        quota.make(fresh, size, uid)
    else:
        fresh.mkdir(mode=0o700)
        os.chown(fresh, uid, uid)
    fresh.rename(home)


def _fit(home: Path, size: int, warn: Callable[[str], None]) -> None:
    """Move a home that is no image, or one that is too small, unless somebody is in it."""
    moving.tidy(home)
    if home.is_file() and home.stat().st_size >= size:
        return
    made = moving.moved(home, size)
    if made is None:
        warn(f"{home}: a sandbox runs in it; it gets its size when a later one starts alone")
    elif made > size:
        warn(f"{home}: held more than [sandbox] home allows, so it was given {made} bytes")


def _next_uid(homes: Path, first: int) -> int:
    return max([first - 1, *(path.lstat().st_uid for path in homes.iterdir())]) + 1


def _state(home: Path) -> HomeState:
    note = home.parent / _USED / home.name
    last = dt.datetime.fromtimestamp(note.stat().st_mtime, dt.UTC).replace(microsecond=0) if note.exists() else None
    if home.is_file():
        usage = quota.usage(home)
        return HomeState(home.name, usage.used, usage.size, last)
    return HomeState(home.name, sum(path.lstat().st_blocks * 512 for path in home.rglob("*")), None, last)
