"""What a check knows of the lab: the tables that the requester could read, the thresholds, and earlier releases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .counts import Counted


@dataclass(frozen=True, kw_only=True)
class Known:
    """A table of an edition that the requester could read. `identifiers` are its columns of pseudonyms."""

    name: str
    rows: int
    columns: tuple[str, ...]
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Earlier:
    """The columns of counts of a table that was released before, out of a dataset that the requester could read."""

    number: int
    counts: tuple[Counted, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """`at_least` is the fewest units that a cell may count, `dominance` the largest share of one contributor in a sum.

    The default of the first is ACRO's (`safe_threshold: 10`, github.com/AI-SDC/ACRO), of the second INSEE's for
    enterprises (no unit above 85 %, "Guide du secret statistique").
    """

    at_least: int = 10
    dominance: float = 0.85
    known: tuple[Known, ...] = ()
    earlier: Iterable[Earlier] = field(default=(), repr=False)

    @classmethod
    def of(cls, told: dict[str, Any], earlier: Iterable[Earlier]) -> Facts:
        """From JSON, as the jail is given it."""
        known = tuple(
            Known(
                name=one["name"],
                rows=one["rows"],
                columns=tuple(one["columns"]),
                identifiers=tuple(one["identifiers"]),
            )
            for one in told["known"]
        )
        return cls(at_least=told["at_least"], dominance=told["dominance"], known=known, earlier=earlier)
