"""What new rows do to the rows before: `append` puts them below, `merge` lets them replace those of the same key.

A table is always written whole again, as one file, so that a version is complete in itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from catalog.lake import ServedColumn
from ingest.parquetfile import write_parquet
from policies.editions import literal, quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.lake import StagedTable
    from catalog.receipt import Receipt
    from ingest.prove import Stage


@dataclass(frozen=True, kw_only=True)
class Side:
    """Rows to be joined: Parquet files, what their columns are, and how many rows they hold."""

    files: tuple[Path, ...]
    columns: tuple[ServedColumn, ...]
    rows: int

    @property
    def source(self) -> str:
        """The FROM item."""
        return f"read_parquet([{', '.join(map(literal, self.files))}])"


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The whole table: `rows before + rows added - replaced` rows, as was proven."""

    staged: StagedTable
    columns: tuple[ServedColumn, ...]
    replaced: int


def content(before: str, receipt: Receipt) -> str:
    """Names what is in a table after rows were added to what `before` names."""
    return hashlib.sha256(f"{before}|{receipt.mode}|{receipt.sha256}:{receipt.reading}".encode()).hexdigest()


def join(old: Side, new: Side, *, key: tuple[str, ...], stage: Stage, spill: Path) -> Joined:
    """Write the rows of `old` and `new` as one table; with a `key`, without the old rows whose key stands in `new`.

    Columns go by their names; one that a side lacks is NULL in its rows. Raises ReadingError if a column's two types
    have no common one that keeps every value, or if the rows do not add up.
    """
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET temp_directory = ?", [str(spill)])
        replaced, left = 0, f"SELECT * FROM {old.source}"  # noqa: S608
        try:
            columns = _columns(con, f"{left} UNION ALL BY NAME SELECT * FROM {new.source}", old, new)  # noqa: S608
            if key:
                same = f"EXISTS (SELECT 1 FROM {new.source} n WHERE {_matched(key, columns)})"  # noqa: S608
                left = f"SELECT * FROM {old.source} o WHERE NOT {same}"  # noqa: S608
                (replaced,) = con.execute(f"SELECT count(*) FROM {old.source} o WHERE {same}").fetchall()[0]  # noqa: S608
            statement = f"{left} UNION ALL BY NAME SELECT * FROM {new.source}"  # noqa: S608
            staged = stage(lambda path: write_parquet(con, statement, path))
        except duckdb.Error as error:
            raise ReadingError(f"the rows before and the new ones are no one table: {_first(error)}") from None
    expected = old.rows + new.rows - replaced
    if staged.rows != expected:
        staged.discard()
        raise ReadingError(f"{old.rows} rows before, {new.rows} new, {replaced} replaced: {staged.rows} were written")
    return Joined(staged=staged, columns=columns, replaced=replaced)


def _matched(key: tuple[str, ...], columns: tuple[ServedColumn, ...]) -> str:
    """SQL: a row of `o` and one of `n` have one key, in the types that the keys have together."""
    types = {column.name.casefold(): column.type for column in columns}
    sides = [[f"CAST({side}.{quoted(column)} AS {types[column.casefold()]})" for column in key] for side in ("o", "n")]
    return " AND ".join(f"{one} = {other}" for one, other in zip(*sides, strict=True))


def _columns(con: duckdb.DuckDBPyConnection, statement: str, old: Side, new: Side) -> tuple[ServedColumn, ...]:
    made = {row[0]: row[1] for row in con.execute(f"DESCRIBE {statement}").fetchall()}
    types = [{column.name.casefold(): column.type for column in side.columns} for side in (old, new)]
    columns = []
    for name, sql_type in made.items():
        had, has = (one.get(name.casefold()) for one in types)
        if had is not None and has is not None and had != has:
            for side, own in ((old, had), (new, has)):
                _refuse_change(con, side, name, own, sql_type)
        columns.append(ServedColumn(name=name, type="GEOMETRY" if "GEOMETRY" in {had, has} else sql_type))
    return tuple(columns)


def _refuse_change(con: duckdb.DuckDBPyConnection, side: Side, name: str, own: str, common: str) -> None:
    """Raise ReadingError if a value of the column changes when it takes the common type."""
    kept = f"CAST(CAST({quoted(name)} AS {common}) AS {own})"
    (changed,) = (
        (side.rows,)
        if own == "GEOMETRY"
        else con.execute(
            f"SELECT count(*) FROM {side.source} WHERE {kept} IS DISTINCT FROM {quoted(name)}"  # noqa: S608
        ).fetchall()[0]
    )
    if changed > 0:
        raise ReadingError(f"column {name!r}: {changed} values would change from {own} to {common}; declare its type")


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]
