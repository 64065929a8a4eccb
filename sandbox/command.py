"""`datalab sandbox exec`: one command in the jail of a user, its output passed through as it comes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from policies.errors import SandboxError
from sandbox.limits import Limits, NoCgroup
from sandbox.process import Jailed, start, unusable
from sandbox.profile import profile_of
from sandbox.settings import SandboxSettings
from sandbox.streams import exchange, write_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab
    from sandbox.jail import Profile


def execute(
    lab: Lab,
    user: str,
    command: tuple[str, ...],
    *,
    purpose: str | None = None,
    warn: Callable[[str], None] = lambda _: None,
    stdin: int | None = 0,
    stdout: int = 1,
    stderr: int = 2,
) -> int:
    """Run `command` in the jail of `user`; returns its exit code. The streams are descriptors of ours.

    Raises SandboxError when no jail can be made (then nothing was run), or when the command ran into the deadline,
    the output bound or the memory limit of [sandbox]; DeniedError and UsageError as `profile_of`.
    """
    settings = lab.section("sandbox", SandboxSettings)
    profile = profile_of(lab, user, settings, purpose=purpose, command=command, warn=warn)
    with open_jail(profile, settings, warn) as jailed:
        exchange(
            jailed,
            feed=stdin,
            out=lambda chunk: write_all(stdout, chunk),
            err=lambda chunk: write_all(stderr, chunk),
            settings=settings,
        )
        code = jailed.wait()
        if code != 0 and jailed.out_of_memory:
            raise SandboxError(memory_exceeded(settings))
        return code


def open_jail(
    profile: Profile, settings: SandboxSettings, warn: Callable[[str], None], *, keep: tuple[int, ...] = ()
) -> Jailed:
    """Start a profile under the settings' limits, with pipes for its streams; `keep` are descriptors it inherits.

    Raises SandboxError with the remedy where no jail can be made; warns where its limits hold less than they say.
    """
    reason = unusable()
    if reason is not None:
        raise SandboxError(reason)
    limits = Limits(memory=settings.memory, pids=settings.pids, cpus=settings.cpus)
    jailed = start(profile, limits, stdin=subprocess.PIPE, keep=keep)
    if isinstance(jailed.cgroup, NoCgroup):
        warn(
            f"no cgroup ({jailed.cgroup.reason}): memory is limited for each process alone, and processor time is "
            "not; run as root, or give this service a cgroup of its own"
        )
    return jailed


def memory_exceeded(settings: SandboxSettings) -> str:
    """What to say when the kernel has killed a process for its memory."""
    allowed = settings.memory.human_readable()
    return f"a process was killed: together they used more than {allowed}; the bound is [sandbox] memory"
