"""A choice → the order of a keeper (order.py), and the keeper started, found dead or ended."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policies.errors import SandboxError
from sandbox.hub.held import Held
from sandbox.hub.order import Order, written
from sandbox.hub.projects import project_of
from sandbox.jupyter import CONFIG
from sandbox.limits import Limits
from sandbox.offer import offered
from sandbox.packages.service import allows, python_of, with_packages
from sandbox.process import unusable
from sandbox.profile import SERVE, environment, profile_of, serving
from sandbox.python import PYTHON
from sandbox.server import FIRST, OPTIONS
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from catalog.lab import Lab
    from sandbox.hub.choices import Choice
    from sandbox.hub.early import Pool, Waiting
    from sandbox.hub.places import Places
    from sandbox.hub.settings import HubSettings

_KNOWN_BY = "keeper.json"
_STEP = 0.02

_NO_DOWNLOADS = {
    "disabledExtensions": {
        "@jupyterlab/docmanager-extension:download": True,
        "@jupyterlab/filebrowser-extension:download": True,
        "@jupyterlab/notebook-extension:export": True,
    }
}
"""JupyterLab's buttons that send a file to the browser. docs/hub.md says what that prevents, and what it does not."""


@dataclass(frozen=True)
class Told:
    """What the Hub says of a sandbox: JupyterLab's environment, address and token, and whence it was asked for."""

    env: Mapping[str, str]
    base: str
    token: str
    origin: str | None


def order(
    lab: Lab,
    front: HubSettings,
    places: Places,
    user: str,
    choice: Choice,
    told: Told,
    *,
    warn: Callable[[str], None],
) -> Order:
    """Everything that the keeper of a user's sandbox needs. Raises DatalabError that says what stands against it."""
    reason = unusable()
    if reason is not None:
        raise SandboxError(reason)
    settings = lab.section("sandbox", SandboxSettings)
    if choice.size is not None:
        settings = settings.model_copy(update=dict(front.sizes[choice.size]))
    folder = places.sandbox(user)
    _end_forgotten(folder, front.grace)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    packages = allows(lab)
    profile = profile_of(
        lab,
        user,
        settings,
        purpose=choice.purpose,
        command=(PYTHON, SERVE, *OPTIONS),
        warn=warn,
        origin=told.origin,
        packages=packages,
    )
    shared = None if choice.project is None else project_of(lab, choice.project, settings.first_uid)
    profile = replace(
        profile,
        files={
            **profile.files,
            **serving(),
            f"{CONFIG}/labconfig/page_config.json": json.dumps(_NO_DOWNLOADS).encode(),
            **offered(lab.root / "notebooks", int(settings.output), warn),
        },
        env={
            **profile.env,
            **environment(settings.cpus, settings.memory),
            **told.env,
            "JUPYTERHUB_DEFAULT_URL": FIRST,
            "DATALAB_IDLE": str(front.idle),  # for the panel to say
        },
        shared=() if shared is None else (shared[0],),
        groups=() if shared is None else shared[1],
    )
    return Order(
        profile=with_packages(profile, None, python_of(lab, settings)) if packages else profile,
        packages=packages,
        limits=Limits(memory=settings.memory, pids=settings.pids, cpus=settings.cpus),
        user=user,
        folder=folder,
        hub=places.hub,
        base=told.base,
        token=told.token,
        log=places.logs / f"sandbox-{user}.log",
        grace=front.grace,
        lab=lab.root,
        purpose=choice.purpose,
        origin=told.origin,
    )


def launched(order: Order, pool: Pool, early: Waiting | None = None) -> Held:
    """Have a keeper hold it: the one that was started early, or another if there is none or it ends without a word.

    Raises SandboxError with what a keeper said if no jail is made.
    """
    text = written(order)
    said = b"" if early is None else early.answer_to(text)
    said = said or pool.cold().answer_to(text)
    told = json.loads(said) if said else {"error": "the sandbox's keeper did not start; the Hub's log says why"}
    if "error" in told:
        raise SandboxError(told["error"])
    (order.folder / _KNOWN_BY).write_bytes(said)
    return Held(**told)


def ended(keeper: Held, within: float) -> None:
    """End a keeper and its jail: in order, or once `within` seconds are over by force, for the jail dies with it."""
    keeper.signal(signal.SIGTERM)
    last = time.monotonic() + within
    while keeper.lives and time.monotonic() < last:
        time.sleep(_STEP)
    if keeper.lives:
        keeper.signal(signal.SIGKILL)


def _end_forgotten(folder: Path, grace: float) -> None:
    """End the keeper of a sandbox that a Hub started and was killed before it could note it."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        ended(Held(**json.loads((folder / _KNOWN_BY).read_bytes())), grace)
