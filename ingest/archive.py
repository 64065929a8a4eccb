"""Archives: what is in a .zip, .tar or .gz, and its files unpacked without leaving the folder or the bounds.

An archive that could be taken in two ways (a name twice, a path that climbs, members that overlap, a link) is refused
whole. What is unpacked is bounded in bytes and files for all that is nested in one file together.
"""

from __future__ import annotations

import errno
import gzip
import re
import shutil
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from ingest.packed import AT_ONCE, END, tar_contents, tar_members, zip_contents, zip_members
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ingest.settings import IngestSettings

Packing = Literal["zip", "tar", "gzip"]

_CHUNK = 1 << 20
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
    if start.startswith((b"PK\x03\x04", END)):
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
        found = zip_members(path) if packing_of(path) == "zip" else tar_members(path, most)
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
        for name, content in zip_contents(path) if packing_of(path) == "zip" else tar_contents(path):
            if name in found:
                with _told(path, name):
                    found[name].parent.mkdir(parents=True, exist_ok=True)
                    with content() as source, found[name].open("xb") as target:
                        shutil.copyfileobj(source, target, AT_ONCE)
    return found


def starts(path: Path, names: Collection[str], size: int) -> dict[str, bytes]:
    """The first `size` bytes of the members of these names, of those that are not damaged."""
    found: dict[str, bytes] = {}
    with _told(path):
        for name, content in zip_contents(path) if packing_of(path) == "zip" else tar_contents(path):
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
