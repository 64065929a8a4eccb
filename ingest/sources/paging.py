"""Records that come page by page: one file in the order given, or an error if the pages are not of one state.

What proves that nothing was lost or came twice: the server says how many records there are, and so many came; or it
does not, and the same came when all was asked for again. Cursors need no such proof, as they stand on a record.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.errors import SourceError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from ingest.settings import IngestSettings

_PASSES = 3


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: its records as they are to be written, and `next`, the address of the page after it.

    `total` is how many records the server says that all pages have; `keys` name the records, where they have names;
    `head` and `tail` are what stands in the file before the first record and after the last, of all pages the same.
    """

    records: Sequence[str]
    next: str | None
    total: int | None = None
    keys: Sequence[str] | None = None
    head: str = ""
    tail: str = ""


@dataclass(frozen=True, kw_only=True)
class Paging:
    """How a source is paged.

    `ask` gives the page at an address, and is told how many records came before it. In the file `between` stands
    before each record but the first. `steady` says that pages do not shift when records come and go. `hint` is what a
    steward may do if the pages never agree.
    """

    first: str
    ask: Callable[[str, int], Page]
    between: str = ""
    steady: bool = False
    hint: str = "try again at a quieter time"


class ChangedError(Exception):
    """The pages are not of one state, and why: all is read again."""


def collect(paging: Paging, target: Path, place: str, settings: IngestSettings) -> None:
    """Write all records to `target`, each on lines of its own; it stays as it was until they are whole.

    Where pages changed as they were read, all is read again, and a third time. Raises SourceError if they never agree,
    lead in a circle, or are more than `max_pages` or `max_bytes`.
    """
    part = target.with_name(f"{target.name}.part")
    before, why = "", ""
    for _ in range(_PASSES):
        try:
            with part.open("wb") as file:
                one = _Pass(paging, file, place, settings)
                doubt = one.read()
        except ChangedError as error:
            before, why = "", str(error)
            continue
        if doubt is None or one.sha256 == before:
            part.replace(target)
            return
        before, why = one.sha256, doubt
    raise SourceError(f"{place}: the pages change while they are read: {why}, {_PASSES} times; {paging.hint}")


class _Pass:
    """One reading of all pages into a file."""

    def __init__(self, paging: Paging, file: BinaryIO, place: str, settings: IngestSettings) -> None:
        self._paging, self._file, self._place, self._settings = paging, file, place, settings
        self._digest = hashlib.sha256()
        self._written = self._rows = self._filled = 0
        self._total: int | None = None
        self._keys: set[str] | None = set()
        self._last: Page | None = None
        self._overlap: str | None = None

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def read(self) -> str | None:
        """Write all pages; what makes one doubt that they are of one state, None if that is proven."""
        at: str | None = self._paging.first
        seen: set[str] = set()
        while at is not None:
            if at in seen:
                raise SourceError(f"{self._place}: page {len(seen)} leads back to one before; {self._paging.hint}")
            if len(seen) == self._settings.max_pages:
                raise SourceError(
                    f"{self._place}: more than {len(seen)} pages; raise max_pages in [ingest] of datalab.toml"
                )
            seen.add(at)
            page = self._paging.ask(at, self._rows)
            if len(seen) == 1:
                self._write(page.head)
            if page.records or self._last is None:
                self._compare(page)
                self._take(page)
            at = page.next
        self._write("" if self._last is None else self._last.tail)
        return self._doubt()

    def _compare(self, page: Page) -> None:
        """Raise what shows that this page is of another state than those before, or none of its own."""
        last, number = self._last, self._filled + 1
        if last is None:
            self._total = page.total
            return
        if page.total != self._total:
            raise ChangedError(f"the records were counted as {self._total}, and as {page.total} at page {number}")
        if page.head != last.head:
            raise ChangedError(f"page {number} is of another kind than the first: {page.head[:200]!r}")
        if list(page.records) == list(last.records):
            raise ChangedError(f"pages {number - 1} and {number} are the same")
        if page.keys is None and not set(page.records).isdisjoint(last.records):
            self._overlap = f"pages {number - 1} and {number} have a record in common"

    def _take(self, page: Page) -> None:
        for record in page.records:
            self._write(f"{self._paging.between if self._rows else ''}{record}\n")
            self._rows += 1
        if page.keys is None:
            self._keys = None
        if self._keys is not None and page.keys is not None:
            new = set(page.keys)
            if len(new) < len(page.keys) or not new.isdisjoint(self._keys):
                twice = next(
                    key for place, key in enumerate(page.keys) if key in self._keys or key in page.keys[:place]
                )
                raise ChangedError(f"the record {twice!r} came twice")
            self._keys |= new
        self._filled += bool(page.records)
        self._last = page

    def _doubt(self) -> str | None:
        if self._total is not None and self._rows != self._total:
            raise ChangedError(f"the server counts {count_of(self._total, 'record')}, and {self._rows} came")
        if self._overlap is not None and self._total is None:
            raise ChangedError(self._overlap)
        if self._total is None and self._filled > 1 and not self._paging.steady:
            return "the server does not say how many records there are, and others came when they were asked for again"
        return self._overlap

    def _write(self, text: str) -> None:
        data = text.encode()
        self._written += len(data)
        if self._written > self._settings.max_bytes:
            raise SourceError(
                f"{self._place}: more than {self._settings.max_bytes} bytes; "
                "ask for less, or raise max_bytes in [ingest] of datalab.toml"
            )
        self._digest.update(data)
        self._file.write(data)
