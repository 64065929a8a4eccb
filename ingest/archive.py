"""Archives: what is in a .zip, .tar or .gz, and its files unpacked without leaving the folder or the bounds.

An archive that could be taken in two ways (a name twice, a path that climbs, members that overlap, a link) is refused
whole. What is unpacked is bounded in bytes and files for all that is nested in one file together.
"""

from __future__ import annotations

import errno
import gzip
import re
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Literal, cast

from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from ingest.settings import IngestSettings

Packing = Literal["zip", "tar", "gzip"]

_CHUNK = 1 << 20
_MAX_LISTING = 64 * 2**20
_MAX_HEADER = 1 << 15
_MAX_NAME, _MAX_PATH = 255, 1024
_END = b"PK\x05\x06"
_END_SIZE = 22
_ZIP64_END = b"PK\x06\x06"
_ZIP64_END_SIZE, _LOCATOR_SIZE, _HEADER_SIZE = 56, 20, 30
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    OverflowError,
    ValueError,
    struct.error,
)


@dataclass
class Left:
    """What may still be unpacked of one file and of all that is nested in it."""

    bytes: int
    files: int

    @classmethod
    def of(cls, settings: IngestSettings) -> Left:
        """All that the settings allow."""
        return cls(settings.max_bytes, settings.max_files)

    def take(self, path: Path, size: int, files: int) -> None:
        """Count so much as unpacked. Raises ReadingError past the bounds."""
        self.bytes -= size
        self.files -= files
        if self.bytes < 0:
            raise ReadingError(
                f"{path}: unpacked it is larger than [ingest] max_bytes allows; unpack it yourself, or raise the bound"
            )
        if self.files < 0:
            raise ReadingError(
                f"{path}: it holds more files than [ingest] max_files allows; unpack what is needed, or raise the bound"
            )


def packing_of(path: Path) -> Packing | None:
    """How the file is packed, by its first bytes; None if it is no archive."""
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith((b"PK\x03\x04", _END)):
        return "zip"
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    return "tar" if start[257:262] == b"ustar" or _is_old_tar(start) else None


def _is_old_tar(start: bytes) -> bool:
    """Whether this is the first header of a tar of before POSIX (v7): no mark, but its checksum, in octal, is right."""
    said = start[148:156].strip(b"\0 ")
    return (
        start[:1] not in {b"", b"\0"}
        and re.fullmatch(rb"[0-7]+", said) is not None
        and int(said, 8) == sum(start[:148]) + 8 * ord(" ") + sum(start[156:])
    )


def unpack(path: Path, folder: Path, settings: IngestSettings) -> list[Path]:
    """Unpack all files of the .zip or .tar at `path` below `folder`, which is made; their paths, in its order.

    Raises ReadingError if it is cut, damaged, encrypted, larger than the settings allow, or holds anything but plain
    files whose names are all different and stay in the folder.
    """
    return list(take_out(path, folder, members(path, Left.of(settings))).values())


def members(path: Path, left: Left) -> list[str]:
    """The names of the files in the .zip or .tar at `path`, with `/` between folders; what they take is counted.

    Raises ReadingError as `unpack` does.
    """
    found = listed(path, left.files)
    left.take(path, sum(size for _, size in found), len(found))
    return [name for name, _ in found]


def listed(path: Path, most: int = 10_000_000) -> list[tuple[str, int]]:
    """The name and size of each file in the .zip or .tar at `path`; of a .tar, not many more than `most`.

    Raises ReadingError as `unpack` does.
    """
    with _told(path):
        found = _zip_members(path) if packing_of(path) == "zip" else _tar_members(path, most)
    seen: set[str] = set()
    for name, _ in found:
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            raise ReadingError(f"{path}: {name!r} stands twice in the archive: which one is meant? Pack it anew")
        seen.add(key)
    for key in seen:
        above = next((str(one) for one in PurePosixPath(key).parents if str(one) in seen), None)
        if above is not None:
            raise ReadingError(f"{path}: {above!r} is a file and a folder in the archive; pack it anew")
    return found


def take_out(path: Path, folder: Path, names: Collection[str]) -> dict[str, Path]:
    """Unpack the members of these names, which `members` gave, below `folder`; the path of each."""
    found = {name: folder / name for name in names}
    with _told(path):
        for name, content in _zip_contents(path) if packing_of(path) == "zip" else _tar_contents(path):
            if name in found:
                with _told(path, name):
                    found[name].parent.mkdir(parents=True, exist_ok=True)
                    with content() as source, found[name].open("xb") as target:
                        shutil.copyfileobj(source, target, _MAX_HEADER)
    return found


def starts(path: Path, names: Collection[str], size: int) -> dict[str, bytes]:
    """The first `size` bytes of the members of these names, of those that are not damaged."""
    found: dict[str, bytes] = {}
    with _told(path):
        for name, content in _zip_contents(path) if packing_of(path) == "zip" else _tar_contents(path):
            if name in names:
                with suppress(ReadingError), _told(path, name), content() as source:
                    found[name] = source.read(size)
    return found


def gunzip(path: Path, target: Path, left: Left) -> None:
    """Unpack the one file in the .gz at `path`. Raises ReadingError if it is cut, damaged or too large."""
    left.take(path, 0, 1)
    with _told(path), gzip.open(path) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            left.take(path, len(chunk), 0)
            file.write(chunk)


@contextmanager
def _told(path: Path, member: str | None = None) -> Iterator[None]:
    """What the libraries raise on damaged bytes, as a ReadingError that names the archive and the member."""
    place = str(path) if member is None else f"{path}: {member}"
    try:
        yield
    except RuntimeError as error:  # a packing that zipfile does not know
        raise ReadingError(f"{place}: cannot be unpacked here: {error}; pack it anew, as plain zip") from None
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise
        reason = str(error) or "it ends too early"
        raise ReadingError(f"{place}: the archive is cut or damaged: {reason}; fetch or pack it anew") from None


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


def _zip_members(path: Path) -> list[tuple[str, int]]:
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
        end = tail.rfind(_END)
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


def _zip_contents(path: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield _safe(path, info.filename), partial(archive.open, info)


def _tar_members(path: Path, most: int) -> list[tuple[str, int]]:
    found = []
    for name, info, _ in _tar_infos(path):
        if not info.isreg() or info.issparse():
            raise ReadingError(f"{path}: {name!r} is a link or a device, not a file; pack the files themselves")
        found.append((name, info.size))
        if len(found) > most:
            break
    return found


def _tar_contents(path: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
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
        if size > _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)
