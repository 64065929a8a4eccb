"""An establishment by its SIRET."""

from __future__ import annotations

from ingest.semantics.keys import SIRET as KEY
from ingest.semantics.semantic import GAP, Semantic
from ingest.semantics.siren import SIREN_PATTERN

SIRET = Semantic(
    word="siret",
    said="a SIRET with good keys",
    title="SIRET: 14 digits, the key of its SIREN and its own good (La Poste's own rule too), in groups or not.",
    pattern=f"{SIREN_PATTERN}{GAP}[0-9]{{5}}",
    key=KEY,
    names=frozenset({"siret", "nsiret", "numsiret", "nosiret"}),
    needs_name=False,
    examples=("12002701600357", "21060004500392", "732 829 320 00074", "35600000000048", "35600000049837"),
    counterexamples=(
        "12002701600358",
        "12345678900023",
        "35600000049838",
        "00000000000000",
        "1200270160035",
        "120027016",
        "20240131101500",
    ),
)
