"""The shelf: what waits for a steward, at `var/held/<dataset>/<resource>/`, and which bytes were refused.

`held.json` names the Parquet files beside it and their hashes: what it does not name does not count. It is replaced in
one rename, after the files are on disk, so a kill leaves what was held before, or the new.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003  pydantic reads it
import hashlib
import os
import shutil
import uuid
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from catalog.lake import ServedColumn, sync_filesystem
from catalog.receipt import Receipt, Stored
from policies.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from catalog.lab import Lab

_HELD, _REFUSED = "held.json", "refused.json"

S = TypeVar("S", bound=BaseModel)


class HeldFile(Stored):
    """A Parquet file on the shelf, and the SHA-256 that says it is still what was held."""

    name: str
    sha256: str


class Held(Stored):
    """A refresh that waits: why, since when (UTC), and what stood and stands in it.

    Without `table` nothing of it could be read: it cannot be accepted. `max_drop` is what its rows were judged by.
    """

    layout: int = 1
    source: str
    sha256: str
    reading: str
    since: dt.datetime
    reasons: tuple[str, ...]
    max_drop: float | None = None
    rows_before: int
    columns_before: tuple[ServedColumn, ...]
    columns: tuple[ServedColumn, ...] = ()
    receipt: Receipt | None = None
    table: HeldFile | None = None
    rejects: HeldFile | None = None


class Refusal(Stored):
    """Bytes that a steward refused: they are not held again."""

    sha256: str
    reading: str
    by: str
    when: dt.datetime
    why: str
    reasons: tuple[str, ...] = ()


class Refusals(Stored):
    """All refusals of one resource, the oldest first."""

    refused: tuple[Refusal, ...] = ()


def shelf(lab: Lab, slug: str, name: str) -> Path:
    """The folder of one resource; it need not exist."""
    return lab.var / "held" / slug / name


def held_of(folder: Path) -> Held | None:
    """What waits there, or None. Raises LakeError if it is damaged."""
    return _read(folder / _HELD, Held)


def refusals(folder: Path) -> Path:
    """The list of what was refused; what is taken out of it is held again."""
    return folder / _REFUSED


def refusal_of(folder: Path, sha256: str, reading: str) -> Refusal | None:
    """The refusal of these bytes, read in this way, or None. Raises LakeError if the list is damaged."""
    refusals = _read(folder / _REFUSED, Refusals) or Refusals()
    return next((one for one in refusals.refused if (one.sha256, one.reading) == (sha256, reading)), None)


def put(folder: Path, held: Held, files: Mapping[str, Path]) -> Held:
    """Take `files` (`table`, `rejects`) in, and let `held` wait instead of what waited. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = {}
    for role, path in files.items():
        target = folder / f"{role}-{uuid.uuid4().hex}.parquet"
        shutil.move(path, target)
        taken[role] = HeldFile(name=target.name, sha256=_sha256(target))
    made = held.model_copy(update=taken)
    _write(folder / _HELD, made)
    _clear(folder, {file.name for file in taken.values()})
    return made


def take(folder: Path, file: HeldFile, target: Path) -> None:
    """Copy a held file to `target`. Raises LakeError if it is no longer what was held."""
    try:
        shutil.copyfile(folder / file.name, target)
    except FileNotFoundError:
        raise LakeError(f"{folder / file.name}: the held file is gone; refuse it and ingest again") from None
    if _sha256(target) != file.sha256:
        raise LakeError(f"{folder / file.name}: the file is not what was held; refuse it and ingest again")


def drop(folder: Path) -> None:
    """Let nothing wait there any more."""
    if (folder / _HELD).exists():
        (folder / _HELD).unlink()
        sync_filesystem(folder)
    if folder.is_dir():
        _clear(folder, set())


def refuse(folder: Path, refusal: Refusal) -> None:
    """Remember a refusal, and drop what waits."""
    before = _read(folder / _REFUSED, Refusals) or Refusals()
    _write(folder / _REFUSED, Refusals(refused=(*before.refused, refusal)))
    drop(folder)


def _clear(folder: Path, kept: set[str]) -> None:
    for path in folder.glob("*.parquet"):
        if path.name not in kept:
            path.unlink()


def _read(path: Path, model: type[S]) -> S | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise LakeError(f"{path}: damaged; restore it from the backup, or take it away and ingest again") from None


def _write(path: Path, what: BaseModel) -> None:
    """Replace the file, once all that it names is on disk."""
    sync_filesystem(path.parent)
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(what.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_filesystem(path.parent)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
