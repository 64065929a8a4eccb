"""Columns whose digits are a name, not a quantity: they stay text, so that 9122 never stands where 09122 was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.semantics import SEMANTICS, recognise
from ingest.semantics.names import is_code, says_quantity, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_CODES = frozenset(
    "ape article canton chapitre chorus com commune cp dep departement dept ean epci fax finess iban iris isbn naf nic"  # noqa: SIM905
    " phone portable postal ref reference reg region rib rna rnb rpps siren siret telephone tel tva uai version"
    " zip".split()
)
_ROW_NUMBERS = frozenset({("id",), ("fid",), ("gid",), ("ogc", "fid"), ("objectid",), ("rowid",)})
"""What programs call the numbers they give to rows: whole numbers, as long as they are written so."""
_MOST = 0.9
"""Of digits that are no code, one in ten has a SIREN's key, and one in a hundred a SIRET's two."""


def looks_like_code(name: str, values: Sequence[str]) -> str | None:
    """Why a column of digits is one of codes, or None if it seems to be one of quantities.

    `values` are distinct and bare. Either a word of its name says so (`code_insee`, `idBeneficiaire`, `CP`), or most
    values have the keys of a SIREN or SIRET: a wrong key among them does not make them quantities.
    """
    words = words_of(name)
    if says_quantity(words) or tuple(words) in _ROW_NUMBERS:
        return None
    for word in words:
        if is_code(word) or word in _CODES:
            return f"digits, but {word!r} in the name says that they are codes"
    recognised = recognise(name, values)
    if recognised is not None and recognised.semantic.base == "text":
        return recognised.why
    for semantic in (SEMANTICS["siret"], SEMANTICS["siren"]):
        valid = sum(semantic.valid(value) for value in values)
        if valid > 0 and valid >= _MOST * len(values):
            return f"{valid} of {len(values)} values look like {semantic.said}"
    return None
