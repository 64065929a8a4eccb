"""Files of the lab's own folder, or at any absolute path that the operator may read."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from ingest.sources import Fetched, fetched_file, fetched_files
from ingest.sources.way import too_many, too_much
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.sources import FileSource
    from ingest.settings import IngestSettings


def fetch_file(source: FileSource, root: Path, settings: IngestSettings) -> Fetched:
    """Hash the file where it lies, or all files of a folder or a glob; paths are relative to the lab's `root`.

    A file whose name starts with a dot is none of a folder's. Raises SourceError if there is no file, or more of them
    than `max_files`, or of their bytes than `max_bytes`.
    """
    path = root / source.file
    try:
        if path.is_file():
            _refuse_beyond([path], source.file, settings)
            return fetched_file(path, path.name, source.file)
        pattern = str(path / "*") if path.is_dir() else str(path)
        found = [path.__class__(one) for one in glob.glob(pattern, recursive=True)]  # noqa: PTH207  ** and absolute
        files = [(one, one.relative_to(root).as_posix() if one.is_relative_to(root) else str(one)) for one in found]
        files = [(one, name) for one, name in files if one.is_file()]
        if not files:
            message = f"{path}: no such file; the descriptor's source names it"
            raise SourceError(message)
        _refuse_beyond([one for one, _ in files], source.file, settings)
        return fetched_files(files, source.file)
    except OSError as error:
        message = f"{error.filename or path}: cannot be read: {error.strerror}"
        raise SourceError(message) from None


def _refuse_beyond(files: list[Path], place: str, settings: IngestSettings) -> None:
    """Raise SourceError for more files or bytes than the lab takes, before any is read."""
    if len(files) > settings.max_files:
        raise too_many(place, settings)
    if sum(one.stat().st_size for one in files) > settings.max_bytes:
        raise too_much(place, settings)
