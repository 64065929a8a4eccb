"""Several files that are one table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ingest.table import SourceColumn, Table
from policies.editions import quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.receipt import Reject


def together(parts: list[tuple[str, Table]]) -> Table:
    """The tables, each with its file's name, one below the other; columns are matched by name.

    Lines are those of each file, which a reject's reason names. Raises ReadingError where a file has other columns than
    the first.
    """
    name, first = parts[0]
    if len(parts) == 1:
        return first
    for other, table in parts[1:]:
        _refuse_other_columns(name, first, other, table)
    names = ", ".join(quoted(column.name) for column in first.columns)
    has_careful = any(table.careful is not None for _, table in parts)
    return Table(
        con=first.con,
        source="(" + " UNION ALL ".join(f"SELECT {names} FROM {table.source}" for _, table in parts) + ")",  # noqa: S608
        format=first.format,
        columns=tuple(
            replace(column, digits_are_text=any(_column(table, column.name).digits_are_text for _, table in parts))
            for column in first.columns
        ),
        declared=first.declared,
        rows_in=lambda: sum(table.counted() for _, table in parts),
        rejects=lambda: [_named(name, reject) for name, table in parts for reject in table.rejects()],
        dialect={**first.dialect, "files": len(parts)},
        line_of=lambda rows: _lines(parts, rows),
        careful=(lambda: together([(name, _careful(table)) for name, table in parts])) if has_careful else None,
    )


def _refuse_other_columns(name: str, first: Table, other: str, table: Table) -> None:
    has, expected = ({column.name: column.native for column in one.columns} for one in (table, first))
    missing, more = sorted(expected.keys() - has.keys()), sorted(has.keys() - expected.keys())
    retyped = sorted(key for key in has.keys() & expected.keys() if has[key] != expected[key])
    found = [
        f"{said} {', '.join(map(repr, columns))}"
        for said, columns in (("lacks", missing), ("has besides", more), ("has of another type", retyped))
        if columns
    ]
    if found:
        raise ReadingError(f"{other} {' and '.join(found)}, where {name} is otherwise; name fewer files in the source")


def _column(table: Table, name: str) -> SourceColumn:
    return next(column for column in table.columns if column.name == name)


def _named(name: str, reject: Reject) -> Reject:
    return reject.model_copy(update={"reason": f"{name}: {reject.reason}"})


def _careful(table: Table) -> Table:
    return table if table.careful is None else table.careful()


def _lines(parts: list[tuple[str, Table]], rows: Sequence[int]) -> list[int]:
    """The lines of rows, each in its own file."""
    found: list[int] = []
    start = 0
    for _, table in parts:
        (count,) = table.con.execute(f"SELECT count(*) FROM {table.source}").fetchall()[0]  # noqa: S608
        own = [row - start for row in rows if start <= row < start + count]
        found += table.line_of(own) if own else []
        start += count
    return found
