"""Text columns → types: as declared, as before, or guessed; `prove.py` verifies each on every row as it writes.

A guess that breaks is made again with the texts that broke it; a *declared* column that breaks rejects the row.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingest import forms
from ingest.guess import as_number, guess, text, typed, widths
from ingest.kept import AS_BEFORE, Kept
from ingest.markers import LONGEST, SUFFIX, is_marker
from ingest.semantics import SEMANTICS
from ingest.typings import WORDS, Check, Declared, Typing
from policies.editions import quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from ingest.evidence import Texts
    from ingest.forms import Form
    from ingest.semantics import Semantic
    from ingest.table import SourceColumn, Table


def choose_all(
    table: Table,
    declared: Mapping[str, Declared | Kept],
    seen: Mapping[str, Texts],
    markers: tuple[str, ...] | None = None,
) -> list[Typing]:
    """A typing for each column: the declared one, or what fits the texts that were seen of it.

    `declared` goes by the names in the lake; a kept type is tried first, and never rejects a row. `seen` has the
    columns that `undeclared` names. `markers` are those declared; None takes the known ones. Raises ReadingError when
    the file itself has another type than declared.
    """
    return _with_marker_columns(
        [_typing(table, column, declared.get(column.name), seen.get(column.name), markers) for column in table.columns]
    )


def undeclared(table: Table, declared: Mapping[str, Declared | Kept]) -> list[str]:
    """The names of the columns whose texts must be seen to be typed."""
    return [
        column.name
        for column in table.columns
        if column.native is None and not isinstance(declared.get(column.name), Declared)
    ]


def _typing(
    table: Table,
    column: SourceColumn,
    declared: Declared | Kept | None,
    texts: Texts | None,
    markers: tuple[str, ...] | None,
) -> Typing:
    if column.native not in {None, "VARCHAR"}:
        word = WORDS.get(str(column.native).split("(")[0], "text")
        if isinstance(declared, Declared) and declared.word not in {word, "number"}:
            message = f"column {column.source_name!r} is declared {declared.word}, but the file itself has it as {word}"
            raise ReadingError(message)
        return Typing(column, None, "the type that the file itself has")
    if isinstance(declared, Declared):
        return _declared(table, column, declared, markers)
    if texts is None:
        return Typing(column, None, "text in the file itself")
    kept = None if declared is None else _as_before(column, texts, declared, markers)
    return guess(column, texts, markers) if kept is None else kept


def _with_marker_columns(typings: list[Typing]) -> list[Typing]:
    """The typings, each column that may hold markers with the name of the column for these."""
    taken = {typing.column.name.casefold() for typing in typings}
    named = []
    for typing in typings:
        if typing.marker is not None:
            name = typing.column.name + SUFFIX
            while name.casefold() in taken:
                name += "_"
            taken.add(name.casefold())
            typing = replace(typing, marker=name)  # noqa: PLW2901
        named.append(typing)
    return named


def _as_before(column: SourceColumn, texts: Texts, kept: Kept, markers: tuple[str, ...] | None) -> Typing | None:
    """The typing that the column had, if it fits every text that was seen."""
    values = [value for value in texts.values if not is_marker(value, markers)]
    if kept.sql_type == "VARCHAR":
        return replace(text(column, values), why=AS_BEFORE) if values else Typing(column, None, AS_BEFORE)
    form = kept.form(lambda separator, grouped: _measured(values, separator, grouped=grouped))
    if form is None or form.pattern in texts.broken or not all(map(form.regex.fullmatch, values)):
        return None
    found = typed(column, texts, form, markers)
    return replace(found, marker="") if kept.marked else found


def _measured(values: list[str], separator: str, *, grouped: bool) -> tuple[int, int]:
    """The most digits before and after the separator, of the values that are such numbers."""
    texts = [found for value in values if (found := as_number(value, separator, grouped=grouped)) is not None]
    return widths(texts, separator)[:2] if texts else (1, 0)


def _widths(con: duckdb.DuckDBPyConnection, rows: str, raw: str, separator: str, *, grouped: bool) -> tuple[int, int]:
    """The most digits before and after the separator, of the texts that are such numbers."""
    text = forms.ungrouped(forms.bare(raw)) if grouped else forms.bare(raw)
    pattern = forms.POINT_NUMBER if separator == "." else forms.COMMA_NUMBER
    whole, scale = _row(
        con,
        f"SELECT max(length(ltrim(split_part({text}, '{separator}', 1), '-'))), "  # noqa: S608
        f"max(length(split_part({text}, '{separator}', 2))) "
        f"FROM {rows} WHERE regexp_full_match({text}, '{pattern}')",
    )
    return whole or 1, scale or 0


def _declared(table: Table, column: SourceColumn, declared: Declared, markers: tuple[str, ...] | None) -> Typing:
    """The form of the declared type that proves the most rows of all; what it does not prove is rejected.

    A marker is no value, so it rejects no row.
    """
    if declared.word == "text":
        return Typing(column, None, "declared text", checks=declared.checks)
    raw = quoted(column.name)
    semantic = SEMANTICS.get(declared.word)
    if semantic is not None:
        check = Check(_broken(semantic), f"expected {semantic.said}")
        if semantic.base == "text":
            return Typing(
                column, None, f"declared {declared.word}", checks=(*declared.checks, check), semantic=semantic
            )
        typing = _declared(table, column, Declared("float", (*declared.checks, check)), markers)
        return replace(typing, why=typing.why.replace("float", declared.word, 1), semantic=semantic)
    best: tuple[int, Form] | None = None
    for form in _forms_of(table, raw, declared.word):
        (proven,) = _row(table.con, f"SELECT count({form.typed(raw)}) FROM {table.source}")  # noqa: S608
        if best is None or proven > best[0]:
            best = (proven, form)
    if best is None:
        message = f"column {column.source_name!r}: declared {declared.word}, which text cannot be read as"
        raise ReadingError(message)
    why = f"declared {declared.word}; {best[1].why}, or its row is rejected"
    marking = _markers_in(table, raw, best[1]) if markers is None else markers
    return Typing(
        column,
        best[1],
        why,
        declared=True,
        checks=declared.checks,
        marker="" if marking else None,
        markers=marking,
        markers_declared=markers is not None,
    )


def _markers_in(table: Table, raw: str, form: Form) -> tuple[str, ...]:
    """The known markers among the texts of a column that its form does not prove."""
    found = table.con.execute(
        f"SELECT DISTINCT {forms.bare(raw)} FROM {table.source} "  # noqa: S608
        f"WHERE {form.typed(raw)} IS NULL AND NOT {forms.blank(raw)} AND length({raw}) <= {LONGEST}"
    ).fetchall()
    return tuple(sorted(text for (text,) in found if is_marker(text, None)))


def _forms_of(table: Table, raw: str, word: str) -> list[Form]:
    """Every form of a type, numbers with decimals measured on all rows."""
    if word not in {"decimal", "float", "number"}:
        short = [forms.SHORT_DATE] if word == "date" else []
        return [form.with_padding() for form in (*forms.FIXED, *short) if form.word == word]
    found = []
    for separator, _, grouped in forms.NUMBERS:
        whole, scale = _widths(table.con, table.source, raw, separator, grouped=grouped)
        form = forms.number(whole, scale, separator, None if word == "number" else word, grouped=grouped)
        if form is not None:
            found.append(form.with_padding())
    return found if word == "decimal" else [*found, forms.EXPONENT.with_padding()]


def _broken(semantic: Semantic) -> str:
    """The SQL of a check that is true where a text that says something is none of this type."""
    proof = semantic.proof_sql("\x00").replace("{", "{{").replace("}", "}}")
    return f"NOT {forms.blank('{x}')} AND NOT ({proof})".replace("\x00", forms.bare("{x}"))


def _row(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """The one row of an aggregate; fetchall ends the query, which fetchone leaves open on DuckDB 2."""
    return con.execute(sql).fetchall()[0]
