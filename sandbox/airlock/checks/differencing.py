"""What a table tells together with those that were released before of the same data.

Two tables of counts have some dimensions in common, by name. Both are brought to these: rows of another dimension are
added up, or its total row is taken where there is one. Then, for each position that both have, and for the grand
total,

- where the counts differ by fewer than the threshold, and not by 0, the units of the difference are told by
  subtraction: another filter, another snapshot or another definition of the population has set them apart;
- where one hides cells that the other's count gives back (all but one known, or those that are hidden sum up to fewer
  than the threshold), they are no longer hidden.

Source: E. Griffiths and others, "Handbook on Statistical Disclosure Control for Outputs" (Safe Data Access
Professionals, 2019), on secondary disclosure by differencing. Found are pairs of tables, each earlier release alone.
Not found: what three or more tables tell only together; tables whose dimensions have other names or whose positions
are written otherwise; means, shares, regression coefficients and what is drawn. So a steward still reads the earlier
releases side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .counts import Cell, Counted, counted, is_total
from .facts import Earlier, Facts
from .finding import Finding, places
from .table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Sum = tuple[float, int]


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:
    if candidate.table is None:
        return
    ours = counted(candidate.table)
    for earlier in facts.earlier:
        pairs = ((a, b) for a in ours for b in earlier.counts)
        found = list(dict.fromkeys(one for a, b in pairs for one in told_together(a, b, facts.at_least)))
        if found:
            said = (
                f"groups of fewer than {facts.at_least} units that a table released before tells by subtraction: "
                f"{len(found)}"
            )
            yield Finding("differencing", "look", f"release {earlier.number}: {places(found)}", said)


def told_together(ours: Counted, theirs: Counted, at_least: int) -> list[str]:
    """The positions at which two tables tell of a small group, as a steward reads them."""
    shared = tuple(name for name in ours.dimensions if name in theirs.dimensions)
    found = []
    for names in dict.fromkeys((shared, ())):
        mine, other = _sums(ours, names), _sums(theirs, names)
        for cell in mine.keys() & other.keys():
            (count, hidden), (before, hid) = mine[cell], other[cell]
            difference = abs(count - before)
            if hidden == hid == 0:
                small = 0 < difference < at_least
            else:  # one of them is whole: then the difference is what the other hides
                small = (hidden == 0) != (hid == 0) and ((hidden + hid) == 1 or difference < at_least)
            if small:
                where = " / ".join(cell) or "in all"
                found.append(f"{ours.column} {where}: {count:g} and {before:g}")
    return sorted(found)


def _sums(table: Counted, names: Sequence[str]) -> dict[Cell, Sum]:
    """Over these dimensions, at each position: the sum of the counts that are known, and how many are hidden."""
    kept = [table.dimensions.index(name) for name in names]
    cells = list(table.counts)
    for at in range(len(table.dimensions)):
        if at not in kept:
            totals = [cell for cell in cells if is_total(cell[at])]
            cells = totals or cells
    found: dict[Cell, Sum] = {}
    for cell in cells:
        position, count = tuple(cell[at] for at in kept), table.counts[cell]
        known, hidden = found.get(position, (0.0, 0))
        found[position] = (known, hidden + 1) if count is None else (known + count, hidden)
    return found


def _after(columns: tuple[str, ...], *rows: tuple[str, ...]) -> Facts:
    return Facts(earlier=(Earlier(1, tuple(counted(Table(columns, rows)))),))


_BEFORE = _after(("region", "n"), ("Est", "120"), ("Ouest", "80"))

DIFFERENCING = Check(
    word="differencing",
    run=_run,
    good=(
        Example("t.csv", b"region;n\nEst;120\nOuest;80\n", _BEFORE),
        Example("t.csv", b"region;n\nEst;60\nOuest;20\n", _BEFORE),
        Example("t.csv", b"region;sexe;n\nEst;f;60\nEst;h;60\nOuest;f;40\nOuest;h;40\n", _BEFORE),
    ),
    bad=(
        Example("t.csv", b"region;n\nEst;117\nOuest;80\n", _BEFORE),
        Example("t.csv", b"region;sexe;n\nEst;f;60\nEst;h;59\nOuest;f;40\nOuest;h;40\n", _BEFORE),
        Example("t.csv", b"region;sexe;n\nEst;f;s\nEst;h;60\nOuest;f;40\nOuest;h;40\n", _BEFORE),
        Example("t.csv", b"age;n\nvieux;100\njeune;98\n", _BEFORE),  # nothing in common but the grand total
        Example("t.csv", b"Region;count\nEST;117\nOuest;80\n", _BEFORE),
    ),
)
