"""An enterprise or an institution by its SIREN."""

from __future__ import annotations

from ingest.semantics.keys import LUHN_9
from ingest.semantics.semantic import GAP, Semantic

SIREN_PATTERN = GAP.join(["[0-9]{3}"] * 3)

SIREN = Semantic(
    word="siren",
    said="a SIREN with a good key",
    title="SIREN: 9 digits with Luhn's key, in groups of three or not. Without the name it is not believed: FINESS "
    "numbers are written in the same way.",
    pattern=SIREN_PATTERN,
    key=LUHN_9,
    names=frozenset({"siren", "sirene", "nsiren", "numsiren", "nosiren"}),
    examples=("120027016", "210600045", "732 829 320", "356000000", "005520135"),
    counterexamples=("120027017", "000000000", "12002701", "12002701600357", "1 20027016", "FR83404833048"),
)
