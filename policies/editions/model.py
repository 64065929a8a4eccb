"""What one edition keeps of one table, as a steward writes it in `policies/<slug>.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from policies.document import Model, suggest

Purpose = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Rounding(Model):
    """Numbers to the nearest multiple of `step`."""

    step: float = Field(gt=0)


Generalisation = Literal["year", "month"] | Rounding


class EditionTable(Model):
    """What one edition keeps of one resource. A column that is not listed is not in it."""

    keep: tuple[str, ...] = Field(min_length=1)
    pseudonymise: tuple[str, ...] = ()
    generalise: dict[str, Generalisation] = {}
    where: str | None = None

    @model_validator(mode="after")
    def _named_columns_are_kept(self) -> EditionTable:
        for column in (*self.pseudonymise, *self.generalise):
            if column not in self.keep:
                message = f"column {column!r} is transformed but not kept; {suggest(column, list(self.keep))}"
                raise ValueError(message)
        both = set(self.pseudonymise) & set(self.generalise)
        if both:
            message = f"column {min(both)!r} is both pseudonymised and generalised; choose one"
            raise ValueError(message)
        if len(set(self.keep)) < len(self.keep):
            message = "a column is kept twice"
            raise ValueError(message)
        return self
