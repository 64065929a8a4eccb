"""The mount calls of Linux 5.2 and later, by number; root alone may use them.

A mount that is attached nowhere is a descriptor: it goes when that is closed, so a job that is killed leaves none. The
numbers are the same on every architecture (asm-generic/unistd.h), the flags those of linux/mount.h. Imports nothing of
ours, because a helper that lives for milliseconds starts with it (live/mounting.py).
"""

from __future__ import annotations

import ctypes
import os

_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
_AT_FDCWD, _AT_EMPTY_PATH, _AT_NO_AUTOMOUNT = -100, 0x1000, 0x800
_CLONE, _CLOEXEC = 1, os.O_CLOEXEC
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6
_FROM_DESCRIPTOR = 0x04
_DETACH, _NOFOLLOW = 2, 8
_NEW_MOUNTS = 0x0002_0000
_RECURSIVE, _SLAVE = 0x4000, 1 << 19

RDONLY, NOSUID, NODEV, NOEXEC, NOATIME = 0x01, 0x02, 0x04, 0x08, 0x10
_PRIVATE = 1 << 18

_LIBC = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    """struct mount_attr of linux/mount.h."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def mounted(kind: str, source: str, *options: str) -> int:
    """The filesystem of a device, mounted nowhere: without setuid, devices and times of reading."""
    context = _call(_FSOPEN, source, kind.encode(), 1)
    try:
        _call(_FSCONFIG, source, context, _SET_STRING, b"source", source.encode(), 0)
        for option in options:
            _call(_FSCONFIG, source, context, _SET_FLAG, option.encode(), None, 0)
        _call(_FSCONFIG, source, context, _CREATE, None, None, 0)
        return _call(_FSMOUNT, source, context, 1, NOSUID | NODEV | NOATIME)
    finally:
        os.close(context)


def copied(path: str, *, attributes: int, writable: bool = False) -> int:
    """The mount of a file or folder once more, attached nowhere, with these attributes; nothing is passed on to it.

    `writable` takes back that the first is read-only.
    """
    tree = _call(_OPEN_TREE, path, _AT_FDCWD, path.encode(), _CLONE | _CLOEXEC | _AT_NO_AUTOMOUNT)
    try:
        wanted = _Attributes(attributes, RDONLY if writable else 0, _PRIVATE, 0)
        size = ctypes.sizeof(wanted)
        _call(_MOUNT_SETATTR, path, tree, b"", _AT_EMPTY_PATH, ctypes.byref(wanted), ctypes.c_size_t(size))
    except BaseException:
        os.close(tree)
        raise
    return tree


def attach(tree: int, target: str) -> None:
    """Put a mount that is attached nowhere onto a file or folder of this view."""
    _call(_MOVE_MOUNT, target, tree, b"", _AT_FDCWD, target.encode(), _FROM_DESCRIPTOR)


def detach(target: str) -> None:
    """Take a mount away at once; files of it that are open stay open."""
    if _LIBC.umount2(target.encode(), _DETACH | _NOFOLLOW) != 0:
        _fail(target)


def leave() -> None:
    """See from here on what this process sees now, but for what it mounts itself, and let nobody else see that."""
    if _LIBC.unshare(_NEW_MOUNTS) != 0 or _LIBC.mount(None, b"/", None, _RECURSIVE | _SLAVE, None) != 0:
        _fail("mount namespace")


def enter(process: int) -> None:
    """See what a process sees, named by its pidfd, from here to the end of this process: its root and mounts."""
    if _LIBC.setns(process, _NEW_MOUNTS) != 0:
        _fail("mount namespace")


def _call(number: int, about: str, *arguments: object) -> int:
    wide = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    done: int = _LIBC.syscall(ctypes.c_long(number), *wide)
    if done < 0:
        _fail(about)
    return done


def _fail(about: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), about)
