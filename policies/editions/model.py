"""What one edition keeps of one table, as a steward writes it in `policies/<slug>.yaml`.

Each key names columns as the source has them; `rename` alone says how they are called in the edition. A key is true of
what is published: classes and cells are those of the coarser values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints, model_validator

from policies.document import Model, PlacedError, suggest
from policies.editions.control import Anonymity, Cells, Diversity
from policies.editions.generalisation import Generalisation, Number
from policies.editions.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Purpose = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_UNKEPT = {
    "k": ("is a quasi-identifier of 'k' that is", "keep it, or take it out of 'over'; "),
    "l": ("is what 'l' counts, and is", "keep it, or take 'l' away; "),
    "cells": ("is one of 'cells', and is", "keep it, or take it out of 'cells'; "),
}
"""What each key makes of a column that is not kept, and how to mend it; the other keys transform it."""
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class EditionTable(Model):
    """What one edition keeps of one resource. A column that is not listed is not in it."""

    keep: tuple[str, ...] = Field(min_length=1)
    drop: tuple[str, ...] = ()
    rename: dict[str, ColumnName] = {}
    pseudonymise: tuple[str, ...] | dict[str, Purpose] = ()
    generalise: dict[str, Generalisation] = {}
    top: dict[str, Number] = {}
    bottom: dict[str, Number] = {}
    where: str | None = None
    anonymity: Anonymity | None = Field(None, alias="k")
    diversity: Diversity | None = Field(None, alias="l")
    cells: Cells | None = None

    @model_validator(mode="after")
    def _named_columns_are_kept(self) -> EditionTable:
        for column, *place in self._named():
            if column not in self.keep:
                said, mend = _UNKEPT.get(str(place[0]), ("is transformed but", ""))
                message = f"column {column!r} {said} not kept; {mend}{suggest(column, list(self.keep))}"
                raise PlacedError(message, *place)
        for column in self.pseudonymise:
            for key, those in (("generalise", self.coarsened), ("top", self.top), ("bottom", self.bottom)):
                if column in those:
                    done = "generalised" if key == "generalise" else "cut off"
                    raise PlacedError(f"column {column!r} is both pseudonymised and {done}; choose one", key, column)
        for number, column in enumerate(self.keep):
            if column in self.keep[:number]:
                raise PlacedError("a column is kept twice", "keep", number)
        for number, column in enumerate(self.drop):
            if column in self.keep:
                raise PlacedError(f"column {column!r} is both kept and dropped; choose one", "drop", number)
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> EditionTable:
        if self.rename or self.cells is not None:
            seen: dict[str, str] = {}
            for column, name in self._columns():
                other = seen.setdefault(name.casefold(), column)
                if other != column:
                    place = ("rename", column) if column in self.rename else ("rename",) if self.rename else ("cells",)
                    raise PlacedError(f"columns {other!r} and {column!r} would both be called {name!r}", *place)
        return self

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> EditionTable:
        for column in self.top.keys() & self.bottom.keys():
            if self.bottom[column] >= self.top[column]:
                raise PlacedError(f"column {column!r}: expected a bottom below the top", "bottom", column)
        pairs = [how.latitude for how in self.generalise.values() if isinstance(how, Grid) and how.latitude is not None]
        for latitude in pairs:
            if latitude in self.generalise or pairs.count(latitude) > 1:
                raise PlacedError(f"column {latitude!r} is generalised twice", "generalise")
        for key, bounds in (("top", self.top), ("bottom", self.bottom)):
            for column in bounds:
                if column in pairs or isinstance(self.generalise.get(column), Grid):
                    raise PlacedError(f"column {column!r} is both cut off and put on a grid; choose one", key, column)
        return self

    @model_validator(mode="after")
    def _classes_make_sense(self) -> EditionTable:
        if self.diversity is not None:
            if self.anonymity is None:
                raise PlacedError("'l' is of the classes of 'k', which is missing", "l")
            if self.diversity.of in self.anonymity.over:
                raise PlacedError(f"column {self.diversity.of!r} has one value in each class of 'k'", "l", "of")
        person = None if self.anonymity is None else self.anonymity.of
        if self.anonymity is not None and person in self.anonymity.over:
            raise PlacedError(f"column {person!r} is in 'over': each class would be of one person", "k", "of")
        if person is not None and person in self.coarsened.union(self.top, self.bottom):
            raise PlacedError(f"column {person!r} tells persons apart, and is made coarser; choose one", "k", "of")
        return self

    @model_validator(mode="after")
    def _cells_make_sense(self) -> EditionTable:
        if self.cells is None:
            return self
        if self.anonymity is not None:
            raise PlacedError("a table has persons in its rows ('k') or counts of them ('cells'); choose one", "cells")
        hidden, cut = self.cells.hidden, self.coarsened.union(self.top, self.bottom)
        for column in hidden:
            if column in self.cells.dimensions or hidden.count(column) > 1:
                raise PlacedError(f"column {column!r} stands twice in 'cells'", "cells")
            if column in self.pseudonymise or (column == self.cells.count and column in cut):
                raise PlacedError(f"column {column!r} must be as it came: its small values are hidden", "cells")
        for number, column in enumerate(self.keep):
            if column not in hidden and column not in self.cells.dimensions:
                message = (
                    f"column {column!r} stands beside the hidden count, and may give it back; list it in 'values' of"
                )
                raise PlacedError(f"{message} 'cells', or drop it", "keep", number)
        return self

    @property
    def coarsened(self) -> frozenset[str]:
        """The columns that are generalised, latitudes too."""
        pairs = (how.latitude for how in self.generalise.values() if isinstance(how, Grid))
        return frozenset(self.generalise).union(one for one in pairs if one is not None)

    @property
    def altered(self) -> frozenset[str]:
        """The columns whose values are not those of the source."""
        hidden = () if self.cells is None else self.cells.hidden
        return self.coarsened.union(self.pseudonymise, self.top, self.bottom, hidden)

    @property
    def ordered(self) -> bool:
        """Whether its rows stand in the order of their own values: the source's order would join what was altered."""
        return self.anonymity is not None or bool(self.altered)

    @property
    def left_as_they_are(self) -> tuple[str, ...]:
        """The columns that are kept as the source has them, but for their names."""
        return tuple(column for column in self.keep if column not in self.altered)

    @property
    def sources(self) -> Mapping[str, str]:
        """Which column of the source each of the edition's columns is made of, by its name in the edition."""
        return {name: column.removesuffix("\0") for column, name in self._columns()}

    @property
    def purpose(self) -> str | None:
        """The purpose that the pseudonyms are for, if they are for one."""
        return next(iter(self.pseudonymise.values()), None) if isinstance(self.pseudonymise, dict) else None

    def published(self, column: str) -> str:
        """What a kept column is called in the edition."""
        return self.rename.get(column, column)

    def _columns(self) -> Iterator[tuple[str, str]]:
        """Each column of the edition: what it is made of, with a NUL behind it for its marker, and its name."""
        hidden = () if self.cells is None else self.cells.hidden
        for column in self.keep:
            yield column, self.published(column)
            if column in hidden:
                yield f"{column}\0", f"{self.published(column)}_marker"

    def _named(self) -> Iterator[tuple[str, *tuple[str | int, ...]]]:
        """Each column that a key names, and where it stands."""
        for key in ("rename", "generalise", "top", "bottom"):
            yield from ((column, key, column) for column in getattr(self, key))
        listed = isinstance(self.pseudonymise, tuple)
        yield from ((one, "pseudonymise", at if listed else one) for at, one in enumerate(self.pseudonymise))
        for column, how in self.generalise.items():
            if isinstance(how, Grid) and how.latitude is not None:
                yield how.latitude, "generalise", column, "latitude"
        if self.anonymity is not None:
            yield from ((one, "k", "over", at) for at, one in enumerate(self.anonymity.over))
        if self.diversity is not None:
            yield self.diversity.of, "l", "of"
        if self.cells is not None:
            yield from ((one, "cells", "dimensions", one) for one in self.cells.dimensions)
            yield from ((one, "cells") for one in self.cells.hidden)


def purpose_of(tables: Mapping[str, EditionTable]) -> str | None:
    """The one purpose that an edition's pseudonyms are made for, None if they are made for the edition alone.

    Pseudonyms for two purposes side by side would join what was made for either: raises PlacedError.
    """
    found = {name: table.purpose for name, table in tables.items() if table.purpose is not None}
    for name, table in tables.items():
        for column, purpose in table.pseudonymise.items() if isinstance(table.pseudonymise, dict) else ():
            first = next(iter(found.values()))
            if purpose != first:
                message = f"pseudonyms for {purpose!r} beside those for {first!r}; make an edition of each"
                raise PlacedError(message, name, "pseudonymise", column)
    return next(iter(found.values()), None)


def unspoken(tables: Sequence[EditionTable], columns: Iterable[str]) -> tuple[str, ...]:
    """The columns of a source that none of the editions' tables speaks of: neither kept nor dropped, in `raw` alone."""
    spoken = {column for table in tables for column in (*table.keep, *table.drop)}
    return tuple(column for column in columns if tables and column not in spoken)
