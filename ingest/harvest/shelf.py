"""The drafts and descriptors of a lab that a portal's datasets stand in, found by what they say, not by their names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.harvest.memory import same_portal
from ingest.harvest.yamltext import values_of
from policies.errors import DatalabError

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.harvest.draft import Values
    from ingest.harvest.memory import Memory

DRAFTS = "drafts"
DATASETS = "datasets"


def sha256_of(text: str) -> str:
    """The hash by which a file's text is known again."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Standing:
    """A file of the lab: `drafts/x.yaml`, or an adopted `datasets/x.yaml`."""

    path: Path
    text: str

    @property
    def adopted(self) -> bool:
        """Whether it is a descriptor of the lab, and no draft any more."""
        return self.path.parent.name == DATASETS

    def values(self) -> Values:
        """What it says. Raises DocumentError with the line if it is no YAML."""
        return values_of(self.text, self.path)


@dataclass
class Shelf:
    """What stands in a lab of one portal: by identifier; the names that are taken; and files that cannot be read.

    `broken` has, by name, the bytes of such a file and what is wrong with it.
    """

    root: Path
    standing: dict[str, Standing] = field(default_factory=dict)
    twice: dict[str, Standing] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    broken: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def broken_file(self, identifier: str, file: str | None) -> str | None:
        """What is wrong with the file that this dataset stands in, as far as can be told; None if nothing is."""
        for name, (raw, why) in self.broken.items():
            if name == file or identifier.encode() in raw:
                return why
        return None

    def name(self, path: Path) -> str:
        """The path as it is told: from the lab's folder on."""
        return str(path.relative_to(self.root))


def shelf_of(root: Path, portal: str, memory: Memory) -> Shelf:
    """Look through the lab's drafts and descriptors for those of a portal.

    A file that is as a harvest left it is not parsed. If a dataset stands in both places, the descriptor counts.
    """
    shelf = Shelf(root)
    left = {one.sha256: one.identifier for one in memory.known.values()}
    for folder in (DATASETS, DRAFTS):
        for path in sorted((root / folder).glob("*.yaml")):
            shelf.taken.add(path.stem)
            try:
                one = Standing(path, path.read_bytes().decode())
                identifier = left.get(sha256_of(one.text)) or _identifier(one, portal)
            except (OSError, UnicodeDecodeError, DatalabError) as error:
                shelf.broken[shelf.name(path)] = (_raw(path), str(error))
                continue
            if identifier is not None and identifier in shelf.standing:
                shelf.twice[identifier] = one
            elif identifier is not None:
                shelf.standing[identifier] = one
    return shelf


def _raw(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _identifier(one: Standing, portal: str) -> str | None:
    """How the portal knows the dataset that the file describes; None if it is of another, or of none."""
    if "harvested" not in one.text:
        return None
    said = one.values().get("harvested")
    if not isinstance(said, dict) or not same_portal(str(said.get("portal")), portal):
        return None
    return None if said.get("identifier") is None else str(said["identifier"])
