"""An activity by its class in the French nomenclature (NAF), also called APE."""

from __future__ import annotations

from ingest.semantics.semantic import Semantic

_DIVISION = "(0[1-35-9]|[1-2][0-9]|3[0-35-9]|4[1-35-7]|49|5[0-35689]|6[0-689]|7[0-57-9]|8[0-24-8]|9[0-9])"

NAF = Semantic(
    word="naf",
    said="an activity's code (NAF)",
    title="Activity by its code in the French nomenclature (NAF rev. 2 and 2025, APE): `84.11Z` or `8411Z`.",
    pattern=rf"{_DIVISION}\.?[0-9]{{2}}[A-Z]",
    names=frozenset({"ape", "activite", "naf"}),
    examples=("84.11Z", "8411Z", "01.11Z", "62.01Z", "96.09W", "4711F"),
    counterexamples=("84.11", "84.1", "04.11Z", "751A", "84-11Z", "8411z", "84", "Z"),
)
