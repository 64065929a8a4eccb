"""What an edition keeps of a table, and the SQL that makes it.

    model.py            what a steward writes
    sql.py              EditionTable + columns → SELECT statements
    generalisation.py   coarser values; places on a grid are in grid.py
    cells.py            which cells of an aggregated table to suppress
    disclosure.py       classes over quasi-identifiers: k, l, uniques
    identity.py         what names an edition's table and its pseudonyms

All is pure: nothing is run here.
"""

from policies.editions.identity import alike, definition, fingerprint, made_with, pseudonymiser, scope_of
from policies.editions.model import EditionTable, Purpose, unspoken
from policies.editions.quoting import literal, quoted
from policies.editions.sql import PSEUDONYM, Source, edition_sql

__all__ = [
    "PSEUDONYM",
    "EditionTable",
    "Purpose",
    "Source",
    "alike",
    "definition",
    "edition_sql",
    "fingerprint",
    "literal",
    "made_with",
    "pseudonymiser",
    "quoted",
    "scope_of",
    "unspoken",
]
