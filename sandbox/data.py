"""What a jail sees at /data: one snapshot of each granted edition, file by file, and nothing else of the lake.

    /data/datasets.json                                what was granted
    /data/macros.sql                                   what SQL is given beside: commune codes between years
    /data/<dataset>/<edition>/current.json             the snapshot: its tables, their rows, columns and files
    /data/<dataset>/<edition>/<resource>/*.parquet     exactly that table

What lies before that snapshot is handed in apart (past.py). Later ones, receipts and the Delta log stay outside:
docs/decisions/0004.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.cog.macros import macros
from catalog.lake import POINTER
from catalog.metadata import said
from catalog.settings import CatalogSettings
from catalog.vocabulary import LICENCES
from policies.errors import LakeError, SandboxError
from sandbox.jail import Mount
from sandbox.past import past_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from catalog.lab import Granted, Lab
    from catalog.lake import Current
    from policies.errors import DatalabError

_TOLD = ("version", "files", "rows", "committed", "columns")
"""What a sandbox is told of a snapshot. Not its receipt, which counts the rows that its edition leaves out."""


@dataclass(frozen=True)
class Data:
    """The mounts and the generated files of /data; both are empty when no edition is whole."""

    mounts: tuple[Mount, ...]
    files: Mapping[str, bytes]


def data_of(
    lab: Lab,
    granted: tuple[Granted, ...],
    *,
    private: bool,
    left_out: Callable[[DatalabError], None],
    past: bool = True,
) -> Data:
    """The snapshots that `granted` names. `left_out` is told of each edition with a file that is gone or damaged.

    `private` says that the sandbox has a uid of its own; `past` whether the snapshots before are handed in,
    too. Raises SandboxError if that uid may not read a file, which root's own tests would not see.
    """
    mounts: list[Mount] = []
    files: dict[str, bytes] = {}
    whole = []
    for edition in granted:
        try:
            found = _mounts(lab, edition)
        except LakeError as error:
            left_out(error)
            continue
        mounts += found
        files[f"{_folder(edition)}/{POINTER}"] = pointer(edition.current)
        whole.append(edition)
    if past:
        older, listed = past_of(lab, tuple(whole), _TOLD, left_out)
        mounts += older
        files.update(listed)
    if private:
        for mount in mounts:
            _check_readable(mount.source)
    if whole:
        files["/data/datasets.json"] = json.dumps(describe(lab, tuple(whole)), ensure_ascii=False, indent=1).encode()
        codes = macros(whole)
        if codes is not None:
            files["/data/macros.sql"] = codes.encode()
    return Data(tuple(mounts), files)


def describe(lab: Lab, granted: tuple[Granted, ...]) -> list[dict[str, Any]]:
    """What `/data/datasets.json` says: one entry an edition, its dataset's title and so on, and which is the default.

    The default is the most detailed edition granted.
    """
    most_detailed = {edition.dataset: edition.edition for edition in granted}
    entries = []
    base = lab.section("catalog", CatalogSettings).base
    for edition in granted:
        dataset = lab.dataset(edition.dataset)
        entries.append(
            {
                "dataset": edition.dataset,
                "edition": edition.edition,
                "title": said(dataset.title),
                "description": said(dataset.description),
                "licence": dataset.licence,
                "licence_uri": LICENCES[dataset.licence].uri,
                "share_alike": LICENCES[dataset.licence].share_alike,
                "publisher": dataset.publisher.name,
                "page": f"{base}datasets/{edition.dataset}",
                "default": most_detailed[edition.dataset] == edition.edition,
            }
        )
    return entries


def pointer(current: Current) -> bytes:
    """The edition's `current.json` as a sandbox sees it."""
    tables = current.model_dump(mode="json")["resources"]
    told = {name: {key: served[key] for key in _TOLD} for name, served in tables.items()}
    return json.dumps({"resources": told}, ensure_ascii=False, indent=1).encode()


def _mounts(lab: Lab, edition: Granted) -> list[Mount]:
    """One mount a file; raises LakeError if one is gone or has another size than was committed."""
    return [
        Mount(path, f"{_folder(edition)}/{resource}/{name}")
        for resource, served in edition.current.resources.items()
        for name, path in zip(
            served.files, lab.lake.files(edition.dataset, edition.edition, resource, served), strict=True
        )
    ]


def _folder(edition: Granted) -> str:
    return f"/data/{edition.dataset}/{edition.edition}"


def _check_readable(path: Path) -> None:
    everybody_reads = 0o004
    if not path.stat().st_mode & everybody_reads:
        message = f"{path}: only its owner may read it, so no sandbox can: chmod a+r it, and set umask 022"
        raise SandboxError(message)
