"""What the word at a cursor may become: a table that was granted, a column of one, or a word of SQL. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WORD = re.compile(r'(?:"[^"\n]*"?|[\w.])*$')
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_MOST = 500
_WORDS = """
ALL AND AS ASC AVG BETWEEN BY CASE CAST COUNT DESC DESCRIBE DISTINCT ELSE END EXCLUDE FROM FULL GROUP HAVING ILIKE IN
INNER IS JOIN LEFT LIKE LIMIT MAX MEDIAN MIN NOT NULL OFFSET ON OR ORDER OVER PARTITION PIVOT QUALIFY ROUND SELECT SUM
SUMMARIZE THEN UNION USING VALUES WHEN WHERE WITH
"""


def completed(code: str, cursor: int, tables: Mapping[tuple[str, str], Sequence[str]]) -> tuple[list[str], int]:
    """The words that begin as the one that ends at `cursor`, and where that begins.

    `tables` are columns by schema and table. Columns of the tables that the cell names come first, and are alone once
    it names one.
    """
    before = code[:cursor]
    ends = _WORD.search(before)
    start = cursor if ends is None else ends.start()
    word = before[start:]
    names = {_name(*table): columns for table, columns in tables.items()}
    named = [columns for name, columns in names.items() if name in code] or list(names.values())
    columns = dict.fromkeys(_quoted(column) for each in named for column in each)
    sought = word.casefold().replace('"', "")
    found = [name for name in (*columns, *names) if name.casefold().replace('"', "").startswith(sought)]
    found += [one for one in _WORDS.split() if word and one.casefold().startswith(sought)]
    return list(dict.fromkeys(found))[:_MOST], start


def _name(schema: str, table: str) -> str:
    return _quoted(table) if schema == "main" else f"{_quoted(schema)}.{_quoted(table)}"


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'
