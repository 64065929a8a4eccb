"""`…/rows?commune__exact=Rouen&montant__greater=1000&sort…`: a request's parameters → one SELECT. Pure.

The operators are those of data.gouv.fr's tabular API (https://github.com/datagouv/api-tabular): exact, differs,
contains, notcontains, in, notin, less, greater, strictly_less, strictly_greater, isnull, isnotnull; sort; groupby,
count, sum, avg, min, max.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policies.document import suggest
from policies.editions import quoted
from sandbox.sql.asked import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from catalog.lake import ServedColumn

PAGE_SIZE, LARGEST_PAGE = 20, 1000
_MOST = 200
_AGGREGATES = ("count", "sum", "avg", "min", "max")
_COMPARED = {
    "exact": "IS NOT DISTINCT FROM",
    "differs": "IS DISTINCT FROM",
    "less": "<=",
    "greater": ">=",
    "strictly_less": "<",
    "strictly_greater": ">",
}
_CONTAINED = {"contains": "", "notcontains": "NOT "}
_LISTED = {"in": "IN", "notin": "NOT IN"}
_NULL = {"isnull": "IS NULL", "isnotnull": "IS NOT NULL"}
_OPERATORS = (*_COMPARED, *_CONTAINED, *_LISTED, *_NULL, "sort", "groupby", *_AGGREGATES)


@dataclass(frozen=True)
class Rows:
    """What was asked of one table: the statement of all its rows, that of one page, and how many there are."""

    sql: str
    params: list[Any]
    page: int
    page_size: int

    @property
    def page_sql(self) -> str:
        """The rows of the page."""
        return f"{self.sql} LIMIT {self.page_size} OFFSET {(self.page - 1) * self.page_size}"

    @property
    def total_sql(self) -> str:
        """How many rows there are on all pages."""
        return f"SELECT count(*) AS total FROM ({self.sql})"  # noqa: S608  our own statement


def rows(table: str, columns: Sequence[ServedColumn], asked: Iterable[tuple[str, str]]) -> Rows:
    """The statement that reads `table` (a quoted FROM item). Raises ProblemError 400 naming the parameter."""
    types = {column.name: column.type for column in columns}
    made = _Statement(types)
    page, page_size, kept = 1, PAGE_SIZE, list(types)
    for number, (name, value) in enumerate(asked):
        if number >= _MOST:
            raise ProblemError(400, f"a request has at most {_MOST} parameters")
        if name == "page":
            page = _count(name, value, 10**9)
        elif name == "page_size":
            page_size = _count(name, value, LARGEST_PAGE)
        elif name == "columns":
            kept = [_known(one, types) for one in value.split(",")]
            made.chosen = True
        elif name != "purpose":
            made.add(name, value)
    return Rows(made.sql(table, kept), made.params, page, page_size)


class _Statement:
    """Collects what the parameters say."""

    def __init__(self, types: dict[str, str]) -> None:
        self._types = types
        self.params: list[Any] = []
        self._where: list[str] = []
        self._order: list[str] = []
        self._groups: list[str] = []
        self._aggregates: list[str] = []
        self.chosen = False

    def add(self, name: str, value: str) -> None:
        column, parted, operator = name.rpartition("__")
        if not parted or operator not in _OPERATORS:
            known = suggest(operator if parted else name, list(_OPERATORS))
            raise ProblemError(400, f"{name!r}: expected COLUMN__OPERATOR; {known}")
        self._adder(operator)(_known(column, self._types), value, operator)

    def _adder(self, operator: str) -> Callable[[str, str, str], None]:
        if operator == "sort":
            return self._sort
        if operator == "groupby":
            return lambda column, *_: self._groups.append(quoted(column))
        return self._aggregate if operator in _AGGREGATES else self._filter

    def _sort(self, column: str, value: str, _operator: str) -> None:
        if value not in {"asc", "desc"}:
            raise ProblemError(400, f"{column}__sort is asc or desc, not {value[:20]!r}")
        self._order.append(f"{quoted(column)} {value.upper()} NULLS LAST")

    def _aggregate(self, column: str, _value: str, operator: str) -> None:
        self._aggregates.append(f"{operator}({quoted(column)}) AS {quoted(f'{column}__{operator}')}")

    def _filter(self, column: str, value: str, operator: str) -> None:
        sql, sql_type = quoted(column), self._types[column]
        if operator in _NULL:
            self._where.append(f"{sql} {_NULL[operator]}")
        elif operator in _CONTAINED:
            held = f"contains(lower(CAST({sql} AS VARCHAR)), lower({self._bound(value)}))"
            self._where.append(f"{_CONTAINED[operator]}{held}")
        elif operator in _LISTED:
            values = ", ".join(f"CAST({self._bound(one)} AS {sql_type})" for one in value.split(","))
            self._where.append(f"{sql} {_LISTED[operator]} ({values})")
        else:
            self._where.append(f"{sql} {_COMPARED[operator]} CAST({self._bound(value)} AS {sql_type})")

    def _bound(self, value: str) -> str:
        self.params.append(value)
        return f"${len(self.params)}"

    def sql(self, table: str, kept: list[str]) -> str:
        where = f" WHERE {' AND '.join(self._where)}" if self._where else ""
        if self._groups or self._aggregates:
            if self._order or self.chosen:
                raise ProblemError(400, "columns and sort are of rows, not of groups: those stand by what groups them")
            cells = ", ".join([*self._groups, *self._aggregates])
            groups = f" GROUP BY {', '.join(self._groups)} ORDER BY {', '.join(self._groups)}" if self._groups else ""
            return f"SELECT {cells} FROM {table}{where}{groups}"  # noqa: S608  names quoted, values bound
        cells = ", ".join(quoted(name) for name in kept)
        if not self._order:
            return f"SELECT {cells} FROM {table}{where}"  # noqa: S608
        # Rows that are equal in what is sorted keep their order, or a page could repeat what another had
        place = quoted(_free("place", self._types))
        numbered = f"(SELECT *, row_number() OVER () AS {place} FROM {table}{where})"  # noqa: S608
        return f"SELECT {cells} FROM {numbered} ORDER BY {', '.join(self._order)}, {place}"  # noqa: S608


def _known(name: str, types: dict[str, str]) -> str:
    if name not in types:
        raise ProblemError(400, f"there is no column {name!r}; {suggest(name, list(types))}")
    return name


def _count(name: str, value: str, most: int) -> int:
    if not value.isascii() or not value.isdecimal() or len(value) > len(str(most)) or not 1 <= int(value) <= most:
        raise ProblemError(400, f"{name} is a number from 1 to {most}, not {value[:20]!r}")
    return int(value)


def _free(name: str, types: dict[str, str]) -> str:
    while name in types:
        name += "_"
    return name
