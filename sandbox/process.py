"""Start a jail, wait for it, end it. Everything that runs in a sandbox is started by `start`, there is no other way.

    with start(profile, limits, …) as jailed:    # on leaving, all its processes are dead and its cgroup is gone
        jailed.wait()

bwrap's options, and so every path of the host and the server's token, go by a descriptor, never by argv.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from policies.errors import SandboxError
from sandbox import limits as cgroups
from sandbox import quota, seccomp
from sandbox.homes import note_use, using
from sandbox.jail import Profile, bwrap_options, jailed_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from sandbox.limits import Cgroup, Limits, NoCgroup

_ENDS_SOON = 10
_MOST_OPTIONS = 8900
"""bwrap takes 9000 words, argv and all (MAX_ARGS in bubblewrap.c). A table of one file needs 7, an edition 5 more."""


@dataclass
class Jailed:
    """A jail that runs. `ended` is a descriptor that becomes readable when its last process is gone."""

    bwrap: subprocess.Popen[bytes]
    cgroup: Cgroup | NoCgroup
    ended: int
    home: contextlib.ExitStack = field(repr=False)
    """What holds the home, until the last process is gone."""
    _status: IO[bytes] = field(repr=False)

    def __enter__(self) -> Self:
        """Nothing to do: it runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever it does."""
        self.kill()
        try:
            self.bwrap.wait(_ENDS_SOON)
        except subprocess.TimeoutExpired:  # its first process hangs in the kernel; bwrap itself need not
            self.bwrap.kill()
            self.bwrap.wait()
        for stream in (self.bwrap.stdin, self.bwrap.stdout, self.bwrap.stderr, self._status):
            if stream is not None:
                with contextlib.suppress(OSError):  # a pipe that nobody reads any more
                    stream.close()
        os.close(self.ended)
        self.home.close()
        if isinstance(self.cgroup, cgroups.Cgroup):
            self.cgroup.remove()

    def kill(self) -> None:
        """Kill the first process of the jail: the kernel kills all others with it. Harmless once it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.ended, signal.SIGKILL)

    def wait(self) -> int:
        """The exit code of the command (128 + the signal's number if one killed it), once the jail is empty.

        Raises SandboxError if the command was never reached; what bwrap said is on its standard error.
        """
        self.bwrap.wait()
        for line in self._status:
            code = json.loads(line).get("exit-code")
            if isinstance(code, int):
                return code
        message = "bubblewrap could not make the jail, so nothing was run; its own message says why"
        raise SandboxError(message)

    @property
    def pid(self) -> int:
        """The process id of its first process, as the host has it. Raises ProcessLookupError once it has ended."""
        return pid_of(self.ended)

    @property
    def has_ended(self) -> bool:
        """Whether its last process is gone."""
        return bool(select.select([self.ended], [], [], 0)[0])

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel has killed a process of it for using more memory than allowed."""
        return isinstance(self.cgroup, cgroups.Cgroup) and self.cgroup.oom_kills() > 0


def pid_of(process: int) -> int:
    """The process id behind a pidfd. Raises ProcessLookupError once it has ended."""
    lines = Path(f"/proc/self/fdinfo/{process}").read_text(encoding="ascii").splitlines()
    pid = next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))
    if pid <= 0:
        raise ProcessLookupError
    return pid


def start(
    profile: Profile,
    limits: Limits,
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    keep: Sequence[int] = (),
) -> Jailed:
    """Start `profile.command` in its jail; the streams are as for Popen, `keep` are descriptors that it inherits.

    Raises SandboxError if bubblewrap is missing or the jail cannot be made.
    """
    bwrap = _bwrap()
    cgroup = cgroups.create(limits)
    if isinstance(cgroup, cgroups.NoCgroup):
        profile = replace(profile, user_pids=limits.pids, process_data=limits.memory)
    profile = replace(profile, disable_userns=profile.uid is None and _knows_disable_userns(bwrap))
    read, write = os.pipe()
    status = os.fdopen(read, "rb")
    home = contextlib.ExitStack()
    try:
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, write)
            profile, mounting = _with_home(profile, home)
            files = [stack.enter_context(_in_memory(content)) for content in profile.files.values()]
            program = stack.enter_context(_in_memory(profile.seccomp))
            options = bwrap_options(profile, files=files, seccomp=program, status=write)
            _check_number(options, profile)
            # Not in argv, which every process of the host, and by /proc/1 of the jail, can read.
            hidden = stack.enter_context(_in_memory("".join(f"{word}\0" for word in options).encode()))
            argv = [*mounting, bwrap, "--args", str(hidden), "--", *jailed_command(profile)]
            process = subprocess.Popen(
                argv if isinstance(cgroup, cgroups.NoCgroup) else cgroup.entering(argv),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(*files, program, hidden, write, *keep),
                env={"PATH": "/usr/bin:/bin"},  # /proc/1/environ of the jail shows it
                cwd="/",
                process_group=0,  # Ctrl-C is for us alone; we end the jail
            )
    except BaseException:
        status.close()
        home.close()
        if isinstance(cgroup, cgroups.Cgroup):
            cgroup.remove()
        raise
    return Jailed(process, cgroup, _pidfd(process, status), home, status)


def unusable() -> str | None:
    """Why no jail can be made on this machine, and what to do about it; None if one can. Really starts one."""
    try:
        probe = Profile(
            uid=None if os.geteuid() != 0 else 65534,
            home=Path("/usr"),  # any folder that is always there: nothing writes
            mounts=(),
            files={},
            env={},
            seccomp=seccomp.program(),
            tmp=1024**2,
            file_size=1024**2,
            command=("/usr/bin/true",),
        )
        with start(probe, cgroups.Limits(memory=64 * 1024**2, pids=64, cpus=1)) as jailed:
            _, said = jailed.bwrap.communicate()
            if jailed.bwrap.returncode == 0:
                return None
    except SandboxError as error:
        return str(error)
    first = said.decode(errors="replace").strip().partition("\n")[0] or f"exit code {jailed.bwrap.returncode}"
    return f"bubblewrap does not work here ({first}). {_remedy(first)}"


def entered(home: Path, stack: contextlib.ExitStack) -> str | None:
    """Hold a home until `stack` closes: its block device, or None where it is a folder."""
    stack.enter_context(using(home))
    if not home.is_file():
        return None
    note_use(home)
    return stack.enter_context(quota.attached(home))


def mount_point(home: Path) -> Path:
    """Where an image is mounted in the view of who makes a jail; the home is quota.FOLDER in it."""
    place = home.parent / ".mount"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def _with_home(profile: Profile, stack: contextlib.ExitStack) -> tuple[Profile, list[str]]:
    """The profile with a folder for its home, and what goes before bwrap so that it is one; kept until `stack` closes.

    An image is mounted in a view that bwrap and its jail alone have, so it is unmounted with them, however they end.
    """
    if profile.home is None:
        return profile, []
    device = entered(profile.home, stack)
    if device is None:
        return profile, []
    place = mount_point(profile.home)
    mount = 'mount -t ext4 -o "$1" -- "$2" "$3" || exit 125; shift 3; exec "$@"'
    options = ",".join(("nosuid", "nodev", "noatime", *quota.OPTIONS))
    view = ("/usr/bin/unshare", "--mount", "--propagation", "slave", "--", "/bin/sh", "-c", mount, "sh")
    return replace(profile, home=place / quota.FOLDER), [*view, options, device, str(place)]


def _check_number(options: list[str], profile: Profile) -> None:
    if len(options) > _MOST_OPTIONS:
        message = (
            f"{len(profile.mounts)} mounts and {len(profile.files)} files are more than bubblewrap puts into one "
            "sandbox; grant this user fewer tables, or name a --purpose that fewer grants have"
        )
        raise SandboxError(message)


def _remedy(said: str) -> str:
    if "namespace" in said or "uid map" in said or "ermi" in said:
        return (
            "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1; on Ubuntu 24.04 also "
            "kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for bwrap), or run as root"
        )
    return "Nothing is ever run without a jail"


def _bwrap() -> str:
    found = shutil.which("bwrap")
    if found is None:
        message = "bubblewrap is not installed, and nothing is ever run without a jail: apt install bubblewrap"
        raise SandboxError(message)
    return found


@cache
def _knows_disable_userns(bwrap: str) -> bool:
    """Whether this bwrap is 0.8 or later; before, the seccomp filter alone forbids nested user namespaces."""
    return b"--disable-userns" in subprocess.run([bwrap, "--help"], check=False, capture_output=True).stdout


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("datalab", 0)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _pidfd(process: subprocess.Popen[bytes], status: IO[bytes]) -> int:
    """A descriptor of the jail's first process; of bwrap itself if it ended before it made one."""
    line = status.readline()
    pid = json.loads(line)["child-pid"] if line else process.pid
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:  # it is over already; bwrap is ours, and not yet waited for
        return os.pidfd_open(process.pid)
