"""The file that is asked about: its name, its bytes, what it is, and its table if it is one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .facts import Facts
    from .finding import Finding
    from .table import Table

Kind = Literal["csv", "json", "parquet", "png", "jpeg", "text", "notebook", "model"]


@dataclass(frozen=True)
class Candidate:
    """`kind` is None where the file is none of those that may leave, `table` where it cannot be read as one."""

    name: str
    content: bytes = field(repr=False)
    kind: Kind | None = None
    table: Table | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Example:
    """A file that a check must let pass, or must not; `facts` None are the usual ones."""

    name: str
    content: bytes
    facts: Facts | None = None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that is looked for: its word, the function that does it, and examples that a test runs."""

    word: str
    run: Callable[[Candidate, Facts], Iterable[Finding]]
    good: tuple[Example, ...]
    bad: tuple[Example, ...]
