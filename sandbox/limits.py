"""Memory, processes and processor time of a whole jail: cgroup v2, cgroup v1, or a reason why neither.

    create → start entering(argv) → wait → remove

Where there is no cgroup (not root, or a container without its own), the limits hold for each process alone, and the
caller says so. Controllers' files: kernel Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
_PREFIX = "datalab-"
_PERIOD = 100_000
_NUMBERS = count()
_V1_CONTROLLERS = ("memory", "pids", "cpu")
_WHERE_THERE = ("memory.swap.max", "memory.memsw.limit_in_bytes")
"""Not there in a kernel without swap accounting."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What all processes of one jail may use together."""

    memory: int
    pids: int
    cpus: float


@dataclass(frozen=True)
class NoCgroup:
    """Why there is no cgroup here; a limit then holds for each process alone."""

    reason: str


@dataclass(frozen=True)
class Cgroup:
    """The control group of one jail: a single folder (v2), or one a controller (v1)."""

    folders: tuple[Path, ...]

    def entering(self, argv: list[str]) -> list[str]:
        """`argv`, so that it enters the cgroup before its first step; the process id stays that of the caller's child.

        If it cannot enter it does not run, and ends with 125.
        """
        enter = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"'
        return ["/bin/sh", "-c", enter, "sh", *(str(folder / "cgroup.procs") for folder in self.folders), "--", *argv]

    def bound(self, limits: Limits) -> None:
        """Set its limits, or give it other ones; who gives it less than it has `used` may have its processes killed."""
        for folder, files in zip(self.folders, _files(limits, len(self.folders)), strict=True):
            there = {
                name: value for name, value in files.items() if name not in _WHERE_THERE or (folder / name).exists()
            }
            for name in sorted(there, reverse=_grows(folder, limits)):
                _write(folder / name, there[name])

    def used(self) -> int:
        """The bytes of memory that its processes use, with what they read of files."""
        for folder in self.folders:
            for name in ("memory.current", "memory.usage_in_bytes"):
                with contextlib.suppress(FileNotFoundError):
                    return int((folder / name).read_text(encoding="ascii"))
        return 0

    def oom_kills(self) -> int:
        """How many of its processes the kernel has killed because the memory limit was reached."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    for line in (folder / name).read_text(encoding="ascii").splitlines():
                        key, _, value = line.partition(" ")
                        if key == "oom_kill":
                            return int(value)
        return 0

    def remove(self) -> None:
        """Take the group away once its last process is gone; one that will not go is left to the next jail."""
        for folder in self.folders:
            for _ in range(100):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:  # the kernel lets go of killed processes a little after they are gone
                    time.sleep(0.01)
                else:
                    break


def create(limits: Limits, mount: Path | None = None) -> Cgroup | NoCgroup:
    """Make a cgroup with these limits, or say why there is none. `mount` is where cgroups are, MOUNT when None."""
    mount = MOUNT if mount is None else mount
    name = f"{_PREFIX}{os.getpid()}-{next(_NUMBERS)}"
    try:
        if (mount / "cgroup.controllers").exists():
            return _create_v2(mount, name, limits)
        if all((mount / controller / "cgroup.procs").exists() for controller in _V1_CONTROLLERS):
            return _create_v1(mount, name, limits)
    except OSError as error:
        return NoCgroup(f"{error.filename}: {error.strerror}")
    return NoCgroup(f"{mount} holds neither cgroup v2 nor the v1 controllers {', '.join(_V1_CONTROLLERS)}")


def _create_v2(mount: Path, name: str, limits: Limits) -> Cgroup:
    _sweep(mount)
    _write(mount / "cgroup.subtree_control", "+memory +pids +cpu")
    jail = mount / name
    jail.mkdir()
    cgroup = Cgroup((jail,))
    cgroup.bound(limits)
    return cgroup


def _create_v1(mount: Path, name: str, limits: Limits) -> Cgroup:
    jails = []
    for controller in _V1_CONTROLLERS:
        own = _own_v1(mount, controller)
        _sweep(own)
        jail = own / name
        jail.mkdir()
        jails.append(jail)
    cgroup = Cgroup(tuple(jails))
    cgroup.bound(limits)
    return cgroup


def _files(limits: Limits, folders: int) -> tuple[dict[str, str], ...]:
    """What is written into which file of each folder: one of version 2, or those of _V1_CONTROLLERS."""
    memory, pids = str(limits.memory), str(limits.pids)
    whole = limits.cpus >= (os.cpu_count() or 1)  # a quota of all there is costs its accounts, and bounds nothing
    quota = None if whole else str(int(limits.cpus * _PERIOD))
    if folders == 1:
        return (
            {"memory.max": memory, "memory.swap.max": "0", "pids.max": pids, "cpu.max": f"{quota or 'max'} {_PERIOD}"},
        )
    return (
        {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
        {"pids.max": pids},
        {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": quota or "-1"},
    )


def _grows(folder: Path, limits: Limits) -> bool:
    """Whether version 1 is given more memory than before: what counts swap, too, may never be the smaller bound."""
    with contextlib.suppress(OSError, ValueError):
        return int((folder / "memory.limit_in_bytes").read_text(encoding="ascii")) < limits.memory
    return False


def _own_v1(mount: Path, controller: str) -> Path:
    """The group we are in ourselves: below it, a limit set on us holds for the jail too."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            own = mount / controller / path.lstrip("/")
            if own.is_dir():
                return own
    return mount / controller


def _sweep(above: Path) -> None:
    """Take away the groups of processes that were killed before they could do it."""
    for folder in above.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _write(path: Path, value: str) -> None:
    with path.open("w", encoding="ascii") as file:
        file.write(value)
