"""A catalogue as it is read: each dataset once, what failed, and whether all of it came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.harvest.portals import Failed, Skipped, Total
from ingest.harvest.report import Entry
from policies.errors import SourceError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.harvest.portals import Item, Portal
    from ingest.harvest.record import Record

    Say = Callable[[int, int | None, str], None]


@dataclass
class Reading:
    """One reading of a portal's catalogue.

    `say` is told how many were read, of how many if that is known, and the last one. Once `entries` is through, `seen`
    are the identifiers of the datasets that are listed, and `incomplete` says why the portal may list more; it is
    empty if all came.
    """

    portal: Portal
    limit: int | None
    max_records: int
    say: Say
    seen: set[str] = field(default_factory=set)
    _listed: set[str] = field(default_factory=set)
    incomplete: str = ""
    _total: int | None = None
    _came: int = 0

    def entries(self) -> Iterator[Record | Entry]:
        """The records in their order, and an entry for all that is none."""
        for item in self._items():
            if isinstance(item, Total):
                self._count(item.number)
                continue
            if self.limit is not None and self._came >= self.limit:
                self.incomplete = f"--limit {self.limit}"
                return
            if self._came >= self.max_records:
                self.incomplete = f"more than {count_of(self.max_records, 'record')}"
                why = f"{self.incomplete}; ask for a part, or raise max_records in [ingest] of datalab.toml"
                yield Entry(what="failed", why=f"{self.portal.address}: {why}")
                return
            found = self._taken(item)
            shown = found.why if isinstance(found, Entry) else found.identifier
            self.say(self._came, self._total, shown)
            yield found
        if not self.incomplete and self._total is not None and self._came != self._total:
            self.incomplete = f"the portal counts {self._total}, and {self._came} came"

    def _items(self) -> Iterator[Item]:
        """What the portal lists; where that breaks off, one Failed."""
        try:
            yield from self.portal.items()
        except SourceError as error:
            yield Failed(None, self.portal.address, str(error))

    def _count(self, total: int) -> None:
        if self._total not in {None, total}:
            self.incomplete = f"the catalogue changed as it was read: the portal counted {self._total}, then {total}"
        self._total = total

    def _taken(self, item: Record | Failed | Skipped) -> Record | Entry:
        if isinstance(item, Failed) and item.identifier is None:
            self.incomplete = self.incomplete or f"a part of it could not be read: {item.where}"
            why = item.why if item.why.startswith("http") else f"{item.where}: {item.why}"
            return Entry(what="failed", why=why)
        self._came += 1
        identifier = item.identifier or ""
        if identifier in self._listed:
            self.incomplete = self.incomplete or f"{identifier} came twice"
            return Entry(
                what="failed", identifier=identifier, why="it is listed twice; the first is taken. Tell the portal"
            )
        self._listed.add(identifier)
        if isinstance(item, Skipped):
            return Entry(what="skipped", identifier=identifier, why=item.why)
        self.seen.add(identifier)
        if isinstance(item, Failed):
            return Entry(what="failed", identifier=identifier, why=f"{item.where}: {item.why}")
        return item
