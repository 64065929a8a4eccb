"""Which tables join on which columns, found from the data: the codes of one column are found in another that is a key.

At least one of two columns must be a key of its table, or nearly: joined on anything else, rows multiply and say
nothing. Containment is the share of one column's distinct codes that the other has. Codes that are just numbers are
found by chance where the other column has most numbers of its range: what two columns have in common beyond chance is
counted, unless their names and titles say that they mean the same.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from catalog.joins.codes import is_kind
from catalog.vocabulary import LICENCES
from policies.editions import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from catalog.entries import Entry
    from catalog.joins.coded import CodedTable
    from catalog.joins.sketches import Hashes, Sketched

KEY = 0.9
"""The share of its rows in which a column must have a value of its own to be called a key."""

LEAST = 0.5
"""The least share of a column's codes that the other must have."""

COVERED = 0.8
"""Where the key is the smaller side, as of one region's communes: the share of its codes that the other must have."""

BEYOND_CHANCE = 0.6
"""How much of what chance leaves the two must have in common, where their names do not say the same."""

FEWEST_AGREED, FEWEST = 3, 20
"""The fewest codes in common: where names and titles say the same, and where they do not."""

_ALL = 2**32
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table that is shown."""

    entry: Entry
    resource: str
    column: str
    is_key: bool
    """Whether no two of its rows have the same code, or few."""

    unique: bool
    """Whether no two have."""

    @property
    def table(self) -> str:
        """`dataset.resource`, as in SQL."""
        return f"{_name(self.entry.slug)}.{_name(self.resource)}"


@dataclass(frozen=True, kw_only=True)
class Join:
    """Two columns by which their tables join."""

    this: Column
    other: Column
    contained: float
    """The share, 0 to 1, of this column's distinct codes that the other has."""

    covered: float
    """The share of the other column's distinct codes that this one has."""

    shared: int
    """How many codes both have; a guess where not `exact`."""

    exact: bool
    """Whether all codes were compared, and not a sample of them."""

    same_type: bool

    @property
    def looks_up(self) -> bool:
        """Whether each row of this table finds its one row there, or few; else the other table has many for each."""
        return self.other.is_key

    @property
    def strength(self) -> float:
        """How much the two have in common: the larger share, and how many codes that is."""
        return round(max(self.contained, self.covered) * math.log1p(self.shared), 2)

    @property
    def sql(self) -> str:
        """The SELECT that joins the tables, in the lab's own SQL."""
        here, there = f"a.{_name(self.this.column)}", f"b.{_name(self.other.column)}"
        if not self.same_type:
            here, there = f"CAST({here} AS VARCHAR)", f"CAST({there} AS VARCHAR)"
        return f"SELECT *\nFROM {self.this.table} AS a\nJOIN {self.other.table} AS b ON {here} = {there}"

    @property
    def share_alike(self) -> tuple[str, ...]:
        """The licences that what is made of the join must carry, by their title."""
        sides = (self.this, self.other)
        licences = dict.fromkeys(LICENCES[side.entry.dataset.licence] for side in sides)
        return tuple(licence.title for licence in licences if licence.share_alike)


def joins(these: Iterable[CodedTable], others: Iterable[CodedTable]) -> tuple[Join, ...]:
    """By what the tables `these` join with `others`, the most telling first; one join for two tables."""
    them = list(others)
    return ranked(join(this, other) for this in these for other in them)


def ranked(found: Iterable[Join | None]) -> tuple[Join, ...]:
    """Tables to look a code up in come first, then those that have more codes in common, then by name."""
    return tuple(sorted((one for one in found if one is not None), key=_rank))


def join(this: CodedTable, other: CodedTable) -> Join | None:
    """By what two tables join: the most telling of their pairs of columns. A table does not join with itself."""
    if this.entry.slug == other.entry.slug and this.resource == other.resource:
        return None
    return max(_pairs(this, other), key=lambda one: one.strength, default=None)


def _pairs(this: CodedTable, other: CodedTable) -> Iterator[Join]:
    for own, meant in this.columns:
        for theirs, means in other.columns:
            agreed = _agreed(meant, means)
            if agreed is None or not _may_join(own, theirs, agreed=agreed):
                continue
            try:
                shares = _shares(own, this.sketch.hashes(own), theirs, other.sketch.hashes(theirs))
            except OSError:  # another snapshot has come since, and is compared the next time
                continue
            if shares is not None and _is_telling(own, theirs, shares, agreed=agreed):
                yield _join(this, own, other, theirs, shares)


def _agreed(own: frozenset[str], theirs: frozenset[str]) -> bool | None:
    """Whether both mean the same by their names; None where they are known to mean different things."""
    if not own.isdisjoint(theirs):
        return True
    return None if is_kind(own) and is_kind(theirs) else False


def _may_join(own: Sketched, theirs: Sketched, *, agreed: bool) -> bool:
    """Whether it is worth while to compare their codes."""
    return (
        (_is_key(own) or _is_key(theirs))
        and min(own.distinct, theirs.distinct) >= _fewest(agreed=agreed)
        and own.shortest <= theirs.longest
        and theirs.shortest <= own.longest
    )


def _is_key(column: Sketched) -> bool:
    return column.distinct >= KEY * column.rows


def _fewest(*, agreed: bool) -> int:
    return FEWEST_AGREED if agreed else FEWEST


@dataclass(frozen=True, kw_only=True)
class _Shares:
    contained: float
    covered: float
    compared: int
    """How many codes in common were seen; in a sample there are more."""

    shared: int


def _shares(own: Sketched, here: Hashes, theirs: Sketched, there: Hashes) -> _Shares | None:
    """What two columns have in common, by the values that both sketches would hold; None where those are none."""
    threshold = min(own.threshold, theirs.threshold)
    if threshold < _ALL:
        here, there = here[: np.searchsorted(here, threshold)], there[: np.searchsorted(there, threshold)]
    if len(here) == 0 or len(there) == 0:
        return None
    small, large = (here, there) if len(here) <= len(there) else (there, here)
    places = np.minimum(np.searchsorted(large, small), len(large) - 1)
    seen = int(np.count_nonzero(large[places] == small))
    return _Shares(
        contained=seen / len(here), covered=seen / len(there), compared=seen, shared=round(seen * _ALL / threshold)
    )


def _is_telling(own: Sketched, theirs: Sketched, shares: _Shares, *, agreed: bool) -> bool:
    if shares.compared < _fewest(agreed=agreed):
        return False
    inside = _is_key(theirs) and _beyond(shares.contained, LEAST, theirs, agreed=agreed)
    around = _is_key(own) and _beyond(shares.covered, LEAST, own, agreed=agreed)
    small_key = _is_key(own) and _beyond(shares.contained, COVERED, theirs, agreed=agreed)
    small_other = _is_key(theirs) and _beyond(shares.covered, COVERED, own, agreed=agreed)
    return inside or around or small_key or small_other


def _beyond(share: float, least: float, holder: Sketched, *, agreed: bool) -> bool:
    """Whether a share of codes found in `holder` is enough, and more than chance would give."""
    if share < least:
        return False
    if agreed:
        return True
    chance = _density(holder)
    return chance < 1 and (share - chance) / (1 - chance) >= BEYOND_CHANCE


def _density(column: Sketched) -> float:
    """The share of the whole numbers in its range that a column has; 0 where its codes are no numbers."""
    if column.low is None or column.high is None or column.numbers < column.hashes / 2:
        return 0
    return min(1.0, column.distinct * column.numbers / column.hashes / (column.high - column.low + 1))


def _join(table: CodedTable, own: Sketched, other: CodedTable, theirs: Sketched, shares: _Shares) -> Join:
    return Join(
        this=_side(table, own),
        other=_side(other, theirs),
        contained=shares.contained,
        covered=shares.covered,
        shared=shares.shared,
        exact=min(own.threshold, theirs.threshold) == _ALL,
        same_type=(own.type == "VARCHAR") == (theirs.type == "VARCHAR"),
    )


def _side(table: CodedTable, column: Sketched) -> Column:
    return Column(
        entry=table.entry,
        resource=table.resource,
        column=column.column,
        is_key=_is_key(column),
        unique=column.distinct == column.rows and column.threshold == _ALL,
    )


def _rank(join: Join) -> tuple[object, ...]:
    return (not join.looks_up, -join.strength, not join.other.unique, join.other.table, join.this.table)


@cache
def _reserved() -> frozenset[str]:
    with duckdb.connect() as con:
        words = con.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        ).fetchall()
    return frozenset(word for (word,) in words)


def _name(name: str) -> str:
    """A name in SQL, quoted where it must be."""
    return name if _PLAIN.fullmatch(name) and name.lower() not in _reserved() else quoted(name)
