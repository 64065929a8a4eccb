"""The pass that types and writes a table, and the proof that nothing was lost or changed on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.lake import ServedColumn, StagedTable
from catalog.receipt import ProvenColumn, Reject
from ingest.columns import choose_all, undeclared
from ingest.evidence import AT_ONCE, Texts, sample
from ingest.forms import says
from ingest.parquetfile import write_parquet
from ingest.table import UnsureError
from ingest.totals import told_totals
from ingest.typed import UNPROVEN, broken_sql, refused_sql, typed_sql
from ingest.typings import WORDS, Declared, Typing
from ingest.wide import write_beside
from policies.editions import literal, quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ingest.kept import Kept
    from ingest.table import Table

    Stage = Callable[[Callable[[Path], object]], StagedTable]
    """`Lake.stage` for the raw table."""


_GUESSES = 5
_LEARNT = 10_000
_FEW = 500
"""Of so few values, what costs less than the pattern costs more to plan than it saves."""


@dataclass(frozen=True, kw_only=True)
class Proven:
    """A table on disk, typed, with `rows_in == rows_out + len(rejects)`; `table` and `typings` are what proved it."""

    table: Table
    typings: list[Typing]
    staged: StagedTable
    served: tuple[ServedColumn, ...]
    columns: tuple[ProvenColumn, ...]
    rows_in: int
    rejects: tuple[Reject, ...]
    format: str
    dialect: dict[str, str | int | None]
    notes: tuple[str, ...] = ()

    @property
    def row_bytes(self) -> float:
        """How many bytes of geometry a row has, on average: for who writes the rows again."""
        return _row_bytes(self.table, self.typings)


def prove(
    table: Table,
    declared: Mapping[str, Declared | Kept],
    stage: Stage,
    *,
    markers: tuple[str, ...] | None = None,
    may_be_empty: bool = False,
) -> Proven:
    """Type and write `table` as guessed, and again, where a guess broke, with what broke it.

    What `declared` says comes before what the format does, and that before a type that was kept. `markers` are those
    declared for missing values; None takes the known ones. Raises ReadingError when records are lost, when more rows
    are rejected than kept, or none is there unless it `may_be_empty`; nothing is staged then.
    """
    said = {name: one for name, one in declared.items() if isinstance(one, Declared)}
    demanded = {**declared, **table.declared, **said}
    again = partial(prove, declared=declared, stage=stage, markers=markers, may_be_empty=may_be_empty)
    staged = None
    try:
        seen = sample(table.con, table.source, undeclared(table, demanded))
        typings, staged = _typed(table, demanded, stage, seen, markers)
        unread = table.rejects()  # of the pass just made: any other scan comes after
        rejects = sorted([*unread, *_refused(table, typings, staged.rows + 1)], key=lambda reject: reject.line)
        records = table.counted()
    except (duckdb.Error, UnsureError) as error:
        if staged is not None:
            staged.discard()
        if table.careful is None:
            raise ReadingError(f"the engine cannot read it: {str(error).splitlines()[0]}") from None
        return again(table.careful())
    except ReadingError:
        if staged is not None:
            staged.discard()
        raise
    lost = 0 if len(rejects) > staged.rows else records - staged.rows - len(rejects)
    if (len(unread) > staged.rows or lost != 0) and table.careful is not None:
        staged.discard()
        return again(table.careful())
    if lost != 0:
        staged.discard()
        raise ReadingError(
            f"{records} records stand in the file, {staged.rows} were read and {len(rejects)} rejected: "
            f"{lost} are unaccounted for"
        )
    _refuse_ruin(staged, rejects, records, may_be_empty=may_be_empty)
    return _proven(table, typings, staged, rejects, seen)


def _pass(table: Table, typings: list[Typing], stage: Stage) -> StagedTable | None:
    """One pass over all rows; None if a guessed type did not hold."""
    statements = []
    for typed, beside in _in_turn(table, typings):
        rest = f"SELECT * EXCLUDE ({beside}) FROM ({typed})"  # noqa: S608
        statements.append(rest if beside else typed)
    try:
        if len(statements) > 1:
            return stage(lambda path: write_beside(table.con, statements, path))
        size = _row_bytes(table, typings)
        return stage(lambda path: write_parquet(table.con, statements[0], path, row_bytes=size))
    except duckdb.InvalidInputException as error:
        if UNPROVEN in str(error):
            return None
        raise


def _row_bytes(table: Table, typings: list[Typing]) -> float:
    """How many bytes of geometry a row has, on average."""
    shapes = [quoted(typing.column.name) for typing in typings if typing.sql_type == "GEOMETRY"]
    if not shapes:
        return 0
    size = " + ".join(f"coalesce(octet_length({shape}), 0)" for shape in shapes)
    return float(table.con.execute(f"SELECT avg({size}) FROM {table.source}").fetchall()[0][0] or 0)  # noqa: S608


def _typed(
    table: Table,
    declared: Mapping[str, Declared | Kept],
    stage: Stage,
    seen: dict[str, Texts],
    markers: tuple[str, ...] | None,
) -> tuple[list[Typing], StagedTable]:
    """The typings that hold for every row, and the table that was written with them."""
    for _ in range(_GUESSES):
        typings = _in_short(choose_all(table, declared, seen, markers), seen)
        staged = _pass(table, typings, stage)
        if staged is not None:
            return typings, staged
        _learn(table, typings, seen)
    typings = choose_all(table, declared, seen, markers)
    # Each guess may break on what it had not seen: in the end a column that ever broke is text
    typings = [_as_text(one) if seen.get(one.column.name, Texts()).broken else one for one in typings]
    staged = _pass(table, typings, stage)
    if staged is None:
        raise ReadingError("a column changed its type between two passes over the same file")
    return typings, staged


def _in_short(typings: list[Typing], seen: dict[str, Texts]) -> list[Typing]:
    """The typings, where the table has few values with forms that are planned fast instead of proven fast."""
    if not seen or not all(texts.whole and len(texts.values) <= _FEW for texts in seen.values()):
        return typings
    return [one if one.form is None else replace(one, form=replace(one.form, quick=None)) for one in typings]


def _learn(table: Table, typings: list[Typing], seen: dict[str, Texts]) -> None:
    """Put what broke the guesses into what was seen."""
    for start in range(0, len(typings), AT_ONCE):
        some = typings[start : start + AT_ONCE]
        numbers, statement = broken_sql(table, some)
        texts = table.con.sql(f"{statement} LIMIT {_LEARNT}").to_arrow_table() if numbers else pa.table({})
        for number, column in zip(numbers, texts.columns, strict=True):
            broken = column.drop_null().unique().to_pylist()
            if broken:
                seen[some[number].column.name].broke(some[number].form, broken)


def _in_turn(table: Table, typings: list[Typing]) -> Iterator[tuple[str, str]]:
    """The SQL that types some columns at a time, and the names of columns that are in it only to leave rows out."""
    if len(typings) <= AT_ONCE or any(typing.sql_type == "GEOMETRY" for typing in typings):
        yield typed_sql(table, typings), ""
        return
    for start in range(0, len(typings), AT_ONCE):
        some = typings[start : start + AT_ONCE]
        others = [one for one in typings if (one.declared or one.checks) and one not in some]
        names = [name for one in others for name in (one.column.name, one.marker) if name is not None]
        yield typed_sql(table, [*some, *others]), ", ".join(map(quoted, names))


def _as_text(typing: Typing) -> Typing:
    return replace(typing, form=None, marker=None, semantic=None, empty=False, why="no type fits every value")


def _refused(table: Table, typings: list[Typing], most: int) -> list[Reject]:
    """What was left out because it breaks what is declared; `most` are enough, as a wrong word leaves out millions."""
    some = typings if len(typings) <= AT_ONCE else [one for one in typings if one.declared or one.checks]
    statement = refused_sql(table, some)
    refused = [] if statement is None else table.con.execute(f"{statement} LIMIT {most}").fetchall()
    lines = table.line_of([number for number, _, _ in refused]) if refused else []
    return [Reject(line=line, reason=why, text=text) for line, (_, why, text) in zip(lines, refused, strict=True)]


def _refuse_ruin(staged: StagedTable, rejects: list[Reject], records: int, *, may_be_empty: bool) -> None:
    """Raise ReadingError if what is left is no table worth serving."""
    if len(rejects) > staged.rows:
        staged.discard()
        first = rejects[0]
        raise ReadingError(
            f"{records - staged.rows} of {records} rows were rejected, more than were kept; the first on line "
            f"{first.line}: {first.reason}. Declare the dialect or the types as they are"
        )
    if staged.rows == 0 and not may_be_empty:
        staged.discard()
        raise ReadingError("no row of data stands below the header")


def _proven(
    table: Table, typings: list[Typing], staged: StagedTable, rejects: list[Reject], seen: Mapping[str, Texts]
) -> Proven:
    nulls = staged.nulls()
    served: list[ServedColumn] = []
    columns: list[ProvenColumn] = []
    for typing in typings:
        name = typing.column.name
        word, why = _meaning(table.con, typing, staged, seen.get(name))
        markers = {} if typing.marker is None else _markers(typing.marker, staged)
        served.append(ServedColumn(name=name, type=typing.sql_type))
        columns.append(
            ProvenColumn(
                name=name,
                source_name=typing.column.source_name,
                type=word,
                nulls=nulls[name],
                markers=markers,
                why=why,
            )
        )
        if typing.marker is not None:
            served.append(ServedColumn(name=typing.marker, type="VARCHAR"))
            beside = f"the markers that stand in {name!r} for a value"
            columns.append(
                ProvenColumn(name=typing.marker, source_name="", type="text", nulls=nulls[typing.marker], why=beside)
            )
    return Proven(
        table=table,
        typings=typings,
        staged=staged,
        served=tuple(served),
        columns=tuple(columns),
        rows_in=staged.rows + len(rejects),
        rejects=tuple(rejects),
        format=table.format,
        dialect=table.dialect,
        notes=told_totals(staged, typings),
    )


def _meaning(
    con: duckdb.DuckDBPyConnection, typing: Typing, staged: StagedTable, texts: Texts | None
) -> tuple[str, str]:
    """The word of the column's type and why: the semantic one, if every value that was written is one."""
    if typing.semantic is None:
        return _word(typing), typing.why
    if texts is not None and texts.whole:
        valued = [value for value in texts.values if value not in typing.markers]
        if all(map(typing.semantic.valid, valued)):
            return typing.semantic.word, typing.why
    few = staged.dictionary(typing.column.name) if typing.semantic.base == "text" else None
    if few is not None and all(map(typing.semantic.valid, filter(None, few))):
        return typing.semantic.word, typing.why
    name, file = quoted(typing.column.name), literal(staged.path)
    values = f"SELECT {name} AS x FROM read_parquet({file})"  # noqa: S608
    if typing.semantic.base == "float":
        # A number means it by its bounds, which the file's statistics have
        values = f"SELECT CAST(unnest([min({name}), max({name})]) AS VARCHAR) AS x FROM read_parquet({file})"  # noqa: S608
    # Whether it is blank costs more than the proof, so it is asked only where that fails
    wrong = f"CASE WHEN {typing.semantic.proof_sql('x')} THEN false ELSE {says('x')} END"
    broken, example = con.execute(f"SELECT count(*), any_value(x) FROM ({values}) WHERE {wrong}").fetchall()[0]  # noqa: S608
    if broken == 0:
        return typing.semantic.word, typing.why
    return _word(typing), typing.semantic.broken(broken, example)


def _markers(name: str, staged: StagedTable) -> dict[str, int]:
    """How often each marker stands in a column of markers, the most frequent first."""
    with pq.ParquetFile(staged.path) as file:
        found = pc.value_counts(file.read([name]).column(0).drop_null()).to_pylist()
    counts = {one["values"]: one["counts"] for one in found}
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _word(typing: Typing) -> str:
    """`DECIMAL(18,2)` → `decimal(18,2)`; every other type is one word of the model."""
    if typing.sql_type.startswith("DECIMAL"):
        return typing.sql_type.lower()
    return WORDS.get(typing.sql_type, "text") if typing.form is None else typing.form.word
