"""An image file as a block device: one loop device an image, however many ask, gone by itself with its last user.

The kernel has one filesystem a device. So as long as an image has one device, it can be mounted any number of times, in
any view, and is never written by two filesystems at once. Calls and structures: linux/loop.h, Linux 5.8.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from policies.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CONTROL = Path("/dev/loop-control")
_BOUND = Path("/sys/block")
_FREE, _CONFIGURE, _STATUS = 0x4C82, 0x4C0A, 0x4C05
_AUTOCLEAR = 4
_INFO = struct.Struct("=5Q4I64s64s32s2Q")
_CONFIG = struct.Struct(f"=2I{_INFO.size}s64x")
_TRIES = 50


def missing() -> str | None:
    """Why there are no loop devices here; None where there are."""
    try:
        os.close(os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{_CONTROL}: {error.strerror}"
    return None


@contextlib.contextmanager
def attached(image: Path, first: Callable[[], None]) -> Iterator[str]:
    """The path of an image's device, which stays while it is open here or mounted anywhere.

    `first` is called before an image gets a device, so while nobody has it mounted. Two callers must not come here at
    once for the same image: its lock is theirs. Raises SandboxError where no device can be had.
    """
    descriptor, path = _found(image) or _made(image, first)
    try:
        yield path
    finally:
        os.close(descriptor)


def _found(image: Path) -> tuple[int, str] | None:
    """The device that has this image already. One whose last user is just leaving does not count."""
    state = image.stat()
    minor, major = os.minor(state.st_dev), os.major(state.st_dev)
    wanted = ((minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12), state.st_ino)
    for folder in _BOUND.glob("loop*/loop"):
        path = f"/dev/{folder.parent.name}"
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                status = fcntl.ioctl(descriptor, _STATUS, bytes(_INFO.size))
            except OSError:
                os.close(descriptor)
                continue
            if _INFO.unpack(status)[:2] == wanted:
                return descriptor, path
            os.close(descriptor)
    return None


def _made(image: Path, first: Callable[[], None]) -> tuple[int, str]:
    first()
    backing = os.open(image, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        for _ in range(_TRIES):
            number = _free_number()
            path = f"/dev/loop{number}"
            info = _INFO.pack(0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR, os.fsencode(image.name)[:63], b"", b"", 0, 0)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError as error:
                raise SandboxError(f"{path}: {error.strerror}; the home {image} cannot be mounted") from None
            try:
                fcntl.ioctl(descriptor, _CONFIGURE, _CONFIG.pack(backing, 0, info))
            except OSError as error:
                os.close(descriptor)
                if error.errno == errno.EBUSY:  # another took it first
                    continue
                raise SandboxError(f"{path}: {error.strerror}; the home {image} cannot be mounted") from None
            return descriptor, path
    finally:
        os.close(backing)
    raise SandboxError(f"{_CONTROL}: no loop device was free; the home {image} cannot be mounted")


def _free_number() -> int:
    control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(control, _FREE)
    finally:
        os.close(control)
