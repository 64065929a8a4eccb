"""Hidden cells of a table that its own totals give back.

A row whose position in a dimension is `Total`, `Ensemble`, `all` and the like is the sum of the rows that differ from
it in that dimension alone. Where such a sum is known and one part is hidden, that part is the difference; where several
are hidden and together count fewer than the threshold, so does each. What is found is put in, and all sums are tried
again, until nothing more is. Where a dimension has total rows in some lines and not in others, each line counts alone.

Not found: a cell that only a combination of sums with several unknowns each tells (what `cells:` of an edition
prevents, policies/editions/cells.py), and bounds that are narrow without being one value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .counts import Cell, Counted, counted, is_total
from .finding import Finding, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .facts import Facts

_MOST_CELLS = 20_000


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:
    if candidate.table is None:
        return
    for one in counted(candidate.table):
        if None not in one.counts.values():
            continue
        if len(one.counts) > _MOST_CELLS:
            said = f"too many cells ({len(one.counts)}) to see whether totals give hidden ones back"
            yield Finding("given-back", "look", f"column {one.column!r}", said)
            continue
        found = given_back(one, facts.at_least)
        if found:
            where = f"column {one.column!r}: {places([' / '.join(cell) for cell in found])}"
            said = f"hidden cells that totals give back: {len(found)}; hide another cell of the same line, or the total"
            yield Finding("given-back", "look", where, said)


def given_back(table: Counted, at_least: int) -> list[Cell]:
    """The hidden cells that follow from the table's sums, or that share a sum under the threshold."""
    counts = dict(table.counts)
    lines = _lines(table)
    found: dict[Cell, None] = {}
    again = True
    while again:
        again = False
        for total, parts in lines:
            hidden = [part for part in parts if counts[part] is None]
            known = sum(counts[part] or 0 for part in parts)
            whole = counts[total]
            if whole is None and not hidden:
                found[total], counts[total], again = None, known, True
            elif whole is not None and len(hidden) == 1:
                found[hidden[0]], counts[hidden[0]], again = None, whole - known, True
            elif whole is not None and hidden and whole - known < at_least:
                found.update(dict.fromkeys(hidden))
    return list(found)


def _lines(table: Counted) -> list[tuple[Cell, list[Cell]]]:
    """Each total cell along each dimension, and its parts."""
    lines: list[tuple[Cell, list[Cell]]] = []
    for at in range(len(table.dimensions)):
        parts: dict[Cell, list[Cell]] = {}
        for cell in table.counts:
            if not is_total(cell[at]):
                parts.setdefault((*cell[:at], *cell[at + 1 :]), []).append(cell)
        for cell in table.counts:
            if is_total(cell[at]):
                lines += [(cell, line) for line in [parts.get((*cell[:at], *cell[at + 1 :]))] if line is not None]
    return lines


GIVEN_BACK = Check(
    word="given-back",
    run=_run,
    good=(
        Example("t.csv", b"region;n\nEst;s\nOuest;s\nNord;30\nTotal;60\n"),
        Example("t.csv", b"region;n\nEst;s\nOuest;40\n"),
        Example("t.csv", b"region;n\nEst;12\nOuest;40\nTotal;52\n"),
    ),
    bad=(
        Example("t.csv", b"region;n\nEst;s\nOuest;40\nTotal;44\n"),
        Example("t.csv", b"region;n\nEst;\nOuest;<5\nNord;40\nTotal;46\n"),
        # a chain: the line `b` gives the cell, and that one gives the column's
        Example("t.csv", b"sexe;age;n\nf;a;s\nf;b;20\nf;total;50\nh;a;s\nh;b;20\nh;total;s\ntotal;a;60\n"),
    ),
)
