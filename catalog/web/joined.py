"""By what the tables shown join: compared in the background, so that no reader waits for a table to be read."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.joins.coded import CodedTable, tables
from catalog.joins.join import join, ranked
from catalog.joins.sketches import known, place, sketch
from catalog.web.texts import TEXTS, number
from policies.errors import DatalabError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from catalog.entries import Entry
    from catalog.joins.join import Join
    from catalog.lab import Lab
    from catalog.metadata import Lang

LOG = logging.getLogger("datalab.portal")

SHOWN = 8
"""How many joins a page tells."""

KEPT = 256
"""How many datasets' joins stay in memory."""


@dataclass(frozen=True)
class Found:
    """What is known of one dataset's joins, and how many tables of the catalogue are still to be read for it."""

    joins: tuple[Join, ...]
    left: int


class Joined:
    """Compares tables, and keeps what it found. Safe between threads; one thread of its own reads tables.

    What is shown differs between principals: make one for each set of them.
    """

    def __init__(self, lab: Lab) -> None:
        """Read nothing yet."""
        self._lab = lab
        self._lock = threading.Lock()
        self._entries: tuple[Entry, ...] = ()
        self._tables: dict[Path, CodedTable | None] = {}
        self._waiting: dict[Path, tuple[Entry, str]] = {}
        self._kept: OrderedDict[str, dict[tuple[CodedTable, CodedTable], Join | None]] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="joins")
        self._reading: Future[None] | None = None

    def of(self, entries: tuple[Entry, ...], slug: str) -> Found:
        """By what the tables of one dataset join with those of `entries`, as far as these have been read."""
        with self._lock:
            if entries is not self._entries:
                self._take(entries)
            read = [one for one in self._tables.values() if one is not None]
            left = len(self._waiting)
            if left and (self._reading is None or self._reading.done()):
                self._reading = self._pool.submit(self._read)
            held = self._kept.get(slug, {})
        pairs = [(this, other) for this in read if this.entry.slug == slug for other in read]
        compared = {pair: held[pair] if pair in held else join(*pair) for pair in pairs}
        with self._lock:
            self._kept[slug] = compared
            self._kept.move_to_end(slug)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return Found(ranked(compared.values()), left)

    def wait(self) -> None:
        """Return when the tables that were waiting have been read."""
        while self._reading is not None and (self._waiting or not self._reading.done()):
            self._reading.result()

    def _take(self, entries: tuple[Entry, ...]) -> None:
        """Let these entries be what is shown; of each dataset, the most detailed edition is compared."""
        held, self._tables, self._waiting = self._tables, {}, {}
        for entry, name in tables(entries):
            path = place(self._lab, entry, name)
            before = held.get(path)
            read = before.sketch if before is not None else known(self._lab, entry, name)
            if before is not None and before.entry is entry:
                self._tables[path] = before
            elif read is not None:
                self._tables[path] = CodedTable(entry, name, read)
            elif path in held:  # it could not be read before
                self._tables[path] = None
            else:
                self._waiting[path] = (entry, name)
        self._entries = entries

    def _read(self) -> None:
        """Read one of the tables that wait, and let the next one follow.

        So the process can end between two: a thread of the engine must not be cut off.
        """
        with self._lock:
            if not self._waiting:
                return
            path, (entry, name) = next(iter(self._waiting.items()))
        made: CodedTable | None = None
        try:
            made = CodedTable(entry, name, sketch(self._lab, entry, name))
        except (DatalabError, OSError) as error:
            LOG.warning("%s.%s: is not compared with other tables: %s", entry.slug, name, error)
        with self._lock:
            if self._waiting.pop(path, None) is not None:
                self._tables[path] = made
            if self._waiting:
                with contextlib.suppress(RuntimeError):  # the process ends
                    self._reading = self._pool.submit(self._read)


@dataclass(frozen=True, kw_only=True)
class JoinView:
    """One join as the page tells it."""

    entry: Entry
    here: str
    there: str
    sentences: tuple[str, ...]
    sql: str


def views(found: Sequence[Join], lang: Lang) -> tuple[JoinView, ...]:
    """The first joins, told."""
    return tuple(
        JoinView(
            entry=join.other.entry,
            here=f"{join.this.resource}.{join.this.column}",
            there=f"{join.other.table}.{join.other.column}",
            sentences=tuple(_sentences(join, TEXTS[lang], lang)),
            sql=join.sql,
        )
        for join in found[:SHOWN]
    )


def _sentences(join: Join, texts: dict[str, str], lang: Lang) -> list[str]:
    here, there = join.this.column, f"{join.other.entry.slug}.{join.other.column}"
    inside, holder = (here, there) if join.contained >= join.covered else (there, here)
    share = percent(max(join.contained, join.covered), lang)
    said = [texts["join_exact" if join.exact else "join_about"].format(share=share, inside=inside, holder=holder)]
    if not join.looks_up:
        said.append(texts["join_many"])
    elif not join.other.unique:
        said.append(texts["join_repeats"])
    if join.share_alike:
        said.append(texts["join_share_alike"].format(licence=", ".join(join.share_alike)))
    return said


def percent(share: float, lang: Lang) -> str:
    """`92`; `99,7` where `100` would say that nothing is missing."""
    whole = round(share * 100)
    nearly = share < 1 and whole == 100  # noqa: PLR2004
    text = number(math.floor(share * 1000) / 10 if nearly else whole, lang)
    return text.replace(".", ",") if lang == "fr" else text
