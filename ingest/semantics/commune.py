"""A commune by INSEE's code, of today or of an earlier year (https://www.insee.fr/fr/information/2560452)."""

from __future__ import annotations

from ingest.semantics.semantic import Semantic

COMMUNE = Semantic(
    word="commune",
    said="a commune's INSEE code",
    title="Commune by its INSEE code, 5 characters: `01001`, `2A004`, `97105`; municipal districts (`75101`) and codes "
    "of earlier years (`20004`, Corsica before 1976) too. `76000` is a postal code: no commune has the number 000.",
    pattern="(0[1-9]|[1-8][0-9]|2[AB]|9[0-5])([0-9]{2}[1-9]|[0-9][1-9]0|[1-9]00)|(97[1-8]|98[46-9])([0-9][1-9]|[1-9]0)",
    names=frozenset(
        {"citycode", "cog", "codgeo", "com", "commune", "comparent", "depcom", "insee", "code city", "code ville"}
    ),
    examples=("01001", "2A004", "2B033", "20004", "75101", "76540", "95690", "97105", "97701", "98736", "98901"),
    counterexamples=(
        "1001",
        "76000",
        "2a004",
        "2C004",
        "96001",
        "97100",
        "98501",
        "99132",
        "765400",
        "76 540",
        "Rouen",
    ),
)
