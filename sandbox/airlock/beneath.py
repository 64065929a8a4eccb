"""Files beneath a folder that belongs to a stranger: opened without following a link, a mount or `..` out of it.

By openat2 (Linux 5.6): RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS and RESOLVE_NO_XDEV, so that the
kernel itself refuses, whatever the owner does to the folder meanwhile. Where it is missing, nothing is opened.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat

from policies.errors import SandboxError

_OPENAT2 = 437
"""The same number on every architecture (asm-generic/unistd.h)."""
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_TRIES = 20


class _How(ctypes.Structure):
    """struct open_how of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class UnsafeFileError(Exception):
    """Why a file is not touched."""


def open_beneath(folder: int, name: str, flags: int, mode: int = 0) -> int:
    """A descriptor of `name` under the open folder. Raises OSError as open does, SandboxError without openat2."""
    how = _How(flags | os.O_CLOEXEC, mode, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS | _NO_XDEV)
    libc = ctypes.CDLL(None, use_errno=True)
    for _ in range(_TRIES):
        done = libc.syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(folder),
            ctypes.c_char_p(os.fsencode(name)),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if done >= 0:
            return int(done)
        number = ctypes.get_errno()
        if number == errno.ENOSYS:
            raise SandboxError("this kernel has no openat2 (Linux 5.6), without which no file leaves a sandbox")
        if number != errno.EAGAIN:  # something was renamed on the way: the kernel asks to try again
            break
    raise OSError(number, os.strerror(number), name)


def open_folder(folder: int, name: str) -> int:
    """A folder under another. Raises UnsafeFileError where it is none, or a link."""
    try:
        return open_beneath(folder, name, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UnsafeFileError(f"{name}: expected a folder ({error.strerror})") from None


def open_file(folder: int, name: str, most: int) -> int:
    """A regular file under a folder, for reading. Raises UnsafeFileError for anything else, or more than `most` bytes.

    Looked at before it is opened, so that no device is; after, because it may be another by then; and without waiting,
    because a fifo would.
    """
    try:
        _check(name, os.stat(name, dir_fd=folder, follow_symlinks=False), most)
        descriptor = open_beneath(folder, name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise UnsafeFileError(f"{name}: cannot be opened ({error.strerror})") from None
    try:
        _check(name, os.fstat(descriptor), most)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(name: str, state: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(state.st_mode):
        kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a fifo", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
        kind = kinds.get(stat.S_IFMT(state.st_mode), "a device")
        raise UnsafeFileError(f"{name}: is {kind}; expected a regular file")
    if state.st_nlink != 1:
        raise UnsafeFileError(f"{name}: has {state.st_nlink} names; expected a file of one, so copy it")
    if state.st_size > most:
        raise UnsafeFileError(f"{name}: has {state.st_size} bytes; [airlock] size allows {most}")
