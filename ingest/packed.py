"""The members of one .zip or .tar: their names, safe and different from a path that climbs, their sizes and contents.

What could be taken in two ways, or leaves the folder, is refused: links, devices, members that overlap, long lists.
"""

from __future__ import annotations

import stat
import struct
import tarfile
import unicodedata
import zipfile
from functools import partial
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Contents = Iterator[tuple[str, Callable[[], IO[bytes]]]]
    """Each member's name, and what opens it."""

AT_ONCE = 1 << 15
"""Bytes of an archive that are taken into memory at a time."""
END = b"PK\x05\x06"
"""How the end of a .zip starts, which is all of an empty one."""

_MAX_LISTING = 64 * 2**20
_MAX_NAME, _MAX_PATH = 255, 1024
_END_SIZE = 22
_ZIP64_END = b"PK\x06\x06"
_ZIP64_END_SIZE, _LOCATOR_SIZE, _HEADER_SIZE = 56, 20, 30


def _safe(path: Path, name: str) -> str:
    """The member's name with `/` between folders. Raises ReadingError if it would leave the folder, or be no name."""
    plain = name.replace("\\", "/")
    parts = PurePosixPath(plain).parts
    if plain.startswith("/") or plain[1:2] == ":" or ".." in parts:
        raise ReadingError(f"{path}: the archive holds {name!r}, a path that leaves its folder; do not trust it")
    strange = any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in plain)
    long = len(plain.encode(errors="replace")) > _MAX_PATH
    if strange or long or not parts or max(len(part.encode()) for part in parts) > _MAX_NAME:
        raise ReadingError(f"{path}: the archive holds {name[:_MAX_NAME]!r}, which is no name of a file; pack it anew")
    return str(PurePosixPath(plain))


def zip_members(path: Path) -> list[tuple[str, int]]:
    """The name and size of each file in the .zip at `path`. Raises BadZipFile or ReadingError."""
    if _listing_size(path) > _MAX_LISTING:
        raise ReadingError(f"{path}: the archive's list of files is too long to be read; pack fewer files")
    with zipfile.ZipFile(path) as archive:
        infos, listing_at = archive.infolist(), archive.start_dir
    _refuse_overlap(path, infos, listing_at)
    found = []
    for info in infos:
        name = _safe(path, info.filename)
        if info.is_dir():
            continue
        if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
            raise ReadingError(f"{path}: {name!r} is a link or a device, not a file; pack the files themselves")
        if info.flag_bits & 1:
            raise ReadingError(f"{path}: {name!r} is encrypted; pack it without a password")
        found.append((name, info.file_size))
    return found


def _listing_size(path: Path) -> int:
    """How many bytes zipfile is going to take into memory as the list of files (APPNOTE.TXT 4.3.14 and 4.3.16)."""
    with path.open("rb") as file:
        at = max(0, path.stat().st_size - _END_SIZE - 0xFFFF)
        file.seek(at)
        tail = file.read()
        end = tail.rfind(END)
        if end < 0 or len(tail) - end < _END_SIZE:
            raise zipfile.BadZipFile("its end, which lists its files, is missing")
        (size,) = struct.unpack_from("<L", tail, end + 12)
        before = at + end - _LOCATOR_SIZE - _ZIP64_END_SIZE
        if before >= 0:
            file.seek(before)
            large = file.read(_ZIP64_END_SIZE)
            if large.startswith(_ZIP64_END):
                (size,) = struct.unpack_from("<Q", large, 40)
    return int(size)


def _refuse_overlap(path: Path, infos: list[zipfile.ZipInfo], listing_at: int) -> None:
    """No two files may share bytes: small archives unpack to huge ones so (Fifield, A better zip bomb, 2019)."""
    free = 0
    with path.open("rb") as file:
        for info in sorted(infos, key=lambda one: one.header_offset):
            file.seek(max(info.header_offset, 0))
            header = file.read(_HEADER_SIZE)
            names = sum(struct.unpack_from("<HH", header, 26)) if len(header) == _HEADER_SIZE else 0
            if info.header_offset < free:
                raise ReadingError(f"{path}: {info.filename!r} overlaps another file of the archive; do not trust it")
            free = info.header_offset + _HEADER_SIZE + names + info.compress_size
    if free > listing_at:
        raise zipfile.BadZipFile("a file runs into the list of files")


def zip_contents(path: Path) -> Contents:
    """Each file in the .zip at `path`, one after the other."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield _safe(path, info.filename), partial(archive.open, info)


def tar_members(path: Path, most: int) -> list[tuple[str, int]]:
    """The name and size of each file in the .tar at `path`, not many more than `most`.

    Raises TarError or ReadingError.
    """
    found = []
    for name, info, _ in _tar_infos(path):
        if not info.isreg() or info.issparse():
            raise ReadingError(f"{path}: {name!r} is a link or a device, not a file; pack the files themselves")
        found.append((name, info.size))
        if len(found) > most:
            break
    return found


def tar_contents(path: Path) -> Contents:
    """Each file in the .tar at `path`, one after the other."""
    for name, info, archive in _tar_infos(path):
        yield name, cast("Callable[[], IO[bytes]]", partial(archive.extractfile, info))


def _tar_infos(path: Path) -> Iterator[tuple[str, tarfile.TarInfo, tarfile.TarFile]]:
    """All that is no folder, by its safe name."""
    with path.open("rb") as file, tarfile.open(fileobj=cast("IO[bytes]", _Bounded(file)), mode="r:") as archive:
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else tarfile remembers each of millions
            name = _safe(path, info.name)
            if not info.isdir():
                yield name, info, archive
        # tarfile stops without a word at a header that it cannot read
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"no file and no end stands at offset {archive.offset}")


class _Bounded:
    """A file that is only read in small pieces: tarfile takes the headers of extensions into memory whole."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > AT_ONCE:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)
