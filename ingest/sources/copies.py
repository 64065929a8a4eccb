"""Copies of a server's files in a connector's cache, and what the server said of each, to ask for changes alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.sources import stamp_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Copies:
    """The copies in `cache`, each by its name at the source, which is never a path here.

    `origin` is the server: what another one said is not remembered.
    """

    cache: Path
    origin: str

    def path(self, name: str) -> Path:
        """Where the copy lies, or will."""
        folder = self.cache / "files"
        folder.mkdir(exist_ok=True)
        return folder / hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()

    def remembered(self) -> dict[str, str]:
        """What the server said of each copy, of those that still are what they were."""
        try:
            known = json.loads(self._memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if known["origin"] != self.origin:
            return {}
        return {name: said for name, (said, stamp) in known["files"].items() if self._stamp(name) == stamp}

    def remember(self, said: Mapping[str, str | None]) -> None:
        """These are all the copies that there are to be: others go. None: never the same as before."""
        kept = {name: (words, self._stamp(name)) for name, words in said.items() if words is not None}
        part = self._memory.with_suffix(".part")
        part.write_text(json.dumps({"origin": self.origin, "files": kept}), encoding="utf-8")
        part.replace(self._memory)
        paths = {self.path(name) for name in said}
        for path in (self.cache / "files").iterdir():
            if path not in paths:
                path.unlink()

    @property
    def _memory(self) -> Path:
        return self.cache / "files.json"

    def _stamp(self, name: str) -> list[int] | None:
        path = self.path(name)
        return list(stamp_of(path)) if path.is_file() else None
