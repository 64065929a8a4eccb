"""A bank account by its IBAN."""

from __future__ import annotations

from ingest.semantics.keys import IBAN as KEY
from ingest.semantics.semantic import GAP, Semantic

_FOUR = f"{GAP}[A-Z0-9]{{4}}"
_FRENCH = f"FR[0-9]{{2}}({GAP}[0-9]{{4}}){{2}}{GAP}[0-9]{{2}}[A-Z0-9]{{2}}({_FOUR}){{2}}{GAP}[A-Z0-9][0-9]{{2}}"
_OTHER = (
    f"([A-EG-Z][A-Z]|F[A-QS-Z])[0-9]{{2}}({_FOUR}){{2}}({GAP}[A-Z0-9]{{3}}|({_FOUR}){{1,5}}({GAP}[A-Z0-9]{{1,3}})?)"
)

IBAN = Semantic(
    word="iban",
    said="an IBAN with a good key",
    title="International bank account number (IBAN) with its key, in groups of four or not.",
    pattern=f"{_FRENCH}|{_OTHER}",
    key=KEY,
    names=frozenset({"iban"}),
    needs_name=False,
    examples=(
        "FR7630006000011234567890189",
        "FR76 3000 6000 0112 3456 7890 189",
        "DE89370400440532013000",
        "NO9386011117947",
    ),
    counterexamples=(
        "FR7630006000011234567890188",
        "FR763000600001123456789018",
        "fr7630006000011234567890189",
        "30006000011234567890189",
        "FR76-3000-6000-0112-3456-7890-189",
    ),
)
