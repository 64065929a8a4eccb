"""Output checks: a file and what is known of the lab → findings. Pure; each in a file of its own, with its examples.

    kind.py           only files that a person can look through, and each what its name says
    models.py         pickles and models
    hidden.py         what a reader of a text does not see      notebook.py, png.py, jpeg.py   and of these files
    small.py          cells under the threshold                 givenback.py   hidden cells that totals give back
    dominance.py      sums that are nearly one unit's           rows.py        rows instead of results
    formulas.py       cells that a spreadsheet runs             differencing.py   against each earlier release,
                                                                                  of which sketch.py is kept

The files come from strangers, so this package runs in a jail of its own (sandbox/airlock/judge.py): it imports the
standard library and DuckDB, and nothing of the DataLab. Rules are those of rule-based output checking as in ACRO
(github.com/AI-SDC/ACRO): what breaks one needs a person who says why it may leave all the same.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .candidate import Candidate
from .differencing import DIFFERENCING
from .dominance import DOMINANCE
from .finding import Finding
from .formulas import FORMULAS
from .givenback import GIVEN_BACK
from .hidden import HIDDEN
from .jpeg import JPEG
from .kind import KIND, kind_of
from .models import MODELS
from .notebook import NOTEBOOK
from .png import PNG
from .rows import ROWS
from .small import SMALL
from .table import UnreadableError, table_of

if TYPE_CHECKING:
    from .facts import Facts

__all__ = ["CHECKS", "Candidate", "Finding", "check"]

CHECKS = (
    KIND,
    MODELS,
    HIDDEN,
    NOTEBOOK,
    PNG,
    JPEG,
    SMALL,
    GIVEN_BACK,
    DOMINANCE,
    ROWS,
    FORMULAS,
    DIFFERENCING,
)
"""In the order in which findings are told."""


def check(name: str, content: bytes, facts: Facts) -> tuple[Candidate, tuple[Finding, ...]]:
    """Everything that is found in a file. One that is not what its name says is not looked into any further."""
    candidate = Candidate(name, content)
    wrong = (*KIND.run(candidate, facts), *MODELS.run(candidate, facts))
    if wrong:
        return candidate, wrong
    kind = kind_of(name)
    candidate = dataclasses.replace(candidate, kind=kind)
    found: list[Finding] = []
    try:
        candidate = dataclasses.replace(candidate, table=table_of(kind, content))
    except UnreadableError as error:
        found.append(Finding("table", "stop", name, f"cannot be read as a table: {error}"))
    if kind == "json" and candidate.table is None and not found:
        found.append(Finding("table", "look", name, "is no list of records, so no check has looked at its values"))
    if kind in ("png", "jpeg"):
        found.append(Finding("image", "look", name, "what is drawn is for a person to look at: points may be persons"))
    for one in CHECKS:
        found += one.run(candidate, facts)
    return candidate, tuple(found)
