"""Runs the checks on a copy, in a jail of its own: what a stranger sent is parsed where there is nothing to gain.

The jail holds the copy, sketches of what was released before, Python and the checks: no data of the lab, no network.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.errors import SandboxError
from sandbox import seccomp
from sandbox.airlock.settings import AirlockSettings
from sandbox.airlock.submission import Found
from sandbox.command import open_jail
from sandbox.jail import Mount, Profile
from sandbox.profile import HERE, environment, package, system_files
from sandbox.python import PYTHON, python_mounts
from sandbox.settings import SandboxSettings
from sandbox.streams import exchange, printable

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.lab import Lab
    from sandbox.airlock.submission import Submission

_TMP = 16 * 1024**2
_OUTPUT = 4 * 1024**2
"""Bytes of what is found; beside it comes the sketch, of which each text was in the file, and is quoted at most."""
_QUOTED = 2
_SAID = 300


class Judged(BaseModel):
    """What the checks say of the bytes that they read. `sketch` is for later checks, and is not looked into here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    kind: str | None = None
    rows: int | None = None
    preview: tuple[str, ...] = ()
    findings: tuple[Found, ...] = ()
    sketch: bytes = b""


def judge(lab: Lab, copy: Path, submission: Submission, facts: dict[str, Any], earlier: bytes) -> Judged:
    """Check a copy of a submission against the facts and the sketches of earlier releases.

    A file that brings the checks down is stopped by that. Raises SandboxError where no jail can be made, or the users'
    Python is missing: then nothing was checked.
    """
    bounds = lab.section("airlock", AirlockSettings)
    output = _OUTPUT + _QUOTED * int(bounds.size)
    settings = lab.section("sandbox", SandboxSettings).model_copy(
        update={"seconds": bounds.seconds, "memory": bounds.memory, "output": output, "cpus": 1.0, "pids": 64}
    )
    scratch = lab.var / "scratch" / f"{os.getpid()}-{uuid.uuid4().hex}"
    scratch.mkdir(mode=0o700, parents=True)
    uid = settings.first_uid - 1 if os.geteuid() == 0 else None  # nobody's home has it
    if uid is not None:
        os.chown(scratch, uid, uid)
    try:
        told = {**facts, "name": submission.name}
        return _run(judge_profile(lab, settings, uid, scratch, copy, told, earlier), settings)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def judge_profile(
    lab: Lab,
    settings: SandboxSettings,
    uid: int | None,
    scratch: Path,
    copy: Path,
    told: dict[str, Any],
    earlier: bytes,
) -> Profile:
    """The jail of the checks."""
    return Profile(
        uid=uid,
        home=scratch,
        mounts=(*python_mounts(lab, settings), Mount(copy, "/airlock/file")),
        files={
            **system_files(uid),
            **package("checks", HERE / "airlock" / "checks"),
            "/airlock/facts.json": json.dumps(told).encode(),
            "/airlock/earlier": earlier,
        },
        env=environment(settings.cpus, settings.memory),
        seccomp=seccomp.program(),
        tmp=_TMP,
        file_size=_TMP,
        command=(PYTHON, "-m", "checks"),
    )


def _run(profile: Profile, settings: SandboxSettings) -> Judged:
    out, err = bytearray(), bytearray()
    with open_jail(profile, settings, lambda _: None) as jailed:
        try:
            exchange(jailed, feed=None, out=out.extend, err=err.extend, settings=settings)
        except SandboxError as error:  # past a bound: that is the file's doing
            return _stopped(str(error))
        code = jailed.wait()
        if code != 0:
            memory = "they used more memory than [airlock] memory"
            return _stopped(memory if jailed.out_of_memory else _last_line(bytes(err)))
    answer, _, sketch = bytes(out).partition(b"\n")
    try:
        return Judged.model_validate_json(answer).model_copy(update={"sketch": sketch})
    except ValidationError:
        return _stopped("they gave no answer")


def _stopped(why: str) -> Judged:
    said = f"the checks did not come to an end: {why}"
    return Judged(sha256="", findings=(Found(check="checks", severity="stop", place="", said=said),))


def _last_line(said: bytes) -> str:
    return printable(said.decode(errors="replace")).strip().rpartition("\n")[2][:_SAID] or "they failed"
