"""How a new snapshot differs from the one that is served, in ways that a steward must see before it counts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from ingest.markers import SUFFIX
from ingest.typings import word_of
from policies.editions import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from catalog.lake import ServedColumn

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_PROBE = 1000
_ALIKE = 0.8
"""Of so many values of a column that is gone, this share stands in the new column too: the same column, renamed."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A table as far as a review looks at it. `files` may be none: then no values are compared.

    `whys` say of columns, by their names, why each has its type.
    """

    columns: tuple[ServedColumn, ...]
    rows: int
    files: tuple[Path, ...] = ()
    whys: Mapping[str, str] = field(default_factory=dict)


def differences(before: Shape, after: Shape, *, max_drop: float | None, types: bool) -> tuple[str, ...]:
    """Each difference in a sentence: columns gone, new, renamed or retyped, and rows down by more than `max_drop`.

    `max_drop` None: the rows are not compared; `types` False: neither are the columns' types. A type that is
    only wider, and a column's first markers in one beside it, are no difference: no value is another.
    """
    said = _renamed_gone_new(before, after)
    if types:
        said += [_changed(after, *one) for one in _retyped(before, after) if not _wider(before, *one)]
    if max_drop is not None and after.rows < before.rows * (1 - max_drop):
        share = 1 - after.rows / before.rows
        said.append(f"the rows fell from {before.rows} to {after.rows}, by {share:.0%}: more than {max_drop:.0%}")
    return tuple(said)


def retyped(before: Shape, after: Shape, *, only_wider: bool) -> tuple[str, ...]:
    """Each column that has another type, or `only_wider` if that holds every number that it had, in a sentence."""
    changes = _retyped(before, after)
    return tuple(_changed(after, *one) for one in changes if not only_wider or _wider(before, *one))


def _retyped(before: Shape, after: Shape) -> Iterator[tuple[str, str, str]]:
    """Name, old type and new type of each column that has another."""
    has = {column.name: column.type for column in after.columns}
    for column in before.columns:
        if has.get(column.name, column.type) != column.type:
            yield column.name, column.type, has[column.name]


def _changed(after: Shape, name: str, had: str, has: str) -> str:
    old, new = word_of(had), word_of(has)
    if old == new:  # such as a timestamp that has a time zone now
        old, new = f"{old} ({had.lower()})", f"{new} ({has.lower()})"
    why = f" ({after.whys[name]})" if name in after.whys else ""
    return f"the column {name!r} was {old} and is {new}{why}"


def _renamed_gone_new(before: Shape, after: Shape) -> list[str]:
    old, new = ([column.name for column in one.columns] for one in (before, after))
    gone = [name for name in old if name not in new]
    come = [name for name in new if name not in old]
    said = []
    for name in gone:
        other = next((one for one in come if _same(before, name, after, one)), None)
        if other is None:
            said.append(f"the column {name!r} is gone")
        else:
            come.remove(other)
            said.append(f"the column {name!r} is gone and {other!r} is new: probably renamed")
    come = [name for name in come if not (name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in old)]
    return [*said, *(f"the column {name!r} is new" for name in come)]


def _wider(before: Shape, name: str, had: str, has: str) -> bool:
    """Whether the new type, of the same kind, holds every number of the old one, or every one that the column had."""
    if had in _INTEGERS and has in _INTEGERS:
        return _INTEGERS.index(had) < _INTEGERS.index(has)
    old, new = _DECIMAL.fullmatch(had), _DECIMAL.fullmatch(has)
    if old is None or new is None:
        return (had, has) == ("FLOAT", "DOUBLE")
    (digits, scale), (more, longer) = ((int(one[1]), int(one[2])) for one in (old, new))
    whole = more - longer
    return longer >= scale and (whole >= digits - scale or _fits(before, name, whole))


def _fits(before: Shape, name: str, whole: int) -> bool:
    """Whether no number that the column had has more digits before the point."""
    if not before.files:
        return False
    with duckdb.connect() as con:
        ends = con.execute(f"SELECT min({quoted(name)}), max({quoted(name)}) FROM {_parquet(before)}").fetchall()[0]  # noqa: S608
    return all(end is None or abs(end) < 10**whole for end in ends)


def _parquet(shape: Shape) -> str:
    return f"read_parquet([{', '.join(map(literal, shape.files))}])"


def _same(before: Shape, name: str, after: Shape, other: str) -> bool:
    """Whether both columns have one type, and one place or the same values."""
    places = [[column.name for column in one.columns].index(key) for one, key in ((before, name), (after, other))]
    if before.columns[places[0]].type != after.columns[places[1]].type:
        return False
    return (len(before.columns) == len(after.columns) and places[0] == places[1]) or _alike(before, name, after, other)


def _alike(before: Shape, name: str, after: Shape, other: str) -> bool:
    if not before.files or not after.files:
        return False
    old, new = map(_parquet, (before, after))
    values = f"SELECT DISTINCT {quoted(name)} AS v FROM {old} WHERE {quoted(name)} IS NOT NULL LIMIT {_PROBE}"  # noqa: S608
    with duckdb.connect() as con:
        found, kept = con.execute(
            f"SELECT count(*), count(*) FILTER (v IN (SELECT {quoted(other)} FROM {new})) FROM ({values})"  # noqa: S608
        ).fetchall()[0]
    return bool(found > 0 and kept >= found * _ALIKE)
