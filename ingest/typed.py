"""The SQL of the pass that types and writes a table. Pure: `prove.py` runs it.

An inferred column's value is proven or stops the pass; a declared column's value is proven or its row is left out, and
`refused_sql` asks for the rows that were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.download import defused
from ingest import forms
from policies.editions import quoted

if TYPE_CHECKING:
    from ingest.columns import Typing
    from ingest.table import Table

UNPROVEN = "datalab: a guessed type does not hold"
"""The engine's error when a text of an inferred column was not proven."""

_SHOWN = 10_000


def typed_sql(table: Table, typings: list[Typing]) -> str:
    """Every row that is kept, in the file's order, its columns typed. Fails with UNPROVEN where a guess breaks."""
    values = [_value(number, typing) for number, typing in enumerate(typings)]
    named = [f"{value} AS {quoted(typing.column.name)}" for value, typing in zip(values, typings, strict=True)]
    statement = f"SELECT {', '.join(named)} FROM ({_texts(table.source, typings)})"  # noqa: S608  names are quoted
    why = _why(typings)
    return statement if why is None else f"{statement} WHERE {why} IS NULL"


def clean_sql(table: Table, typings: list[Typing]) -> str:
    """The same rows as texts for a CSV: dates in ISO 8601, decimal points, geometry as WKT, no cell that is a formula.

    What is written in the standard way already stays as it is written: `12.50` does not become `12.5`.
    """
    values = [f"{_clean(number, typing)} AS {quoted(typing.column.name)}" for number, typing in enumerate(typings)]
    return f"SELECT {', '.join(values)} FROM ({_texts(table.source, typings)})"  # noqa: S608  names are quoted


def _clean(number: int, typing: Typing) -> str:
    if typing.sql_type == "GEOMETRY":
        return f"st_astext(st_geomfromwkb(r{number}))"
    if typing.form is None:
        return defused(f"r{number}") if typing.sql_type == "VARCHAR" else f"r{number}"
    if typing.form.standard:
        return f"CASE WHEN t{number} IS NOT NULL THEN {forms.bare(f'r{number}')} END"
    return f"t{number}"


def refused_sql(table: Table, typings: list[Typing]) -> str | None:
    """The rows that `typed_sql` leaves out: their number (from 0), why, and their texts; None if it keeps all."""
    why = _why(typings)
    if why is None:
        return None
    texts = ", ".join(f"r{number}" for number, typing in enumerate(typings) if typing.sql_type != "GEOMETRY")
    judged = f"SELECT *, {why} AS why, row_number() OVER () - 1 AS number FROM ({_texts(table.source, typings)})"  # noqa: S608
    return f"SELECT number, why, left(concat_ws(' | ', {texts}), {_SHOWN}) FROM ({judged}) WHERE why IS NOT NULL"  # noqa: S608


def _texts(source: str, typings: list[Typing]) -> str:
    """Each column's text as `r<number>`, and what its form makes of it as `t<number>`."""
    columns = []
    for number, typing in enumerate(typings):
        raw = quoted(typing.column.name)
        columns.append(f"{raw} AS r{number}")
        if typing.form is not None:
            columns.append(f"{typing.form.typed(raw)} AS t{number}")
    return f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608


def _value(number: int, typing: Typing) -> str:
    if typing.form is None:
        return f"r{number}"
    if typing.declared:
        return f"t{number}"
    # coalesce looks at the text again only where there is no value
    return f"coalesce(t{number}, CASE WHEN NOT {forms.blank(f'r{number}')} THEN error('{UNPROVEN}') END)"


def _why(typings: list[Typing]) -> str | None:
    """SQL: the reason to leave the row out, or NULL; None when nothing is declared."""
    reasons = [reason for number, typing in enumerate(typings) for reason in _reasons(number, typing)]
    return f"CASE {' '.join(reasons)} END" if reasons else None


def _reasons(number: int, typing: Typing) -> list[str]:
    """WHEN … THEN … for each way in which a row breaks what is declared of the column."""
    said = _literal(typing.column.source_name)
    found = [
        f"WHEN {check.sql.format(x=f'r{number}')} THEN '{said}: {_literal(check.reason)}, found ' || "
        f"coalesce(left(r{number}, 100), 'nothing')"
        for check in typing.checks
    ]
    if typing.declared and typing.form is not None:
        unproven = f"t{number} IS NULL AND NOT {forms.blank(f'r{number}')}"
        expected = f"{said}: expected {typing.form.word}, found "
        found.append(f"WHEN {unproven} THEN '{expected}' || left(r{number}, 100)")
    return found


def _literal(text: str) -> str:
    return text.replace("'", "''")
