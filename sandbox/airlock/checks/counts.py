"""Which columns of a table count units, which say what of, which cells are hidden, and what stands for a total."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .table import Table

Cell = tuple[str, ...]
"""A cell's position in each dimension, in small letters."""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COUNTS = _set(
    "n nb nbr nombre count counts effectif effectifs freq frequence frequency cnt size obs observations individus "
    "personnes persons people population habitants menages etablissements entreprises"
)
_NOT_COUNTS = _set(
    "id code num numero rang rank year annee an mois month jour day date heure hour age index commune region "
    "departement epci insee siren siret naf lat lon latitude longitude x y part share taux rate pct percent"
)
TOTALS = _set("total totaux ensemble tous toutes tout all overall (all)")
_HIDDEN = _set("nan none null s c nc nd n.d. n.c. x * - … ... na") | {""}
_LESS = re.compile(r"^[<≤]\s*\d+$")
_NUMBER = re.compile(r"^[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?$")
_GAPS = str.maketrans("", "", " \u00a0\u202f")
_YEARS = range(1900, 2101)


@dataclass(frozen=True)
class Counted:
    """One column of counts: `counts` has each cell's by its position in `dimensions`; None is a hidden one.

    Rows that share a position are added up, and hidden where one of them is.
    """

    column: str
    dimensions: tuple[str, ...]
    counts: dict[Cell, float | None]


def number(text: str | None) -> float | None:
    """The number that a text is, with a decimal point or comma; None if it is none."""
    if text is None:
        return None
    bare = text.strip().translate(_GAPS)
    return float(bare.replace(",", ".")) if _NUMBER.match(bare) else None


def is_hidden(text: str | None) -> bool:
    """Whether a cell is empty, or says that its value is not told: `s`, `NC`, `<5`."""
    bare = "" if text is None else text.strip().casefold()
    return bare in _HIDDEN or _LESS.match(bare) is not None


def is_total(position: str) -> bool:
    """Whether this position in a dimension stands for all of them."""
    return position in TOTALS


def words(name: str) -> list[str]:
    """The words of a column's name, in small letters without accents; `count_star()` is `count` and `star`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", plain).lower())


def sure_counts(table: Table) -> list[int]:
    """The columns that hold whole numbers and are named as counts are."""
    return [at for at, name in enumerate(table.columns) if _COUNTS.intersection(words(name)) and _whole(table, at)]


def likely_counts(table: Table) -> list[int]:
    """The columns that are named as counts are; where there is none, those of whole numbers that may be counts."""
    sure = sure_counts(table)
    return sure or [
        at
        for at, name in enumerate(table.columns)
        if _NOT_COUNTS.isdisjoint(words(name)) and _whole(table, at) and not _coded(table, at)
    ]


def counted(table: Table) -> list[Counted]:
    """Each column of counts, with all columns that are neither counts nor measures as its dimensions."""
    counts = likely_counts(table)
    dimensions = [at for at in range(len(table.columns)) if at not in counts and not _measure(table, at)]
    return [_counted(table, column, dimensions) for column in counts]


def _counted(table: Table, column: int, dimensions: list[int]) -> Counted:
    found: dict[Cell, float | None] = {}
    for row in table.rows:
        cell = tuple((row[at] or "").strip().casefold() for at in dimensions)
        value, before = number(row[column]), found.get(cell, 0.0)
        found[cell] = None if value is None or before is None else value + before
    return Counted(table.columns[column], tuple(table.columns[at].casefold() for at in dimensions), found)


def _whole(table: Table, at: int) -> bool:
    """Whether a column holds whole numbers, none negative, and beside them nothing but hidden cells."""
    some = False
    for text in table.column(at):
        value = number(text)
        if value is None:
            if not is_hidden(text):
                return False
        elif value < 0 or value != int(value):
            return False
        else:
            some = True
    return some


def _coded(table: Table, at: int) -> bool:
    """Whether whole numbers are years, or codes with zeros before them."""
    texts = [text.strip() for text in table.column(at) if text is not None]
    years = all(number(text) in _YEARS for text in texts if number(text) is not None)
    return years or any(len(text) > 1 and text.startswith("0") and "." not in text for text in texts)


def _measure(table: Table, at: int) -> bool:
    """Whether a column holds numbers of which some are not whole: means, shares, amounts."""
    values = [number(text) for text in table.column(at)]
    numbers = [value for value in values if value is not None]
    return any(value != int(value) for value in numbers) and all(
        value is not None or is_hidden(text) for value, text in zip(values, table.column(at), strict=True)
    )
