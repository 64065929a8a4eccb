"""What one line of the audit log tells: who opened what, by which door, for what, from where."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

What = Literal[
    "open",  # files were handed out: a download, the mounts of a sandbox
    "close",  # a sandbox ended, and with it what it had open
    "login",  # somebody came in by the front door, or was not let in
    "query",  # SQL was asked
    "answer",  # what came of it, where that is known only later: rows, bytes, or how it failed
    "deny",  # the policy said no, or the door did
    "request",
    "grant",
    "refuse",  # a request, or a refresh that was held
    "withdraw",
    "revoke",
    "accept",  # a refresh that was held
    "publish",  # to a CKAN
    "release",  # out of the airlock
    "review",  # a word in the airlock that decides nothing yet: an approval before the last, a question, an answer
    "token",  # one was made or revoked
    "account",  # one was made, given a new password, or removed
    "policy",  # grants came or went by hand
    "repair",  # written by the log itself, after a line that was cut by a crash
]
Door = Literal["cli", "sandbox", "portal", "gateway", "ckan", "ingest", "airlock", "packages", "file", "log"]

LONGEST = 300
"""Characters that are kept of a text; what is longer ends in `…`."""

MOST = 10_000
"""Editions that one event may name."""


def _clipped(value: Any) -> Any:
    """A text as it may stand in the log. A stranger chooses it, so it is cut, not refused: the line must be written."""
    if not isinstance(value, str):
        return value
    # What came as bytes that are no UTF-8 has lone surrogates in it, which cannot be written
    text = value[: LONGEST + 1].encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


Text = Annotated[str, BeforeValidator(_clipped)]


class Opened(BaseModel):
    """An edition, or one table of it, in the version that was served; None where all of them are meant."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    dataset: Text
    edition: Text
    resource: Text | None = None
    version: int | None = None

    def __str__(self) -> str:
        """As a person writes it: `irve/open.bornes v3`."""
        table = "" if self.resource is None else f".{self.resource}"
        version = "" if self.version is None else f" v{self.version}"
        return f"{self.dataset}/{self.edition}{table}{version}"


class Event(BaseModel):
    """One thing that happened. Texts are cut at 300 characters; the time is put in by the log.

    `who` is a principal (`user:ana`, `everyone`), or the account that ran a command of the lab's own. `origin` is an
    address, or `account:NAME` for who sits at the terminal. `rows` and `bytes` are what went out. `to`, `purposes` and
    `until` are a grant's. `sha256` is of the SQL, or of what else is not written out; `number` is a request's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: What
    door: Door
    who: Text
    editions: tuple[Opened, ...] = Field((), max_length=MOST)
    purpose: Text | None = None
    origin: Text | None = None
    rows: int | None = None
    bytes: int | None = None
    reason: Text | None = None
    sha256: Text | None = None
    number: int | None = None
    to: Text | None = None
    purposes: Text | None = None
    until: dt.date | None = None


def sha256_of(text: str) -> str:
    """What stands in the log for a text that must not: 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
