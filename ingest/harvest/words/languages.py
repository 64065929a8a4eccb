"""Languages, as portals write them → codes of ISO 639-1 that a descriptor may have."""

from __future__ import annotations

from catalog.vocabulary import LANGUAGES
from ingest.harvest.words import folded, last_of

_OLDER = {"fre": "fr", "ger": "de", "dut": "nl", "baq": "eu"}
"""ISO 639-2's other codes, for libraries."""
_NAMES = {"francais": "fr", "french": "fr", "anglais": "en", "english": "en", "allemand": "de", "german": "de"}
_BY_WORD = {code.lower(): language for language, code in LANGUAGES.items()} | _OLDER | _NAMES


def language(said: str | None) -> str | None:
    """The code, of `fr`, `fr-FR`, `fre`, `FRA`, `Français` or an address that ends so; None for one that is unknown."""
    if said is None or not said.strip():
        return None
    words = folded(last_of(said)).split()
    word = words[0] if words else ""
    return word if word in LANGUAGES else _BY_WORD.get(word)
