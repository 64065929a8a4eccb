"""The lab's notebooks as `datalab sandbox lab` hands them in: what their authors wrote, never what a run answered.

A folder that everybody is given must not carry rows that one person was granted. So a notebook is made anew from its
cells' sources; outputs, widgets' states and whatever else a tool may have kept in it stay outside.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXECUTED = ".executed.ipynb"
"""How the name of an executed copy ends: such a file is the answer of one run, and is offered to nobody."""

_FORMAT = 4


def offered(folder: Path, most: int, warn: Callable[[str], None]) -> dict[str, bytes]:
    """The notebooks of `folder`, by the path where a jail sees them; `warn` is told of each file that is none.

    Links are not followed, and files of more than `most` bytes are not read.
    """
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        if path.name.endswith(EXECUTED) or path.is_symlink() or not path.is_file():
            continue
        text = path.read_bytes() if path.stat().st_size <= most else b""
        content = stripped(text)
        if content is None:
            warn(f"{path}: is not offered: expected a notebook of format {_FORMAT}, of {most} bytes at most")
        else:
            found[f"/notebooks/{path.name}"] = content
    return found


def stripped(text: bytes) -> bytes | None:
    """The notebook `text` with its cells' sources and no results, or None if it is no notebook of format 4."""
    try:
        notebook = json.loads(text)
        if notebook["nbformat"] != _FORMAT:
            return None
        fresh = {
            "cells": [_cell(cell) for cell in notebook["cells"]],
            "metadata": _kept(notebook["metadata"], "kernelspec", "language_info"),
            **_kept(notebook, "nbformat", "nbformat_minor"),
        }
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return json.dumps(fresh, indent=1).encode()


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    kept = _kept(cell, "cell_type", "id", "source", "attachments")
    kept["metadata"] = _kept(cell["metadata"], "tags", "slideshow")
    return {**kept, "execution_count": None, "outputs": []} if cell["cell_type"] == "code" else kept


def _kept(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}
