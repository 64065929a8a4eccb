"""The SQL of the pass that types and writes a table. Pure: `prove.py` runs it.

An inferred column's value is proven or stops the pass; a declared column's value is proven or its row is left out, and
`refused_sql` asks for the rows that were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.answers import defused
from ingest import forms
from ingest.markers import is_marked
from policies.editions import quoted

if TYPE_CHECKING:
    from ingest.table import Table
    from ingest.typings import Typing

UNPROVEN = "datalab: a guessed type does not hold"
"""The engine's error when a text of an inferred column was not proven."""

_SHOWN = 10_000


def typed_sql(table: Table, typings: list[Typing]) -> str:
    """Every row that is kept, in the file's order, its columns typed. Fails with UNPROVEN where a guess breaks."""
    named = [
        f"{value} AS {quoted(name)}"
        for number, typing in enumerate(typings)
        for name, value in _values(number, typing).items()
    ]
    statement = f"SELECT {', '.join(named)} FROM ({_texts(table.source, typings)})"  # noqa: S608  names are quoted
    why = _why(typings)
    return statement if why is None else f"{statement} WHERE {why} IS NULL"


def broken_sql(table: Table, typings: list[Typing]) -> tuple[list[int], str]:
    """The numbers of the guessed columns, and the rows where one's guess does not hold: its text there, or NULL."""
    guessed = {
        number: _unproven(number, typing)
        for number, typing in enumerate(typings)
        if typing.empty or (typing.form is not None and not typing.declared)
    }
    texts = ", ".join(f"CASE WHEN {broken} THEN r{number} END AS x{number}" for number, broken in guessed.items())
    inner = f"SELECT {texts} FROM ({_texts(table.source, typings)})"  # noqa: S608
    found = " OR ".join(f"x{number} IS NOT NULL" for number in guessed)
    return list(guessed), f"SELECT * FROM ({inner}) WHERE {found}"  # noqa: S608


def _unproven(number: int, typing: Typing) -> str:
    """SQL: the text says something, is no marker, and the form does not prove it."""
    said = _said(number, typing)
    return said if typing.form is None else f"t{number} IS NULL AND {said}"


def _said(number: int, typing: Typing) -> str:
    """SQL: the text says something, and is no marker."""
    says = forms.says(f"r{number}")
    return says if typing.form is None or typing.marker is None else f"{says} AND NOT {_marked(number, typing)}"


def clean_sql(table: Table, typings: list[Typing]) -> str:
    """The rows that are kept, as texts for a CSV: ISO dates, decimal points, WKT, no cell that is a formula.

    What is written in the standard way already stays as it is written: `12.50` does not become `12.5`.
    """
    values = [
        f"{value} AS {quoted(name)}"
        for number, typing in enumerate(typings)
        for name, value in {**_values(number, typing), typing.column.name: _clean(number, typing)}.items()
    ]
    statement = f"SELECT {', '.join(values)} FROM ({_texts(table.source, typings)})"  # noqa: S608  names are quoted
    why = _why(typings)
    return statement if why is None else f"{statement} WHERE {why} IS NULL"


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
    raw = (f"r{number}" for number, typing in enumerate(typings) if typing.sql_type != "GEOMETRY")
    texts = ", ".join(f"coalesce(CAST({text} AS VARCHAR), '')" for text in raw)  # else each stands in another's place
    judged = f"SELECT *, {why} AS why, row_number() OVER () - 1 AS number FROM ({_texts(table.source, typings)})"  # noqa: S608
    return f"SELECT number, why, left(concat_ws(' | ', {texts}), {_SHOWN}) FROM ({judged}) WHERE why IS NOT NULL"  # noqa: S608


def _texts(source: str, typings: list[Typing]) -> str:
    """Each column's text as `r<number>`, and what its form makes of it as `t<number>`.

    The plain text `y<number>` and its value `v<number>` stand in queries of their own below: the engine makes them
    once, and not once a mention.
    """
    formed = {number: typing.form for number, typing in enumerate(typings) if typing.form is not None}
    raw = [f"r{number}" for number in range(len(typings))]
    text = {number: forms.bare(raw[number]) if form.padded else raw[number] for number, form in formed.items()}
    read = [f"{quoted(typing.column.name)} AS {raw[number]}" for number, typing in enumerate(typings)]
    plain = [f"{form.plain.format(x=text[number])} AS y{number}" for number, form in formed.items()]
    value = [f"{form.cast.format(y=f'y{number}')} AS v{number}" for number, form in formed.items()]
    proven = [
        f"{form.proven(text[number], f'y{number}', f'v{number}')} AS t{number}" for number, form in formed.items()
    ]
    statement = f"SELECT {', '.join(read)} FROM {source}"  # noqa: S608
    statement = f"SELECT {', '.join([*raw, *plain])} FROM ({statement})"  # noqa: S608
    statement = f"SELECT *{''.join(f', {one}' for one in value)} FROM ({statement})"  # noqa: S608
    return f"SELECT {', '.join([*raw, *proven])} FROM ({statement})"  # noqa: S608


def _values(number: int, typing: Typing) -> dict[str, str]:
    """The SQL of a column and of the one that keeps its markers, by their names."""
    value = _value(number, typing)
    if typing.marker is None:
        return {typing.column.name: value}
    text, marked = forms.bare(f"r{number}"), _marked(number, typing)
    if not typing.markers_declared:
        # A known marker is no value, so only what has none is looked at again
        return {typing.column.name: value, typing.marker: f"CASE WHEN t{number} IS NULL AND {marked} THEN {text} END"}
    return {
        typing.column.name: f"CASE WHEN {marked} THEN NULL ELSE {value} END",
        typing.marker: f"CASE WHEN {marked} THEN {text} END",
    }


def _value(number: int, typing: Typing) -> str:
    if typing.empty:
        return f"CASE WHEN {_unproven(number, typing)} THEN error('{UNPROVEN}') ELSE r{number} END"
    if typing.form is None:
        return f"r{number}"
    if typing.declared:
        return f"t{number}"
    # coalesce looks at the text again only where there is no value
    return f"coalesce(t{number}, CASE WHEN {_said(number, typing)} THEN error('{UNPROVEN}') END)"


def _marked(number: int, typing: Typing) -> str:
    return is_marked(forms.bare(f"r{number}"), typing.markers)


def _why(typings: list[Typing]) -> str | None:
    """SQL: the reason to leave the row out, or NULL; None when nothing is declared."""
    reasons = [reason for number, typing in enumerate(typings) for reason in _reasons(number, typing)]
    return f"CASE {' '.join(reasons)} END" if reasons else None


def _reasons(number: int, typing: Typing) -> list[str]:
    """WHEN … THEN … for each way in which a row breaks what is declared of the column."""
    said = _literal(typing.column.source_name)
    # A marker says that there is no value, so there is nothing to check
    valued = "" if typing.marker is None else f"NOT {_marked(number, typing)} AND "
    found = [
        f"WHEN {valued}{check.sql.format(x=f'r{number}')} THEN '{said}: {_literal(check.reason)}, found ' || "
        f"coalesce(left(r{number}, 100), 'nothing')"
        for check in typing.checks
    ]
    if typing.declared and typing.form is not None:
        unproven = _unproven(number, typing)
        expected = f"{said}: expected {typing.form.word}, found "
        found.append(f"WHEN {unproven} THEN '{expected}' || left(r{number}, 100)")
    return found


def _literal(text: str) -> str:
    return text.replace("'", "''")
