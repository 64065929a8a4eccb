"""The one function that every door asks whether these principals may open this edition, for this purpose, today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from policies.model import Grant, Policy


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An answer and why: the grant's own reason when allowed, one reason a grant that did not match when not."""

    allow: bool
    reasons: tuple[str, ...]


def decide(
    policy: Policy | None, edition: str, *, principals: frozenset[str], purpose: str | None, on: dt.date
) -> Decision:
    """Decide on one edition; deny by default.

    `purpose` None means that no purpose was stated: only grants for any purpose match. `until` is the first day on
    which a grant no longer holds.
    """
    if policy is None:
        return Decision(allow=False, reasons=("the dataset has no policy",))
    reasons = []
    for grant in policy.grants:
        if grant.edition != edition:
            continue
        if grant.to not in principals:  # most are others': the rest of them is not looked at
            reasons.append(f"granted to {grant.to} only")
            continue
        missed = misses(grant, principals=principals, purpose=purpose, on=on)
        if not missed:
            return Decision(allow=True, reasons=(grant.why,))
        reasons.append("; ".join(missed))
    return Decision(allow=False, reasons=tuple(reasons) or (f"no grant names the edition {edition!r}",))


def misses(grant: Grant, *, principals: frozenset[str], purpose: str | None, on: dt.date) -> tuple[str, ...]:
    """Each condition of a grant that does not hold; none if it opens its edition."""
    found = []
    if grant.to not in principals:
        found.append(f"granted to {grant.to} only")
    if grant.from_ is not None and on < grant.from_:
        found.append(f"the grant to {grant.to} starts on {grant.from_}")
    if grant.until is not None and on >= grant.until:
        found.append(f"the grant to {grant.to} ended on {grant.until}")
    if grant.purposes != "any" and purpose not in grant.purposes:
        stated = "no purpose" if purpose is None else f"the purpose {purpose!r}"
        found.append(f"granted for {', '.join(grant.purposes)}; {stated} was stated")
    return tuple(found)


def granted_editions(
    policy: Policy | None, *, principals: frozenset[str], purpose: str | None, on: dt.date
) -> tuple[str, ...]:
    """Every edition these principals may open, from the least to the most detailed."""
    if policy is None:
        return ()
    return tuple(
        name for name in policy.names if decide(policy, name, principals=principals, purpose=purpose, on=on).allow
    )


def addressed(
    policy: Policy | None, *, principals: frozenset[str], purpose: str | None, on: dt.date
) -> dict[str, Decision]:
    """The decision on each edition that some grant gives to one of these principals, whether it holds that day or not.

    The reasons speak of these principals' own grants alone: what others were granted is not told.
    """
    if policy is None:
        return {}
    own = policy.model_copy(update={"grants": tuple(grant for grant in policy.grants if grant.to in principals)})
    named = {grant.edition for grant in own.grants}
    return {
        name: decide(own, name, principals=principals, purpose=purpose, on=on) for name in policy.names if name in named
    }
