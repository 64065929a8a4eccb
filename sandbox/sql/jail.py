"""The jail of one engine: what stands in it, and the process, the folder and the channel that it has."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog import answers
from sandbox import seccomp
from sandbox.jail import Profile
from sandbox.limits import Limits
from sandbox.process import start
from sandbox.profile import HERE, environment, package, system_files
from sandbox.python import PYTHON, python_mounts
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from catalog.lab import Lab
    from sandbox.process import Jailed
    from sandbox.sql.access import View
    from sandbox.sql.settings import GatewaySettings

_SCRATCH = "scratch"
_SAID = 4000
_PIDS = 128
_TMP = 16 * 1024**2


@dataclass(frozen=True)
class Jail:
    """The process of an engine, the folder that it spills to, and our end of its channel."""

    jailed: Jailed
    scratch: Path
    channel: socket.socket

    def end(self) -> None:
        """Kill it and take away what it left; blocks until it is gone."""
        self.channel.close()
        with self.jailed:
            pass
        shutil.rmtree(self.scratch, ignore_errors=True)

    def said(self) -> str:
        """Kill it; returns the last line of what it said."""
        self.jailed.kill()
        self.jailed.bwrap.wait()
        said = b"" if self.jailed.bwrap.stderr is None else self.jailed.bwrap.stderr.read(_SAID)
        return said.decode(errors="replace").strip().rpartition("\n")[2]


def sweep(lab: Lab) -> None:
    """Take away the folders of engines whose gateway was killed before it could do it."""
    for folder in (lab.var / _SCRATCH).glob("*-*"):
        if not Path("/proc", folder.name.partition("-")[0]).exists():
            shutil.rmtree(folder, ignore_errors=True)


def started(lab: Lab, view: View, settings: GatewaySettings) -> Jail:
    """Start the engine of a view. It ends with the thread that calls this. Raises SandboxError where it cannot."""
    sandbox = lab.section("sandbox", SandboxSettings)
    uid = sandbox.first_uid - 1 if os.geteuid() == 0 else None  # nobody's home has it
    scratch = lab.var / _SCRATCH / f"{os.getpid()}-{uuid.uuid4().hex}"
    scratch.mkdir(mode=0o700, parents=True)
    if uid is not None:
        os.chown(scratch, uid, uid)
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            profile = engine_profile(lab, view, settings, sandbox, uid=uid, scratch=scratch, channel=theirs.fileno())
            limits = Limits(memory=settings.memory, pids=_PIDS, cpus=settings.cpus)
            jailed = start(profile, limits, stdout=subprocess.DEVNULL, keep=(theirs.fileno(),))
    except BaseException:
        ours.close()
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return Jail(jailed, scratch, ours)


def engine_profile(
    lab: Lab,
    view: View,
    settings: GatewaySettings,
    sandbox: SandboxSettings,
    *,
    uid: int | None,
    scratch: Path,
    channel: int,
) -> Profile:
    """The jail of one engine: the tables of `view`, Python, our few files, and a folder to spill to."""
    return Profile(
        uid=uid,
        home=scratch,
        mounts=(*python_mounts(lab, sandbox), *view.data.mounts),
        files={
            **system_files(uid),
            "/data/datasets.json": b"[]",
            **view.data.files,
            **package("lab", HERE / "lab"),
            **package("worker", HERE / "inside" / "worker"),
            "/opt/datalab/answers.py": Path(answers.__file__).read_bytes(),
        },
        env={
            **environment(settings.cpus, settings.memory),
            "DATALAB_CHANNEL": str(channel),
            "DATALAB_SPILL_BYTES": str(int(settings.disk)),
        },
        seccomp=seccomp.program(),
        tmp=_TMP,
        file_size=max(int(settings.disk), _TMP),
        command=(PYTHON, "-m", "worker"),
    )
