"""Cells that a spreadsheet runs: OWASP, "CSV Injection". The bytes that leave are those that were reviewed, so nothing
is put before them; whoever sent the table writes such cells otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .counts import is_hidden, number
from .finding import Finding, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .facts import Facts

_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001  as all checks
    table = candidate.table
    if table is None:
        return
    found = [f"column {at}" for at, name in enumerate(table.columns, 1) if name.startswith(_BEGINNINGS)]
    for row, values in enumerate(table.rows, 1):
        found += [f"row {row}" for text in values if text is not None and text.startswith(_BEGINNINGS) and _runs(text)]
    if found:
        said = "cells that a spreadsheet would run as formulas; begin them with something else"
        yield Finding("formulas", "look", places(found), said)


def _runs(text: str) -> bool:
    return number(text) is None and not is_hidden(text)


FORMULAS = Check(
    word="formulas",
    run=_run,
    good=(Example("t.csv", b"region;solde\nEst;-12\nOuest;-\nNord;+0,5\n"),),
    bad=(
        Example("t.csv", b'region;n\n"=HYPERLINK(""http://x"")";12\n'),
        Example("t.csv", b"@region;n\nEst;12\n"),
        Example("t.csv", b"region;n\n-2+3;12\n"),
    ),
)
