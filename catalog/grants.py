"""What is granted to whom, and why somebody may open an edition or not: as rows and sentences. Nothing is opened."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.decide import Decision, decide, misses
from policies.document import line_of, suggest
from policies.errors import DatalabError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog.lab import Lab
    from policies.model import Grant


@dataclass(frozen=True)
class Row:
    """A grant of a dataset, by its number in the policy, from 1, and how many days it has left (None: for ever)."""

    dataset: str
    number: int
    grant: Grant
    days: int | None

    def state(self, today: dt.date) -> str:
        """As a steward reads it."""
        if self.days is not None and self.days <= 0:
            return f"ended {self.grant.until}"
        if self.grant.from_ is not None and self.grant.from_ > today:
            return f"starts {self.grant.from_}"
        return "holds" if self.days is None else f"holds, {self.days} days left"


@dataclass(frozen=True)
class Explanation:
    """A decision on one edition, and each of its grants with what of it does not hold (nothing: it opens)."""

    dataset: str
    edition: str
    decision: Decision
    grants: tuple[tuple[int, Grant, tuple[str, ...]], ...]


def grants(
    lab: Lab,
    today: dt.date,
    *,
    dataset: str | None = None,
    to: str | None = None,
    within: int | None = None,
    left_out: Callable[[DatalabError], None],
) -> Iterator[Row]:
    """Every grant: of the lab or a dataset, to all or one principal (by its groups, too), ending `within` days.

    `left_out` is told of policies that cannot be read. Raises UsageError for an unknown dataset.
    """
    if dataset is not None and dataset not in lab.slugs:
        raise UsageError(f"unknown dataset {dataset!r}; {suggest(dataset, list(lab.slugs))}")
    who = None if to is None else _reached(lab, to)
    for slug in lab.slugs if dataset is None else (dataset,):
        try:
            policy = lab.policy(slug)
        except DatalabError as error:
            left_out(error)
            continue
        for number, grant in enumerate(() if policy is None else policy.grants, 1):
            days = None if grant.until is None else (grant.until - today).days
            is_ending = within is None or (days is not None and 0 < days <= within)
            if is_ending and (who is None or grant.to in who):
                yield Row(slug, number, grant, days)


def _reached(lab: Lab, to: str) -> frozenset[str]:
    """All that a principal is; one that has left the lab is still itself, so that its grants are found."""
    try:
        return lab.principals(to)
    except UsageError:
        if ":" not in to:
            raise
        return frozenset({to})


def explained(lab: Lab, who: str, what: str, *, purpose: str | None, on: dt.date) -> tuple[Explanation, ...]:
    """The decision on `DATASET/EDITION`, or on each edition of `DATASET`, with the grants that nearly matched first.

    Raises UsageError for an unknown principal, dataset or edition, DocumentError where the policy cannot be read.
    """
    principals = lab.principals(who)
    slug, _, edition = what.partition("/")
    lab.dataset(slug)
    policy = lab.policy(slug)
    names = () if policy is None else policy.names
    if edition and policy is not None and edition not in names:
        raise UsageError(f"unknown edition {what!r}; {suggest(edition, list(names))}")
    found = []
    for name in (edition,) if edition else names or ("raw",):
        decision = decide(policy, name, principals=principals, purpose=purpose, on=on)
        told = [
            (number, grant, misses(grant, principals=principals, purpose=purpose, on=on))
            for number, grant in enumerate(() if policy is None else policy.grants, 1)
            if grant.edition == name
        ]
        found.append(
            Explanation(
                slug, name, decision, tuple(sorted(told, key=lambda one: (one[1].to not in principals, len(one[2]))))
            )
        )
    return tuple(found)


def unknown_principals(lab: Lab, slug: str) -> tuple[str, ...]:
    """A warning for each grant of `slug`, ended ones aside, to a user or a group that the lab has not.

    A grant to nobody opens no door, so it is no error: the others hold, also once the last of a group has left.
    Where datalab.toml names no user at all, nothing can be known. Raises DocumentError if the policy is wrong.
    """
    policy, known = lab.policy(slug), lab.people
    if policy is None or not known.users():
        return ()
    path, today = lab.root / "policies" / f"{slug}.yaml", dt.datetime.now(dt.UTC).date()
    found = []
    for place, grant in enumerate(policy.grants):
        if grant.until is not None and grant.until <= today:
            continue
        try:
            known.resolve(grant.to)
        except UsageError as error:
            found.append(f"{path}:{line_of(path, 'grants', place, 'to')}: granted to nobody: {error}")
    return tuple(found)
