"""What a reader gives and the typing takes: a relation of DuckDB whose texts are not yet believed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from policies.document import suggest
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import duckdb

    from catalog.receipt import Reject
    from ingest.typings import Declared

_SHOWN = 2_000


class UnsureError(Exception):
    """What was read so cannot be trusted: `Table.careful` must be taken."""


@dataclass(frozen=True)
class SourceColumn:
    """A column as it came: its name in the lake, in the source, and the SQL type if the file itself has types.

    `native` None means text that may be proven to be something else. `digits_are_text` says that the file's author
    wrote digits as text on purpose (a text cell of a spreadsheet), so whole numbers stay text.
    """

    name: str
    source_name: str
    native: str | None = None
    digits_are_text: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table, read but not typed.

    `source` is a FROM item of `con` that keeps the order of the file and has exactly `columns`, and may be read again
    and again. Once it is read through, `rejects()` gives the rows that could not be read in that scan; it raises
    UnsureError if they make the whole scan doubtful. `rows_in` is counted apart from the scans, and perhaps meanwhile.
    `line_of` gives the lines (1 is the first of the file) of the rows whose numbers (0 is the first of `source`,
    ascending) it is given.
    `careful`, where there is one, reads the same bytes again by another, slower way. `declared` is what the format
    itself declares of its columns, by their names in the lake. `parts` are the tables of the files of which this one is
    put together, by the files' names.
    """

    con: duckdb.DuckDBPyConnection
    source: str
    format: str
    columns: tuple[SourceColumn, ...]
    rows_in: int | Callable[[], int]
    rejects: Callable[[], list[Reject]]
    dialect: dict[str, str | int | None]
    line_of: Callable[[Sequence[int]], list[int]]
    careful: Callable[[], Table] | None = None
    declared: Mapping[str, Declared] = field(default_factory=dict)
    parts: tuple[tuple[str, Table], ...] = ()

    def counted(self) -> int:
        """How many records there are; raises UnsureError if the count means nothing."""
        return self.rows_in if isinstance(self.rows_in, int) else self.rows_in()


Tables: TypeAlias = "dict[str, Callable[[], Table]]"
"""The tables of one file, by name, each opened when it is asked for. A format of one table has one, named `""`."""


def chosen(tables: Tables, name: str | None) -> Table:
    """The table of that name, or the only one. Raises ReadingError if there is none, or a choice must be made."""
    tables = only(tables, name)
    if len(tables) != 1:
        named = ", ".join(repr(one) for one in tables)
        raise ReadingError(f"the file holds {len(tables)} tables: {named}; choose one: read: {{table: …}}")
    return next(iter(tables.values()))()


def only(tables: Tables, name: str | None) -> Tables:
    """The table of that name alone, or all where none is named. Raises ReadingError if there is none of that name."""
    if name is None:
        return tables
    if name not in tables:
        known = [one for one in tables if one]
        advice = suggest(name, known) if known else "it holds one table, which has no name: leave read: table out"
        raise ReadingError(f"no table {name!r} in the file; {advice}")
    return {name: tables[name]}


def leaving_out(tables: Mapping[str, Callable[[], Table]], names: Sequence[str]) -> Tables:
    """The tables of an archive, whose dialects say that the files of these names in it were not read."""

    def told(table: Table) -> Table:
        careful = table.careful
        return replace(
            table,
            dialect={**table.dialect, "left_out": ", ".join(names)[:_SHOWN]},
            careful=None if careful is None else lambda: told(careful()),
        )

    def telling(opened: Callable[[], Table]) -> Callable[[], Table]:
        return lambda: told(opened())

    return {name: telling(opened) for name, opened in tables.items()} if names else {**tables}


def lake_names(names: Iterable[str]) -> list[str]:
    """The names that the lake gives to a header's columns, in order.

    White space and the characters that Delta's protocol forbids in names (`,;{}()=`) become `_`; an empty name
    becomes `column_N`; a name that stands twice, whatever its case, gets `_2`, `_3`.
    """
    given: list[str] = []
    taken: set[str] = set()
    for number, name in enumerate(names, start=1):
        clean = re.sub(r"[\s,;{}()=\x00-\x1f]+", "_", name.strip()).strip("_") or f"column_{number}"
        unique, count = clean, 1
        while unique.casefold() in taken:
            count += 1
            unique = f"{clean}_{count}"
        taken.add(unique.casefold())
        given.append(unique)
    return given
