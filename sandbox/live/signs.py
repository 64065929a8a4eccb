"""Whether anything has changed that a grant hangs on: files of the lab, and the day.

The kernel tells of most changes at once (inotify); what it does not tell of, such as a change on another machine's side
of a shared disk, is seen by looking each second.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import os
import select
from typing import TYPE_CHECKING

from catalog.lake import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from catalog.lab import Lab

_SECOND = 1.0
_WRITTEN = 0x008 | 0x040 | 0x080 | 0x200
"""inotify(7): IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_DELETE."""
_CHUNK = 65536


class Signs:
    """What was last seen of a lab's files. Used by one thread."""

    def __init__(self, lab: Lab) -> None:
        """Watch from here on."""
        self._lab = lab
        self._seen: object = None
        libc = ctypes.CDLL(None, use_errno=True)
        self._told: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        for folder in (lab.root, lab.root / "policies", lab.root / "datasets", lab.root / "var"):
            if self._told >= 0:
                libc.inotify_add_watch(self._told, os.fsencode(folder), _WRITTEN)

    def __enter__(self) -> Self:
        """Watching already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        if self._told >= 0:
            os.close(self._told)

    def changed(self) -> bool:
        """Whether anything is other than at the last call; True at the first."""
        lab = self._lab
        who = tuple(stamp(lab.root / name) for name in ("datalab.toml", "var/users.json"))
        now = (dt.datetime.now(dt.UTC).date(), who, tuple(lab.stamp(slug) for slug in lab.slugs))
        differs, self._seen = now != self._seen, now
        return differs

    def wait(self, others: Sequence[int]) -> bool:
        """Wait until there may be something new, a second at most; False once one of the other descriptors is ready."""
        told = [self._told] if self._told >= 0 else []
        ready, _, _ = select.select([*told, *others], [], [], _SECOND)
        if self._told in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._told, _CHUNK)
        return not any(one in ready for one in others)
