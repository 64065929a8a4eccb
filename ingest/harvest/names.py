"""Names for datasets and resources, from what portals call them: ASCII, stable, and each its own."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from catalog.model import RESERVED
from ingest.harvest.words import folded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

LONGEST = 63
_KEY = 6  # hex digits that tell two datasets of one name apart
_OPAQUE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24,}|\d+", re.IGNORECASE)
_SUFFIX = re.compile(
    r"\.(csv|tsv|txt|xlsx?|ods|json|ndjson|geojson|zip|gz|shp|gpkg|kml|gpx|gml|xml|parquet)\b", re.IGNORECASE
)


def slug(candidates: Iterable[str | None], key: str, taken: Collection[str], *, fallback: str = "jeu") -> str:
    """A name of letters, digits and `_` for what `key` identifies, from the first candidate that makes one.

    If it is `taken`, a few digits of the key's hash follow: so it is the same whatever came first.
    """
    made = next(filter(None, (_slugged(one) for one in candidates if one is not None)), fallback)
    if made in taken or made in RESERVED or made.endswith("_rejects"):
        digest = hashlib.sha256(key.encode()).hexdigest()
        for length in range(_KEY, len(digest) + 1):
            tail = f"_{digest[:length]}"
            longer = made[: LONGEST - len(tail)].rstrip("_") + tail
            if longer not in taken:
                return longer
    return made


def _slugged(said: str) -> str:
    """The words of a name joined by `_`, of LONGEST signs at most and cut between words; nothing if it says nothing."""
    if _OPAQUE.fullmatch(said.strip()):
        return ""
    text = folded(_SUFFIX.sub(" ", said)).replace(" ", "_")
    if not text:
        return ""
    if not text[0].isalpha():
        text = f"d_{text}"
    if len(text) > LONGEST:
        cut = text[: LONGEST + 1]
        text = cut[: cut.rindex("_")] if "_" in cut[LONGEST // 2 :] else text[:LONGEST]
    return text
