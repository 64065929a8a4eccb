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
from typing import TYPE_CHECKING, Annotated, Self

import duckdb
from pydantic import Field, StringConstraints, field_validator, model_validator

from catalog.receipt import QualityResult
from policies.document import Model
from policies.editions import literal, quoted
from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LONGEST = 60
"""Seconds that one rule may take."""
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

    @field_validator("where")
    @classmethod
    def _is_one_condition(cls, where: str | None) -> str | None:
        """By itself it must be an expression: no bracket of it closes one of ours."""
        if where is not None:
            with duckdb.connect() as con:
                ((told,),) = con.execute("SELECT json_serialize_sql(?)", [f"SELECT {where}"]).fetchall()
            parsed = json.loads(told)
            if parsed["error"] or len(parsed["statements"]) != 1:
                message = f"expected one condition: {parsed.get('error_message', 'there are several statements')}"
                raise ValueError(message)
        return where

    @model_validator(mode="after")
    def _is_one_rule(self) -> Self:
        if len(self.model_fields_set) != 1:
            message = "expected one rule a line: unique, not_null, values, where or rows"
            raise ValueError(message)
        return self


def results(
    checks: Sequence[Check], files: Sequence[Path], columns: Sequence[str], place: str
) -> tuple[QualityResult, ...]:
    """What each rule counts in the table that these Parquet files are.

    A rule reads nothing but these files. Raises DocumentError naming `place` for one that names a column which is not
    there, has no answer for these types, or takes too long.
    """
    if not checks:
        return ()
    listed = ", ".join(map(literal, files))
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET allowed_paths = ?", [[str(file) for file in files]])
        con.execute("SET enable_external_access = false")
        con.execute(f"CREATE VIEW checked AS SELECT * FROM read_parquet([{listed}])")  # noqa: S608
        rules = [rule for check in checks for rule in _statements(check)]
        return tuple(_result(con, rule, statement, columns, place) for rule, statement in rules)


def _result(
    con: duckdb.DuckDBPyConnection, rule: str, statement: str, columns: Sequence[str], place: str
) -> QualityResult:
    clock = threading.Timer(LONGEST, con.interrupt)
    clock.start()
    try:
        row = con.execute(statement).fetchone()
    except duckdb.InterruptException:
        raise DocumentError(f"{place}: quality: {rule}: takes more than {LONGEST} s; write a simpler one") from None
    except duckdb.Error as error:
        there = f"; there are {', '.join(columns)}" if isinstance(error, duckdb.BinderException) else ""
        raise DocumentError(f"{place}: quality: {rule}: {str(error).splitlines()[0]}{there}") from None
    finally:
        clock.cancel()
    return QualityResult(rule=rule, broken=0 if row is None else row[0])


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
