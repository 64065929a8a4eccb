"""The key of the pseudonyms: from the environment, or from a file that only its owner reads."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from policies.errors import DocumentError

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "DATALAB_PSEUDONYM_KEY"
_BYTES = 32


def pseudonym_key(path: Path) -> bytes:
    """The 32-byte key: `DATALAB_PSEUDONYM_KEY` (64 hex digits) if set, else the file `path`, made at first need.

    Who loses the key cannot make the same pseudonyms again. Raises DocumentError, which never shows the key, when it
    has another form.
    """
    given = os.environ.get(VARIABLE)
    if given is not None:
        return _parse(given, f"the environment variable {VARIABLE}")
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # link, not replace: of two jobs that start together, one makes the key and both use it
        try:
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink(missing_ok=True)
    return _parse(path.read_text(encoding="ascii"), str(path))


def _parse(text: str, place: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        message = f"{place}: expected a key of {2 * _BYTES} hexadecimal digits"
        raise DocumentError(message)
    return key
