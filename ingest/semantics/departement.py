"""A département by INSEE's code."""

from __future__ import annotations

from ingest.semantics.semantic import Semantic

DEPARTEMENT = Semantic(
    word="departement",
    said="a département's code",
    title="Département or overseas territory by its INSEE code: `01` to `95`, `2A` and `2B` (`20` before "
    "1976), `971` to `978`, `984`, `986` to `989`. Always with its zero: `1` is not taken for `01`.",
    pattern="0[1-9]|[1-8][0-9]|2[AB]|9[0-5]|97[1-8]|98[46-9]",
    names=frozenset({"dep", "departement", "dept", "dpt", "department"}),
    examples=("01", "14", "20", "2A", "2B", "76", "95", "971", "976", "988"),
    counterexamples=("1", "00", "96", "97", "99", "076", "2a", "970", "985", "69M", "Eure"),
)
