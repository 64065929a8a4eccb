"""What columns mean: communes, SIRETs, addresses. One small file a type; `recognise` says which a column seems to be.

A type is believed when every value is valid and, where the pattern says little, the name says the same. It changes no
value: codes are texts. Whoever writes the rows proves them all by `Semantic.proof_sql`; a column whose type is only
*inferred*, and does not hold, loses the type and no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.semantics.commune import COMMUNE
from ingest.semantics.departement import DEPARTEMENT
from ingest.semantics.email import EMAIL
from ingest.semantics.epci import EPCI
from ingest.semantics.iban import IBAN
from ingest.semantics.latitude import LATITUDE
from ingest.semantics.longitude import LONGITUDE
from ingest.semantics.naf import NAF
from ingest.semantics.names import says_quantity, words_of
from ingest.semantics.phone import PHONE
from ingest.semantics.postal_code import POSTAL_CODE
from ingest.semantics.region import REGION
from ingest.semantics.semantic import SPACES, Semantic
from ingest.semantics.siren import SIREN
from ingest.semantics.siret import SIRET
from ingest.semantics.url import URL

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SEMANTICS", "Recognised", "Semantic", "doubt", "recognise"]

SEMANTICS = {
    semantic.word: semantic
    for semantic in (
        COMMUNE,
        DEPARTEMENT,
        REGION,
        EPCI,
        SIREN,
        SIRET,
        POSTAL_CODE,
        NAF,
        EMAIL,
        PHONE,
        URL,
        LATITUDE,
        LONGITUDE,
        IBAN,
    )
}
"""Every semantic type by its word in `catalog.model.ColumnType`."""


@dataclass(frozen=True)
class Recognised:
    """The type that a column seems to have, and why, for its receipt."""

    semantic: Semantic
    why: str


def recognise(name: str, values: Sequence[str]) -> Recognised | None:
    """The semantic type of a column with this name and these distinct values, bare and not blank; None if none or two.

    Digits under a name of a quantity (`population_commune`) are of no type but latitude and longitude.
    """
    words = words_of(name)
    counted = says_quantity(words) and all(_only_digits(value) for value in values)
    found = {}
    for semantic in SEMANTICS.values():
        named = semantic.named(words)
        if (semantic.needs_name and named is None) or (counted and semantic.base == "text"):
            continue
        if values and all(semantic.valid(value) for value in values):
            said = f", and {named!r} in the name says the same" if semantic.needs_name else ""
            found[semantic.word] = Recognised(semantic, f"every value is {semantic.said}{said}")
    outranked = {word for recognised in found.values() for word in recognised.semantic.outranks}
    left = [recognised for word, recognised in found.items() if word not in outranked]
    return left[0] if len(left) == 1 else None


def doubt(name: str, values: Sequence[str]) -> str | None:
    """Why a column is *not* of the type that its name and at least half of these values speak for, or None."""
    words = words_of(name)
    for semantic in SEMANTICS.values():
        if semantic.named(words) is not None:
            invalid = [value for value in values if not semantic.valid(value)]
            if 0 < len(invalid) <= len(values) / 2:
                return semantic.broken(len(invalid), invalid[0])
    return None


def _only_digits(value: str) -> bool:
    return all(char.isdigit() or char in SPACES for char in value)
