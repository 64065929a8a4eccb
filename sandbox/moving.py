"""A home from a folder, or from an image that became too small, into an image: copied, compared, then exchanged.

    .NAME.new made → copied → compared → on disk → exchanged with NAME → what it was, deleted

Until the exchange, which is one step of the kernel's, NAME is the home as it was; after it, the new one. What a job
that was killed left is called `.NAME.new`, is never read, and goes with the next.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from policies.errors import SandboxError
from sandbox import quota
from sandbox.jail import HOME

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXCHANGE = 2
_AT_FDCWD = -100
_CHUNK = 1 << 20
_ROOM = 1.25
_LEAST_ROOM = 64 * 1024**2


def beside(home: Path) -> Path:
    """Where the next home of this name is made; what a killed job left there is gone."""
    new = home.with_name(f".{home.name}.new")
    _clear(new)
    return new


def tidy(home: Path) -> None:
    """Take away what a move left that was killed when it was all but done: the home as it was before."""
    if not home.with_name(f".{home.name}.new").exists():
        return
    with _alone(home) as alone:
        if alone:
            beside(home)


def moved(home: Path, size: int) -> int | None:
    """Put what a home holds into an image of this size, or of a larger one that has room for it; returns that size.

    None if a sandbox runs in it, or somebody has it open. Raises SandboxError, and the home is as it was, where it
    cannot be copied whole.
    """
    with _alone(home) as alone:
        return _move(home, size) if alone and not _mounted_in_a_jail(home) else None


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[bool]:
    """Whether nobody else has the home, and nobody will have it before the end (homes.using)."""
    descriptor = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = os.path.samestat(home.stat(), os.fstat(descriptor))
        except BlockingIOError:
            alone = False
        yield alone
    finally:
        os.close(descriptor)


def _move(home: Path, size: int) -> int:
    new = beside(home)
    with _contents(home) as (source, taken):
        if taken * _ROOM + _LEAST_ROOM > size:
            size = int(taken * _ROOM) + _LEAST_ROOM
        quota.make(new, size, home.stat().st_uid)
        with quota.opened(new) as root:
            _copy(source, root / quota.FOLDER)
            difference = _difference(source, root / quota.FOLDER)
            quota.sync(root)
    if difference is not None:
        _clear(new)
        raise SandboxError(f"{home}: {difference} could not be copied into an image; the home is as it was")
    quota.sync(home.parent)
    _exchange(new, home)
    _clear(new)
    return size


def _mounted_in_a_jail(home: Path) -> bool:
    """Whether a sandbox of a release that took no lock runs in a folder."""
    tail = f"/{home.parent.name}/{home.name}"
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
                _, _, _, root, target, *_ = line.split(" ")
                if target == HOME and root.endswith(tail):
                    return True
    return False


def _clear(new: Path) -> None:
    if new.is_dir() and not new.is_symlink():
        shutil.rmtree(new)
    else:
        new.unlink(missing_ok=True)


@contextlib.contextmanager
def _contents(home: Path) -> Iterator[tuple[Path, int]]:
    """The folder that holds the home's files, and how many bytes they take."""
    if home.is_file():
        with quota.opened(home) as root:
            yield root / quota.FOLDER, quota.usage_at(root).used
    else:
        used = sum(os.lstat(path).st_blocks * 512 for path in _below(home))
        yield home, used


def _below(folder: Path) -> Iterator[Path]:
    """Every file and folder under a folder, links not followed."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(place, name)


def _copy(source: Path, target: Path) -> None:
    # The first is a path through a descriptor of ours, which the child inherits under the same number
    descriptors = [int(path.parts[4]) for path in (source, target) if path.parts[:4] == ("/", "proc", "self", "fd")]
    done = subprocess.run(
        ["/usr/bin/cp", "--archive", "--sparse=auto", "--", f"{source}/.", f"{target}/"],
        check=False,
        capture_output=True,
        text=True,
        pass_fds=descriptors,
    )
    if done.returncode != 0:
        raise SandboxError(f"{source}: cannot be copied: {done.stderr.strip().splitlines()[0]}")


def _difference(source: Path, target: Path) -> str | None:
    """The first thing that is not the same in two folders: names, kinds, owners, rights, times, links, bytes."""
    ours, theirs = ({path.relative_to(top): path for path in _below(top)} for top in (source, target))
    missing = sorted(str(name) for name in ours.keys() ^ theirs.keys())
    if missing:
        return missing[0]
    return next((str(name) for name, path in ours.items() if not _same(path, theirs[name])), None)


def _same(one: Path, other: Path) -> bool:
    a, b = os.lstat(one), os.lstat(other)
    if (a.st_mode, a.st_uid, a.st_gid) != (b.st_mode, b.st_uid, b.st_gid):
        return False
    if stat.S_ISLNK(a.st_mode):
        return one.readlink() == other.readlink()
    if not stat.S_ISREG(a.st_mode):
        return True
    if (a.st_size, a.st_mtime_ns) != (b.st_size, b.st_mtime_ns):
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while chunk := left.read(_CHUNK):
            if chunk != right.read(_CHUNK):
                return False
    return True


def _exchange(one: Path, other: Path) -> None:
    """Let two paths change places in one step (renameat2, Linux 3.15), and put that on disk."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) != 0:
        number = ctypes.get_errno()
        _clear(one)
        raise SandboxError(f"{other}: cannot be exchanged with its copy: {os.strerror(number)}; the home is as it was")
    folder = os.open(other.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
