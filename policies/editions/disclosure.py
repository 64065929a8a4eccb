"""How well a table hides its persons: classes over quasi-identifiers, as one SELECT. Pure.

Rows that agree on every quasi-identifier form a class; NULL is a value of its own. *k* is the size of the smallest
class (P. Samarati and L. Sweeney, "Protecting Privacy when Disclosing Information", SRI-CSL-98-04, 1998), *l* the
fewest different values of a sensitive column in any class (distinct l-diversity: A. Machanavajjhala and others,
"l-Diversity", ACM TKDD 1, 2007). Who knows somebody to be in the table and guesses within the class is right once in
its size: over all rows that is classes / rows on average, and 1 / k at worst (K. El Emam and F. Dankar, "Protecting
Privacy Using k-Anonymity", JAMIA 15, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.editions.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Classes:
    """The classes of a table: its rows, how many classes, and rows that are alone in theirs.

    `smallest` (k) and `least_diverse` (l) are None for an empty table; the latter also where no column was asked of.
    `poor` are the classes with fewer values than were asked for.
    """

    rows: int
    classes: int
    uniques: int
    smallest: int | None
    least_diverse: int | None
    poor: int = 0

    @property
    def unique_share(self) -> float:
        """The share of rows that are alone in their class, 0 for an empty table."""
        return self.uniques / self.rows if self.rows > 0 else 0.0

    @property
    def expected(self) -> float:
        """The share of rows that who guesses within their class is expected to find: classes / rows."""
        return self.classes / self.rows if self.rows > 0 else 0.0


def classes_sql(source: str, over: Sequence[str], of: str | None = None, at_least: int = 0) -> str:
    """The SELECT of one row, the fields of `Classes` in their order, from a FROM item.

    `of` is the column of l, and `at_least` how many values of it a class must have.
    """
    keys = ", ".join(quoted(name) for name in over)
    column = None if of is None else quoted(of)
    diverse = "NULL" if column is None else f"count(DISTINCT {column}) + CAST(bool_or({column} IS NULL) AS BIGINT)"
    classes = f"SELECT count(*) AS n, {diverse} AS l FROM {source} GROUP BY {keys}"  # noqa: S608  names are quoted
    counted = "coalesce(sum(n), 0), count(*), count(*) FILTER (WHERE n = 1), min(n), min(l)"
    counted += f", count(*) FILTER (WHERE l < {at_least})"
    return f"SELECT {counted} FROM ({classes})"  # noqa: S608  as above
