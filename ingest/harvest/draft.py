"""A draft of a descriptor: what is known, and what a steward must still say or look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = dict[str, Any]
"""What a descriptor's YAML says, as plain values: texts, numbers, lists and mappings."""

KEYS = (
    "title",
    "description",
    "publisher",
    "contact",
    "themes",
    "keywords",
    "licence",
    "licence_note",
    "frequency",
    "spatial",
    "temporal",
    "issued",
    "landing_page",
    "hvd",
    "legal_basis",
    "provenance",
    "sensitivity",
    "harvested",
    "refresh",
    "resources",
)
"""A descriptor's keys, in the order in which they are written."""
NEEDED = (
    "title",
    "description",
    "publisher",
    "contact",
    "themes",
    "keywords",
    "licence",
    "frequency",
    "spatial",
    "issued",
    "resources",
)
"""Those without which `catalog.model.Dataset` takes none."""


Kind = Literal["missing", "guessed", "told"]


@dataclass(frozen=True)
class Note:
    """What a steward must know of one place of a draft: `("licence",)`, `("resources", "bornes")`, or `()` for all.

    `missing`: nothing stands there, and why. `guessed`: what stands there is not what the source says itself.
    `told`: what the source says, and the draft cannot.
    """

    place: tuple[str, ...]
    kind: Kind
    what: str


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A descriptor to be. With all of NEEDED in its `values`, they are a `catalog.model.Dataset`.

    `names` are the names of its resources, by the keys by which the portal knows them.
    """

    slug: str
    values: Values
    notes: tuple[Note, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys that must be there and are not, in their order."""
        return tuple(key for key in NEEDED if key not in self.values)
