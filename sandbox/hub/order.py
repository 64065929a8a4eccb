"""What a keeper is told, as one JSON text on its standard input: the jail, its limits, and where it answers.

It goes by a pipe, since argv and the environment of a process are read by others; it holds the user's token.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox.jail import Mount, Profile
from sandbox.limits import Limits

JAIL = "jail.json"
"""In the order's folder: which process the jail is, whose and what for, for whoever follows its grants (grants.py)."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One sandbox to hold."""

    profile: Profile
    limits: Limits
    user: str
    folder: Path
    """Private to the keeper: `lab.sock`, where the jail answers, and `told/`, which the jail sees at /run/datalab."""
    hub: Path
    """The Hub's socket, of which the jail reaches what relay.py lets through."""
    base: str
    """Where JupyterLab answers: `/user/ada/`."""
    token: str
    """By which JupyterLab is asked whether a kernel is busy."""
    log: Path
    grace: float
    lab: Path
    purpose: str | None
    origin: str | None = None
    """Whence it was asked for."""
    packages: bool = False
    """Whether pip in the jail reaches what the lab allows, at `told/pip.sock`."""


def written(order: Order) -> bytes:
    """The order as JSON."""
    told = asdict(order)
    told["profile"]["seccomp"] = _text(order.profile.seccomp)
    told["profile"]["files"] = {target: _text(content) for target, content in order.profile.files.items()}
    return json.dumps(told, default=str).encode()


def read(text: bytes) -> Order:
    """What `written` wrote."""
    told: dict[str, Any] = json.loads(text)
    profile = told.pop("profile")
    paths: dict[str, Any] = {name: Path(told.pop(name)) for name in ("folder", "hub", "log", "lab")}
    made = {
        **profile,
        "home": Path(profile["home"]),
        "mounts": _mounts(profile["mounts"]),
        "shared": _mounts(profile["shared"]),
        "groups": tuple(profile["groups"]),
        "files": {target: base64.b64decode(content) for target, content in profile["files"].items()},
        "seccomp": base64.b64decode(profile["seccomp"]),
        "command": tuple(profile["command"]),
    }
    return Order(profile=Profile(**made), limits=Limits(**told.pop("limits")), **paths, **told)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _mounts(told: list[dict[str, str]]) -> tuple[Mount, ...]:
    return tuple(Mount(Path(one["source"]), one["target"]) for one in told)
