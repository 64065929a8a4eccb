"""Where files are read: an engine, a folder for passing files, and the bounds of what comes out of a file."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from ingest.settings import IngestSettings


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One job's desk. What is put on it lies there, under a name of its own, until the job is over."""

    con: duckdb.DuckDBPyConnection
    scratch: Path
    settings: IngestSettings
    _numbers: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False)

    def path(self, name: str) -> Path:
        """A new path for a passing file; `name` is its ending."""
        return self.scratch / f"{next(self._numbers)}-{name}"

    def view(self, table: pa.Table) -> str:
        """The name under which the connection knows the Arrow table from now on."""
        name = f"desk_{next(self._numbers)}"
        self.con.register(name, table)
        return name
