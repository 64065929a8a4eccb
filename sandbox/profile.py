"""A user of a lab → the jail that holds what they were granted, and nothing else of the lab."""

from __future__ import annotations

import datetime as dt
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from policies.decide import addressed
from policies.errors import DeniedError, DocumentError
from sandbox import seccomp, told
from sandbox.data import data_of
from sandbox.homes import check_room, full, home_of
from sandbox.jail import HOME, MAPPED_UID, Profile
from sandbox.jupyter import ENVIRONMENT, jupyter_files
from sandbox.python import PYTHON, VENV, python_mounts
from sandbox.quota import usage
from sandbox.start import PAGE as START
from sandbox.start import Room, shown, start_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Granted, Lab
    from sandbox.data import Data
    from sandbox.settings import SandboxSettings

HERE = Path(__file__).parent
_PACKAGES = "/opt/datalab"
_SCRIPTS = "/opt/datalab-scripts"
SERVE = f"{_SCRIPTS}/serve.py"
"""What serves JupyterLab in a jail: PYTHON with it and its options."""


def profile_of(
    lab: Lab,
    user: str,
    settings: SandboxSettings,
    *,
    purpose: str | None,
    command: tuple[str, ...],
    warn: Callable[[str], None],
    origin: str | None = None,
    packages: bool = False,
) -> Profile:
    """The jail of `user`, with `command` in it; `warn` is told of each edition that is left out, and why.

    `packages` says that pip will reach an index from it.

    The snapshots that it sees are fixed here; whole editions come and go with their grants (live/). Raises UsageError
    for an unknown user, DeniedError if nothing is granted to them for that purpose today, SandboxError if the users'
    Python is missing or the disk is nearly full, LakeError if the audit log cannot be written.
    """
    today = dt.datetime.now(dt.UTC).date()
    granted, data = granted_data(
        lab, user, purpose=purpose, on=today, private=os.geteuid() == 0, origin=origin, warn=warn
    )
    python = python_mounts(lab, settings)
    check_room(lab, settings.free)
    home, uid = home_of(lab, user, settings, warn)
    crowded = full(home)
    if crowded is not None:
        warn(crowded)
    editions = shown(lab, granted, lab.people.of_user(user), purpose, today)
    page = start_page(user, purpose, editions, _room(home), packages=packages)
    lab.audit.write(told.opened(user, purpose, granted, data, origin))
    return Profile(
        uid=uid,
        home=home,
        mounts=(*python, *data.mounts),
        files={
            **system_files(uid),
            **data.files,
            **package("lab", HERE / "lab"),
            **package("sqlkernel", HERE / "inside" / "sqlkernel"),
            **left_out(),
            **jupyter_files(),
            START: page.encode(),
        },
        env=environment(settings.cpus, settings.memory),
        seccomp=seccomp.program(),
        tmp=settings.tmp,
        file_size=settings.file_size,
        command=command,
    )


def warm_profile(lab: Lab, settings: SandboxSettings) -> Profile:
    """The jail of a sandbox before it is anybody's (warm.py): Python and our scripts, no home and no data."""
    scripts = dict(script(f"{name}.py") for name in ("warm", "become", "kernels")) | serving()
    return Profile(
        uid=0,
        home=None,
        mounts=python_mounts(lab, settings),
        files={**scripts, **left_out()},
        env=environment(settings.cpus, settings.memory),
        seccomp=seccomp.program(),
        tmp=settings.tmp,
        file_size=settings.file_size,
        command=(PYTHON, "-Xfrozen_modules=off", next(iter(scripts))),  # as kernels are started, for their debugger
    )


def granted_data(
    lab: Lab,
    user: str,
    *,
    purpose: str | None,
    on: dt.date,
    private: bool,
    origin: str | None,
    warn: Callable[[str], None],
) -> tuple[tuple[Granted, ...], Data]:
    """What `user` is granted, and how a sandbox is handed it, wherever it runs; `private` is as for `data_of`.

    Nothing is told to the audit log but a denial: whoever opens it does. Raises as `profile_of`.
    """
    principals = lab.people.of_user(user)

    def left_out(error: Exception) -> None:
        warn(str(error))

    granted = lab.granted(principals, purpose=purpose, on=on, left_out=left_out)
    data = data_of(lab, granted, private=private, left_out=left_out)
    if not data.files:
        why = _nothing_granted(lab, user, principals, purpose, on)
        lab.audit.write(told.denied(user, purpose, why, origin))
        raise DeniedError(why)
    return granted, data


def _room(home: Path) -> Room | None:
    if not home.is_file():
        return None
    told = usage(home)
    return Room(told.used, told.size)


def script(name: str) -> tuple[str, bytes]:
    """Where a jail sees one of our scripts, and its text."""
    return f"{_SCRIPTS}/{name}", (HERE / "inside" / name).read_bytes()


def serving() -> dict[str, bytes]:
    """The scripts that serve JupyterLab (SERVE), by where a jail sees them."""
    return dict(script(f"{name}.py") for name in ("serve", "panel", "hubless"))


def package(name: str, folder: Path) -> dict[str, bytes]:
    """The files of a package that Python finds in a jail by its name."""
    return {f"{_PACKAGES}/{name}/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.py"))}


def left_out() -> dict[str, bytes]:
    """What takes the place of a library that is not to be loaded."""
    return {f"{_PACKAGES}/rfc3987_syntax.py": (HERE / "inside" / "rfc3987_syntax.py").read_bytes()}


def system_files(uid: int | None) -> dict[str, bytes]:
    """What programs look for in /etc; `uid` is the jail's, None where it has no own."""
    inside = MAPPED_UID if uid is None else uid
    return {
        "/etc/passwd": f"lab:x:{inside}:{inside}:lab:{HOME}:/bin/bash\n".encode(),
        "/etc/group": f"lab:x:{inside}:\n".encode(),
        "/etc/hosts": b"127.0.0.1 localhost datalab\n::1 localhost\n",
        "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
    }


def environment(cpus: float, memory: int) -> dict[str, str]:
    """The whole environment; nothing of the host's comes in. Threads follow the processors that are allowed."""
    threads = str(max(1, math.ceil(min(cpus, os.cpu_count() or 1))))
    return {
        "PATH": f"{VENV}/bin:/usr/bin:/bin",
        "VIRTUAL_ENV": VENV,
        "PYTHONPATH": _PACKAGES,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": HOME,
        "USER": "lab",
        "LOGNAME": "lab",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        **ENVIRONMENT,
        "JUPYTER_RUNTIME_DIR": "/tmp/jupyter",  # noqa: S108  the jail's own
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108  the jail's own
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "POLARS_MAX_THREADS": threads,
        "DATALAB_THREADS": threads,
        "DATALAB_MEMORY_BYTES": str(int(memory)),
    }


def _nothing_granted(lab: Lab, user: str, principals: frozenset[str], purpose: str | None, on: dt.date) -> str:
    """What to say: who could grant it, and of each edition that was meant for the user why it is not there."""
    stated = "no purpose was stated; name one with --purpose" if purpose is None else f"purpose: {purpose}"
    first = (
        f"{user} is granted nothing that holds data today ({stated}). A steward grants it in policies/<dataset>.yaml, "
        f"to one of {', '.join(sorted(principals))}"
    )
    lines = [first]
    for slug in lab.slugs:
        try:
            policy = lab.policy(slug)
        except DocumentError:  # a warning has told of it
            continue
        for edition, decision in addressed(policy, principals=principals, purpose=purpose, on=on).items():
            missing = f"granted, but nothing of it can be served now; `datalab ingest {slug}` builds it"
            lines.append(f"{slug}/{edition}: {missing if decision.allow else '; '.join(decision.reasons)}")
    return "\n".join(lines)
