"""Files of packages that were fetched before, at var/packages/<SHA-256>: each is what its name says, or is not used."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from policies.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Cache:
    """Of one lab; jobs may share it."""

    def __init__(self, folder: Path) -> None:
        """The folder is made when something is kept."""
        self._folder = folder

    def kept(self, sha256: str) -> Path | None:
        """The file, if it is there and whole."""
        path = self._folder / sha256
        try:
            with path.open("rb") as file:
                return path if hashlib.file_digest(file, "sha256").hexdigest() == sha256 else None
        except FileNotFoundError:
            return None

    def keep(self, sha256: str, pieces: Iterable[bytes], about: str) -> Path:
        """Keep a file once all of it has come and has that hash. Raises RemoteError naming `about` if it has not."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor, new = tempfile.mkstemp(dir=self._folder, prefix=".")
        digest = hashlib.sha256()
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
            _check(digest.hexdigest(), sha256, about)
            path = self._folder / sha256
            Path(new).replace(path)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise
        return path


def _check(came: str, sha256: str, about: str) -> None:
    if came != sha256:
        raise RemoteError(
            f"{about}: what came has not the SHA-256 that the index says ({sha256[:12]}…): it is not passed on"
        )
