"""A jail that waits, warm, and becomes a user's sandbox in a fraction of a cold start's time. As root alone.

    warm = Warm(warm_profile(lab, settings), limits)    # a jail that has loaded JupyterLab: no home, no data, nobody's
    jailed = open_sandbox(profile, limits, listening, warm)     # it becomes that profile; or one is started cold

Claimed, it is what `start(profile, limits)` would have made: the same mounts, files, user, capabilities, filter and
limits, and tests compare the two. It is claimed once, and belongs to who made it: it ends with the thread that called
`Warm`. So whoever holds one sandbox in a process of its own, as a keeper of the Hub does, is started early, makes its
`Warm`, and is given its order later.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from policies.errors import SandboxError
from sandbox.limits import Cgroup
from sandbox.live.helper import Order, run
from sandbox.process import entered, mount_point, start

if TYPE_CHECKING:
    from typing import Self

    from sandbox.jail import Profile
    from sandbox.limits import Limits
    from sandbox.process import Jailed

_ANSWERS_WITHIN = 60


class Warm:
    """One warm jail; `with` ends it unless it was claimed, for then who claimed it does."""

    def __init__(self, profile: Profile, limits: Limits) -> None:
        """Start the profile (profile.warm_profile); it is warm a few seconds later.

        Raises SandboxError where no jail can be made.
        """
        self._limits = limits
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._taken = threading.Lock()
        self._warm = False
        with theirs:
            self._profile = replace(profile, env={**profile.env, "DATALAB_CLAIM": str(theirs.fileno())})
            try:
                self._jailed = start(self._profile, limits, stdin=subprocess.PIPE, keep=(theirs.fileno(),))
            except BaseException:
                self._asked.close()
                raise

    def __enter__(self) -> Self:
        """It warms up already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, unless it was claimed."""
        self.end()

    def end(self) -> None:
        """End it, unless it was claimed."""
        if self._taken.acquire(blocking=False):
            self._end()

    @property
    def ended(self) -> int:
        """A descriptor that becomes readable when its last process is gone."""
        return self._jailed.ended

    def wait(self, seconds: float = _ANSWERS_WITHIN) -> bool:
        """Wait until it is warm; says whether it is, was not claimed and has not ended."""
        return not self._taken.locked() and self._is_warm(seconds)

    def _is_warm(self, seconds: float) -> bool:
        if not self._warm and select.select([self._asked], [], [], seconds)[0]:
            self._warm = self._asked.recv(64) == b"warm"
        return self._warm and not self._jailed.has_ended

    def claim(self, profile: Profile, limits: Limits, listening: socket.socket) -> Jailed | None:
        """Make it the jail of a profile, whose command is a script for PYTHON, with the listening socket in it.

        None, and it stays warm, where it cannot become what the profile would be cold (another Python; other limits
        where no cgroup sets them); None, too, where it is not warm, was claimed, or uses more memory than the limits
        allow. Raises SandboxError where it failed on the way: it is ended.
        """
        if not fits(self._profile, profile) or not (limits == self._limits or isinstance(self._jailed.cgroup, Cgroup)):
            return None
        if not self._taken.acquire(blocking=False):
            return None
        try:
            if self._is_warm(0) and self._bound(limits):
                self._become(profile, listening)
                self._asked.close()
                return self._jailed
        except BaseException:
            self._end()
            raise
        self._end()
        return None

    def _bound(self, limits: Limits) -> bool:
        """Give it these limits; False where it uses more already than they allow."""
        if limits == self._limits or not isinstance(self._jailed.cgroup, Cgroup):
            return True
        if self._jailed.cgroup.used() > limits.memory:
            return False
        self._jailed.cgroup.bound(limits)
        return True

    def _become(self, profile: Profile, listening: socket.socket) -> None:
        if profile.home is None:
            raise SandboxError("a sandbox needs a home")
        device = entered(profile.home, self._jailed.home)
        home = (str(profile.home),) if device is None else (device, str(mount_point(profile.home)))
        failed = run(self._jailed.ended, claiming(self._profile, profile, home))
        if failed is not None:
            raise SandboxError(f"a warm sandbox could not be claimed: {failed}")
        told = {
            "uid": profile.uid,
            "groups": list(profile.groups),
            "file_size": profile.file_size,
            "env": dict(profile.env),
            "argv": list(profile.command[1:]),
        }
        socket.send_fds(self._asked, [json.dumps(told).encode()], [listening.fileno()])
        answered, _, _ = select.select([self._asked.fileno(), self._jailed.ended], [], [], _ANSWERS_WITHIN)
        if self._asked.fileno() not in answered or self._asked.recv(64) != b"claimed":
            raise SandboxError("a warm sandbox did not become its user's, and was ended")

    def _end(self) -> None:
        self._asked.close()
        self._jailed.__exit__()


def open_sandbox(profile: Profile, limits: Limits, listening: socket.socket, warm: Warm | None) -> Jailed:
    """The jail of a profile, which listens on that socket: the warm one if it can become it, else one started cold.

    The listening socket's number goes into DATALAB_LISTEN. Raises SandboxError as `process.start`.
    """
    jailed = None if warm is None else warm.claim(profile, limits, listening)
    if jailed is not None:
        return jailed
    env = {**profile.env, "DATALAB_LISTEN": str(listening.fileno())}
    return start(replace(profile, env=env), limits, stdin=subprocess.PIPE, keep=(listening.fileno(),))


def fits(warm: Profile, profile: Profile) -> bool:
    """Whether a warm jail can become that of a profile. Pure."""
    same = (warm.tmp, warm.seccomp, warm.command[0]) == (profile.tmp, profile.seccomp, profile.command[0])
    return same and profile.uid is not None and set(warm.mounts) <= set(profile.mounts)


def claiming(warm: Profile, profile: Profile, home: tuple[str, ...]) -> Order:
    """What a warm jail lacks of a profile; `home` as the order has it. Pure."""
    return Order(
        files={path: text for path, text in profile.files.items() if warm.files.get(path) != text},
        mounts=tuple((str(one.source), one.target) for one in profile.mounts if one not in warm.mounts),
        shared=tuple((str(one.source), one.target) for one in profile.shared),
        base="/",
        home=home,
    )
