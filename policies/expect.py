"""Policy tests that stewards write: who must get what, and who must not, whatever the grants come to say.

expect:
  - {who: "user:ana", must_get: partner, purpose: etude-eau, on: 2026-12-01}
  - {who: everyone, must_not_get: partner}      # on no day from today on, and for no purpose
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints, model_validator

from policies.decide import decide
from policies.document import Model
from policies.editions.model import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.model import Policy

Who = Annotated[str, StringConstraints(pattern=r"^(everyone|(user|group):[a-z][a-z0-9._-]{0,62})$")]


class Expectation(Model):
    """What must be so of one edition.

    Without `on`, `must_get` is of today, and `must_not_get` of each day from today on; without `purpose`, `must_get` is
    of who states none, and `must_not_get` of every purpose.
    """

    who: Who
    must_get: str | None = None
    must_not_get: str | None = None
    purpose: Purpose | None = None
    on: dt.date | None = Field(None)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Expectation:
        if (self.must_get is None) == (self.must_not_get is None):
            message = "expected one of 'must_get' and 'must_not_get', with an edition"
            raise ValueError(message)
        return self

    @property
    def edition(self) -> str:
        """The edition it is about."""
        return self.must_get or self.must_not_get or ""


def broken(policy: Policy, one: Expectation, principals: frozenset[str], today: dt.date) -> Iterator[str]:
    """How the policy does not keep an expectation of who is these `principals`: the first day and purpose that show it.

    Nothing where it holds.
    """
    for on, purpose in _cases(policy, one, today):
        decision = decide(policy, one.edition, principals=principals, purpose=purpose, on=on)
        if decision.allow != (one.must_get is not None):
            must = "must not get" if decision.allow else "must get"
            does = "is granted it" if decision.allow else "is not granted it"
            stated = "with no purpose stated" if purpose is None else f"for {purpose}"
            why = " | ".join(decision.reasons)
            yield f"{one.who} {must} {one.edition!r}, and {does} on {on} {stated}: {why}"
            return


def _cases(policy: Policy, one: Expectation, today: dt.date) -> Iterator[tuple[dt.date, str | None]]:
    """The days and purposes to ask about: those on which a decision can change are enough."""
    grants = [grant for grant in policy.grants if grant.edition == one.edition]
    days, purposes = [one.on or today], [one.purpose]
    if one.must_not_get is not None and one.on is None:
        days += sorted({grant.from_ for grant in grants if grant.from_ is not None and grant.from_ > today})
    if one.must_not_get is not None and one.purpose is None:
        purposes += sorted({name for grant in grants if grant.purposes != "any" for name in grant.purposes})
    return ((on, purpose) for on in days for purpose in purposes)
