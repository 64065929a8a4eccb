"""Several files that are one table: how they are put together, and what the receipt says of each."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from catalog.receipt import ReadFile, Reject
from ingest.readers.archive import left_out
from ingest.table import SourceColumn, Table
from ingest.typed import refused_sql
from policies.editions import quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.prove import Proven
    from ingest.sources import Fetched

Dialect: TypeAlias = "dict[str, str | int | None]"
_SHOWN = 5
"""So many different values of a key are told; the receipt's `files` have all."""


def together(parts: list[tuple[str, Table]]) -> Table:
    """The tables, each with its file's name, one below the other; columns are matched by name.

    Lines are those of each file, which a reject's reason names. Raises ReadingError where a file has other columns than
    the first.
    """
    name, first = parts[0]
    for other, table in parts[1:]:
        glob = data_alone([one for one, _ in parts], name, other)
        _refuse_other_columns(name, first, other, table, "" if glob is None else f", such as {glob}")
    parts = [(name, replace(table, rows_in=cache(table.counted))) for name, table in parts]
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
        dialect={**_dialects([table.dialect for _, table in parts]), "files": len(parts)},
        line_of=lambda rows: [line for _, line in _places(parts, rows)],
        careful=(lambda: together([(name, _careful(table)) for name, table in parts])) if has_careful else None,
        parts=tuple(parts),
    )


def _dialects(each: Sequence[Dialect]) -> Dialect:
    """What the files' dialects say, each different value of a key: `utf-8 or cp1252`."""
    values: dict[str, list[str | int | None]] = {}
    for dialect in each:
        for key, value in dialect.items():
            found = values.setdefault(key, [])
            if value not in found and len(found) <= _SHOWN:
                found.append(value)
    return {key: found[0] if len(found) == 1 else _either(found) for key, found in values.items()}


def _either(values: Sequence[str | int | None]) -> str:
    shown = ["none" if value is None else str(value) for value in values[:_SHOWN]]
    return " or ".join([*shown, "…"] if len(values) > _SHOWN else shown)


def files_of(table: Table, rows: Sequence[int]) -> list[str]:
    """The names of the files of rows, by their numbers, ascending; none where the table is of one file."""
    return [name for name, _ in _places(table.parts, rows)] if table.parts else []


def with_files(proven: Proven) -> list[Reject]:
    """The rejects; those that break what is declared, of which the pass knows only the line, with their file too."""
    table, demanding = proven.table, [one for one in proven.typings if one.declared or one.checks]
    statement = refused_sql(table, demanding) if table.parts and proven.rejects else None
    if statement is None:
        return list(proven.rejects)
    refused = sorted(table.con.execute(statement).fetchall())
    names: dict[tuple[int, str], list[str]] = {}
    for (name, line), (_, reason, _) in zip(_places(table.parts, [row[0] for row in refused]), refused, strict=True):
        names.setdefault((line, reason), []).append(name)
    return [
        _named(found.pop(0), reject) if (found := names.get((reject.line, reject.reason))) else reject
        for reject in proven.rejects
    ]


def data_alone(names: Sequence[str], *doubted: str) -> str | None:
    """A glob that finds the data among files of these names and one of the `doubted` not, as it ends otherwise.

    None where there is none. Notices and the like have no say in how data end; of as many .txt as others, the others
    are data.
    """
    data = [path for path in map(PurePosixPath, names) if not left_out(path.name)]
    counts = Counter(path.suffix for path in data)
    ending = max(counts, key=lambda one: (counts[one], one.lower() not in {"", ".txt"}), default="")
    if not ending or all(PurePosixPath(name).suffix == ending for name in doubted):
        return None
    folders = {path.parent for path in data if path.suffix == ending}
    return str(folders.pop() / f"*{ending}") if len(folders) == 1 else f"*{ending}"


def hashed(fetched: Fetched) -> tuple[ReadFile, ...]:
    """The files of a folder or a glob that were fetched, with their hashes; none where the source is one file."""
    found = []
    if len(fetched.parts) == 1 and fetched.place.endswith(fetched.parts[0].name):
        return ()
    for part in fetched.parts:
        with part.path.open("rb") as file:
            found.append(ReadFile(name=part.name, sha256=hashlib.file_digest(file, "sha256").hexdigest()))
    return () if [one.sha256 for one in found] == [fetched.sha256] else tuple(found)


def told(files: tuple[ReadFile, ...], proven: Proven) -> tuple[ReadFile, ...]:
    """The files, those that were read with how and what became of their rows."""
    read = dict(proven.table.parts)
    return tuple(file if file.name not in read else _told(file, read[file.name], proven) for file in files)


def _told(file: ReadFile, table: Table, proven: Proven) -> ReadFile:
    rejected = sum(reject.reason.startswith(f"{file.name}: ") for reject in proven.rejects)
    read = {"format": table.format, "dialect": table.dialect, "rows_in": table.counted(), "rejected": rejected}
    return file.model_copy(update=read)


def _refuse_other_columns(name: str, first: Table, other: str, table: Table, advice: str) -> None:
    has, expected = ({column.name: column.native for column in one.columns} for one in (table, first))
    missing, more = sorted(expected.keys() - has.keys()), sorted(has.keys() - expected.keys())
    retyped = sorted(key for key in has.keys() & expected.keys() if has[key] != expected[key])
    found = [
        f"{said} {', '.join(map(repr, columns))}"
        for said, columns in (("lacks", missing), ("has besides", more), ("has of another type", retyped))
        if columns
    ]
    if found:
        raise ReadingError(
            f"{other} {' and '.join(found)}, where {name} is otherwise; name fewer files in the source{advice}"
        )


def _column(table: Table, name: str) -> SourceColumn:
    return next(column for column in table.columns if column.name == name)


def _named(name: str, reject: Reject) -> Reject:
    return reject.model_copy(update={"reason": f"{name}: {reject.reason}"})


def _careful(table: Table) -> Table:
    return table if table.careful is None else table.careful()


def _places(parts: Sequence[tuple[str, Table]], rows: Sequence[int]) -> Iterator[tuple[str, int]]:
    """The file and the line of rows, by their numbers, ascending; each line in its own file."""
    start = 0
    for name, table in parts:
        (count,) = table.con.execute(f"SELECT count(*) FROM {table.source}").fetchall()[0]  # noqa: S608
        own = [row - start for row in rows if start <= row < start + count]
        if own:
            yield from ((name, line) for line in table.line_of(own))
        start += count
