"""Whether the log is whole. What is wrong is named by file and line; nothing is changed."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.audit import chain
from policies.audit.chain import EVERY, START, TOKEN, BrokenLineError
from policies.audit.files import ANCHORS, HEAD, Head, log_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policies.audit.chain import Line, Link


@dataclass
class Verified:
    """What was found. The log is whole if `wrong` is empty; `notes` are crashes, which are no harm.

    `anchor` is that of the last line, `N-HMAC`, to be kept elsewhere; None where there is no line.
    """

    lines: int = 0
    files: int = 0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    anchor: str | None = None


@dataclass(frozen=True)
class _Seen:
    """The log at one moment between two writes: its small files whole, and how long the others were."""

    head: bytes
    anchors: bytes
    sizes: dict[str, int]
    strangers: list[str]


def verify(folder: Path, key: bytes, kept: Sequence[str] = ()) -> Verified:
    """Look at every line of the log in `folder` and at its anchors, and compare with the anchors `kept` elsewhere.

    Only an anchor from elsewhere shows that the whole log, with its head and its anchors, was put back to what it was.
    """
    found = Verified()
    seen = _seen(folder)
    if seen is None:
        found.wrong += [f"{folder}: there is no log"] if kept else []
        return found
    found.wrong += [f"{folder / name}: does not belong to the log" for name in seen.strangers]
    try:
        head = Head.unsealed(key, seen.head)
    except BrokenLineError as error:
        head = None
        found.wrong.append(f"{folder / HEAD}: {error}" if seen.head else f"{folder / HEAD}: is gone or empty")
    walk = _Walk(folder, key, found, head, {int(token.partition("-")[0]): token for token in kept})
    for name, size in seen.sizes.items():
        walk.through(name, size)
    walk.ended()
    _compare_anchors(folder / ANCHORS, seen.anchors, walk, found)
    found.lines, found.files = walk.link.n, len(seen.sizes)
    found.anchor = f"{walk.link.n}-{chain.anchor(key, walk.link)}" if walk.link.n > 0 else None
    return found


def _seen(folder: Path) -> _Seen | None:
    path, anchors = folder / HEAD, folder / ANCHORS
    if not folder.is_dir():
        return None
    if not path.exists():
        names, strangers = log_files(folder)
        sizes = {name: (folder / name).stat().st_size for name in names}
        there = bool(names or strangers or anchors.exists())
        return _Seen(b"", anchors.read_bytes() if anchors.exists() else b"", sizes, strangers) if there else None
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        names, strangers = log_files(folder)
        sizes = {name: (folder / name).stat().st_size for name in names}
        return _Seen(file.read(), anchors.read_bytes() if anchors.exists() else b"", sizes, strangers)


class _Walk:
    """Goes through the lines, and goes on after what is wrong, so that one change is told once."""

    def __init__(self, folder: Path, key: bytes, found: Verified, head: Head | None, kept: dict[int, str]) -> None:
        self.folder = folder
        self.key = key
        self.found = found
        self.head = head
        self.kept = kept
        self.link = START
        self.anchors: dict[int, str] = {}
        """Of each line that should have one: the anchor."""
        self.head_line: tuple[Link, str, int] | None = None
        """The line that the head names: where it is, and where it ends."""

    def through(self, name: str, size: int) -> None:
        path = self.folder / name
        if self.link.n > 0:
            self.anchors[self.link.n] = chain.anchor(self.key, self.link)
        with path.open("rb") as file:
            pieces = file.read(size).split(b"\n")
        end, bad = 0, False
        for number, raw in enumerate(pieces[:-1], 1):
            end += len(raw) + 1
            try:
                line = chain.read(self.key, name, raw)
            except BrokenLineError as error:
                self.found.wrong.append(f"{path}:{number}: {error}")
                bad = True
                continue
            if self._follows(f"{path}:{number}", line, after_bad=bad):
                self._take(f"{path}:{number}", line.link)
                bad = False
                if self.head is not None and self.link.n == self.head.n:
                    self.head_line = (self.link, name, end)
        if pieces[-1] and self._after_head(name, end):
            self.found.notes.append(f"{path}:{len(pieces)}: was cut by a crash; the next write tells of it")
        elif pieces[-1]:
            self.found.wrong.append(f"{path}:{len(pieces)}: is cut: it has no line end")
        elif end == 0 and not self._after_head(name, 0):
            self.found.wrong.append(f"{path}: is empty")

    def _follows(self, place: str, line: Line, *, after_bad: bool) -> bool:
        """Whether the chain goes on with this line; tells what is wrong, unless a line before it was told of."""
        n, expected = line.link.n, self.link.n + 1
        if n > expected and not after_bad:
            gone = f"line {expected} is" if n == expected + 1 else f"lines {expected} to {n - 1} are"
            self.found.wrong.append(f"{place}: {gone} gone before this one, which is line {n}")
        elif n < expected or (n == expected and line.prev != self.link.digest):
            self.found.wrong.append(f"{place}: is line {n}, and stands after line {self.link.n}")
            return False
        return True

    def _take(self, place: str, link: Link) -> None:
        self.link = link
        token = chain.anchor(self.key, link) if link.n % EVERY == 0 or link.n in self.kept else ""
        if link.n % EVERY == 0:
            self.anchors[link.n] = token
        if self.kept.pop(link.n, f"{link.n}-{token}") != f"{link.n}-{token}":
            self.found.wrong.append(f"{place}: is not the line of the anchor that was kept: the log was written anew")

    def _after_head(self, name: str, place: int) -> bool:
        """Whether this place may have been written and never counted: no line after it ever did."""
        return self.head is not None and (name, place) >= (self.head.file, self.head.size)

    def ended(self) -> None:
        last, head = self.link.n, self.head
        if head is not None and head.n > last:
            path = self.folder / head.file
            gone = f"line {head.n} is" if head.n == last + 1 else f"lines {last + 1} to {head.n} are"
            self.found.wrong.append(f"{path}: {gone} gone from the end")
        elif head is not None and head.n > 0 and self.head_line != (head.link, head.file, head.size):
            self.found.wrong.append(f"{self.folder / HEAD}: line {head.n} does not end where it was written")
        for n in self.kept:
            if n > last:
                self.found.wrong.append(f"{self.folder}: lines up to {n} are gone: the anchor that was kept names them")


def _compare_anchors(path: Path, raw: bytes, walk: _Walk, found: Verified) -> None:
    *lines, cut = raw.decode("ascii", "replace").split("\n")
    last = 0
    counted = walk.link.n if walk.head is None else walk.head.n
    for number, token in enumerate(lines, 1):
        match = TOKEN.match(token)
        n = 0 if match is None else int(match[1])
        if match is None:
            found.wrong.append(f"{path}:{number}: is no anchor")
        elif n <= last:
            found.wrong.append(f"{path}:{number}: is of line {n}, and stands after that of line {last}")
        elif n > walk.link.n:
            found.wrong.append(f"{path}:{number}: lines up to {n} were written, and are gone")
        elif walk.anchors.pop(n, None) != f"{token.partition('-')[2]}":
            found.wrong.append(f"{path}:{number}: is not the anchor of line {n}")
        last = max(n, last)
    found.wrong += [f"{path}: the anchor of line {n} is gone" for n in walk.anchors if n <= counted]
    if any(f"{n}-{token}".startswith(cut) for n, token in walk.anchors.items() if cut and n > counted):
        found.notes.append(f"{path}:{len(lines) + 1}: was cut by a crash; the next write makes it whole")
    elif cut:
        found.wrong.append(f"{path}:{len(lines) + 1}: is cut, or was added to")
