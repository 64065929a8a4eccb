"""At most so many fetches at a time from one host, whatever process they run in: locks on files of the lab."""

from __future__ import annotations

import contextlib
import fcntl
import random
import re
from typing import TYPE_CHECKING

from pydantic import HttpUrl

from catalog.sources import KINDS, Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.sources import Source


def host_of(source: Source) -> str | None:
    """The host that a source names, or None if it is a file of the lab."""
    for key, kind in KINDS.items():
        if isinstance(source, kind):
            named = getattr(source, key)
            if isinstance(named, HttpUrl | Database):
                return named.host
            return None if key == "file" else str(named)
    return None


@contextlib.contextmanager
def polite(locks: Path, source: Source, per_host: int) -> Iterator[None]:
    """Wait until fewer than `per_host` others fetch from the source's host. A killed job lets go."""
    host = host_of(source)
    if host is None:
        yield
        return
    locks.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9.-]", "_", host.lower())
    with contextlib.ExitStack() as stack:
        slots = [stack.enter_context((locks / f"{name}.{number}").open("w")) for number in range(per_host)]
        for slot in slots:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        else:
            fcntl.flock(random.choice(slots), fcntl.LOCK_EX)  # noqa: S311  any of them will do
        yield
