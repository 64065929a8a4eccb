"""The helper: carries one order out in the view of a running jail, and ends.

It is a process of its own because a view is a process's, and one with threads cannot be forked; and it imports nothing
that Python has not loaded anyway, so that it is over soon. Everything of the host is opened before the view is entered;
after that, only what stands at /data is touched, which root made and nobody in the jail can change.
"""

from __future__ import annotations

import marshal
import os
import resource
import sys

from sandbox import mounts

_DATA = "/data"
_HOME = "/home/lab"
"""Where a jail's home is once it has left the host's root (jail.HOME, which is not imported)."""
_READ_ONLY = mounts.RDONLY | mounts.NOSUID | mounts.NODEV | mounts.NOEXEC
_WRITABLE = mounts.NOSUID | mounts.NODEV | mounts.NOEXEC


def main() -> None:
    """Read an order (helper.py) from standard input and carry it out."""
    told = marshal.loads(sys.stdin.buffer.read())  # noqa: S302  our parent wrote it
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    trees = [(mounts.copied(source, attributes=_READ_ONLY), target) for source, target in told["mounts"]]
    under = _mounted_under(told["process"], told["gone"])
    mounts.enter(told["process"])
    for target in under:
        mounts.detach(target)
    data = mounts.copied(_DATA, attributes=_WRITABLE, writable=True)
    for path in told["gone"]:
        _remove(data, _inside(path))
    for path, text in (*told["files"].items(), *((target, "") for _, target in trees)):
        _write(data, _inside(path), text)
    for tree, target in trees:
        mounts.attach(tree, target)
    for path, text in told["last"].items():
        if text is None:
            _remove(data, _inside(path))
        else:
            _write(data, _inside(path), text)


def _mounted_under(process: int, folders: list[str]) -> list[str]:
    """What is mounted in these folders of the process's view, the innermost first."""
    with open(f"/proc/self/fdinfo/{process}", encoding="ascii") as file:  # noqa: PTH123
        pid = next(line.split()[1] for line in file if line.startswith("Pid:"))
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        targets = [line.split(" ")[4] for line in file]
    if _HOME not in targets:
        message = "the jail is still being made"
        raise RuntimeError(message)
    return [one for one in reversed(targets) if any(one.startswith(f"{folder}/") for folder in folders)]


def _inside(path: str) -> str:
    """A path under /data, as seen from there."""
    inside = os.path.relpath(path, _DATA)
    if inside.startswith(".."):
        message = f"{path}: is not in {_DATA}"
        raise ValueError(message)
    return inside


def _write(data: int, path: str, text: str) -> None:
    """A file in one step, with the folders above it; everybody in the jail may read it, nobody write."""
    above = ""
    for name in path.split("/")[:-1]:
        above = f"{above}{name}/"
        try:
            os.mkdir(above, 0o755, dir_fd=data)
        except FileExistsError:
            continue
        os.chmod(above, 0o755, dir_fd=data)  # noqa: S103  the jail reads it, and the umask may forbid that
    new = f"{path}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444, dir_fd=data)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(new, 0o444, dir_fd=data)
    os.rename(new, path, src_dir_fd=data, dst_dir_fd=data)


def _remove(data: int, path: str) -> None:
    """A file, or a folder with all that is in it, and each folder above it that is empty then."""
    try:
        for _, folders, files, where in os.fwalk(path, topdown=False, dir_fd=data):
            for name in files:
                os.unlink(name, dir_fd=where)
            for name in folders:
                os.rmdir(name, dir_fd=where)
        os.rmdir(path, dir_fd=data)
    except NotADirectoryError:
        os.unlink(path, dir_fd=data)
    except FileNotFoundError:
        return
    above = os.path.dirname(path)  # noqa: PTH120
    while above:
        try:
            os.rmdir(above, dir_fd=data)
        except OSError:  # something else is in it
            return
        above = os.path.dirname(above)  # noqa: PTH120
