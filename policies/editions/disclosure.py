"""How well a table hides its persons: classes over quasi-identifiers, as one SELECT. Pure.

Rows that agree on every quasi-identifier form a class; NULL is a value of its own. *k* is the size of the smallest
class (P. Samarati and L. Sweeney, "Protecting Privacy when Disclosing Information", SRI-CSL-98-04, 1998): its rows, or
its persons where a column tells them apart. *l* is the fewest different values of a sensitive column in any class, NULL
being none (distinct l-diversity: A. Machanavajjhala and others, "l-Diversity", ACM TKDD 1, 2007). Who knows somebody to
be in the table and guesses within the class is right once in its size: over all rows (or persons) classes / rows on
average, and 1 / k at worst (K. El Emam and F. Dankar, "Protecting Privacy Using k-Anonymity", JAMIA 15, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.editions.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Classes:
    """The classes of a table: its rows, how many classes, and how many rows (or persons) are alone in theirs.

    `persons` are those of each class, added up, where they are counted; None where rows are. `smallest` (k) and
    `least_diverse` (l) are None for an empty table; the latter also where no column was asked of. `poor` are
    the classes with fewer values than were asked for.
    """

    rows: int
    classes: int
    uniques: int
    smallest: int | None
    least_diverse: int | None
    poor: int = 0
    persons: int | None = None

    @property
    def members(self) -> int:
        """What the classes have in them: rows, or persons."""
        return self.rows if self.persons is None else self.persons

    @property
    def unique_share(self) -> float:
        """The share of rows, or persons, that are alone in their class, 0 for an empty table."""
        return self.uniques / self.members if self.members > 0 else 0.0

    @property
    def expected(self) -> float:
        """The share of rows, or persons, that who guesses within their class is expected to find: classes / rows."""
        return self.classes / self.members if self.members > 0 else 0.0


def members(person: str | None) -> str:
    """The SQL aggregate of a class's size: its rows, or the different values of a column of persons.

    Rows without a person may be of any that are there: they make one alone, and add none to others.
    """
    return "count(*)" if person is None else f"greatest(count(DISTINCT {quoted(person)}), 1)"


def classes_sql(
    source: str, over: Sequence[str], of: str | None = None, at_least: int = 0, *, person: str | None = None
) -> str:
    """The SELECT of one row, the fields of `Classes` in their order, from a FROM item.

    `of` is the column of l, and `at_least` how many values of it a class must have; `person` the column of persons.
    """
    keys = ", ".join(quoted(name) for name in over)
    diverse = "NULL" if of is None else f"count(DISTINCT {quoted(of)})"
    sizes = f"count(*) AS r, {members(person)} AS n, {diverse} AS l"
    classes = f"SELECT {sizes} FROM {source} GROUP BY {keys}"  # noqa: S608  names are quoted
    counted = "coalesce(sum(r), 0), count(*), count(*) FILTER (WHERE n = 1), min(n), min(l)"
    counted += f", count(*) FILTER (WHERE l < {at_least}), "
    counted += "NULL" if person is None else "coalesce(sum(n), 0)"
    return f"SELECT {counted} FROM ({classes})"  # noqa: S608  as above
