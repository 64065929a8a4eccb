"""Text columns → types: guessed on a sample, verified on every row by the pass that writes, widened if they break.

`choose_all` looks at texts and picks the first form that fits them all. `typed_sql` is the pass: beside each column it
has a witness that is true where a text was not proven. A column whose guess breaks is chosen again on all rows; a
*declared* column that breaks rejects the row instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest import forms
from ingest.codes import looks_like_code
from policies.editions import quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    import duckdb

    from ingest.forms import Form
    from ingest.table import SourceColumn, Table

SAMPLE = 20_000
_PEEK = 200

WORDS = {
    "VARCHAR": "text",
    "BIGINT": "integer",
    "INTEGER": "integer",
    "SMALLINT": "integer",
    "TINYINT": "integer",
    "DOUBLE": "float",
    "FLOAT": "float",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "GEOMETRY": "geometry",
}


@dataclass(frozen=True)
class Check:
    """A constraint on a column's text: SQL with `{x}` for it that is true where the row must be rejected, and why."""

    sql: str
    reason: str


@dataclass(frozen=True)
class Declared:
    """What is declared of a column: its type (a word of the model, "number" for decimal or float) and its checks."""

    word: str
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Typing:
    """What a column will be, and why. `form` None: as it came; `declared`: a row that breaks it is rejected."""

    column: SourceColumn
    form: Form | None
    why: str
    declared: bool = False
    checks: tuple[Check, ...] = ()

    @property
    def sql_type(self) -> str:
        """The column's type in SQL."""
        return (self.column.native or "VARCHAR") if self.form is None else self.form.sql_type


def choose_all(table: Table, declared: Mapping[str, Declared], *, sample: int | None = SAMPLE) -> list[Typing]:
    """A typing for each column: the declared one, or what fits the first `sample` rows (all of them when None).

    `declared` goes by the names in the lake. Raises ReadingError when the file itself has another type than declared.
    """
    rows = table.source
    if sample is not None:
        rows = "sample"
        table.con.execute(f"CREATE OR REPLACE TEMP TABLE {rows} AS SELECT * FROM {table.source} LIMIT {sample}")  # noqa: S608
    return [_typing(table, column, declared.get(column.name), rows) for column in table.columns]


def _typing(table: Table, column: SourceColumn, declared: Declared | None, rows: str) -> Typing:
    if column.native not in {None, "VARCHAR"}:
        word = WORDS.get(str(column.native).split("(")[0], "text")
        if declared is not None and declared.word not in {word, "number"}:
            message = f"column {column.source_name!r} is declared {declared.word}, but the file itself has it as {word}"
            raise ReadingError(message)
        return Typing(column, None, "the type that the file itself has")
    if declared is not None:
        return _declared(table, column, declared)
    if column.native is not None:
        return Typing(column, None, "text in the file itself")
    return _choose(table.con, rows, column)


def _choose(con: duckdb.DuckDBPyConnection, rows: str, column: SourceColumn) -> Typing:
    raw = quoted(column.name)
    seen = con.execute(
        f"SELECT DISTINCT {forms.bare(raw)} FROM (SELECT {raw} FROM {rows} WHERE NOT {forms.blank(raw)} LIMIT {_PEEK})"  # noqa: S608
    ).fetchall()
    values = [row[0] for row in seen]
    if not values:
        return Typing(column, None, "no value")
    first = [form for form in forms.FIXED if _all_match(form.regex, values)]
    candidates = [form for form in first if form.word != "integer"]
    if any(form.word == "integer" for form in first):
        code = looks_like_code(column.name, values)
        if code is not None or column.digits_are_text:
            return Typing(column, None, code or "digits written as text in the file itself")
        candidates = [form for form in first if form.word == "integer"] + candidates
    for form in candidates:
        fitting = _fitting(con, rows, raw, form)
        if fitting is not None:
            return Typing(column, fitting, fitting.why)
    return _choose_number(con, rows, column)


def _choose_number(con: duckdb.DuckDBPyConnection, rows: str, column: SourceColumn) -> Typing:
    """A number with decimals, as wide as the widest value; or text."""
    raw = quoted(column.name)
    for separator, pattern, grouped in forms.NUMBERS:
        text = forms.ungrouped(forms.bare(raw)) if grouped else forms.bare(raw)
        count, matching, whole, scale, separated, ambiguous = _row(
            con,
            f"SELECT count(*), count(*) FILTER (regexp_full_match({text}, '{pattern}')), "  # noqa: S608
            f"max(length(ltrim(split_part({text}, '{separator}', 1), '-'))), "
            f"max(length(split_part({text}, '{separator}', 2))), "
            f"count(*) FILTER (contains({text}, '{separator}')), "
            f"count(*) FILTER (regexp_full_match({text}, '{forms.AMBIGUOUS_THOUSANDS}')) "
            f"FROM {rows} WHERE NOT {forms.blank(raw)}",
        )
        if count == 0 or matching < count or scale == 0:
            continue
        if ambiguous == separated:
            return Typing(column, None, "numbers like 1.234: a thousand or a decimal? declare the type")
        if looks_like_code(column.name, []) is not None:
            return Typing(column, None, "numbers, but the name says that they are codes")
        form = forms.number(whole, scale, separator, grouped=grouped)
        fitting = None if form is None else _fitting(con, rows, raw, form)
        if fitting is not None:
            return Typing(column, fitting, fitting.why)
    fitting = _fitting(con, rows, raw, forms.EXPONENT)
    if fitting is not None:
        return Typing(column, fitting, fitting.why)
    return Typing(column, None, f"no other type fits every value, {_example(con, rows, raw)!r} for one")


def _declared(table: Table, column: SourceColumn, declared: Declared) -> Typing:
    """The form of the declared type that proves the most rows of all; what it does not prove is rejected."""
    if declared.word == "text":
        return Typing(column, None, "declared text", checks=declared.checks)
    raw = quoted(column.name)
    best: tuple[int, Form] | None = None
    for form in _forms_of(table, raw, declared.word):
        (proven,) = _row(table.con, f"SELECT count({form.typed(raw)}) FROM {table.source}")  # noqa: S608
        if best is None or proven > best[0]:
            best = (proven, form)
    if best is None:
        message = f"column {column.source_name!r}: declared {declared.word}, which text cannot be read as"
        raise ReadingError(message)
    why = f"declared {declared.word}; {best[1].why}, or its row is rejected"
    return Typing(column, best[1], why, declared=True, checks=declared.checks)


def _forms_of(table: Table, raw: str, word: str) -> list[Form]:
    """Every form of a type, numbers with decimals measured on all rows."""
    if word not in {"decimal", "float", "number"}:
        return [form.with_padding() for form in forms.FIXED if form.word == word]
    found = []
    for separator, pattern, grouped in forms.NUMBERS:
        text = forms.ungrouped(forms.bare(raw)) if grouped else forms.bare(raw)
        whole, scale = _row(
            table.con,
            f"SELECT max(length(ltrim(split_part({text}, '{separator}', 1), '-'))), "  # noqa: S608
            f"max(length(split_part({text}, '{separator}', 2))) "
            f"FROM {table.source} WHERE regexp_full_match({text}, '{pattern}')",
        )
        asked = None if word == "number" else word
        form = forms.number(whole or 1, scale or 0, separator, asked, grouped=grouped)
        if form is not None:
            found.append(form.with_padding())
    return found if word == "decimal" else [*found, forms.EXPONENT.with_padding()]


def _fitting(con: duckdb.DuckDBPyConnection, rows: str, raw: str, form: Form) -> Form | None:
    """The form, with padding if it needs it, when it proves every value; else None."""
    for tried in (form, form.with_padding()):
        unproven = f"NOT {forms.blank(raw)} AND {tried.typed(raw)} IS NULL"
        (broken,) = _row(con, f"SELECT count(*) FROM {rows} WHERE {unproven}")  # noqa: S608
        if broken == 0:
            return tried
    return None


def _example(con: duckdb.DuckDBPyConnection, rows: str, raw: str) -> str:
    """A short value of the column, one that is no number if there is such a one."""
    (value,) = _row(
        con,
        f"SELECT coalesce(min({raw}) FILTER (NOT regexp_full_match({raw}, '{forms.POINT_NUMBER}')), min({raw})) "  # noqa: S608
        f"FROM {rows} WHERE NOT {forms.blank(raw)}",
    )
    return str(value)[:40]


def _row(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """The one row of an aggregate; fetchall ends the query, which fetchone leaves open on DuckDB 2."""
    return con.execute(sql).fetchall()[0]


def _all_match(regex: re.Pattern[str], values: list[str]) -> bool:
    return all(regex.fullmatch(value) for value in values)
