"""A jail as data → what bubblewrap is told. Pure: nothing is read or run here, a test compares with a literal.

Two ways in, one jail:

- As root (`uid` is a number) there is no user namespace, so that folders under a 0700 parent can be mounted. bwrap
  keeps three capabilities for the one step in which `setpriv` gives up root, the bounding set and itself.
- Otherwise (`uid` is None) a user namespace maps the caller's own uid to 1000; no capability is ever held.

In both, no_new_privs is on (bwrap sets it always), every mount is nosuid and nodev, and the seccomp filter holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOME = "/home/lab"
MAPPED_UID = 1000
_SHM_BYTES = 64 * 1024**2
_OPEN_FILES = 4096

_SYSTEM = (
    *("--ro-bind", "/usr", "/usr"),
    *("--symlink", "usr/bin", "/bin"),
    *("--symlink", "usr/sbin", "/sbin"),
    *("--symlink", "usr/lib", "/lib"),
    *("--symlink", "usr/lib64", "/lib64"),
    *("--proc", "/proc"),
    *("--dev", "/dev"),
    *("--perms", "0755", "--dir", "/etc"),
    *("--ro-bind-try", "/etc/alternatives", "/etc/alternatives"),
    *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"),
    *("--ro-bind-try", "/etc/localtime", "/etc/localtime"),
    *("--ro-bind-try", "/etc/R", "/etc/R"),
)
"""What every program needs of the host, and nothing that is the host's own. Expects a merged /usr."""


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host, at the absolute path where the jail sees it, read-only."""

    source: Path
    target: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Everything a jail holds. What is not named here is not in it.

    `home` is a folder, or the image of one (quota.py); a jail without one is warm: its command keeps root and what it
    takes to give that up, and does so when it is claimed (warm.py). `files` are read-only: target → content. `shared`
    are folders in which the jail may write beside its home, by the `groups` that it has as root. `user_pids` and
    `process_data` stand in for a cgroup where there is none: how many processes the uid may have, and how many bytes of
    data each of them.
    """

    uid: int | None
    home: Path | None
    mounts: tuple[Mount, ...]
    files: Mapping[str, bytes]
    env: Mapping[str, str]
    seccomp: bytes
    tmp: int
    file_size: int
    command: tuple[str, ...]
    shared: tuple[Mount, ...] = ()
    groups: tuple[int, ...] = ()
    user_pids: int | None = None
    process_data: int | None = None
    disable_userns: bool = False


def bwrap_options(profile: Profile, *, files: Sequence[int], seccomp: int, status: int) -> list[str]:
    """The options of bwrap, without the command. `files` are the descriptors of `profile.files`, in their order."""
    return [
        *_namespaces(profile),
        *("--hostname", "datalab"),
        *("--new-session", "--die-with-parent", "--clearenv"),
        *_SYSTEM,
        *_tmpfs("/tmp", profile.tmp),  # noqa: S108  the jail's own
        *_tmpfs("/dev/shm", _SHM_BYTES),  # noqa: S108  the jail's own
        *_folders(profile),
        *(word for mount in profile.mounts for word in ("--ro-bind", str(mount.source), mount.target)),
        *(() if profile.home is None else ("--bind", str(profile.home), HOME)),
        *(word for mount in profile.shared for word in ("--bind", str(mount.source), mount.target)),
        *(
            word
            for target, descriptor in zip(profile.files, files, strict=True)
            for word in ("--perms", "0444", "--file", str(descriptor), target)
        ),
        *("--remount-ro", "/", "--remount-ro", "/dev"),
        *(word for name, value in profile.env.items() for word in ("--setenv", name, value)),
        *("--chdir", "/"),
        *("--seccomp", str(seccomp)),
        *("--json-status-fd", str(status)),
    ]


def jailed_command(profile: Profile) -> list[str]:
    """What bwrap starts: give up all privileges, bound each process, then the command.

    The limits are set here, inside, since the kernel counts a user's processes per user namespace.
    """
    # The home not by bwrap: root without capabilities may not enter one that is 0700
    entering = () if profile.home is None else (*_drop(profile), "/usr/bin/env", f"--chdir={HOME}")
    return [
        *entering,
        "/usr/bin/prlimit",
        "--core=0",
        f"--nofile={_OPEN_FILES}",
        f"--fsize={profile.file_size}",
        *([] if profile.user_pids is None else [f"--nproc={profile.user_pids}"]),
        *([] if profile.process_data is None else [f"--data={profile.process_data}"]),
        "--",
        *profile.command,
    ]


def _namespaces(profile: Profile) -> tuple[str, ...]:
    fresh = ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    if profile.uid is None:
        mapped = ("--unshare-user", "--uid", str(MAPPED_UID), "--gid", str(MAPPED_UID))
        return (*mapped, *(("--disable-userns",) if profile.disable_userns else ()), *fresh, "--cap-drop", "ALL")
    kept = (word for name in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP") for word in ("--cap-add", name))
    return (*fresh, "--cap-drop", "ALL", *kept)


def _drop(profile: Profile) -> tuple[str, ...]:
    if profile.uid is None:
        return ("/usr/bin/setpriv", "--nnp", "--inh-caps=-all", "--")
    return (
        *("/usr/bin/setpriv", f"--reuid={profile.uid}", f"--regid={profile.uid}"),
        *(f"--groups={','.join(map(str, profile.groups))}" if profile.groups else "--clear-groups", "--nnp"),
        *("--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"),
    )


def _tmpfs(target: str, size: int) -> tuple[str, ...]:
    return ("--size", str(size), "--perms", "1777", "--tmpfs", target)


def _folders(profile: Profile) -> list[str]:
    """Every folder that is to hold a mount or a file: bwrap alone would make them 0700 and root's.

    The innermost are enough, for bwrap makes those above with the same rights; its options are bounded in number.
    """
    mounts = (*profile.mounts, *profile.shared)
    targets = [*(mount.target for mount in mounts), *profile.files, f"{HOME}/x" if profile.home is None else HOME]
    targets.append("/data/x")
    given = {"/", "/usr", "/proc", "/dev", "/tmp", "/etc"}  # noqa: S108  the jail's own
    holding = {PurePosixPath(target).parent for target in targets}
    above = {parent for folder in holding for parent in folder.parents}
    mounted = {mount.target for mount in mounts}
    innermost = sorted({str(folder) for folder in holding - above} - given - mounted)
    return [word for folder in innermost for word in ("--perms", "0755", "--dir", folder)]
