"""How a new snapshot differs from the one that is served, in ways that a steward must see before it counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from ingest.markers import SUFFIX
from policies.editions import literal, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.lake import ServedColumn

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_PROBE = 1000
_ALIKE = 0.8
"""Of so many values of a column that is gone, this share stands in the new column too: the same column, renamed."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A table as far as a review looks at it. `files` may be none: then no values are compared."""

    columns: tuple[ServedColumn, ...]
    rows: int
    files: tuple[Path, ...] = ()


def differences(before: Shape, after: Shape, *, max_drop: float | None, types: bool) -> tuple[str, ...]:
    """Each difference in a sentence: columns gone, new, renamed or retyped, and rows down by more than `max_drop`.

    `max_drop` None: the rows are not compared; `types` False: neither are the columns' types. A decimal that holds more
    digits than before, and the first markers of a column in one beside it, are no difference: no value is another.
    """
    had, has = ({column.name: column.type for column in one.columns} for one in (before, after))
    said = _renamed_gone_new(before, after)
    if types:
        said += [
            f"the column {name!r} was {had[name]} and is {has[name]}"
            for name in had
            if name in has and had[name] != has[name] and not _wider(had[name], has[name])
        ]
    if max_drop is not None and after.rows < before.rows * (1 - max_drop):
        share = 1 - after.rows / before.rows
        said.append(f"the rows fell from {before.rows} to {after.rows}, by {share:.0%}: more than {max_drop:.0%}")
    return tuple(said)


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


def _wider(had: str, has: str) -> bool:
    """Whether every decimal of the one type is one of the other."""
    old, new = _DECIMAL.fullmatch(had), _DECIMAL.fullmatch(has)
    if old is None or new is None:
        return False
    (digits, scale), (more, longer) = ((int(one[1]), int(one[2])) for one in (old, new))
    return longer >= scale and more - longer >= digits - scale


def _same(before: Shape, name: str, after: Shape, other: str) -> bool:
    """Whether both columns have one type, and one place or the same values."""
    places = [[column.name for column in one.columns].index(key) for one, key in ((before, name), (after, other))]
    if before.columns[places[0]].type != after.columns[places[1]].type:
        return False
    return (len(before.columns) == len(after.columns) and places[0] == places[1]) or _alike(before, name, after, other)


def _alike(before: Shape, name: str, after: Shape, other: str) -> bool:
    if not before.files or not after.files:
        return False
    old, new = (f"read_parquet([{', '.join(map(literal, one.files))}])" for one in (before, after))
    values = f"SELECT DISTINCT {quoted(name)} AS v FROM {old} WHERE {quoted(name)} IS NOT NULL LIMIT {_PROBE}"  # noqa: S608
    with duckdb.connect() as con:
        found, kept = con.execute(
            f"SELECT count(*), count(*) FILTER (v IN (SELECT {quoted(other)} FROM {new})) FROM ({values})"  # noqa: S608
        ).fetchall()[0]
    return bool(found > 0 and kept >= found * _ALIKE)
