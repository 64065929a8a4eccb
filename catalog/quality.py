"""Quality checks that a steward writes for a table: each is a rule, and counts the rows that break it.

quality:
  - unique: [code_insee]              # no two rows agree on these columns
  - not_null: [nom, code_insee]
  - values: {statut: [ouvert, fermé]}
  - where: "population >= 0"          # SQL that must be true of each row; NULL is not
  - rows: {min: 1000, max: 40000}
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

import duckdb
from pydantic import Field, StringConstraints, model_validator

from policies.document import Model
from policies.editions import literal, quoted
from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LONGEST = 60
"""Seconds that all rules of a table may take."""
Columns = Annotated[tuple[str, ...], Field(min_length=1)]


class Rows(Model):
    """How many rows a table may have; either end may be open."""

    min: Annotated[int, Field(ge=0)] = 0
    max: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if self.max is not None and self.max < self.min:
            message = f"no table has at least {self.min} rows and at most {self.max}"
            raise ValueError(message)
        return self


class Check(Model):
    """One rule, named by its key."""

    unique: Columns | None = None
    not_null: Columns | None = None
    values: Annotated[dict[str, Columns], Field(min_length=1)] | None = None
    where: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None
    rows: Rows | None = None

    @model_validator(mode="after")
    def _is_one_rule(self) -> Self:
        if len(self.model_fields_set) != 1:
            message = "expected one rule a line: unique, not_null, values, where or rows"
            raise ValueError(message)
        return self


@dataclass(frozen=True)
class Result:
    """A rule as a steward reads it, and how many rows break it (of `rows`, 1 if the table does)."""

    rule: str
    broken: int

    def __str__(self) -> str:
        """`unique: code_insee: 3 rows break it`."""
        if self.rule.startswith("rows: "):
            return f"quality: {self.rule}: the table has more or fewer"
        noun = "1 row breaks it" if self.broken == 1 else f"{self.broken} rows break it"
        return f"quality: {self.rule}: {noun}"


def results(checks: Sequence[Check], files: Sequence[Path], columns: Sequence[str], place: str) -> tuple[Result, ...]:
    """What each rule counts in the table that these Parquet files are.

    A rule reads nothing but these files. Raises DocumentError naming `place` for one that names a column which is not
    there, or is no condition.
    """
    if not checks:
        return ()
    listed = ", ".join(map(literal, files))
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET allowed_paths = ?", [[str(file) for file in files]])
        con.execute("SET enable_external_access = false")
        con.execute(f"CREATE VIEW checked AS SELECT * FROM read_parquet([{listed}])")  # noqa: S608
        clock = threading.Timer(LONGEST, con.interrupt)
        clock.start()
        try:
            return tuple(
                _result(con, rule, statement, columns, place)
                for check in checks
                for rule, statement in _statements(check)
            )
        finally:
            clock.cancel()


def _result(con: duckdb.DuckDBPyConnection, rule: str, statement: str, columns: Sequence[str], place: str) -> Result:
    try:
        if rule.startswith("where: "):  # alone it must be an expression, too: no bracket closes ours
            ((alone,),) = con.execute("SELECT json_serialize_sql(?)", [f"SELECT {rule[7:]}"]).fetchall()
            parsed = json.loads(alone)
            if parsed["error"] or len(parsed["statements"]) != 1:
                why = parsed.get("error_message", "there are several statements")
                raise DocumentError(f"{place}: quality: {rule}: expected one condition: {why}")
        row = con.execute(statement).fetchone()
    except duckdb.InterruptException:
        raise DocumentError(f"{place}: quality: {rule}: takes more than {LONGEST} s; write a simpler one") from None
    except duckdb.Error as error:
        there = f"; there are {', '.join(columns)}" if isinstance(error, duckdb.BinderException) else ""
        raise DocumentError(f"{place}: quality: {rule}: {str(error).splitlines()[0]}{there}") from None
    return Result(rule, 0 if row is None else row[0])


def _statements(check: Check) -> Iterator[tuple[str, str]]:
    """Each rule, and the statement that counts the rows of `checked` that break it."""
    if check.unique is not None:
        keys = ", ".join(map(quoted, check.unique))
        yield (
            f"unique: {', '.join(check.unique)}",
            f"SELECT coalesce(sum(many - 1), 0)::BIGINT FROM (SELECT count(*) AS many FROM checked GROUP BY {keys})",  # noqa: S608
        )
    for column in check.not_null or ():
        yield f"not_null: {column}", f"SELECT count(*) FROM checked WHERE {quoted(column)} IS NULL"  # noqa: S608
    for column, allowed in (check.values or {}).items():
        listed = ", ".join(map(literal, allowed)) or "NULL"
        told = f"values: {column}: {', '.join(allowed)}"
        # NULL is in no list, and in none that it is not in
        yield told, f"SELECT count(*) FROM checked WHERE {quoted(column)}::VARCHAR NOT IN ({listed})"  # noqa: S608
    if check.where is not None:
        yield f"where: {check.where}", f"SELECT count(*) FROM checked WHERE ({check.where}\n) IS NOT TRUE"  # noqa: S608
    if check.rows is not None:
        most = "" if check.rows.max is None else f" OR count(*) > {check.rows.max}"
        told = f"rows: {check.rows.min} to {'any number' if check.rows.max is None else check.rows.max}"
        yield told, f"SELECT (count(*) < {check.rows.min}{most})::BIGINT FROM checked"  # noqa: S608
