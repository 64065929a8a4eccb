"""What was seen of the tables → what a descriptor may say of them; each of it a guess, and said so. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ingest.harvest.draft import Note
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingest.add.look import Seen

Values = dict[str, Any]

METROPOLIS = (-5.2, 41.3, 9.6, 51.1)
FRANCE = (-63.2, -21.4, 55.9, 51.1)
"""Boxes of metropolitan France, and of France with its overseas départements; in degrees."""

_NAMED_COMMUNES = 5
_NAMED_DEPARTEMENTS = 13
_CAMEL = re.compile(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Ý])")
_ABBREVIATED = {"insee": "INSEE", "siren": "SIREN", "siret": "SIRET", "epci": "EPCI", "naf": "NAF", "iban": "IBAN"}


def territory(seen: Iterable[Seen]) -> tuple[Values, str] | None:
    """The `spatial` that the rows themselves say, and by what; None if nothing in them says any."""
    tables = list(seen)
    codes: dict[str, set[str]] = {}
    for table in tables:
        for level, found in table.codes.items():
            codes.setdefault(level, set()).update(found)
    communes = codes.get("commune", set())
    departements = codes.get("departement", set()) | {departement_of(code) for code in communes}
    if 0 < len(communes) <= _NAMED_COMMUNES:
        return _named("communes", communes, "the codes of communes in the rows")
    if 0 < len(departements) <= _NAMED_DEPARTEMENTS:
        return _named("departements", departements, "the codes in the rows")
    if departements:
        overseas = any(code.startswith("97") for code in departements)
        box = FRANCE if overseas else METROPOLIS
        return {"name": "France", "bbox": list(box)}, f"the codes in the rows are of {len(departements)} départements"
    boxes = [table.box for table in tables if table.box is not None]
    if not boxes:
        return None
    west, south, east, north = zip(*boxes, strict=True)
    # What lies across the antimeridian is written with longitudes beyond it
    edges = (max(min(west), -180), max(min(south), -90), min(max(east), 180), min(max(north), 90))
    box = tuple(round(edge, 4) for edge in edges)
    return {"name": "Emprise des données", "bbox": list(box)}, "where the rows lie; say the territory's name"


def _named(level: str, codes: set[str], why: str) -> tuple[Values, str]:
    ordered = sorted(codes)
    noun = level.rstrip("s") if len(ordered) == 1 else level
    label = noun.replace("departement", "département").capitalize()
    return {"name": f"{label} {', '.join(ordered)}", level: ordered}, f"{why}; say the territory's name"


def departement_of(commune: str) -> str:
    """The département that a commune's code is of: `76540` → `76`, `2A004` → `2A`, `97105` → `971`."""
    return commune[:3] if commune.startswith("97") else commune[:2]


def period(seen: Iterable[Seen]) -> Values | None:
    """The `temporal` from the first to the last day of the tables that have one column of dates."""
    days = [table.days for table in seen if table.days is not None]
    if not days:
        return None
    return {"start": min(first for first, _ in days).isoformat(), "end": max(last for _, last in days).isoformat()}


def columns(seen: Seen, known: Mapping[str, Any]) -> Values:
    """A title for each column that has none yet, made of its name; columns of the lab's own making have none."""
    made: Values = {}
    for column in seen.columns:
        said = dict(known.get(column.name, {}))
        if "title" not in said and column.source_name and column.type != "geometry":
            said["title"] = {"fr": titled(column.source_name)}
        if said:
            made[column.name] = said
    return made


def titled(name: str) -> str:
    """A column's name as words: `code_insee` → `Code INSEE`, `dateMaj` → `Date maj`."""
    words = re.split(r"[\s_]+", _CAMEL.sub(" ", name).strip(" _"))
    lowered = [_ABBREVIATED.get(word.lower(), word if _is_code(word) else word.lower()) for word in words if word]
    text = " ".join(lowered)
    return text[:1].upper() + text[1:] if text else name


def _is_code(word: str) -> bool:
    """Whether a word is better left as it is: `PMUN`, `X1`."""
    return (word.isupper() and len(word) <= 4) or any(letter.isdigit() for letter in word)  # noqa: PLR2004


def told(name: str, seen: Seen) -> list[Note]:
    """What a steward should know of a table that was read."""
    place = ("resources", name)
    kinds = [f"{column.name} {column.type}" for column in seen.columns if column.type not in {"text", "geometry"}]
    notes = [Note(place, "told", f"{count_of(seen.rows, 'row')}; proven: {', '.join(kinds[:12]) or 'texts alone'}")]
    if seen.rejected > 0:
        notes.append(
            Note(
                place,
                "told",
                f"{count_of(seen.rejected, 'row is', 'rows are')} rejected: see `datalab receipt` after an ingest",
            )
        )
    return notes
