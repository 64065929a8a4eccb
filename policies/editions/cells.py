"""Which cells of an aggregated table must be suppressed so that no small one can be computed back. Pure.

*Primary* are the cells of fewer than `at_least`. Where totals are published beside, each suppressed cell gets a
*hypercube* of suppressed cells around it: per dimension that has totals, another position, or the total itself. To add
1 at the cell and take 1 away (or add it, at a total) at every other corner leaves each published sum as it was: so no
sum, nor any combination of them, tells the cell, and the same corners protect each other. Such a cube is taken only if
the counts at its corners leave room for at least `at_least` other values, none of them negative.

The hypercube method is S. Giessing and D. Repsilber's (GHMITER: "Tools and Strategies to Protect Multiple Tables with
the GHQUAR Cell Suppression Engine", in: Inference Control in Statistical Databases, LNCS 2316, 2002). Every cube is its
own proof, so nothing is solved for; what it costs is that a few more cells are suppressed than the fewest possible.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Cell = tuple[str | None, ...]
"""A cell's position in each dimension, as text."""

_PARTNERS = 2
"""So many other positions of a dimension are tried of those suppressed already, and of those not; beside the total."""
_LOOKED_AT = 16
"""So many positions are looked at to find them."""


class UnprotectedError(ValueError):
    """A cell that nothing in its table can protect; it says why."""


@dataclass(frozen=True, kw_only=True)
class Suppressed:
    """The cells to suppress: those that are small, and those that would give them back."""

    primary: frozenset[Cell]
    secondary: frozenset[Cell]


def suppress(counts: Mapping[Cell, int | None], totals: Sequence[str | None], at_least: int) -> Suppressed:
    """What to suppress of a table: its cells by position, and per dimension what stands for its total (None: nothing).

    A count that is None is unknown to readers already, and is protected like a small one. A cell that is not there is
    known to be zero, but for a total: one that is not there is not published. Raises UnprotectedError for a small total
    of which no part is there.
    """
    primary = frozenset(cell for cell, count in counts.items() if count is None or count < at_least)
    hidden = set(primary)
    if any(total is not None for total in totals):
        table, proven = _Table(counts, tuple(totals), at_least), set[Cell]()
        # The largest first: their cubes serve the smaller ones beside them. Texts part those that are alike
        for cell in sorted(primary, key=lambda one: (-(counts[one] or 0), _text(one))):
            if cell not in proven:
                cube = table.cheapest_cube(cell, hidden)
                hidden.update(one for one in cube if one in counts)
                proven.update(cube)
    return Suppressed(primary=primary, secondary=frozenset(hidden - primary))


class _Table:
    """A table's cells by the lines they stand in, along each dimension that has a total."""

    def __init__(self, counts: Mapping[Cell, int | None], totals: tuple[str | None, ...], at_least: int) -> None:
        self._counts, self._totals, self._at_least = counts, totals, at_least
        self._lines: list[dict[Cell, list[Cell]]] = [{} for _ in totals]
        self._parts: dict[Cell, Cell] = {}
        self._tried = _PARTNERS if len(totals) <= 3 else 1  # noqa: PLR2004  cubes are as many as a power of this
        for cell in sorted(counts, key=lambda one: (counts[one] or 0, _text(one))):
            for at, total in enumerate(totals):
                if total is not None and cell[at] != total:
                    self._lines[at].setdefault(_line(cell, at), []).append(cell)
            if not self._is_total(cell):
                # The largest part of each total comes last, and stays
                kinds = ({here, here if total is None else total} for here, total in zip(cell, totals, strict=True))
                self._parts.update(dict.fromkeys(product(*kinds), cell))

    def cheapest_cube(self, cell: Cell, hidden: set[Cell]) -> tuple[Cell, ...]:
        """The corners of the cube around a cell that hides the least which is not hidden yet."""
        best: tuple[int, int, tuple[Cell, ...]] | None = None
        for partners in (*product(*(self._partners(cell, at, hidden) for at in range(len(cell)))), self._last(cell)):
            cube = None if partners is None else self._cube(cell, partners)
            if cube is not None:
                new = [self._counts[one] or 0 for one in cube if one not in hidden and one in self._counts]
                if best is None or (sum(new), len(new)) < best[:2]:
                    best = (sum(new), len(new), cube)
                if not new:
                    break  # nothing is cheaper
        if best is None:
            shown = ", ".join("NULL" if here is None else here for here in cell)
            message = f"the small total ({shown}) has no part among the rows, and nothing can protect it"
            raise UnprotectedError(message)
        return best[2]

    def _partners(self, cell: Cell, at: int, hidden: set[Cell]) -> list[str | None]:
        """Other positions in one dimension, its total last; the cell's own position where there is no total."""
        total, own = self._totals[at], cell[at]
        if total is None:
            return [own]
        line = self._lines[at].get(_line(cell, at), [])
        # The small cells, hidden all, stand before `first`; of the others, the smaller ones tell the least
        first = bisect_left(line, self._at_least, key=lambda one: self._counts[one] or 0)
        near = [*reversed(line[max(0, first - _LOOKED_AT) : first]), *line[first : first + _LOOKED_AT], *line[-1:]]
        found = [one for one in near if one != cell]
        taken = [one for one in found if one in hidden][: self._tried]
        fresh = [one for one in found if one not in hidden][: self._tried]
        chosen: list[str | None] = [one[at] for one in dict.fromkeys((*taken, *fresh, *found[-1:]))]
        return chosen if own == total else [*chosen, total]

    def _last(self, cell: Cell) -> Cell | None:
        """The partners that always do, where the cell has a part or is one: that part and all its totals."""
        part = self._parts.get(cell)
        if part is None:
            return None
        places = zip(cell, self._totals, part, strict=True)
        return tuple(under if here == total or total is None else total for here, total, under in places)

    def _cube(self, cell: Cell, partners: Sequence[str | None]) -> tuple[Cell, ...] | None:
        """The corners, or None if one of them is known to be zero, or they leave too little room."""
        corners: list[Cell] = []
        added: list[int] = []
        taken: list[int] = []
        for corner, sign in self._corners(cell, partners):
            if corner not in self._counts and not self._is_total(corner):
                return None
            corners.append(corner)
            (added if sign > 0 else taken).append(self._counts.get(corner) or 0)
        return tuple(corners) if not taken or min(added) + min(taken) >= self._at_least else None

    def _corners(self, cell: Cell, partners: Sequence[str | None]) -> Iterator[tuple[Cell, int]]:
        """Each corner, and 1 where 1 is added, -1 where it is taken away: between two parts, not to their total."""
        places = zip(cell, partners, self._totals, strict=True)
        sides = [
            ((here, 1),) if here == other else ((here, 1), (other, 1 if total in (here, other) else -1))
            for here, other, total in places
        ]
        for chosen in product(*sides):
            yield tuple(here for here, _ in chosen), prod(sign for _, sign in chosen)

    def _is_total(self, cell: Cell) -> bool:
        return any(here == total for here, total in zip(cell, self._totals, strict=True) if total is not None)


def _line(cell: Cell, at: int) -> Cell:
    return (*cell[:at], *cell[at + 1 :])


def _text(cell: Cell) -> tuple[str, ...]:
    return tuple(map(str, cell))
