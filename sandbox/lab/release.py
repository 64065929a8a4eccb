"""Asking for a file to leave the sandbox, and taking that back: the airlock finds it in `~/outbox/`."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .engine import DATA

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

_REQUEST = "request.json"


def release(path: str | os.PathLike[str], why: str, editions: Sequence[str] | None = None) -> str:
    """Ask a steward to release a copy of a file, and say why it may leave; returns the name of the request.

    `editions` are those that it was made of, as `dataset/edition`; None: all that this sandbox shows. What becomes of
    it is told in `~/outbox/answers.jsonl`. Raises FileNotFoundError if there is no such file, ValueError without a
    reason.
    """
    source = Path(path)
    if not source.is_file():
        message = f"{source}: no such file; expected one file, a folder does not leave"
        raise FileNotFoundError(message)
    if source.name == _REQUEST:
        message = f"{source}: give the file another name"
        raise ValueError(message)
    told: dict[str, object] = {"why": _reason(why), "editions": list(_shown() if editions is None else editions)}
    return _put(told, source)


def answer(number: int, why: str) -> str:
    """Answer what a steward asked about a request of that number."""
    return _put({"why": _reason(why), "answers": int(number)}, None)


def withdraw(number: int, why: str = "no longer needed") -> str:
    """Take back a request of that number; a copy that waits in the airlock is deleted."""
    return _put({"why": _reason(why), "withdraws": int(number)}, None)


def _put(told: dict[str, object], source: Path | None) -> str:
    """Make the folder under another name first: what has its name is whole."""
    outbox = Path.home() / "outbox"
    outbox.mkdir(mode=0o700, exist_ok=True)
    name = f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    new = outbox / f".{name}"
    new.mkdir(mode=0o700)
    try:
        if source is not None:
            shutil.copyfile(source, new / source.name)
        (new / _REQUEST).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        new.rename(outbox / name)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return name


def _shown() -> list[str]:
    """The editions that this sandbox shows."""
    listed = DATA / "datasets.json"
    entries = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else []
    return sorted(f"{entry['dataset']}/{entry['edition']}" for entry in entries)


def _reason(why: str) -> str:
    if not why.strip():
        message = "say why it may leave: a steward decides on it"
        raise ValueError(message)
    return why.strip()
