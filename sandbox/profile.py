"""A user of a lab → the jail that holds what they were granted, and nothing else of the lab."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.model import said
from policies.errors import DatalabError, DeniedError, SandboxError
from policies.settings import PolicySettings
from sandbox import seccomp
from sandbox.homes import home_of
from sandbox.jail import HOME, MAPPED_UID, Mount, Profile
from sandbox.python import VENV, python_mounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Granted, Lab
    from sandbox.settings import SandboxSettings

_HERE = Path(__file__).parent
_LAB_MODULE = "/opt/datalab/lab.py"


def profile_of(
    lab: Lab,
    user: str,
    settings: SandboxSettings,
    *,
    purpose: str | None,
    command: tuple[str, ...],
    warn: Callable[[str], None],
) -> Profile:
    """The jail of `user`, with `command` in it; `warn` is told of each edition that is left out, and why.

    Raises UsageError for an unknown user, DeniedError if nothing is granted to them for that purpose today,
    SandboxError if the users' Python is missing.
    """
    principals = lab.section("policies", PolicySettings).of_user(user)
    granted = lab.granted(principals, purpose=purpose, left_out=lambda error: warn(str(error)))
    if not granted:
        raise DeniedError(_nothing_granted(user, principals, purpose))
    python = python_mounts(lab, settings)
    home, uid = home_of(lab, user, settings.first_uid)
    inside_uid = MAPPED_UID if uid is None else uid
    return Profile(
        uid=uid,
        home=home,
        mounts=(*python, *(_mount(edition, private=uid is not None) for edition in granted)),
        files={
            "/etc/passwd": f"lab:x:{inside_uid}:{inside_uid}:lab:{HOME}:/bin/bash\n".encode(),
            "/etc/group": f"lab:x:{inside_uid}:\n".encode(),
            "/etc/hosts": b"127.0.0.1 localhost datalab\n::1 localhost\n",
            "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
            "/data/datasets.json": json.dumps(describe(lab, granted), ensure_ascii=False, indent=1).encode(),
            _LAB_MODULE: (_HERE / "lab.py").read_bytes(),
        },
        env=_environment(settings),
        seccomp=seccomp.program(),
        tmp=settings.tmp,
        file_size=settings.file_size,
        command=command,
    )


def describe(lab: Lab, granted: tuple[Granted, ...]) -> list[dict[str, Any]]:
    """What `/data/datasets.json` says: one entry an edition, its dataset's title and so on, and which is the default.

    The default is the most detailed edition granted. A descriptor that is missing or wrong does not close the
    sandbox: the slug stands in for it.
    """
    most_detailed = {edition.dataset: edition.edition for edition in granted}
    entries = []
    for edition in granted:
        try:
            dataset = lab.dataset(edition.dataset)
        except DatalabError:
            title, description, licence = edition.dataset, "", None
        else:
            title, description, licence = said(dataset.title), said(dataset.description), dataset.licence
        entries.append(
            {
                "dataset": edition.dataset,
                "edition": edition.edition,
                "title": title,
                "description": description,
                "licence": licence,
                "default": most_detailed[edition.dataset] == edition.edition,
            }
        )
    return entries


def script(name: str) -> tuple[str, bytes]:
    """Where a jail sees one of our scripts, and its text."""
    return f"/opt/datalab-scripts/{name}", (_HERE / "inside" / name).read_bytes()


def _mount(edition: Granted, *, private: bool) -> Mount:
    """Mount one edition. As root, the sandbox's uid must be able to read it, which root's own tests would not see."""
    everybody_enters = 0o005
    if private and edition.path.stat().st_mode & everybody_enters != everybody_enters:
        message = f"{edition.path}: only its owner may read it, so no sandbox can: chmod -R a+rX it, and set umask 022"
        raise SandboxError(message)
    return Mount(edition.path, f"/data/{edition.dataset}/{edition.edition}")


def _environment(settings: SandboxSettings) -> dict[str, str]:
    """The whole environment; nothing of the host's comes in. Threads follow the processors that are allowed."""
    threads = str(max(1, math.ceil(min(settings.cpus, os.cpu_count() or 1))))
    return {
        "PATH": f"{VENV}/bin:/usr/bin:/bin",
        "VIRTUAL_ENV": VENV,
        "PYTHONPATH": str(Path(_LAB_MODULE).parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": HOME,
        "USER": "lab",
        "LOGNAME": "lab",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "JUPYTER_RUNTIME_DIR": "/tmp/jupyter",  # noqa: S108  the jail's own
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108  the jail's own
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "POLARS_MAX_THREADS": threads,
        "DATALAB_THREADS": threads,
        "DATALAB_MEMORY_BYTES": str(int(settings.memory)),
    }


def _nothing_granted(user: str, principals: frozenset[str], purpose: str | None) -> str:
    stated = "no purpose was stated; name one with --purpose" if purpose is None else f"purpose: {purpose}"
    return (
        f"{user} is granted nothing that holds data today ({stated}). A steward grants it in policies/<dataset>.yaml, "
        f"to one of {', '.join(sorted(principals))}"
    )
