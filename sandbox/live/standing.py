"""What a running sandbox shows, read from it: so whoever watches it need remember nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.history import unbroken
from sandbox.jail import HOME
from sandbox.live.changes import Made, Shown, shown
from sandbox.process import pid_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.lab import Granted, Lab

_ANOTHER: Made = ("another", "")
"""Stands for what was not made as today: it goes, and comes again."""


def standing(lab: Lab, process: int, granted: Iterable[Granted]) -> tuple[dict[str, Shown], dict[str, str]] | None:
    """The editions by name, and which were taken out before and when.

    `process` is a pidfd of the jail's. A table counts as made by today's definition if its version is among those that
    today's policy would make the same way; else what is shown is made anew. None while the jail is still being made.
    Raises OSError where it is gone.
    """
    if not _is_made(process):
        return None
    data = Path(f"/proc/{pid_of(process)}/root/data")  # root made what is there, and nobody in the jail can change it
    now = {f"{one.dataset}/{one.edition}": one for one in granted}
    found = {}
    for entry in _read(data / "datasets.json", []):
        name = f"{entry['dataset']}/{entry['edition']}"
        tables = _read(data / name / "current.json", {"resources": {}})["resources"]
        versions = {resource: served["version"] for resource, served in tables.items()}
        found[name] = Shown(entry["dataset"], entry["edition"], _made(lab, versions, now.get(name)))
    return found, _read(data / "revoked.json", {})


def _is_made(process: int) -> bool:
    """Whether the home stands where it will stand: bwrap puts that there in the step that leaves the host's root."""
    table = Path(f"/proc/{pid_of(process)}/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    return any(line.split(" ")[4] == HOME for line in table.splitlines())


def _made(lab: Lab, versions: dict[str, int], granted: Granted | None) -> dict[str, Made]:
    if granted is None:
        return dict.fromkeys(versions, _ANOTHER)
    now = shown(granted).tables
    return {
        resource: now[resource] if resource in now and _readable(lab, granted, resource, version) else _ANOTHER
        for resource, version in versions.items()
    }


def _readable(lab: Lab, granted: Granted, resource: str, version: int) -> bool:
    if granted.current.resources[resource].version == version:
        return True
    return any(one.version == version for one in unbroken(lab, granted, resource))


def _read(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else otherwise
