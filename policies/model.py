"""Editions and grants of one dataset, as a steward writes them in `policies/<slug>.yaml`.

owner: Service Subventions <subventions@exemple.fr>
editions:                       # from the least to the most detailed; `raw` always exists and comes last
  open:
    subventions:                # a resource, and what this edition keeps of it
      keep: [nomAttribuant, montant]
grants:
  - {to: everyone, edition: open, purposes: any, why: "loi pour une République numérique"}
expect:                         # tests of the grants, see expect.py
  - {who: everyone, must_not_get: raw}
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from policies.document import Model, PlacedError, suggest
from policies.editions.model import EditionTable, Purpose, purpose_of
from policies.expect import Expectation

RAW = "raw"
"""The edition that is everything as it came: always there, granted to nobody unless a policy says so."""

EditionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
PrincipalName = Annotated[str, StringConstraints(pattern=r"^(everyone|(user|group):[a-z][a-z0-9._-]{0,62})$")]


class Grant(Model):
    """principal → edition, for purposes, until a date, with a reason."""

    to: PrincipalName
    edition: EditionName
    purposes: Literal["any"] | tuple[Purpose, ...]
    from_: dt.date | None = Field(None, alias="from")
    until: dt.date | None = None
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _a_named_principal_has_an_end(self) -> Grant:
        if self.to != "everyone" and self.until is None:
            message = f"the grant to {self.to} needs 'until', the first day on which it no longer holds"
            raise ValueError(message)
        return self


class Policy(Model):
    """All editions and grants of one dataset; without one, nobody is granted anything."""

    owner: str
    editions: dict[EditionName, dict[str, EditionTable]] = {}
    grants: tuple[Grant, ...] = ()
    expect: tuple[Expectation, ...] = ()

    @field_validator("editions")
    @classmethod
    def _raw_is_not_redefined(cls, editions: dict[str, dict[str, EditionTable]]) -> dict[str, dict[str, EditionTable]]:
        if RAW in editions:
            message = f"the edition {RAW!r} is everything as it came and cannot be redefined"
            raise ValueError(message)
        return editions

    @model_validator(mode="after")
    def _grants_name_editions(self) -> Policy:
        for number, grant in enumerate(self.grants, start=1):
            if grant.edition not in self.names:
                hint = suggest(grant.edition, list(self.names))
                message = f"grant {number} names the unknown edition {grant.edition!r}; {hint}"
                raise PlacedError(message, "grants", number - 1, "edition")
            if grant.edition == RAW and grant.to == "everyone":
                message = f"grant {number} gives {RAW!r} to everyone; declare an edition that lists what is public"
                raise PlacedError(message, "grants", number - 1)
        return self

    @model_validator(mode="after")
    def _expectations_name_editions(self) -> Policy:
        for place, one in enumerate(self.expect):
            if one.edition not in self.names:
                hint = suggest(one.edition, list(self.names))
                message = f"expectation {place + 1} names the unknown edition {one.edition!r}; {hint}"
                raise PlacedError(message, "expect", place)
        return self

    @model_validator(mode="after")
    def _pseudonyms_are_for_the_purpose_of_each_grant(self) -> Policy:
        for edition, tables in self.editions.items():
            try:
                purpose = purpose_of(tables)
            except PlacedError as error:
                raise PlacedError(f"edition {edition!r}: {error}", "editions", edition, *error.place) from None
            for place, grant in enumerate(self.grants):
                if purpose is not None and grant.edition == edition and grant.purposes != (purpose,):
                    message = (
                        f"grant {place + 1} is of {edition!r}, whose pseudonyms are for the purpose {purpose!r}; "
                        f"expected purposes: [{purpose}]"
                    )
                    raise PlacedError(message, "grants", place, "purposes")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every edition's name, from the least to the most detailed."""
        return (*self.editions, RAW)
