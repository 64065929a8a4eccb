"""The tables that are shown, with the sketches of their codes: what `joins` compares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from catalog.joins.codes import meaning
from catalog.joins.sketches import sketch
from policies.errors import DatalabError, LakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from catalog.entries import Entry
    from catalog.joins.sketches import Sketched, TableSketch
    from catalog.lab import Lab


@dataclass(frozen=True, eq=False)
class CodedTable:
    """A table that is shown, and its sketch. Each equals itself alone."""

    entry: Entry
    resource: str
    sketch: TableSketch

    @cached_property
    def columns(self) -> tuple[tuple[Sketched, frozenset[str]], ...]:
        """Its columns that may be codes, each with what its name, its titles and its declared type say."""
        known = self.entry.resources[self.resource][0].columns
        found = []
        for sketched in self.sketch.columns:
            column = known.get(sketched.column)
            titles = [] if column is None or column.title is None else [*column.title.values()]
            declared = [] if column is None or column.type in {None, "text", "integer"} else [str(column.type)]
            found.append((sketched, meaning([sketched.column, *titles, *declared])))
        return tuple(found)


def tables(entries: Iterable[Entry]) -> list[tuple[Entry, str]]:
    """Every table that is shown, by its entry and name; of a dataset, those of the most detailed edition."""
    detailed = {entry.slug: entry for entry in entries}.values()
    return [(entry, name) for entry in detailed for name in entry.resources]


def coded(
    lab: Lab,
    entries: Iterable[Entry],
    reading: Callable[[str, int, int], None] = lambda *_: None,
    left_out: Callable[[DatalabError], None] = lambda _: None,
) -> tuple[CodedTable, ...]:
    """The tables of these entries with their sketches, which are made where there are none.

    `reading` is told of each table before it is looked at: its name, its number from 1, and how many there are. A table
    that cannot be read is left out, and `left_out` is told why.
    """
    shown = tables(entries)
    found = []
    for number, (entry, name) in enumerate(shown, start=1):
        reading(f"{entry.slug}.{name}", number, len(shown))
        try:
            found.append(CodedTable(entry, name, sketch(lab, entry, name)))
        except DatalabError as error:
            left_out(error)
        except OSError as error:
            left_out(LakeError(f"{lab.var / 'sketches'}: {error.strerror}"))
    return tuple(found)
