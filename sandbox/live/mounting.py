"""The helper: carries one order out in the view of a running jail, and ends.

It is a process of its own because a view is a process's, and one with threads cannot be forked; and it imports nothing
that Python has not loaded anyway, so that it is over soon. Everything of the host is opened before the view is entered;
after that, only what stands at /data is touched, which root made and nobody in the jail can change; or, in a jail that
is being claimed, what root made for it, before anybody else is in it.
"""

from __future__ import annotations

import marshal
import os
import resource
import stat
import sys

from sandbox import mounts

_HOME = "/home/lab"
"""Where a jail's home is once it has left the host's root (jail.HOME, which is not imported)."""
_HARMLESS = mounts.NOSUID | mounts.NODEV


def main() -> None:
    """Read an order (helper.py) from standard input and carry it out."""
    told = marshal.loads(sys.stdin.buffer.read())  # noqa: S302  our parent wrote it
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    claims = told["base"] == "/"
    read_only = _HARMLESS | mounts.RDONLY | (0 if claims else mounts.NOEXEC)
    trees = [(mounts.copied(source, attributes=read_only), target) for source, target in told["mounts"]]
    trees += [(mounts.copied(source, attributes=_HARMLESS), target) for source, target in told["shared"]]
    homes = [(_home(*told["home"]), _HOME)] if told["home"] else []
    under = _mounted_under(told["process"], told["gone"], made=not claims)
    mounts.enter(told["process"])
    for target in under:
        mounts.detach(target)
    base = told["base"]
    writable = mounts.copied(base, attributes=_HARMLESS | mounts.NOEXEC, writable=True)
    for path in told["gone"]:
        _remove(writable, _inside(base, path))
    for path, content in told["files"].items():
        _write(writable, _inside(base, path), content)
    for tree, target in trees:
        _place(writable, tree, _inside(base, target))
    for tree, target in (*trees, *homes):
        mounts.attach(tree, target)
    for path, content in told["last"].items():
        if content is None:
            _remove(writable, _inside(base, path))
        else:
            _write(writable, _inside(base, path), content)


def _home(source: str, place: str = "") -> int:
    """The mount of a home: of a folder, or of the one in the filesystem of a device, which is mounted at `place` first.

    That is in a view of this process alone, which ends with it.
    """
    if place:
        mounts.leave()
        tree = mounts.mounted("ext4", source, "discard")
        mounts.attach(tree, place)
        source = f"{place}/home"
    return mounts.copied(source, attributes=_HARMLESS)


def _place(writable: int, tree: int, path: str) -> None:
    """Something that a mount can stand on: a folder for a folder, else a file."""
    if stat.S_ISDIR(os.fstat(tree).st_mode):
        _folders(writable, f"{path}/")
    else:
        _write(writable, path, b"")


def _mounted_under(process: int, folders: list[str], *, made: bool) -> list[str]:
    """What is mounted in these folders of the process's view, the innermost first."""
    with open(f"/proc/self/fdinfo/{process}", encoding="ascii") as file:  # noqa: PTH123
        pid = next(line.split()[1] for line in file if line.startswith("Pid:"))
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        targets = [line.split(" ")[4] for line in file]
    if made and _HOME not in targets:
        message = "the jail is still being made"
        raise RuntimeError(message)
    return [one for one in reversed(targets) if any(one.startswith(f"{folder}/") for folder in folders)]


def _inside(base: str, path: str) -> str:
    """A path under a folder, as seen from there."""
    inside = os.path.relpath(path, base)
    if inside.startswith(".."):
        message = f"{path}: is not in {base}"
        raise ValueError(message)
    return inside


def _write(data: int, path: str, content: bytes) -> None:
    """A file in one step, with the folders above it; everybody in the jail may read it, nobody write."""
    _folders(data, path)
    new = f"{path}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444, dir_fd=data)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.chmod(new, 0o444, dir_fd=data)
    os.rename(new, path, src_dir_fd=data, dst_dir_fd=data)


def _folders(data: int, path: str) -> None:
    """Make the folders above a path."""
    above = ""
    for name in path.split("/")[:-1]:
        above = f"{above}{name}/"
        try:
            os.mkdir(above, 0o755, dir_fd=data)
        except FileExistsError:
            continue
        os.chmod(above, 0o755, dir_fd=data)  # noqa: S103  the jail reads it, and the umask may forbid that


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
