"""A log that stays small, however much is written: the newest part, and the part before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.streams import printable

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1 << 20
"""Bytes of one part."""


class BoundedLog:
    """Appends to `path`; a part that is full becomes `path`.1, and the one that had that name is gone."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        """Nothing is opened yet."""
        self.path = path
        self._limit = limit

    def tail(self, lines: int = 8) -> str:
        """The last lines, fit for a message."""
        text = self.path.read_bytes().decode(errors="replace") if self.path.exists() else ""
        return printable("\n".join(text.splitlines()[-lines:]))

    def write(self, data: bytes) -> None:
        """Append; of what is longer than a whole part, the end is kept."""
        data = data[-self._limit :]
        with self.path.open("ab") as file:
            full = file.tell() + len(data) > self._limit
        if full:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        with self.path.open("ab") as file:
            file.write(data)
