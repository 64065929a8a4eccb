"""Runs the checks on a copy, in a jail of its own: what a stranger sent is parsed where there is nothing to gain.

The jail holds the copy, the tables that were released before, Python and the checks: no data of the lab, no network.
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
from sandbox.process import unusable
from sandbox.profile import HERE, environment, package, system_files
from sandbox.python import PYTHON, python_mounts
from sandbox.settings import SandboxSettings
from sandbox.streams import exchange, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from catalog.lab import Lab
    from sandbox.airlock.store import Submissions
    from sandbox.airlock.submission import Submission

_TMP = 16 * 1024**2
_OUTPUT = 4 * 1024**2
_SAID = 300


class Judged(BaseModel):
    """What the checks say of the bytes that they read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    kind: str | None = None
    rows: int | None = None
    preview: tuple[str, ...] = ()
    findings: tuple[Found, ...] = ()


def judge(lab: Lab, store: Submissions, submission: Submission, facts: dict[str, Any]) -> Judged:
    """Check the copy of a submission against the facts and all related releases.

    A file that brings the checks down is stopped by that. Raises SandboxError where no jail can be made, or the users'
    Python is missing: then nothing was checked.
    """
    reason = unusable()
    if reason is not None:
        raise SandboxError(reason)
    bounds = lab.section("airlock", AirlockSettings)
    settings = lab.section("sandbox", SandboxSettings).model_copy(
        update={"seconds": bounds.seconds, "memory": bounds.memory, "output": _OUTPUT, "cpus": 1.0, "pids": 64}
    )
    scratch = lab.var / "scratch" / f"{os.getpid()}-{uuid.uuid4().hex}"
    scratch.mkdir(mode=0o700, parents=True)
    uid = settings.first_uid - 1 if os.geteuid() == 0 else None  # nobody's home has it
    if uid is not None:
        os.chown(scratch, uid, uid)
    try:
        profile = judge_profile(
            lab, settings, uid, scratch, store.copy(submission.number), earlier_of(store, submission), submission, facts
        )
        return _run(profile, settings)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def earlier_of(store: Submissions, submission: Submission) -> tuple[tuple[Submission, Path], ...]:
    """The related releases that are tables, and where their bytes lie."""
    related = [one for one in store.related(submission) if one.kind in ("csv", "json", "parquet")]
    return tuple((one, store.released(one)) for one in related)


def judge_profile(
    lab: Lab,
    settings: SandboxSettings,
    uid: int | None,
    scratch: Path,
    copy: Path,
    earlier: Sequence[tuple[Submission, Path]],
    submission: Submission,
    facts: dict[str, Any],
) -> Profile:
    """The jail of the checks. Raises SandboxError where a release is gone that has to be compared with."""
    for one, path in earlier:
        if not path.is_file():
            raise SandboxError(
                f"{path}: the release {one.number} is gone, and nothing can be compared with it; restore it"
            )
    told = {**facts, "name": submission.name, "earlier": [(one.number, one.name, one.sha256) for one, _ in earlier]}
    return Profile(
        uid=uid,
        home=scratch,
        mounts=(
            *python_mounts(lab, settings),
            Mount(copy, "/airlock/file"),
            *(Mount(path, f"/airlock/earlier/{one.number}") for one, path in earlier),
        ),
        files={
            **system_files(uid),
            **package("checks", HERE / "airlock" / "checks"),
            "/airlock/facts.json": json.dumps(told).encode(),
        },
        env=environment(settings.cpus, settings.memory),
        seccomp=seccomp.program(),
        tmp=_TMP,
        file_size=_TMP,
        command=(PYTHON, "-m", "checks"),
    )


def _run(profile: Profile, settings: SandboxSettings) -> Judged:
    out, err = bytearray(), bytearray()
    try:
        with open_jail(profile, settings, lambda _: None) as jailed:
            exchange(jailed, feed=None, out=out.extend, err=err.extend, settings=settings)
            code = jailed.wait()
            if code == 0:
                return Judged.model_validate_json(bytes(out))
            why = "they used more memory than [airlock] memory" if jailed.out_of_memory else _last_line(bytes(err))
    except SandboxError as error:
        why = str(error)
    except ValidationError:
        why = "they gave no answer"
    said = f"the checks did not come to an end: {why}"
    return Judged(sha256="", findings=(Found(check="checks", severity="stop", place="", said=said),))


def _last_line(said: bytes) -> str:
    return printable(said.decode(errors="replace")).strip().rpartition("\n")[2][:_SAID] or "they failed"
