"""The lab's secret keys: each from the environment, or from a file that only its owner reads."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from policies.errors import DocumentError

VARIABLE = "DATALAB_PSEUDONYM_KEY"
AUDIT_VARIABLE = "DATALAB_AUDIT_KEY"
_BYTES = 32


def pseudonym_key(path: Path) -> bytes:
    """The 32-byte key: `DATALAB_PSEUDONYM_KEY` (64 hex digits) if set, else the file `path`, made at first need.

    Who loses the key cannot make the same pseudonyms again. Raises DocumentError, which never shows the key, when it
    has another form.
    """
    return _key(VARIABLE, path)


def audit_key(path: Path) -> bytes:
    """The 32-byte key that proves the audit log: `DATALAB_AUDIT_KEY`, or the file `path`, as for the pseudonyms.

    Who has it can write lines that look genuine; who loses it can neither verify the log nor go on with it.
    """
    return _key(AUDIT_VARIABLE, path)


def _key(variable: str, path: Path) -> bytes:
    given = os.environ.get(variable)
    if given is not None:
        return _parse(given, f"the environment variable {variable}")
    if not path.exists():
        _make(path)
    return _parse(path.read_bytes().decode("ascii", "replace"), str(path))


def _make(path: Path) -> None:
    """Put a new key at `path`, whole and on disk, unless another job was first: then its key stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A file of its own (mode 0600) for each job: a shared one could be emptied after another job had linked it
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # link, not replace: of two jobs that start together, one makes the key and both use it
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        Path(new).unlink()


def _parse(text: str, place: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        message = f"{place}: expected a key of {2 * _BYTES} hexadecimal digits"
        raise DocumentError(message)
    return key
