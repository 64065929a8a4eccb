"""The folder that a group shares, at var/projects/GROUP, which its members see at /projects/GROUP.

As root each sandbox has a uid of its own, so the folder has a group id of its own, and a default ACL by which what one
member writes another may change (acl(5); the layout is that of posix_acl_xattr.h).
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING

from policies.replace import held
from sandbox.jail import Mount

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.lab import Lab

_VERSION = struct.pack("<I", 2)
_USER_OBJ, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x04, 0x10, 0x20
_NOBODY = 0xFFFF_FFFF


def project_of(lab: Lab, group: str, first_uid: int) -> tuple[Mount, tuple[int, ...]]:
    """The folder of a group, made when it is missing, and the groups by which a sandbox may write there."""
    projects = lab.var / "projects"
    folder = projects / group
    with held(projects / ".lock"):
        if not folder.is_dir():
            _make(projects, folder, first_uid)
    groups = (folder.stat().st_gid,) if os.geteuid() == 0 else ()
    return Mount(folder, f"/projects/{group}"), groups


def _make(projects: Path, folder: Path, first: int) -> None:
    fresh = projects / ".new"
    fresh.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        taken = [path.stat().st_gid for path in projects.iterdir() if path.is_dir()]
        os.chown(fresh, 0, max([first - 1, *taken]) + 1)
        fresh.chmod(0o2770)
        with contextlib.suppress(OSError):  # a filesystem without ACLs: members read what others write there
            os.setxattr(fresh, "system.posix_acl_default", _members_may())
    fresh.rename(folder)


def _members_may() -> bytes:
    entries = ((_USER_OBJ, 7), (_GROUP_OBJ, 7), (_MASK, 7), (_OTHER, 0))
    return _VERSION + b"".join(struct.pack("<HHI", tag, may, _NOBODY) for tag, may in entries)
