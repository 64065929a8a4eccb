"""What can be told of rows only once they are typed: their keys, and the values of their columns. They are rejected."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb

from catalog.receipt import Reject
from ingest.bounds import Bound
from ingest.columns import meaning
from ingest.parquetfile import write_parquet
from ingest.parts import files_of, with_files
from ingest.totals import told_totals
from ingest.typed import refused_sql
from ingest.typings import Declared
from policies.document import suggest
from policies.editions import literal, quoted
from policies.errors import DocumentError, ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from catalog.lake import StagedTable
    from ingest.prove import Proven, Stage
    from ingest.reading import Expected
    from ingest.typings import Check, Key, Typing

_SHOWN = 10_000


def judged(proven: Proven, expected: Expected, stage: Stage) -> Proven:
    """The same table without the rows that break a check of values, or have no key of their own: all that share it.

    Which of two rows with one key is right cannot be known. Raises DocumentError when a column of a key is not there,
    and ReadingError when a column has no numbers to be compared, or more rows are rejected than kept. When it raises,
    nothing is left staged.
    """
    said = {name: one for name, one in expected.columns.items() if isinstance(one, Declared)}
    keys = expected.keys
    try:
        proven = replace(proven, notes=(*expected.notes, *proven.notes), rejects=tuple(with_files(proven)))
        tests = list(_tests(proven.typings, said))
        if not tests and not keys:
            return proven
        count = _left_out(proven, tests, [_keyless_sql(proven, key, expected.missing or ()) for key in keys])
        if count == 0:
            return proven
        found = _rejects(proven, count)
        kept = _without(proven, stage)
    except duckdb.Error as error:
        proven.staged.discard()
        raise ReadingError(f"the declared values and keys cannot be checked: {str(error).splitlines()[0]}") from None
    except BaseException:
        proven.staged.discard()
        raise
    proven.staged.discard()
    nulls = kept.nulls()
    columns = tuple(column.model_copy(update={"nulls": nulls[column.name]}) for column in proven.columns)
    rejects = tuple(sorted([*proven.rejects, *found], key=lambda reject: reject.line))
    notes = (*expected.notes, *told_totals(kept, proven.typings))
    return replace(proven, staged=kept, columns=columns, rejects=rejects, notes=notes)


def _tests(typings: Sequence[Typing], declared: Mapping[str, Declared]) -> Iterator[str]:
    """WHEN … THEN … for each check; those of a text too, where the file itself has a type and so no text was seen."""
    for typing in typings:
        one = declared.get(typing.column.name)
        if one is None:
            continue
        name = quoted(typing.column.name)
        text = f"CAST({name} AS VARCHAR)"
        for value in one.values:
            if isinstance(value, Bound):
                yield _test(typing, value.check(typing.column.source_name, typing.sql_type), name)
            else:
                yield _test(typing, value, name)
        if typing.column.native not in {None, "VARCHAR"}:
            for check in (*one.checks, *meaning(one.word)):
                yield _test(typing, check, text)


def _test(typing: Typing, check: Check, x: str) -> str:
    said = literal(f"{typing.column.source_name}: {check.reason}, found ")
    found = f"CAST({quoted(typing.column.name)} AS VARCHAR)"
    return f"WHEN {check.sql.format(x=x)} THEN {said} || coalesce(left({found}, 100), 'nothing')"


def _numbered(proven: Proven) -> str:
    return f"read_parquet({literal(proven.staged.path)}, file_row_number=true)"


def _left_out(proven: Proven, tests: Sequence[str], keyless: Sequence[str]) -> int:
    """How many rows are left out; the table `left_out` holds their numbers in the staged file, and why."""
    con, rows = proven.table.con, _numbered(proven)
    con.execute("CREATE OR REPLACE TEMP TABLE left_out (number BIGINT, why VARCHAR)")
    if tests:
        con.execute(
            f"INSERT INTO left_out SELECT number, why FROM "  # noqa: S608
            f"(SELECT file_row_number AS number, CASE {' '.join(tests)} END AS why FROM {rows}) WHERE why IS NOT NULL"
        )
    for statement in keyless:
        con.execute(f"INSERT INTO left_out {statement}")
    return int(con.execute("SELECT count(*) FROM left_out").fetchall()[0][0])


def _keyless_sql(proven: Proven, key: Key, missing: Sequence[str]) -> str:
    """The rows, of those not left out yet, whose key is missing where it is required, or stands more than once.

    The `missing` texts, which stay in columns of texts, are no values there either.
    """
    names = [column.name for column in proven.served]
    for column in key.columns:
        if column not in names:
            raise DocumentError(f"{key.place}: the key {column!r} is not in the source; {suggest(column, names)}")
    listed = ", ".join(map(quoted, key.columns))
    keyless = " OR ".join(f"{quoted(column)} IS NULL" for column in key.columns) if key.required else "false"
    said = literal(", ".join(key.columns))
    texts = {column.name for column in proven.served if column.type == "VARCHAR"} if missing else set()
    none = ", ".join(map(literal, missing))
    values = ", ".join(
        f"CASE WHEN trim({name}) NOT IN ({none}) THEN {name} END AS {name}" if column in texts else name
        for column, name in zip(key.columns, map(quoted, key.columns), strict=True)
    )
    rows = (
        f"(SELECT file_row_number, {values} FROM {_numbered(proven)} "  # noqa: S608
        "WHERE file_row_number NOT IN (SELECT number FROM left_out))"
    )
    return (
        f"SELECT file_row_number, CASE WHEN {keyless} THEN {said} || ': the key is missing' "  # noqa: S608
        f"ELSE {said} || ': the key stands on ' || often || ' rows, expected one' END FROM {rows} LEFT JOIN "
        f"(SELECT {listed}, count(*) AS often FROM {rows} GROUP BY {listed} HAVING count(*) > 1) "
        f"USING ({listed}) WHERE {keyless} OR often IS NOT NULL"
    )


def _shown(typing: Typing) -> str:
    """SQL: the value, or the marker that stands for it, as a text that keeps its place where there is none."""
    said = [
        f"CAST({quoted(typing.column.name)} AS VARCHAR)",
        *([] if typing.marker is None else [quoted(typing.marker)]),
    ]
    return f"coalesce({', '.join(said)}, '')"


def _rejects(proven: Proven, count: int) -> list[Reject]:
    """The rows that are left out, by their lines. Raises ReadingError where they are more than those kept."""
    con, rows = proven.table.con, proven.staged.rows
    limit = "LIMIT 1" if 2 * count + len(proven.rejects) > rows else ""
    shown = ", ".join(_shown(typing) for typing in proven.typings if typing.sql_type != "GEOMETRY")
    found = con.execute(
        f"SELECT number, why, left(concat_ws(' | ', {shown}), {_SHOWN}) FROM left_out "  # noqa: S608
        f"JOIN {_numbered(proven)} ON number = file_row_number ORDER BY number {limit}"
    ).fetchall()
    statement = refused_sql(proven.table, proven.typings)
    refused = [] if statement is None else sorted(row[0] for row in con.execute(statement).fetchall())
    numbers = source_numbers([number for number, _, _ in found], refused)
    lines, files = proven.table.line_of(numbers), files_of(proven.table, numbers)
    reasons = (
        [f"{file}: {why}" for file, (_, why, _) in zip(files, found, strict=True)]
        if files
        else [why for _, why, _ in found]
    )
    rejects = [
        Reject(line=line, reason=why, text=text) for line, why, (_, _, text) in zip(lines, reasons, found, strict=True)
    ]
    if limit:
        raise ReadingError(
            f"{count} of {rows} rows break a key or a value that is declared; the first on line {rejects[0].line}: "
            f"{rejects[0].reason}. Name a key that every row has once, and declare what is there"
        )
    return rejects


def _without(proven: Proven, stage: Stage) -> StagedTable:
    """The rows that are not `left_out`."""
    statement = (
        f"SELECT * EXCLUDE (file_row_number) FROM {_numbered(proven)} "  # noqa: S608
        "WHERE file_row_number NOT IN (SELECT number FROM left_out)"
    )
    return stage(lambda path: write_parquet(proven.table.con, statement, path, row_bytes=proven.row_bytes))


def source_numbers(kept: Sequence[int], refused: Sequence[int]) -> list[int]:
    """The numbers that rows have in the source, of those that have the numbers `kept` once the `refused` are left out.

    All count from 0 and ascend: with 1 refused, the kept 0, 1, 2 are the source's 0, 2, 3.
    """
    found, before = [], 0
    for number in kept:
        while before < len(refused) and refused[before] <= number + before:
            before += 1
        found.append(number + before)
    return found
