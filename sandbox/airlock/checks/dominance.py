"""Sums to which one unit contributes nearly all: the (1, k) dominance rule, where the largest contribution is given.

Source: A. Hundepool and others, "Handbook on Statistical Disclosure Control" (ESSNet SDC, 2010), on magnitude tables;
k is INSEE's for enterprises. A sum is a column named `sum…`, `total…`, `montant…` or `somme…`, its largest
contribution one named `max…`, `largest…` or `plus_grand…`; where both stand in a table they are compared row by row,
and where only the sum does, it is said that the rule could not be checked. Not found: sums of other names, and
coalitions of several contributors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .counts import number, words
from .finding import Finding, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .facts import Facts
    from .table import Table

_SUMS = frozenset(["sum", "somme", "total", "totaux", "montant", "montants", "ca", "chiffre"])
_LARGEST = frozenset(["max", "maximum", "largest", "biggest", "grand", "grande"])


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:
    table = candidate.table
    if table is None:
        return
    largest = _named(table, _LARGEST)
    for at in _named(table, _SUMS):
        if at in largest:
            continue
        if not largest:
            said = "dominance cannot be checked: no column gives the largest contribution to each sum (name it max)"
            yield Finding("dominance", "note", f"column {table.columns[at]!r}", said)
            continue
        ruled = [
            f"row {row}"
            for row, values in enumerate(table.rows, 1)
            if _dominated(number(values[at]), [number(values[one]) for one in largest], facts.dominance)
        ]
        if ruled:
            said = f"sums of which one unit contributes more than {facts.dominance:.0%}: {len(ruled)}; suppress them"
            yield Finding("dominance", "look", f"column {table.columns[at]!r}: {places(ruled)}", said)


def _named(table: Table, these: frozenset[str]) -> list[int]:
    """The columns of numbers whose names have one of these words."""
    return [
        at
        for at, name in enumerate(table.columns)
        if these.intersection(words(name)) and any(number(text) is not None for text in table.column(at))
    ]


def _dominated(whole: float | None, largest: list[float | None], share: float) -> bool:
    return whole is not None and any(one is not None and abs(one) > share * abs(whole) > 0 for one in largest)


DOMINANCE = Check(
    word="dominance",
    run=_run,
    good=(
        Example("t.csv", b"region;n;sum_ca;max_ca\nEst;12;100.5;40.1\n"),
        Example("t.csv", b"region;n\nEst;12\n"),
    ),
    bad=(
        Example("t.csv", b"region;n;sum_ca;max_ca\nEst;12;100.5;90.1\n"),
        Example("t.csv", b"region;montant;largest\nEst;100;86\n"),
    ),
)
