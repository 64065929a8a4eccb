"""From an open file to a copy of our own, and its SHA-256."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from sandbox.airlock.beneath import UnsafeFileError

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20


def copied(source: int, target: Path, most: int, name: str) -> tuple[int, str]:
    """Copy an open file; returns its size and SHA-256. Raises UnsafeFileError if it grows or changes meanwhile."""
    before = os.fstat(source)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    digest, size = hashlib.sha256(), 0
    try:
        with target.open("xb") as file:
            while chunk := os.read(source, _CHUNK):
                size += len(chunk)
                if size > most:
                    break
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), 0o444)  # the jail of the checks has another uid; nobody else enters var/
            os.fsync(file.fileno())
        after = os.fstat(source)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != before.st_size:
            raise UnsafeFileError(f"{name}: was changed while it was read; put it there again")  # noqa: TRY301  one end
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return size, digest.hexdigest()
