"""Where files are read: an engine, a folder for passing files, and the bounds of what comes out of a file."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from ingest.geometry import Box
    from ingest.settings import IngestSettings


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One job's desk. What is put on it lies there, under a name of its own, until the job is over.

    `territory` is where what is read is said to lie, by who says so.
    """

    con: duckdb.DuckDBPyConnection
    scratch: Path
    settings: IngestSettings
    aside: ThreadPoolExecutor
    territory: Mapping[str, Box] = field(default_factory=dict)
    _views: list[str] = field(default_factory=list, init=False, repr=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False)

    def path(self, name: str) -> Path:
        """A new path for a passing file; `name` is its ending."""
        return self.scratch / f"{next(self._numbers)}-{name}"

    def view(self, table: pa.Table) -> str:
        """The name under which the connection knows the Arrow table from now on."""
        name = f"desk_{next(self._numbers)}"
        self.con.register(name, table)
        self._views.append(name)
        return name

    def clear(self) -> bool:
        """Take everything off the desk, for the next file; False if the engine broke, and another desk is needed."""
        try:
            while self._views:
                self.con.unregister(self._views.pop())
            self.con.execute("SELECT 1").fetchall()
            sound = True
        except duckdb.Error:
            sound = False
        for path in self.scratch.iterdir():
            path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
        return sound

    def meanwhile(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin `work` beside what goes on; what is returned waits for its result, or raises what it raised."""
        return self.aside.submit(work).result


@contextlib.contextmanager
def open_desk(
    scratch: Path,
    settings: IngestSettings,
    territory: Mapping[str, Box] = MappingProxyType({}),
    *,
    threads: int | None = None,
) -> Iterator[Desk]:
    """A desk whose passing files lie in `scratch`, which is there and is the caller's to take away.

    Its engine has as many `threads` as there are processors, unless other desks have those.
    """
    with duckdb.connect() as con, ThreadPoolExecutor(1) as aside:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET temp_directory = ?", [str(scratch / "spill")])
        con.execute("SET memory_limit = ?", [f"{settings.memory_mb}MB"])
        con.execute("SET enable_progress_bar = false")
        if threads is not None:
            con.execute(f"SET threads = {threads}")
        yield Desk(con=con, scratch=scratch, settings=settings, aside=aside, territory=territory)
