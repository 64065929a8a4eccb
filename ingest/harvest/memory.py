"""What was harvested of a portal last time: a file a dataset in `var/harvest/PORTAL/`, so a kill loses none of it."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.lab import Lab


class Remembered(BaseModel):
    """One dataset as it was harvested last: where its file lay, what that file was, and what the portal said.

    `scopes` are the parts of the catalogue in which it was found. `sha256` is of the file as it lay after the harvest,
    and `whole` says that the harvest wrote all of it. `values` are the draft's, `names` its resources' by their keys.
    """

    model_config = ConfigDict(frozen=True)  # unknown fields are ignored: a later release may have more

    identifier: str
    scopes: tuple[str, ...]
    file: str
    sha256: str
    whole: bool
    values: dict[str, Any]
    names: dict[str, str] = {}
    gone: dt.date | None = None


def same_portal(one: str, other: str) -> bool:
    """Whether two addresses are of one portal, by http or https, with a slash at the end or without."""
    return _bare(one) == _bare(other)


def _bare(url: str) -> str:
    at = urlsplit(url)
    host = (at.hostname or "").lower()
    port = f":{at.port}" if at.port not in {None, 80, 443} else ""
    query = f"?{at.query}" if at.query else ""
    return f"{host}{port}{at.path.rstrip('/')}{query}"


@dataclass
class Memory:
    """The memory of one portal. What is kept is on disk at once, unless it is a `dry` run."""

    folder: Path
    dry: bool = False
    known: dict[str, Remembered] = field(default_factory=dict)

    def keep(self, one: Remembered) -> None:
        """Remember a dataset, if that is news."""
        if self.known.get(one.identifier) == one:
            return
        self.known[one.identifier] = one
        if self.dry:
            return
        path = self.folder / f"{hashlib.sha256(one.identifier.encode()).hexdigest()[:32]}.json"
        part = path.with_suffix(".new")
        part.write_text(one.model_dump_json(), encoding="utf-8")
        part.replace(path)


@contextlib.contextmanager
def remembered(lab: Lab, portal: str, *, dry: bool) -> Iterator[Memory]:
    """What is known of a portal; nobody else harvests it into this lab meanwhile. Raises LakeError if somebody does."""
    name = re.sub(r"[^a-z0-9]+", "-", _bare(portal))[:60].strip("-")
    folder = lab.var / "harvest" / f"{name}-{hashlib.sha256(_bare(portal).encode()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LakeError(
                f"{portal}: another harvest of this portal runs on this lab; wait until it is over"
            ) from None
        memory = Memory(folder, dry)
        for path in sorted(folder.glob("*.json")):
            # What is damaged is not known: the files of the lab say most of it again
            with contextlib.suppress(ValidationError):
                one = Remembered.model_validate_json(path.read_bytes())
                memory.known[one.identifier] = one
        yield memory
