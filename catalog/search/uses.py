"""How often each dataset is downloaded: one number a dataset, no trace of anybody.

What was used long ago counts less and less: a download is worth a half after HALF_LIFE. The file has a line a dataset.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE = "uses.sqlite"
"""Its name in `var/`."""

HALF_LIFE = dt.timedelta(days=90)

_TABLE = "CREATE TABLE IF NOT EXISTS uses (slug TEXT PRIMARY KEY, day TEXT NOT NULL, downloads REAL NOT NULL)"
_ADD = "INSERT INTO uses VALUES (?, ?, 1) ON CONFLICT (slug) DO UPDATE SET day = excluded.day, downloads = ?"


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


class Uses:
    """The counter in one file. Safe between threads and processes; a file that cannot be used counts nothing."""

    def __init__(self, path: Path, today: Callable[[], dt.date] = _today) -> None:
        """Count in `path`, which is made with the first download."""
        self._path = path
        self._today = today
        self._lock = threading.Lock()
        self._known: dict[str, tuple[dt.date, float]] | None = None

    def count(self, slug: str) -> None:
        """One more download of a dataset; `slug` must be one that is shown, so that the file stays small."""
        with self._lock, contextlib.suppress(sqlite3.Error), self._open() as con:
            row = con.execute("SELECT day, downloads FROM uses WHERE slug = ?", [slug]).fetchone()
            held = 0.0 if row is None else self._faded(dt.date.fromisoformat(row[0]), row[1])
            con.execute(_ADD, [slug, self._today().isoformat(), held + 1])
            self._known = None

    def downloads(self) -> dict[str, float]:
        """The downloads of each dataset that has some, older ones worth less."""
        with self._lock:
            if self._known is None:
                self._known = self._read()
            known = self._known
        return {slug: self._faded(day, downloads) for slug, (day, downloads) in known.items()}

    def _faded(self, day: dt.date, downloads: float) -> float:
        return float(downloads * 0.5 ** (max(dt.timedelta(), self._today() - day) / HALF_LIFE))

    def _read(self) -> dict[str, tuple[dt.date, float]]:
        if not self._path.is_file():
            return {}
        try:
            with self._open() as con:
                rows = con.execute("SELECT slug, day, downloads FROM uses").fetchall()
            return {slug: (dt.date.fromisoformat(day), float(downloads)) for slug, day, downloads in rows}
        except (sqlite3.Error, ValueError, TypeError):
            return {}

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction; another process may hold the file for a moment."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=2, isolation_level=None)) as con:
            con.execute("PRAGMA synchronous = OFF")  # a power cut may lose some downloads, and that is no loss
            con.execute("BEGIN IMMEDIATE")
            con.execute(_TABLE)
            yield con
            con.execute("COMMIT")
