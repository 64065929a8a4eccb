"""A file that is not whole yet: what came of it, and of what it is a part, so that the rest can be asked for."""

from __future__ import annotations

import datetime as dt
import json
import re
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_SURE = 60  # seconds between Last-Modified and Date, by whatever clocks


class Partial:
    """The part of the file at `url` that lies beside `target`, if any.

    A note beside it says what it is a part of: the version by the server's own words, and what else its first answer
    said. Without a note the part is not gone on from.
    """

    def __init__(self, target: Path, url: str) -> None:  # noqa: D107  the class says it
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        self._url = url

    def asking(self) -> dict[str, str]:
        """The headers that ask for the rest, or all if the file has changed; none if there is no part to go on from."""
        note = self.noted()
        if not note:
            return {}
        size = self.path.stat().st_size
        return {"Range": f"bytes={size}-", "If-Range": note["validator"], "Accept-Encoding": "identity"}

    def continued_by(self, answer: httpx.Response) -> bool:
        """Whether the answer is the rest of this part: the same version by its own words, and from the next byte on."""
        note = self.noted()
        found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if not note or found is None or answer.status_code != httpx.codes.PARTIAL_CONTENT or coding_of(answer):
            return False
        said = answer.headers.get("etag" if note["validator"].startswith('"') else "last-modified")
        first, last, total = map(int, found.groups())
        here = self.path.stat().st_size
        return said == note["validator"] and (first, last) == (here, total - 1) and note["total"] in {None, total}

    def begin(self, answer: httpx.Response, name: str) -> dict[str, Any]:
        """Start anew with the version that this answer gives, of the file called `name`; what was noted of it."""
        self.discard()
        self.path.touch()
        etag, modified = answer.headers.get("etag"), answer.headers.get("last-modified")
        total = answer.headers.get("content-length")
        note = {
            "url": self._url,
            "boot": _boot(),
            "validator": etag if etag is not None and etag.startswith('"') else modified if _is_sure(answer) else None,
            "total": None if total is None else int(total),
            "etag": etag,
            "last_modified": modified,
            "name": name,
        }
        if note["validator"] is not None and not coding_of(answer):
            self._note.write_text(json.dumps(note), encoding="utf-8")
        return note

    def noted(self) -> dict[str, Any]:
        """What the note says; nothing unless it is of this address, and no power cut may have hollowed the part."""
        try:
            note: dict[str, Any] = json.loads(self._note.read_text(encoding="utf-8"))
            good = note["url"] == self._url and note["boot"] == _boot() and self.path.stat().st_size > 0
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return note if good else {}

    def become(self, target: Path) -> None:
        """The part is whole: let it be the file at `target`."""
        self._note.unlink(missing_ok=True)
        self.path.replace(target)

    def discard(self) -> None:
        """Forget it, the note first."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def coding_of(answer: httpx.Response) -> str:
    """How the body is packed, as the answer says; empty if it is not."""
    coding = str(answer.headers.get("content-encoding", "")).strip().lower()
    return "" if coding == "identity" else coding


def _is_sure(answer: httpx.Response) -> bool:
    """Whether Last-Modified stands for the bytes: a change in the same second is ruled out (RFC 9110, 8.8.2.2)."""
    modified, asked = date_in(answer, "last-modified"), date_in(answer, "date")
    return modified is not None and asked is not None and (asked - modified).total_seconds() >= _SURE


def date_in(answer: httpx.Response, name: str) -> dt.datetime | None:
    """The time in a header of the answer, or None if there is none that can be read."""
    try:
        found = parsedate_to_datetime(answer.headers.get(name, ""))
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)


def _boot() -> str:
    """What tells one start of this machine from the next."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
