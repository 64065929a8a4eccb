"""How small classes of persons and small cells of counts are kept from being told, as a steward writes it."""

from __future__ import annotations

from pydantic import Field

from policies.document import Model


class Anonymity(Model):
    """Rows of a class of fewer than `at_least` are left out: of those that agree in `over` (the quasi-identifiers).

    NULL is a value too. Rows are counted, or persons: different values of `of`, a column of the source that need not be
    kept. Rows that do not say whose they are make a person together, if their class has no other.
    """

    at_least: int = Field(ge=2)
    over: tuple[str, ...] = Field(min_length=1)
    of: str | None = None


class Diversity(Model):
    """Each class of `k` must have `at_least` different values of a column, or the edition is not built.

    NULL is none of them: it tells nothing, so it hides nothing.
    """

    at_least: int = Field(ge=2)
    of: str


class Cells(Model):
    """The table's rows are cells of counts: small ones become NULL, and as many more as would give them back.

    `dimensions` says of each what stands for all of it together among the rows (`Total`), nothing where no row does.
    Every other column that is kept is hidden with the count: a share, or a mean, would give it back.
    """

    dimensions: dict[str, str | None] = Field(min_length=1, max_length=6)
    count: str
    values: tuple[str, ...] = ()
    at_least: int = Field(ge=2)

    @property
    def hidden(self) -> tuple[str, ...]:
        """The columns that are NULL in a suppressed cell."""
        return (self.count, *self.values)
