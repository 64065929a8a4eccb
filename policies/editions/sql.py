"""What an edition keeps of a table, as SELECT statements. Pure: nothing is run here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.document import suggest
from policies.editions.disclosure import members
from policies.editions.generalisation import ZONES, generalised, is_number, is_whole, number
from policies.editions.grid import Grid, cell, point_cell
from policies.editions.quoting import literal, quoted
from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from policies.editions.model import EditionTable

PSEUDONYM = "pseudonym"
"""The SQL function that the statement calls on a pseudonymised column; whoever runs it registers it."""

HIDDEN = "_hidden"
"""The relation of cells to suppress that the statement joins: their dimensions as texts, `d0`, `d1` …, and `hidden`."""

MARKER = "_marker"
"""What ends the name of the column that says why a value is NULL, as an ingest's own markers have it."""

SECRET = "s"  # noqa: S105  INSEE's mark
"""What the marker of a suppressed cell says: secret statistique, whether the cell itself is small or another's key."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A raw table: a FROM item, its columns (name → SQL type), and where its steward's policy is read.

    `place("k")` starts the message of an error: `policies/jeu.yaml:7: edition 'open', resource 't'`. `zones` has for
    `region` and `epci` a FROM item of two columns of text, `commune` (once each) and `zone`.
    """

    item: str
    columns: Mapping[str, str]
    place: Callable[..., str]
    zones: Mapping[str, str] = field(default_factory=dict)


def edition_sql(table: EditionTable, source: Source) -> str:
    """The SELECT that makes an edition's table.

    Rows of a table that alters anything come in the order of what is published, pseudonyms first: that of the source
    would join two editions row by row. With `cells` it joins the relation HIDDEN. Raises DocumentError when a column is
    unknown or of a type that cannot be generalised so.
    """
    return f"{_rows_sql(table, source)}{_order(table)}"


def _rows_sql(table: EditionTable, source: Source) -> str:
    if table.anonymity is None and table.cells is None:
        return _select(table, source, _finished(table, dict(_coarse(table, source))))
    form = f"WITH _form AS NOT MATERIALIZED (\n{form_sql(table, source)}\n)"
    columns = _finished(table, {name: f"_form.{quoted(name)}" for name in table.keep})
    if table.cells is not None:
        columns = _with_markers(table, source, columns)
        keys = (
            f"CAST(_form.{quoted(name)} AS VARCHAR) IS NOT DISTINCT FROM {HIDDEN}.d{at}"
            for at, name in enumerate(table.cells.dimensions)
        )
        return f"{form}\nSELECT {', '.join(columns)} FROM _form LEFT JOIN {HIDDEN} ON {' AND '.join(keys)}"
    over = [] if table.anonymity is None else [quoted(name) for name in table.anonymity.over]
    at_least = 0 if table.anonymity is None else table.anonymity.at_least
    counted = members(None if table.anonymity is None else table.anonymity.of)
    same = " AND ".join(f"_form.{name} IS NOT DISTINCT FROM _small.{name}" for name in over)
    small = f"SELECT {', '.join(over)} FROM _form GROUP BY ALL HAVING {counted} < {at_least}"  # noqa: S608
    return f"{form}, _small AS (\n{small}\n)\nSELECT {', '.join(columns)} FROM _form ANTI JOIN _small ON {same}"


def _order(table: EditionTable) -> str:
    """By each column's place, as a name may be one of the source's too.

    Pseudonyms are of a secret order, and nearly tell the rows apart, so the columns behind them are seldom compared.
    """
    if not table.ordered:
        return ""
    places = [at for at, column in enumerate(table.sources.values(), start=1) if column in table.pseudonymise]
    places += [at for at in range(1, len(table.sources) + 1) if at not in places]
    return f"\nORDER BY {', '.join(map(str, places))}"


def form_sql(table: EditionTable, source: Source) -> str:
    """The SELECT of all rows that the edition's condition takes, made coarser, under the source's names.

    What will be pseudonymised is still plain, as text: equal values have equal pseudonyms, so classes are the same.
    """
    plain = {
        name: f"CAST({one} AS VARCHAR)" if name in table.pseudonymise else one for name, one in _coarse(table, source)
    }
    if table.anonymity is not None and table.anonymity.of is not None:
        plain.setdefault(table.anonymity.of, quoted(table.anonymity.of))
    for name in () if table.cells is None else table.cells.hidden:
        marker = f"{name}{MARKER}"
        if marker in source.columns and marker not in table.keep:
            plain[marker] = quoted(marker)
    return _select(table, source, [_as(expression, name) for name, expression in plain.items()])


def condition_sql(table: EditionTable, source: Source) -> str:
    """The SELECT of the rows that the edition's condition takes, and of nothing of them."""
    condition = "" if table.where is None else f" WHERE (\n{table.where}\n)"
    return f"SELECT 1 FROM {source.item}{condition}"  # noqa: S608  names are quoted


def persons_sql(table: EditionTable, source: Source, written: str) -> tuple[str, tuple[str, ...], str]:
    """The SELECT of who stands in each class of the table at `written`, a FROM item, for a `k` of persons: also of a
    column that is not kept. Beside it its quasi-identifiers, as they are published, and the column of persons.
    """
    if table.anonymity is None or table.anonymity.of is None:
        message = "the classes of this table are not of persons"
        raise ValueError(message)
    over = {f"o{at}": name for at, name in enumerate(table.anonymity.over)}
    columns = [f"{_hashed(table, name, f'_form.{quoted(name)}')} AS {short}" for short, name in over.items()]
    columns.append(f"_form.{quoted(table.anonymity.of)} AS person")
    same = " AND ".join(
        f"_all.{short} IS NOT DISTINCT FROM _there.{quoted(table.published(name))}" for short, name in over.items()
    )
    form = f"SELECT {', '.join(columns)} FROM (\n{form_sql(table, source)}\n) AS _form"  # noqa: S608
    return f"SELECT * FROM ({form}) AS _all SEMI JOIN {written} AS _there ON {same}", tuple(over), "person"  # noqa: S608


def cells_sql(table: EditionTable, source: Source) -> str:
    """The SELECT of all cells: the dimensions as texts, in their order, and the count."""
    if table.cells is None:
        return ""
    dimensions = (f"CAST({quoted(name)} AS VARCHAR)" for name in table.cells.dimensions)
    return f"SELECT {', '.join(dimensions)}, {quoted(table.cells.count)} FROM (\n{form_sql(table, source)}\n)"  # noqa: S608


def counts_sql(table: EditionTable, source: Source) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The SELECT of one row of counts, and what each is of: `("rows", "")`, then `top`, `bottom`, `unknown` of columns.

    All are counted among the rows that the condition takes.
    """
    coarse = dict(_coarse(table, source))
    asked = {("rows", ""): "true"}
    for column, bound in table.top.items():
        asked["top", column] = f"{quoted(column)} > {number(bound)}"
    for column, bound in table.bottom.items():
        asked["bottom", column] = f"{quoted(column)} < {number(bound)}"
    for column, how in table.generalise.items():
        if how in (*ZONES, "departement") or isinstance(how, Grid):
            asked["unknown", column] = f"{quoted(column)} IS NOT NULL AND {coarse[column]} IS NULL"
    return _select(table, source, [f"count(*) FILTER (WHERE {one})" for one in asked.values()]), tuple(asked)


def _select(table: EditionTable, source: Source, columns: list[str]) -> str:
    item, condition = source.item, "" if table.where is None else f" WHERE (\n{table.where}\n)"
    # The condition stands on lines of its own, so that a comment in it cannot swallow the closing parenthesis.
    zones = [(column, how) for column, how in table.generalise.items() if isinstance(how, str) and how in ZONES]
    if zones:
        item, condition = f"(SELECT * FROM {item}{condition}) AS _rows", ""  # noqa: S608
    for at, (column, how) in enumerate(zones):
        made = f"(SELECT commune AS _commune{at}, zone AS _zone{at} FROM {source.zones[how]})"  # noqa: S608
        item += f" LEFT JOIN {made} ON _rows.{quoted(column)} = _commune{at}"
    return f"SELECT {', '.join(columns)} FROM {item}{condition}"  # noqa: S608  names are quoted


def _coarse(table: EditionTable, source: Source) -> Iterator[tuple[str, str]]:
    """Each kept column and its expression, not yet pseudonymised."""
    _refuse_unknown(table, source)
    zones = [column for column, how in table.generalise.items() if isinstance(how, str) and how in ZONES]
    latitudes = dict(_latitudes(table))
    for name in table.keep:
        column, how = quoted(name), table.generalise.get(name)
        for key, sign in (("top", ">"), ("bottom", "<")):
            bounds = table.top if key == "top" else table.bottom
            if name in bounds:
                _refuse_bound(source, name, key, bounds[name])
                bound = f"CAST({number(bounds[name])} AS {source.columns[name]})"
                column = f"CASE WHEN {column} {sign} {number(bounds[name])} THEN {bound} ELSE {column} END"
        if how is None:
            yield name, latitudes.get(name, column)
        elif isinstance(how, Grid):
            yield name, _centre(name, how, source)
        elif name in zones:
            if source.columns[name] != "VARCHAR":
                said = f"is {source.columns[name]}; only the text of an INSEE commune code lies in a {how}"
                raise _wrong(source, name)(said)
            yield name, f"_zone{zones.index(name)}"
        else:
            before = column if column == quoted(name) else f"({column})"
            yield name, generalised(before, source.columns[name], how, _wrong(source, name))


def _latitudes(table: EditionTable) -> Iterator[tuple[str, str]]:
    for name, how in table.generalise.items():
        if isinstance(how, Grid) and how.latitude is not None:
            yield how.latitude, cell(quoted(name), quoted(how.latitude), how.grid)[1]


def _centre(name: str, how: Grid, source: Source) -> str:
    wrong, sql_type = _wrong(source, name), source.columns[name]
    if how.latitude is None:
        if sql_type != "GEOMETRY":
            raise wrong(f"is {sql_type}; expected a geometry of points, or 'latitude: COLUMN' beside 'grid'")
        said = f"{source.place('generalise', name)}: column {name!r} has other shapes than points; leave it out"
        return point_cell(quoted(name), how.grid, literal(said))
    for one in (name, how.latitude):
        if not is_number(source.columns[one]):
            raise _wrong(source, one)(f"is {source.columns[one]}; only numbers are degrees of a place")
    return cell(quoted(name), quoted(how.latitude), how.grid)[0]


def _finished(table: EditionTable, columns: Mapping[str, str]) -> list[str]:
    """Each column under its name in the edition, pseudonymised if it must be."""
    made = []
    for name, expression in columns.items():
        made.append(_as(_hashed(table, name, expression), table.published(name)))
    return made


def _hashed(table: EditionTable, name: str, expression: str) -> str:
    return f"{PSEUDONYM}(CAST({expression} AS VARCHAR))" if name in table.pseudonymise else expression


def _with_markers(table: EditionTable, source: Source, columns: list[str]) -> list[str]:
    """The columns of cells: what is hidden is NULL, with its marker behind it, also where the source had one."""
    made, hidden = [], () if table.cells is None else table.cells.hidden
    for name, column in zip(table.keep, columns, strict=True):
        if name not in hidden:
            made.append(column)
            continue
        public, marker = table.published(name), f"{name}{MARKER}"
        before = f"_form.{quoted(marker)}" if marker in source.columns else "NULL"
        made.append(_as(f"CASE WHEN {HIDDEN}.hidden THEN NULL ELSE _form.{quoted(name)} END", public))
        said = f"CASE WHEN {HIDDEN}.hidden THEN {literal(SECRET)} ELSE CAST({before} AS VARCHAR) END"
        made.append(_as(said, f"{public}{MARKER}"))
    return made


def _as(expression: str, name: str) -> str:
    return expression if expression == quoted(name) else f"{expression} AS {quoted(name)}"


def _refuse_unknown(table: EditionTable, source: Source) -> None:
    for key, names in (("keep", table.keep), ("drop", table.drop)):
        for at, name in enumerate(names):
            if name not in source.columns:
                hint = suggest(name, list(source.columns))
                raise DocumentError(f"{source.place(key, at)}: unknown column {name!r}; {hint}")
    person = None if table.anonymity is None else table.anonymity.of
    if person is not None and person not in source.columns:
        raise DocumentError(
            f"{source.place('k', 'of')}: unknown column {person!r}; {suggest(person, list(source.columns))}"
        )
    if table.cells is not None and not is_whole(source.columns[table.cells.count]):
        sql_type, place = source.columns[table.cells.count], source.place("cells", "count")
        raise DocumentError(f"{place}: column {table.cells.count!r} is {sql_type}; only whole numbers are counts")


def _refuse_bound(source: Source, name: str, key: str, bound: float) -> None:
    if not is_number(source.columns[name]):
        raise _wrong(source, name)(f"is {source.columns[name]}; only numbers have a {key}", key)
    if is_whole(source.columns[name]) and not float(bound).is_integer():
        raise _wrong(source, name)(f"is {source.columns[name]}; its {key} must be a whole number", key)


def _wrong(source: Source, name: str) -> Callable[..., DocumentError]:
    def made(said: str, key: str = "generalise") -> DocumentError:
        return DocumentError(f"{source.place(key, name)}: column {name!r} {said}")

    return made
