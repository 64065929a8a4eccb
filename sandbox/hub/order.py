"""What a keeper is told on its standard input: a line of what to keep warm until it is needed, which may be empty, then
one JSON text, the order: the jail, its limits, and where it answers.

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
    """By which JupyterLab is asked when it was used."""
    log: Path
    grace: float
    lab: Path
    purpose: str | None
    origin: str | None = None
    """Whence it was asked for."""
    packages: bool = False
    """Whether pip in the jail reaches what the lab allows, at `told/pip.sock`."""


@dataclass(frozen=True)
class Early:
    """A jail to keep warm (sandbox/warm.py) until there is an order."""

    profile: Profile
    limits: Limits


def written(told: Order | Early) -> bytes:
    """An order or its first line as JSON, in which no line ends."""
    fields = asdict(told)
    fields["profile"]["seccomp"] = _text(told.profile.seccomp)
    fields["profile"]["files"] = {target: _text(content) for target, content in told.profile.files.items()}
    return json.dumps(fields, default=str).encode()


def read(text: bytes) -> Order:
    """The order that `written` wrote."""
    told: dict[str, Any] = json.loads(text)
    profile, limits = _profile(told.pop("profile")), Limits(**told.pop("limits"))
    paths: dict[str, Any] = {name: Path(told.pop(name)) for name in ("folder", "hub", "log", "lab")}
    return Order(profile=profile, limits=limits, **paths, **told)


def read_early(line: bytes) -> Early | None:
    """The first line; None for an empty one."""
    told = json.loads(line) if line.strip() else None
    return None if told is None else Early(_profile(told["profile"]), Limits(**told["limits"]))


def _profile(told: dict[str, Any]) -> Profile:
    made = {
        **told,
        "home": None if told["home"] is None else Path(told["home"]),
        "mounts": _mounts(told["mounts"]),
        "shared": _mounts(told["shared"]),
        "groups": tuple(told["groups"]),
        "files": {target: base64.b64decode(content) for target, content in told["files"].items()},
        "seccomp": base64.b64decode(told["seccomp"]),
        "command": tuple(told["command"]),
    }
    return Profile(**made)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _mounts(told: list[dict[str, str]]) -> tuple[Mount, ...]:
    return tuple(Mount(Path(one["source"]), one["target"]) for one in told)
