"""Rows of the data themselves, instead of what was computed of them.

A table is held for rows where its rows are as many as a table's that the requester could read, under names of that
table's columns; where it has a column of pseudonyms of an edition; where a column's texts are all different among many
rows; and where it is too long to be read. Not found: rows under other names that are fewer than the edition's, without
an identifier: a sample of data looks like a table of means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .counts import likely_counts, number
from .facts import Facts, Known
from .finding import Finding, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .table import Table

_MANY = 50
"""Rows from which texts that are all different speak of rows, and not of a small table of groups."""
_LONGEST = 5000
"""Rows from which a table is no longer one that a person reads."""


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:
    table = candidate.table
    if table is None:
        return
    names = {name.casefold() for name in table.columns}
    for known in facts.known:
        shared = names.intersection(name.casefold() for name in known.columns)
        if len(table.rows) == known.rows > 1 and shared:
            said = "the table has as many rows as one that you could read, and names of its columns"
            yield Finding("rows", "look", f"{known.name}: {known.rows} rows, {len(shared)} columns", said)
    marked = {name.casefold() for known in facts.known for name in known.identifiers}
    named = sorted(repr(name) for name in table.columns if name.casefold() in marked)
    if named:
        yield Finding("rows", "look", f"column {places(named)}", "the table has pseudonyms of an edition")
    alone = _identifying(table)
    if alone:
        said = "a column's texts are all different, as identifiers are, and nothing counts units"
        yield Finding("rows", "look", f"column {places(alone)}", said)
    if not table.whole or len(table.rows) >= _LONGEST:
        more = "" if table.whole else " or more"
        said = f"the table has {len(table.rows)}{more} rows: more than a person reads, and than groups usually are"
        yield Finding("rows", "look", candidate.name, said)


def _identifying(table: Table) -> list[str]:
    """The columns of texts (no numbers with a fraction) that are all different, in a long table without counts."""
    if len(table.rows) < _MANY or likely_counts(table):
        return []
    found = []
    for at, name in enumerate(table.columns):
        texts = [text for text in table.column(at) if text is not None]
        fractions = any((value := number(text)) is not None and value != int(value) for text in texts)
        if len(texts) >= _MANY and len(set(texts)) == len(texts) and not fractions:
            found.append(repr(name))
    return found


_KNOWN = Facts(known=(Known(name="jeu/open.t", rows=3, columns=("id", "age", "region"), identifiers=("id",)),))

ROWS = Check(
    word="rows",
    run=_run,
    good=(
        Example("t.csv", b"region;n\nEst;12\nOuest;40\n", _KNOWN),
        Example("t.csv", b"groupe;n\na;12\nb;40\nc;13\n", _KNOWN),
        Example("t.csv", b"commune;n\n" + b"".join(b"c%d;12\n" % at for at in range(60))),
    ),
    bad=(
        Example("t.csv", b"region;age\nEst;12\nOuest;40\nNord;30\n", _KNOWN),
        Example("t.csv", b"ID;mean\na;0.5\n", _KNOWN),
        Example("t.csv", b"who;mean\n" + b"".join(b"p%d;1.5\n" % at for at in range(60))),
        Example("t.csv", b"v;n\n" + b"a;12\n" * 5000),
    ),
)
