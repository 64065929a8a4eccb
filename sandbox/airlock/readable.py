"""What a user could read, and what the checks know of it: by the audit log, not by what they say.

A home stays from one sandbox to the next, so whatever a sandbox of theirs ever opened may be in a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policies.audit.reading import told
from policies.errors import DatalabError, DocumentError
from sandbox.airlock.settings import AirlockSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.lab import Lab
    from policies.editions import EditionTable


@dataclass(frozen=True)
class Readable:
    """Editions as `dataset/edition`, and the purposes that were stated."""

    editions: tuple[str, ...]
    purposes: tuple[str, ...]


def readable(lab: Lab, user: str) -> Readable:
    """Every edition that a sandbox of the user has opened, and for what."""
    editions: dict[str, None] = {}
    purposes: dict[str, None] = {}
    for one in told(lab.var / "audit"):
        event = one.event
        if (event.what, event.door, event.who) == ("open", "sandbox", f"user:{user}"):
            editions.update((f"{opened.dataset}/{opened.edition}", None) for opened in event.editions)
            purposes.update({} if event.purpose is None else {event.purpose: None})
    return Readable(tuple(sorted(editions)), tuple(sorted(purposes)))


def reviewers(lab: Lab, editions: Iterable[str]) -> int:
    """How many reviewers it takes to release what may come of these editions.

    Raises DocumentError where [airlock] two_reviewers names an edition that is not there: it would protect nothing.
    """
    two = lab.section("airlock", AirlockSettings).two_reviewers
    for one in two:
        slug, _, edition = one.partition("/")
        policy = lab.policy(slug) if slug in lab.slugs else None
        if policy is None or edition not in policy.names:
            raise DocumentError(f"{lab.root / 'datalab.toml'}: [airlock] two_reviewers: there is no edition {one!r}")
    return 2 if set(two) & set(editions) else 1


def known(lab: Lab, editions: Iterable[str]) -> dict[str, Any]:
    """The tables of these editions and the thresholds, as the jail of the checks is given them."""
    settings = lab.section("airlock", AirlockSettings)
    tables, thresholds = [], []
    for one in editions:
        slug, _, edition = one.partition("/")
        rules = _rules(lab, slug, edition)
        asked = [of for rule in rules.values() for of in (rule.anonymity, rule.cells) if of is not None]
        thresholds += [of.at_least for of in asked] or [settings.at_least]
        tables += _tables(lab, slug, edition, rules)
    return {
        "at_least": max(thresholds, default=settings.at_least),
        "dominance": settings.dominance,
        "known": tables,
    }


def _rules(lab: Lab, slug: str, edition: str) -> dict[str, EditionTable]:
    try:
        policy = lab.policy(slug)
    except DatalabError:
        return {}
    return {} if policy is None else policy.editions.get(edition, {})


def _tables(lab: Lab, slug: str, edition: str, rules: dict[str, EditionTable]) -> list[dict[str, Any]]:
    try:
        current = lab.lake.current(slug, edition)
    except DatalabError:
        return []
    return [
        {
            "name": f"{slug}/{edition}.{resource}",
            "rows": served.rows,
            "columns": [column.name for column in served.columns],
            "identifiers": [rule.published(column) for column in rule.pseudonymise] if rule is not None else [],
        }
        for resource, served in ({} if current is None else current.resources).items()
        for rule in [rules.get(resource)]
    ]
