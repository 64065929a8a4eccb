"""Commune codes between years (INSEE's code officiel géographique, COG), by INSEE's own table of events since 1943.

    crosswalk.sql   the rule: from events to what becomes of each code.  READ THIS FIRST
    convert.sql     a table's codes moved by it;  check.sql compares the sums with those of another table
    macros.py       granted tables → the SQL macros that run these on them; pure
    convert.py      a conversion from Python

A year means its 1 January, as in the COG: an event of that day counts, a later one does not.
"""

from catalog.cog.convert import convert
from catalog.cog.macros import macros

__all__ = ["convert", "macros"]
