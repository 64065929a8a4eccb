"""A région by INSEE's code, of today or of before 2016."""

from __future__ import annotations

from ingest.semantics.semantic import Semantic

_TODAY = "0[1-46]|11|24|27|28|32|44|52|53|75|76|84|93|94"
_BEFORE_2016 = "2[1-356]|31|4[1-3]|54|7[2-4]|8[23]|91"

REGION = Semantic(
    word="region",
    said="a région's code",
    title="Région by its INSEE code, of today (`28`, `01`) or of before 2016 (`23`, `25`).",
    pattern=f"{_TODAY}|{_BEFORE_2016}",
    names=frozenset({"reg", "region"}),
    examples=("01", "06", "11", "28", "84", "94", "23", "25", "91"),
    counterexamples=("1", "00", "05", "12", "77", "92", "971", "Normandie"),
)
