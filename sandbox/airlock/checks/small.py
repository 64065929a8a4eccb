"""Cells that count fewer units than the threshold: the first rule of all output checking.

Threshold rule: A. Hundepool and others, "Handbook on Statistical Disclosure Control" (ESSNet SDC, 2010), and
`safe_threshold` of ACRO. A count is a column of whole numbers with a name such as `n`, `nb_…`, `count` or `effectif`;
where a table has none, any column of whole numbers that are no years and no codes may be one. Zero is not flagged: it
says that nobody is there. Not found: means, shares and sums over few units, unless their count stands beside; counts
that were written as words, or under a name that says something else beside a true count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .counts import likely_counts, number, sure_counts
from .facts import Facts
from .finding import Finding, places

if TYPE_CHECKING:
    from collections.abc import Iterator


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:
    table = candidate.table
    if table is None:
        return
    sure = sure_counts(table)
    for at in likely_counts(table):
        values = [(row, number(text)) for row, text in enumerate(table.column(at), 1)]
        small = [f"row {row}" for row, value in values if value is not None and 0 < value < facts.at_least]
        if small:
            may = "count" if at in sure else "may count"
            where = f"column {table.columns[at]!r}: {places(small)}"
            fewer = f"cells that {may} fewer than {facts.at_least} units: {len(small)}"
            yield Finding("small-cells", "look", where, f"{fewer}; suppress them, or use coarser groups")


SMALL = Check(
    word="small-cells",
    run=_run,
    good=(
        Example("t.csv", b"region;n\nEst;12\nOuest;0\nNord;s\n"),
        Example("t.csv", b"annee;n\n2001;12\n2002;40\n"),
        Example("t.csv", b"region,part\nEst,0.5\nOuest,3.5\n"),
        Example("t.csv", b"region;n\nEst;3\n", Facts(at_least=3)),
    ),
    bad=(
        Example("t.csv", b"region;n\nEst;12\nOuest;4\n"),
        Example("t.csv", b"region;nb_hab\nEst;12\nOuest;4\n"),
        Example("t.csv", b"region,count_star()\nEst,12\nOuest,9.0\n"),
        Example("t.csv", b"region;valeur\nEst;12\nOuest;4\n"),  # it may be a count
        Example("t.json", b'[{"region": "Est", "effectif": 4}]'),
        Example("t.csv", b"region;n\nEst;12\nOuest;19\n", Facts(at_least=20)),
    ),
)
