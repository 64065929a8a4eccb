"""A French postal code."""

from __future__ import annotations

from ingest.semantics.semantic import Semantic

POSTAL_CODE = Semantic(
    word="postal_code",
    said="a French postal code",
    title="French postal code, 5 digits from `01000` to `98999`, CEDEX ones too; without the town's name.",
    pattern="(0[1-9]|[1-8][0-9]|9[0-8])[0-9]{3}",
    names=frozenset({"cp", "cpostal", "postal", "postale", "postaux", "postcode", "postalcode", "zip", "zipcode"}),
    outranks=frozenset({"commune"}),
    examples=("01000", "20090", "75008", "76600", "76037", "97133", "98000"),
    counterexamples=("1000", "00100", "99138", "2A004", "76600 LE HAVRE", "76037 CEDEX", "7660", "766000"),
)
