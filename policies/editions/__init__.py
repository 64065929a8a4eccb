"""What an edition keeps of a table, and the SQL that makes it. Pure: nothing is run here.

model.py      what a steward writes
sql.py        EditionTable + columns → one SELECT
identity.py   what names an edition's table and its pseudonyms
"""

from policies.editions.identity import definition, fingerprint, pseudonymiser
from policies.editions.model import EditionTable, Purpose, Rounding
from policies.editions.quoting import literal, quoted
from policies.editions.sql import PSEUDONYM, edition_sql

__all__ = [
    "PSEUDONYM",
    "EditionTable",
    "Purpose",
    "Rounding",
    "definition",
    "edition_sql",
    "fingerprint",
    "literal",
    "pseudonymiser",
    "quoted",
]
