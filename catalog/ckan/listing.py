"""What of a lab is told to CKAN: the editions that everyone may open and, if the lab says so, the others privately."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.checksum import sha256
from catalog.entries import EVERYONE, Readings, entries
from policies.errors import DatalabError, DocumentError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from catalog.entries import Entry
    from catalog.lab import Lab


@dataclass(frozen=True)
class Listing:
    """An edition that CKAN shows: to all, or `private`ly to the members of the organisation there.

    `checksums` are the SHA-256 of its Parquet files, by resource, of those that are served as they are.
    """

    entry: Entry
    private: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict)


def listings(
    lab: Lab, left_out: Callable[[DatalabError], None], readings: Readings | None = None, *, private: bool = False
) -> tuple[Listing, ...]:
    """Every edition that everyone may open today; with `private`, also each that somebody else may, for any purpose.

    `raw` is never told. What is not in order is left out, and `left_out` is told why, once. `readings` are of everyone,
    where they were read before.
    """
    told: set[str] = set()

    def once(error: DatalabError) -> None:
        if str(error) not in told:
            told.add(str(error))
            left_out(error)

    found = []
    public = (readings or Readings(lab, EVERYONE)).now(once)
    for entry in public:
        try:
            sums = {name: sha256(lab, entry, name) for name in entry.resources}
        except DatalabError as error:
            once(error)
            continue
        found.append(Listing(entry, checksums={name: known for name, known in sums.items() if known is not None}))
    if private:
        shown = {(entry.slug, entry.edition) for entry in public}
        found += [
            Listing(entry, private=True)
            for entry in _granted_to_some(lab, once)
            if (entry.slug, entry.edition) not in shown and entry.edition != RAW
        ]
    return tuple(found)


def _granted_to_some(lab: Lab, left_out: Callable[[DatalabError], None]) -> tuple[Entry, ...]:
    """Every edition that any principal may open today for some purpose."""
    principals: set[str] = set()
    purposes: set[str | None] = {None}
    for slug in lab.slugs:
        try:
            policy = lab.policy(slug)
        except DocumentError:
            continue  # told with the others
        for grant in () if policy is None else policy.grants:
            principals.add(grant.to)
            purposes |= set() if grant.purposes == "any" else set(grant.purposes)
    found: dict[tuple[str, str], Entry] = {}
    for purpose in sorted(purposes, key=str):
        for entry in entries(lab, frozenset(principals), left_out, purpose=purpose):
            found.setdefault((entry.slug, entry.edition), entry)
    return tuple(found.values())
