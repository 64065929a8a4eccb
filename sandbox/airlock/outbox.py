"""What lies in a user's `~/outbox/`, read by us while they may change it.

    outbox/<file>                       put there by hand
    outbox/<id>/request.json, <file>    put there by `lab.release`
    outbox/<id>/request.json            an answer to a steward's question, by `lab.answer`; or `lab.withdraw`
    outbox/sent/, refused/              where we move what was taken, and what cannot be
    outbox/answers.jsonl                what became of it

Nothing in it is believed: names, texts and sizes are bounded, and no link, fifo or device is opened (beneath.py).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from policies.document import Model
from policies.errors import SandboxError
from sandbox.airlock.beneath import UnsafeFileError, open_file, open_folder
from sandbox.homes import opened_home
from sandbox.streams import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSWERS = "answers.jsonl"
_OURS = frozenset({ANSWERS, "sent", "refused"})
_REQUEST = "request.json"
_REQUEST_BYTES = 64 * 1024
_MOST = 1000
_LAST = 10**9
_NAME = re.compile(r"[^\W_][\w .()+-]{0,99}")
_SETTLED = 2.0
"""Seconds for which a file that was put there by hand must not have been written."""


class Asked(Model):
    """What request.json says.

    `answers` is the submission whose question `why` answers, `withdraws` the one that is taken back; no file comes with
    either.
    """

    why: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    editions: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,63}/[a-z0-9_]{1,63}$")], ...],
        Field(max_length=200),
    ] = ()
    answers: Annotated[int, Field(ge=1, le=_LAST)] | None = None
    withdraws: Annotated[int, Field(ge=1, le=_LAST)] | None = None

    @property
    def words(self) -> list[tuple[Literal["answer", "withdraw"], int]]:
        """What is said of submissions that are there already."""
        said: list[tuple[Literal["answer", "withdraw"], int | None]] = [
            ("answer", self.answers),
            ("withdraw", self.withdraws),
        ]
        return [(word, number) for word, number in said if number is not None]


@dataclass(frozen=True)
class Parcel:
    """One entry of an outbox: the open file (None where words are all), its name, and what is asked. `close` it."""

    entry: str
    name: str
    asked: Asked
    file: int | None

    def close(self) -> None:
        """Let go of the file."""
        if self.file is not None:
            os.close(self.file)


@contextlib.contextmanager
def opened_outbox(home: Path, *, make: bool = False, name: str = "outbox") -> Iterator[int]:
    """The outbox of a home (or its inbox, by `name`), as a descriptor; with `make`, made where it is missing.

    Raises UnsafeFileError where it is no folder or the home cannot be mounted, FileNotFoundError where there is none.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(opened_home(home))
        except SandboxError as error:
            raise UnsafeFileError(str(error)) from None
        base = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        stack.callback(os.close, base)
        if make:
            _make(base, name)
        os.stat(name, dir_fd=base, follow_symlinks=False)
        opened = open_folder(base, name)
        stack.callback(os.close, opened)
        yield opened


def entries(outbox: int) -> list[str]:
    """What is there to take, by name; at most a thousand at a time."""
    return sorted(one for one in os.listdir(outbox) if one not in _OURS and not one.startswith("."))[:_MOST]


def parcel(outbox: int, entry: str, most: int) -> Parcel | None:
    """An entry, opened; None for one that is still being written. Raises UnsafeFileError where it cannot be taken."""
    if not stat.S_ISDIR(os.stat(entry, dir_fd=outbox, follow_symlinks=False).st_mode):
        file = _named(outbox, entry, most)
        if time.time() - os.fstat(file).st_mtime < _SETTLED:
            os.close(file)
            return None
        return Parcel(entry, entry, Asked(why="put there by hand"), file)
    folder = open_folder(outbox, entry)
    try:
        asked = _request(folder, entry)
        names = [one for one in os.listdir(folder) if one != _REQUEST]  # noqa: PTH208  a descriptor
        files, words = len(names), len(asked.words)
        if (files, words) == (0, 1):
            return Parcel(entry, "", asked, None)
        if (files, words) != (1, 0):
            raise UnsafeFileError(
                f"{entry}: holds {files} files beside {_REQUEST} and {words} answers or withdrawals; expected one"
            )
        return Parcel(entry, names[0], asked, _named(folder, names[0], most))
    finally:
        os.close(folder)


def put_away(outbox: int, entry: str, where: str, name: str) -> None:
    """Move an entry to `sent` or `refused`, under another name; it is the user's, and stays theirs.

    Where they have made that impossible it stays beside, under a name that is never looked at again.
    """
    named = f"{name}-{secrets.token_hex(3)}"
    try:
        _make(outbox, where)
        target = open_folder(outbox, where)
        try:
            os.rename(entry, named, src_dir_fd=outbox, dst_dir_fd=target)
        finally:
            os.close(target)
    except (OSError, UnsafeFileError):
        with contextlib.suppress(OSError):
            os.rename(entry, f".{where}-{named}", src_dir_fd=outbox, dst_dir_fd=outbox)


def plain(text: str) -> str:
    """A stranger's text on one line, without what could drive a terminal."""
    return " ".join(printable(text).split())


def check_name(name: str) -> None:
    """Raise UnsafeFileError for a name that could deceive who reads it."""
    if not _NAME.fullmatch(name):
        raise UnsafeFileError(
            f"{plain(name)!r}: expected a name of at most 100 letters, digits, spaces and . _ - + ( ), no dot first"
        )


def _named(folder: int, name: str, most: int) -> int:
    check_name(name)
    return open_file(folder, name, most)


def _request(folder: int, entry: str) -> Asked:
    with os.fdopen(open_file(folder, _REQUEST, _REQUEST_BYTES), "rb") as file:
        content = file.read(_REQUEST_BYTES)
    try:
        return Asked.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UnsafeFileError(f"{entry}/{_REQUEST}: {plain(where)[:100]}: {first['msg'][:200]}") from None


def _make(folder: int, name: str) -> None:
    """Make a folder, of the same owner as the one that it is in."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=folder)
        owner = os.fstat(folder)
        made = open_folder(folder, name)
        try:
            os.fchown(made, owner.st_uid, owner.st_gid)
        finally:
            os.close(made)
