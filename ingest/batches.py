"""Many small files → clean tables side by side: batches of them, each in a process, as many as there are processors.

The engine spreads one large file over all processors by itself. A small one it plans longer than it reads.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import TYPE_CHECKING

from ingest.convert import Converted, convert, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from catalog.model import Reading
    from ingest.convert import Format
    from ingest.settings import IngestSettings

_SMALL = 2**20
"""Bytes of a small file at most."""
_BATCH = 50
_WORTH = 100
"""So many files a process are worth its start, which takes as long as twenty."""


def convert_all(
    files: Sequence[Path], out: Path, form: Format, reading: Reading, settings: IngestSettings
) -> Iterator[Converted]:
    """As `convert`, with small files side by side where there are many; they come first."""
    small = _apart(files, out)
    workers = min(os.cpu_count() or 1, len(small) // _WORTH)
    if workers <= 1:
        yield from convert(files, out, form, reading, settings)
        return
    batches = [small[start : start + _BATCH] for start in range(0, len(small), _BATCH)]
    yield from _side_by_side(batches, workers, out, form, reading, settings)
    taken = set(small)
    yield from convert([file for file in files if file not in taken], out, form, reading, settings)


def _apart(files: Sequence[Path], out: Path) -> list[Path]:
    """The small files of which none is in another's way: no other has its name, and none is where they are written."""
    there = out.resolve()
    if any(file.resolve().is_relative_to(there) for file in files):
        return []
    named = Counter(stem_of(file) for file in files)
    return [file for file in files if named[stem_of(file)] == 1 and file.is_file() and file.stat().st_size <= _SMALL]


def _side_by_side(
    batches: list[list[Path]], workers: int, out: Path, form: Format, reading: Reading, settings: IngestSettings
) -> Iterator[Converted]:
    """What becomes of each file, in their order. What a pool that broke had not done is halved until it is done."""
    broken: list[list[Path]] = []
    with _processes(workers) as pool:
        try:
            futures = [pool.submit(_batch, files, out, form, reading, settings) for files in batches]
            for files, future in zip(batches, futures, strict=True):
                try:
                    yield from future.result()
                except BrokenExecutor:
                    broken.append(files)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    for files in broken:
        if len(broken) == 1 and len(files) == 1:
            yield Converted(file=files[0], table="", error=f"{files[0]}: its process died, killed or out of memory")
        else:
            half = -(-len(files) // 2)
            for some in filter(None, (files[:half], files[half:])):
                yield from _side_by_side([some], 1, out, form, reading, settings)


def _batch(files: list[Path], out: Path, form: Format, reading: Reading, settings: IngestSettings) -> list[Converted]:
    return list(convert(files, out, form, reading, settings, threads=1))  # each processor has a process


def _processes(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
