"""Text columns → types: as declared, as before, or guessed; `prove.py` verifies each on every row as it writes.

A guess that breaks is made again with the texts that broke it; a *declared* column that breaks rejects the row.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ingest import forms
from ingest.forms import Form
from ingest.guess import as_number, guess, text, typed, widths
from ingest.kept import AS_BEFORE, Kept
from ingest.markers import LONGEST, SUFFIX, is_marker
from ingest.numbers import WRITINGS
from ingest.semantics import SEMANTICS
from ingest.typings import Check, Declared, Typing, word_of
from policies.editions import literal, quoted
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.evidence import Texts
    from ingest.numbers import Writing
    from ingest.semantics import Semantic
    from ingest.table import SourceColumn, Table

_NUMBERS = {"integer", "decimal", "float"}
_SAID = {
    "date": (forms.SHORT_DATE,),
    "boolean": (Form("boolean", "BOOLEAN", "[01]", "({y} = '1')", "every value is 1 or 0"),),
}
"""What is read so only where the type is declared: alone, it may be something else."""


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
        return _native(column, declared.word if isinstance(declared, Declared) else None)
    if isinstance(declared, Declared):
        return _declared(table, column, declared, markers)
    if texts is None:
        return Typing(column, None, "text in the file itself")
    kept = None if declared is None else _as_before(column, texts, declared, markers)
    return guess(column, texts, markers) if kept is None else kept


def _native(column: SourceColumn, word: str | None) -> Typing:
    """The typing of a column that the file itself types, if it is what is declared."""
    has, why = word_of(str(column.native)).split("(")[0], "the type that the file itself has"
    semantic = None if word is None else SEMANTICS.get(word)
    wanted = "number" if semantic is not None and semantic.base == "float" else word
    if wanted not in {None, has} and not (wanted == "number" and has in _NUMBERS):
        raise ReadingError(
            f"column {column.source_name!r} is declared {word}, but the file itself has it as {has}; declare what it "
            "has, or have it written otherwise"
        )
    return Typing(column, None, why if semantic is None else f"declared {word}; {why}", semantic=semantic)


def meaning(word: str) -> tuple[Check, ...]:
    """The check of a declared semantic type; none of any other type."""
    semantic = SEMANTICS.get(word)
    return () if semantic is None else (Check(_broken(semantic), f"expected {semantic.said}"),)


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


def _declared(table: Table, column: SourceColumn, declared: Declared, markers: tuple[str, ...] | None) -> Typing:
    """The form of the declared type that proves the most rows of all; what it does not prove is rejected.

    A marker is no value, so it rejects no row.
    """
    if declared.word == "text":
        return Typing(column, None, "declared text", checks=declared.checks)
    raw = quoted(column.name)
    semantic = SEMANTICS.get(declared.word)
    if semantic is not None:
        checks = (*declared.checks, *meaning(declared.word))
        if semantic.base == "text":
            return Typing(column, None, f"declared {declared.word}", checks=checks, semantic=semantic)
        typing = _declared(table, column, replace(declared, word="float", checks=checks), markers)
        return replace(typing, why=typing.why.replace("float", declared.word, 1), semantic=semantic)
    form, own = _best(table, column, declared)
    why = f"declared {declared.word}; {form.why}, or its row is rejected"
    marking = _markers_in(table, raw, form) if markers is None else markers
    return Typing(
        column,
        form,
        why,
        declared=True,
        checks=declared.checks if own is None else (*declared.checks, own),
        marker="" if marking else None,
        markers=marking,
        markers_declared=markers is not None,
    )


def _best(table: Table, column: SourceColumn, declared: Declared) -> tuple[Form, Check | None]:
    """The form that proves the most rows, and, if it is declared how the values are written, the check that says so.

    Raises ReadingError if another form than those declared proves more: then the declaration is wrong.
    """
    raw, word, how = quoted(column.name), declared.word, declared.written
    own = () if how is None else tuple(form.with_padding() for form in how.forms if form.word == word)
    numeric = word in {*_NUMBERS, "number"}
    own += tuple(_numbers(table, raw, word, how.writings)) if how is not None and numeric else ()
    # A text is one date here and another there; it is no other boolean
    others = [] if own and word == "boolean" else _forms_of(table, raw, word)
    if not own and not others:
        raise ReadingError(f"column {column.source_name!r}: declared {word}, which text cannot be read as")
    counts = _proven(table, raw, [*own, *others])
    best = max(range(len(own) or len(others)), key=counts.__getitem__)
    if not own:
        return others[best], None
    rather = max(range(len(own), len(counts)), key=counts.__getitem__, default=best)
    if counts[rather] > counts[best]:
        raise ReadingError(
            f"column {column.source_name!r} is not in the format that its tableschema declares: "
            f"{others[rather - len(own)].why}; correct the format in the schema"
        )
    form, said = own[best], "" if how is None else how.said
    if not said:
        return form, None
    pattern = literal(form.pattern).replace("{", "{{").replace("}", "}}")
    text = forms.bare("{x}")
    return form, Check(f"{forms.says('{x}')} AND NOT regexp_full_match({text}, {pattern})", f"expected {said}")


def _proven(table: Table, raw: str, some: list[Form]) -> list[int]:
    """How many rows each form proves."""
    counts = ", ".join(f"count({form.typed(raw)})" for form in some)
    return list(table.con.execute(f"SELECT {counts} FROM {table.source}").fetchall()[0])  # noqa: S608


def _markers_in(table: Table, raw: str, form: Form) -> tuple[str, ...]:
    """The known markers among the texts of a column that its form does not prove."""
    found = table.con.execute(
        f"SELECT DISTINCT {forms.bare(raw)} FROM {table.source} "  # noqa: S608
        f"WHERE {form.typed(raw)} IS NULL AND {forms.says(raw)} AND length({raw}) <= {LONGEST}"
    ).fetchall()
    return tuple(sorted(text for (text,) in found if is_marker(text, None)))


def _forms_of(table: Table, raw: str, word: str) -> list[Form]:
    """Every form of a type, numbers with decimals measured on all rows."""
    if word in {"decimal", "float", "number"}:
        return _numbers(table, raw, word, WRITINGS)
    return [form.with_padding() for form in (*forms.FIXED, *_SAID.get(word, ())) if form.word == word]


def _numbers(table: Table, raw: str, word: str, writings: tuple[Writing, ...]) -> list[Form]:
    return [form for writing in writings for form in writing.forms(table.con, table.source, raw, word)]


def _broken(semantic: Semantic) -> str:
    """The SQL of a check that is true where a text that says something is none of this type."""
    proof = semantic.proof_sql("\x00").replace("{", "{{").replace("}", "}}")
    return f"{forms.says('{x}')} AND NOT ({proof})".replace("\x00", forms.bare("{x}"))
