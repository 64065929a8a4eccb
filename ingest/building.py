"""One edition's table: written by the SQL of the policies, its cells suppressed, and checked before anything counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from catalog.conditions import try_condition
from ingest.parquetfile import write_parquet
from ingest.pseudonyms import register
from policies.editions import edition_sql, literal, quoted
from policies.editions.cells import UnprotectedError, suppress
from policies.editions.disclosure import Classes, classes_sql
from policies.editions.sql import HIDDEN, cells_sql, counts_sql, persons_sql
from policies.errors import DocumentError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policies.editions import EditionTable, Source
    from policies.editions.cells import Cell
    from policies.editions.control import Anonymity, Cells

_MOST_CELLS = 500_000
"""An aggregated table of more is no table of cells; they are all held in memory."""


@dataclass(frozen=True, kw_only=True)
class Secret:
    """What pseudonyms are made with: the key, and what they are for."""

    key: bytes
    scope: str


@dataclass(frozen=True, kw_only=True)
class Built:
    """The columns of what was written (name, SQL type), and what its receipt counts beside the rows."""

    columns: tuple[tuple[str, str], ...]
    counts: dict[str, Any]


def build(
    table: EditionTable, source: Source, files: Sequence[Path], path: Path, spill: Path, secret: Secret | None
) -> Built:
    """Write the edition's table to `path` from a source that reads `files`, and check what was written.

    Raises DocumentError if the policy cannot be carried out, or what it makes fails its own disclosure check; then
    `path` is not to be served. Raises duckdb.Error if the statement fails.
    """
    statement = edition_sql(table, source)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")  # a year, a month and a condition on times are the same on every host
        con.execute("SET temp_directory = ?", [str(spill)])
        # A steward's condition may name files: it opens none but these
        con.execute("SET allowed_paths = ?", [[str(one) for one in (*files, path)]])
        con.execute("SET enable_external_access = false")
        if secret is not None:
            register(con, secret.key, secret.scope)
        try_condition(con, table, source)
        counts = _counted(con, table, source)
        if table.cells is not None:
            counts["cells"] = _suppressed(con, table, table.cells, source)
        columns = tuple((row[0], row[1]) for row in con.execute(f"DESCRIBE {statement}").fetchall())
        write_parquet(con, statement, path)
        written = f"read_parquet({literal(path)})"
        if table.anonymity is not None:
            classes = _checked(con, table, table.anonymity, source, written)
            counts["suppressed"] = counts.pop("rows") - classes.rows
            if classes.persons is not None:
                counts["classes"] = asdict(classes)  # who reads the edition may not have its column of persons
        if table.cells is not None:
            _check_cells(con, table, table.cells, source, written)
    counts.pop("rows", None)
    return Built(columns=columns, counts=counts)


def _counted(con: duckdb.DuckDBPyConnection, table: EditionTable, source: Source) -> dict[str, Any]:
    """The rows that the condition takes, values that are cut off by column, and those that have no zone or no cell."""
    statement, asked = counts_sql(table, source)
    if len(asked) == 1 and table.anonymity is None:
        return {}
    found = con.execute(statement).fetchone() or ()
    counts: dict[str, Any] = {}
    for (what, column), count in zip(asked, found, strict=True):
        if what == "rows":
            counts[what] = count
        else:
            counts.setdefault(what, {})[table.published(column)] = count
    return counts


def _checked(
    con: duckdb.DuckDBPyConnection, table: EditionTable, wanted: Anonymity, source: Source, written: str
) -> Classes:
    """The classes of what was written; raises DocumentError if they are smaller or poorer than the policy says."""
    over = [table.published(name) for name in wanted.over]
    diverse = table.diversity
    asked = (None, 0) if diverse is None else (table.published(diverse.of), diverse.at_least)
    classes = Classes(*(con.execute(classes_sql(written, over, *asked)).fetchone() or ()))
    if wanted.of is not None:
        statement, columns, person = persons_sql(table, source, written)
        counted = con.execute(classes_sql(f"({statement})", columns, person=person)).fetchone() or ()
        persons = Classes(*counted)
        classes = replace(classes, uniques=persons.uniques, smallest=persons.smallest, persons=persons.persons)
    if classes.smallest is not None and classes.smallest < wanted.at_least:
        size = count_of(classes.smallest, "row" if wanted.of is None else "person")
        found = f"a class of {size} over {', '.join(over)} (k={classes.smallest})"
        raise DocumentError(
            f"{source.place('k')}: {found}; expected at least {wanted.at_least}; tell who made this lab"
        )
    if diverse is not None and classes.poor > 0:
        found = f"{classes.poor} of {count_of(classes.classes, 'class', 'classes')} over {', '.join(over)}"
        raise DocumentError(
            f"{source.place('l')}: {found} have fewer than {diverse.at_least} values of {asked[0]!r} "
            f"(l={classes.least_diverse}); generalise more, raise 'k', or leave the column out"
        )
    return classes


def _suppressed(con: duckdb.DuckDBPyConnection, table: EditionTable, cells: Cells, source: Source) -> dict[str, int]:
    """Make the relation of the cells to suppress; returns how many are small, and how many more would tell them."""
    place = source.place("cells")
    found = con.execute(f"{cells_sql(table, source)} LIMIT {_MOST_CELLS + 1}").fetchall()
    if len(found) > _MOST_CELLS:
        raise DocumentError(f"{place}: more than {_MOST_CELLS} cells; count what the table holds by fewer dimensions")
    counts: dict[Cell, int | None] = {tuple(row[:-1]): None if row[-1] is None else int(row[-1]) for row in found}
    if len(counts) < len(found):
        twice = count_of(len(found) - len(counts), "row says", "rows say")
        raise DocumentError(
            f"{place}: {twice} a cell again: {', '.join(cells.dimensions)} do not part the rows; "
            "name all dimensions, or take one part of the rows by 'where'"
        )
    try:
        hidden = suppress(counts, tuple(cells.dimensions.values()), cells.at_least)
    except UnprotectedError as error:
        raise DocumentError(f"{place}: {error}; leave such totals out by 'where'") from None
    rows = [*hidden.primary, *hidden.secondary]
    made = {f"d{at}": pa.array([row[at] for row in rows], pa.string()) for at in range(len(cells.dimensions))}
    con.register(HIDDEN, pa.table({**made, "hidden": pa.array([True] * len(rows), pa.bool_())}))
    return {"small": len(hidden.primary), "beside": len(hidden.secondary)}


def _check_cells(
    con: duckdb.DuckDBPyConnection, table: EditionTable, cells: Cells, source: Source, written: str
) -> None:
    count = quoted(table.published(cells.count))
    (small,) = con.execute(f"SELECT count(*) FROM {written} WHERE {count} < {cells.at_least}").fetchone() or (0,)  # noqa: S608
    if small > 0:
        found = count_of(small, "cell is", "cells are")
        raise DocumentError(f"{source.place('cells')}: {found} left under {cells.at_least}")
