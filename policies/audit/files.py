"""The files of the log: their names, and the head, which says where the log ends.

<folder>/2026-11-0001.jsonl    the lines; another file begins each month, and after 64 MiB
<folder>/anchors               one anchor a line: at each 64th line, and at each file's end
<folder>/head                  where the last line ended, sealed; who writes or reads the log locks it
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from policies.audit import chain
from policies.audit.chain import BrokenLineError, Link

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

HEAD = "head"
ANCHORS = "anchors"
LARGEST = 64 * 1024 * 1024
"""Bytes after which another file begins."""

_HEAD_BYTES = 512
_NAME = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{4}\.jsonl$")


@dataclass(frozen=True)
class Head:
    """The last line that counts: its number and hash, and where it ends: in which file, after how many bytes."""

    n: int
    digest: str
    file: str
    size: int

    @property
    def link(self) -> Link:
        """The line, as the next one names it."""
        return Link(self.n, self.digest)

    def sealed(self, key: bytes) -> bytes:
        """As it lies on disk: always as long, so that it is written over in one go."""
        return chain.sealed(key, asdict(self)).ljust(_HEAD_BYTES - 1) + b"\n"

    @classmethod
    def unsealed(cls, key: bytes, raw: bytes) -> Head:
        """Raises BrokenLineError if it was changed or cut, or written with another key."""
        head = cls(**chain.unsealed(key, raw.rstrip()))
        if head.sealed(key) != raw:
            raise BrokenLineError("was changed or cut")
        return head


BEGINNING = Head(0, chain.GENESIS, "", 0)


def log_files(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the files with lines, in their order, and those of what else lies there and does not belong."""
    names = sorted(path.name for path in folder.iterdir())
    lines = [name for name in names if _NAME.match(name)]
    return lines, [name for name in names if name not in {*lines, HEAD, ANCHORS}]


def file_for(head: Head, now: dt.datetime) -> str:
    """Where the next line goes. A clock that went back begins no file: names only ever grow."""
    month = f"{now:%Y-%m}"
    if head.file and head.size == 0:
        return head.file  # a job was killed as it began the file
    if month > head.file[:7]:
        return f"{month}-0001.jsonl"
    if head.size >= LARGEST:
        return f"{head.file[:7]}-{int(head.file[8:12]) + 1:04d}.jsonl"
    return head.file
