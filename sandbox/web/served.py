"""The bytes of a submission, to a steward: those that would leave, and shown as nothing that could act."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response

from sandbox.airlock import told
from sandbox.airlock.release import check_same
from sandbox.airlock.store import Submissions

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.lab import Lab
    from sandbox.airlock.speaker import Speaker
    from sandbox.airlock.submission import Submission

_PLAIN = "text/plain; charset=utf-8"
_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "csv": _PLAIN,
    "json": _PLAIN,
    "text": _PLAIN,
    "notebook": _PLAIN,  # never as the page that it might make of itself
}
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def served(lab: Lab, one: Submission, by: Speaker) -> Response:
    """The file as a picture or as plain text, and what is neither as a file to keep; told to the audit log before.

    Raises DeniedError where the bytes are not those that were taken.
    """
    store = Submissions.of(lab)
    path = store.released(one) if one.state == "released" else store.copy(one.number)
    content = _read(path)
    check_same(one, hashlib.sha256(content).hexdigest())
    lab.audit.write(told.step("open", one, by=by, why="read by a reviewer"))
    kind = _TYPES.get(one.kind or "")
    disposition = "attachment" if kind is None else "inline"
    headers = {**_SAFE, "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(one.name, safe='')}"}
    return Response(content, media_type=kind or "application/octet-stream", headers=headers)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
