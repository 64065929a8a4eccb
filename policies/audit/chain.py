"""The lines of the log, as bytes: what makes each of them prove itself and the one before. Pure.

A line is canonical JSON (sorted keys, no spaces, ASCII): `at` (UTC), `event`, `n` (1, 2, 3 … through all files),
`prev` (SHA-256 of the line before, without its line end) and `mac` (HMAC-SHA256 of the file's name and all the rest).
Whoever has no key can follow `prev`; who has it sees that no line is another's. An *anchor* is the HMAC of a line's
number and hash: it says that the log has come that far, wherever it is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64
"""What the first line has for the hash of the one before."""

EVERY = 64
"""Lines from one anchor to the next; the last line of each file has one too."""

TOKEN = re.compile(r"^(0|[1-9][0-9]{0,17})-([0-9a-f]{64})$")
"""An anchor as it is printed and kept elsewhere: the line's number and the HMAC."""


@dataclass(frozen=True)
class Link:
    """Where a chain ends: its last line's number and hash."""

    n: int
    digest: str


START = Link(0, GENESIS)


class BrokenLineError(Exception):
    """What is wrong with a line by itself."""


@dataclass(frozen=True)
class Line:
    """A line that is this log's: its place in the chain and what it says, `event` as JSON has it."""

    link: Link
    prev: str
    at: str
    event: dict[str, Any]


def canonical(value: dict[str, Any]) -> bytes:
    """The one way to write it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def written(key: bytes, name: str, after: Link, at: str, event: dict[str, Any]) -> tuple[bytes, Link]:
    """The line of the file `name` that says `event` after the link, without its line end, and the link that it is."""
    body = {"at": at, "event": event, "n": after.n + 1, "prev": after.digest}
    raw = canonical({**body, "mac": _mac(key, name.encode(), canonical(body))})
    return raw, Link(after.n + 1, hashlib.sha256(raw).hexdigest())


def read(key: bytes, name: str, raw: bytes) -> Line:
    """The line that these bytes of the file `name` are.

    Raises BrokenLineError if they were not written with this key, for this file, byte for byte.
    """
    try:
        whole = json.loads(raw)
        mac = whole.pop("mac")
        genuine = hmac.compare_digest(_mac(key, name.encode(), canonical(whole)), mac)
        same = canonical({**whole, "mac": mac}) == raw
        line = Line(Link(whole["n"], hashlib.sha256(raw).hexdigest()), whole["prev"], whole["at"], whole["event"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BrokenLineError("is no line of the log") from None
    if not (genuine and same):
        raise BrokenLineError("was changed, or was not written with this key")
    return line


def anchor(key: bytes, link: Link) -> str:
    """The HMAC that says that the log has come to this line."""
    return _mac(key, b"anchor", f"{link.n}:{link.digest}".encode())


def sealed(key: bytes, said: dict[str, Any]) -> bytes:
    """A small record of the log's own, with its MAC."""
    return canonical({**said, "mac": _mac(key, b"record", canonical(said))})


def unsealed(key: bytes, raw: bytes) -> dict[str, Any]:
    """What such a record says; raises BrokenLineError if it was changed, or written with another key."""
    try:
        said: dict[str, Any] = json.loads(raw)
        mac = said.pop("mac")
        genuine = hmac.compare_digest(_mac(key, b"record", canonical(said)), mac)
        same = canonical({**said, "mac": mac}) == raw
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BrokenLineError("is no record of the log") from None
    if not (genuine and same):
        raise BrokenLineError("was changed, or was not written with this key")
    return said


def _mac(key: bytes, kind: bytes, message: bytes) -> str:
    # The kind goes in, so that one thing's MAC never stands for another's
    return hmac.new(key, kind + b"\0" + message, hashlib.sha256).hexdigest()
