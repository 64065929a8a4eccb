"""What a descriptor says of a dataset besides its tables: who, where, when, under what law, and where it came from."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, model_validator

from catalog.vocabulary import BNA, HVD, LANGUAGES
from policies.document import Model, suggest

Lang = Literal["fr", "en"]
"""The languages that the portal speaks."""

Level = Literal["commune", "epci", "departement", "region"]
"""The levels of territory that INSEE codes stand for."""


def among(word: str, known: list[str], kind: str) -> str:
    """`word`, if it is one of those known; raises ValueError with the nearest one."""
    if word not in known:
        message = f"unknown {kind} {word!r}; {suggest(word, known)}"
        raise ValueError(message)
    return word


Language = Annotated[str, AfterValidator(lambda code: among(code, list(LANGUAGES), "language"))]
"""A language that a text may be in: a code of ISO 639-1, of vocabulary.LANGUAGES."""
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*(\s[^<>]*)?/?>|<!--|<script", re.IGNORECASE)


def _without_markup(text: dict[str, str]) -> dict[str, str]:
    for lang, title in text.items():
        found = _TAG.search(title)
        if found is not None:
            message = f"{lang}: {title!r} has markup ({found[0]}); a title is plain text"
            raise ValueError(message)
    return text


Text = Annotated[dict[Language, Annotated[str, StringConstraints(min_length=1)]], Field(min_length=1)]
Title = Annotated[Text, AfterValidator(_without_markup)]
"""A text that stands alone in lists, feeds and other portals, so it must be plain."""
Siren = Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")]
Commune = Annotated[str, StringConstraints(pattern=r"^([0-9]{2}|2[AB])[0-9]{3}$")]
Departement = Annotated[str, StringConstraints(pattern=r"^([0-9]{2}|2[AB]|9[78][0-9])$")]
Region = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]


def said(text: dict[str, str], lang: str = "fr") -> str:
    """The text in `lang`, or in the language there is."""
    return text.get(lang) or next(iter(text.values()))


class Publisher(Model):
    """Who answers for the data."""

    name: str
    siren: Siren | None = None
    url: HttpUrl | None = None


class Contact(Model):
    """Whom to ask."""

    name: str
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Temporal(Model):
    """The period the data speak of; either end may be open."""

    start: dt.date | None = None
    end: dt.date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is not None and self.end is not None and self.start > self.end:
            message = f"the period ends on {self.end}, before it starts on {self.start}"
            raise ValueError(message)
        return self


class Spatial(Model):
    """The territory the data cover: its name, and where it is.

    That is said by a bounding box in degrees (west, south, east, north), or by INSEE codes, which the lab resolves to
    the geometry that its own tables of contours have (`[catalog.territories]` of datalab.toml).
    """

    name: str
    bbox: tuple[float, float, float, float] | None = None
    communes: tuple[Commune, ...] = ()
    epci: tuple[Siren, ...] = ()
    departements: tuple[Departement, ...] = ()
    regions: tuple[Region, ...] = ()

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.bbox is None and not self.codes:
            message = 'expected `bbox: [WEST, SOUTH, EAST, NORTH]`, or codes such as `departements: ["76"]`'
            raise ValueError(message)
        if self.bbox is not None:
            west, south, east, north = self.bbox
            if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):  # noqa: PLR2004  the globe's own
                message = f"bbox {list(self.bbox)}: expected [WEST, SOUTH, EAST, NORTH] in degrees"
                raise ValueError(message)
        return self

    @property
    def codes(self) -> dict[Level, tuple[str, ...]]:
        """The INSEE codes given, by level."""
        levels: dict[Level, tuple[str, ...]] = {
            "commune": self.communes,
            "epci": self.epci,
            "departement": self.departements,
            "region": self.regions,
        }
        return {level: codes for level, codes in levels.items() if codes}


class LegalBasis(Model):
    """A law or an act that the data are made or opened under; `url` is its ELI or its page on Légifrance."""

    name: str
    url: HttpUrl | None = None


class Upstream(Model):
    """Where a harvested dataset stands upstream: the portal, and how it is known there.

    `gone` is the day on which a harvest no longer found it there.
    """

    portal: HttpUrl
    identifier: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    modified: dt.datetime | None = None
    gone: dt.date | None = None


Sensitivity = Literal["public", "internal", "personal", "secret"]
"""What the raw data hold: nothing to hide, what is for the house alone, personal data, or statistical or other secrets.

Where it is `internal` or `secret`, `datalab check` refuses a policy that grants anything of it to everyone; where it is
`personal`, it names the columns that everyone gets as they are.
"""

Hvd = Annotated[
    str,
    AfterValidator(lambda word: word if word.startswith(BNA) else among(word, list(HVD), "HVD category")),
]
"""A category of high-value datasets (EU 2023/138): a word of vocabulary.HVD, or the URI of a more granular one."""
