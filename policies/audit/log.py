"""Writing the log: a line is on disk when `write` returns, and where it cannot be, the door must stay shut."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.audit import chain
from policies.audit.chain import EVERY, BrokenLineError, Link
from policies.audit.event import Event
from policies.audit.files import ANCHORS, BEGINNING, HEAD, Head, file_for, log_files
from policies.errors import DatalabError, LakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_TAIL = 400
"""Bytes at the end of the anchors that hold the last one, and one that was cut."""

_CHECK = "run `datalab audit verify`; until the log is whole, no door opens"


@dataclass
class _Batch:
    """The events of one caller, and what became of them."""

    events: Sequence[Event]
    over: bool = False
    error: DatalabError | None = None


@dataclass(frozen=True)
class _End:
    """Where the log really ends, which a crash may have left after the head, and what has to be made good."""

    head: Head
    torn: bytes = b""
    anchors: tuple[Link, ...] = ()


def _utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass
class AuditLog:
    """The log in a folder. Processes and threads may write at once; threads that share this object share the fsync.

    `key` is asked for at each write. `now` and `sync` are for tests.
    """

    folder: Path
    key: Callable[[], bytes]
    now: Callable[[], dt.datetime] = _utc
    sync: Callable[[int], None] = os.fsync
    _waiting: list[_Batch] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def write(self, event: Event) -> None:
        """Put one event on disk. Raises LakeError, or DocumentError for a wrong key: then nothing may be opened."""
        self.write_all((event,))

    def write_all(self, events: Sequence[Event]) -> None:
        """Put several events on disk, in their order, with one fsync; raises as `write`."""
        batch = _Batch(events)
        with self._guard:
            self._waiting.append(batch)
        with self._turn:
            # Whoever waited for its turn may find that the one before has written its events, too
            if not batch.over:
                with self._guard:
                    taken, self._waiting = self._waiting, []
                error: DatalabError | None = LakeError(f"{self.folder}: the audit log was not written")
                try:
                    error = self._written([event for one in taken for event in one.events])
                finally:
                    for one in taken:
                        one.over, one.error = True, error
        if batch.error is not None:
            raise batch.error

    def _written(self, events: Sequence[Event]) -> DatalabError | None:
        try:
            if events:
                self._append(events, self.key())
        except DatalabError as error:
            return error
        except OSError as error:
            said = error.strerror or str(error)
            return LakeError(f"{self.folder}: the audit log cannot be written ({said}), so nothing was opened")
        return None

    def _append(self, events: Sequence[Event], key: bytes) -> None:
        with self._locked(key) as (descriptor, last):
            end = self._end(last, key)
            anchored, cut = self._anchored()
            if anchored > end.head.n:
                raise LakeError(f"{self.folder}: lines up to {anchored} were written, and are gone; {_CHECK}")
            now = self.now()
            head = end.head
            name = file_for(head, now)
            anchors = list(end.anchors)
            raw = bytearray()
            if end.torn:  # no line that counts: a job was killed as it wrote it
                os.truncate(self.folder / head.file, head.size)
                events = (_repair(end.torn), *events)
            if name != head.file:
                anchors += [head.link]
                head = Head(head.n, head.digest, name, 0)
            link, at = head.link, now.isoformat().replace("+00:00", "Z")
            for event in events:
                told = event.model_dump(mode="json", exclude_defaults=True)
                line, link = chain.written(key, name, link, at, told)
                raw += line + b"\n"
                anchors += [link] if link.n % EVERY == 0 else []
            self._add(name, bytes(raw))
            missing = dict.fromkeys(one for one in anchors if one.n > anchored)
            tokens = "".join(f"{one.n}-{chain.anchor(key, one)}\n" for one in missing)
            if tokens:
                if cut > 0:  # by a crash: it is written again, the same
                    os.truncate(self.folder / ANCHORS, (self.folder / ANCHORS).stat().st_size - cut)
                self._add(ANCHORS, tokens.encode())
            os.pwrite(descriptor, Head(link.n, link.digest, name, head.size + len(raw)).sealed(key), 0)

    @contextlib.contextmanager
    def _locked(self, key: bytes) -> Iterator[tuple[int, Head]]:
        """Hold the log; the descriptor of its head, and what that says."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / HEAD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            raw = os.pread(descriptor, 4096, 0)
            if not raw:
                self._begin(descriptor, key)
                raw = BEGINNING.sealed(key)
            try:
                head = Head.unsealed(key, raw)
            except BrokenLineError as error:
                raise LakeError(f"{self.folder / HEAD}: {error}; {_CHECK}") from None
            yield descriptor, head
        finally:
            os.close(descriptor)

    def _begin(self, descriptor: int, key: bytes) -> None:
        """A log begins with a head that is on disk: so a log without a head has lost it."""
        lines, others = log_files(self.folder)
        if lines or others or (self.folder / ANCHORS).exists():
            raise LakeError(f"{self.folder / HEAD}: is gone or empty, and the log is not; {_CHECK}")
        os.pwrite(descriptor, BEGINNING.sealed(key), 0)
        self.sync(descriptor)
        self._sync_folder()

    def _end(self, head: Head, key: bytes) -> _End:
        """What lies after the head: lines of a job that was killed before it moved the head, and one that was cut."""
        names, _ = log_files(self.folder)
        size = (self.folder / head.file).stat().st_size if head.file in names else 0
        if size < head.size or (head.file and head.file not in names):
            raise LakeError(f"{self.folder / head.file}: is shorter than it was; {_CHECK}")
        later = [name for name in names if name > head.file]
        if size == head.size and not later:
            return _End(head)
        anchors: list[Link] = []
        torn = b""
        for name in [head.file, *later] if head.file else later:
            if name != head.file:
                if torn:
                    raise LakeError(f"{self.folder / head.file}: was cut, and another file follows; {_CHECK}")
                anchors += [head.link]
                head = Head(head.n, head.digest, name, 0)
            with (self.folder / name).open("rb") as file:
                file.seek(head.size)
                head, torn = _followed(self.folder / name, head, file.read(), key, anchors)
        return _End(head, torn, tuple(anchors))

    def _add(self, name: str, raw: bytes) -> None:
        path = self.folder / name
        is_new = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            left = memoryview(raw)
            while left:
                left = left[os.write(descriptor, left) :]
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            self._sync_folder()

    def _anchored(self) -> tuple[int, int]:
        """The number of the last line that has an anchor, and how many bytes after it are of one that a crash cut."""
        try:
            with (self.folder / ANCHORS).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                whole, end, cut = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return 0, 0
        found = chain.TOKEN.match(whole.rpartition(b"\n")[2].decode("ascii", "replace"))
        if end and found is None:
            raise LakeError(f"{self.folder / ANCHORS}: was changed; {_CHECK}")
        return (0 if found is None else int(found[1])), len(cut)

    def _sync_folder(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)


def _repair(torn: bytes) -> Event:
    digest = hashlib.sha256(torn).hexdigest()
    return Event(what="repair", door="log", who="log", bytes=len(torn), sha256=digest, reason="cut by a crash")


def _followed(path: Path, head: Head, rest: bytes, key: bytes, anchors: list[Link]) -> tuple[Head, bytes]:
    """The head moved over the lines that follow it in its file, and what after them has no line end.

    Adds to `anchors` the links that should have one. Raises LakeError if a line is not this log's.
    """
    *lines, torn = rest.split(b"\n")
    for raw in lines:
        try:
            line = chain.read(key, head.file, raw)
        except BrokenLineError as error:
            raise LakeError(f"{path}: what stands after line {head.n} {error}; {_CHECK}") from None
        if (line.link.n, line.prev) != (head.n + 1, head.digest):
            raise LakeError(f"{path}: line {line.link.n} stands after line {head.n}; {_CHECK}")
        head = Head(line.link.n, line.link.digest, head.file, head.size + len(raw) + 1)
        anchors += [head.link] if head.n % EVERY == 0 else []
    return head, torn
