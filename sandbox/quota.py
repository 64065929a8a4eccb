"""A home of a certain size: an ext4 filesystem in one file, so that the kernel itself says when it is full.

    make → attached → opened (here), or mounted by the jail's own process (process.py)

Nothing of it stands in the host's table of mounts. The jail's process mounts the image in a view of its own, and
`opened` attaches it nowhere: when the last of them ends, or is killed, the kernel unmounts it and lets the device go.
Bytes and inodes are bounded by the filesystem. Its superblock: docs.kernel.org/filesystems/ext4/globals.html.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from policies.errors import SandboxError
from policies.replace import held
from sandbox import loop, mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "home"
"""What a user sees of the image: a folder in it, beside the filesystem's own lost+found."""

OPTIONS = ("discard",)
"""What is deleted in a home is free on the host's disk, too."""

_JOURNAL_MIB = 8
_PROGRAMS = ("mkfs.ext4", "e2fsck")
_SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"
_SUPERBLOCK, _SUPERBLOCK_BYTES, _MAGIC = 1024, 1024, 0xEF53
_DAMAGED = 4
"""e2fsck's exit code: errors are left (its man page); below, all is well, or was mended."""


@dataclass(frozen=True)
class Usage:
    """Bytes of a home: how many are taken, and how many it can hold; and the same of its files and folders."""

    used: int
    size: int
    inodes_used: int
    inodes: int

    @property
    def full(self) -> bool:
        """Whether next to nothing more can be written."""
        return self.used >= self.size * 0.99 or self.inodes_used >= self.inodes


def missing() -> str | None:
    """Why homes cannot have a size here, None where they can."""
    if os.geteuid() != 0:
        return "only root mounts a filesystem"
    lacking = [name for name in _PROGRAMS if shutil.which(name, path=_SBIN) is None]
    if lacking:
        return f"{' and '.join(lacking)} not found: apt install e2fsprogs"
    return loop.missing()


def make(image: Path, size: int, uid: int) -> None:
    """A new image, whose folder belongs to `uid`, as the file does. Raises SandboxError where that fails."""
    image.unlink(missing_ok=True)
    try:
        with image.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            os.fchown(file.fileno(), uid, uid)
            file.truncate(size)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-J", f"size={_JOURNAL_MIB}", str(image), about=image)
        with opened(image) as root:
            (root / FOLDER).mkdir(mode=0o700)
            os.chown(root / FOLDER, uid, uid)
            sync(root)
    except OSError as error:
        raise SandboxError(f"{image}: cannot be made: {error.strerror}") from None


@contextlib.contextmanager
def attached(image: Path) -> Iterator[str]:
    """The block device of an image, as long as this holds; it was looked over before if nobody had it."""
    with contextlib.ExitStack() as stack:
        with held(_lock(image)):
            device = stack.enter_context(loop.attached(image, lambda: _check(image)))
        yield device


@contextlib.contextmanager
def opened(image: Path) -> Iterator[Path]:
    """The root of an image, for this process alone; FOLDER in it is the home. Others may have it open, too."""
    with attached(image) as device:
        try:
            tree = mounts.mounted("ext4", device, *OPTIONS)
        except OSError as error:
            raise SandboxError(f"{image}: cannot be mounted: {error.strerror}") from None
        try:
            yield Path(f"/proc/self/fd/{tree}")
        finally:
            os.close(tree)


def usage(image: Path) -> Usage:
    """What the filesystem last wrote down of itself; while it is mounted, some seconds ago."""
    with image.open("rb") as file:
        file.seek(_SUPERBLOCK)
        block = file.read(_SUPERBLOCK_BYTES)

    def number(offset: int) -> int:
        return int(struct.unpack_from("<I", block, offset)[0])

    if len(block) < _SUPERBLOCK_BYTES or struct.unpack_from("<H", block, 0x38)[0] != _MAGIC:
        raise SandboxError(f"{image}: is no ext4 filesystem, so no home; restore it from the backup")
    unit = 1024 << number(0x18)
    total, free = number(0x4) | number(0x150) << 32, number(0xC) | number(0x158) << 32
    size, inodes = (total - number(0x248)) * unit, number(0x0)
    return Usage(used=size - free * unit, size=size, inodes_used=inodes - number(0x10), inodes=inodes)


def usage_at(folder: Path) -> Usage:
    """What the filesystem of a folder says now."""
    told = os.statvfs(folder)
    unit = told.f_frsize
    return Usage(
        used=(told.f_blocks - told.f_bavail) * unit,
        size=told.f_blocks * unit,
        inodes_used=told.f_files - told.f_ffree,
        inodes=told.f_files,
    )


def sync(folder: Path) -> None:
    """Put everything that was written to the filesystem of a folder on disk."""
    _run("sync", "--file-system", ".", about=folder, cwd=str(folder))


def _lock(image: Path) -> Path:
    return image.parent / ".locks" / image.name


def _check(image: Path) -> None:
    """Look a filesystem over that was not left in order. Raises SandboxError if it needs a person."""
    done = subprocess.run(
        [shutil.which("e2fsck", path=_SBIN) or "e2fsck", "-p", str(image)], check=False, capture_output=True, text=True
    )
    if done.returncode >= _DAMAGED:
        said = (done.stdout + done.stderr).strip().splitlines()
        first = said[0] if said else f"e2fsck ends with {done.returncode}"
        raise SandboxError(f"{image}: the home is damaged ({first}); take a copy, then: e2fsck -f {image}")


def _run(program: str, *arguments: str, about: Path, cwd: str | None = None) -> None:
    command = [shutil.which(program, path=_SBIN) or program, *arguments]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)
    except OSError as error:
        raise SandboxError(f"{program}: {error.strerror}") from None
    if done.returncode != 0:
        raise SandboxError(f"{about}: {program}: {done.stderr.strip() or done.returncode}")
