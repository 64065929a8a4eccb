"""An intercommunality with its own taxes, by its SIREN."""

from __future__ import annotations

from ingest.semantics.keys import LUHN_9
from ingest.semantics.semantic import GAP, Key, Semantic

_NONE = "ZZZZZZZZZ"

EPCI = Semantic(
    word="epci",
    said="an EPCI's SIREN",
    title=f"Intercommunality (EPCI) by its SIREN, which begins with 20 or 24; INSEE's `{_NONE}`: in none.",
    pattern=f"2[04][0-9]{GAP}[0-9]{{3}}{GAP}[0-9]{{3}}|{_NONE}",
    key=Key(
        lambda text: text == _NONE or LUHN_9.valid(text),
        lambda text: f"({text} = '{_NONE}' OR {LUHN_9.sql(text)})",
    ),
    names=frozenset({"agglomeration", "epci", "interco", "intercommunalite"}),
    outranks=frozenset({"siren"}),
    examples=("200084952", "247600786", "200 023 414", "ZZZZZZZZZ"),
    counterexamples=("200084953", "120027016", "257601234", "ZZZZ", "Le Havre Seine Métropole"),
)
