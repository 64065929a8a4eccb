"""A draft of a descriptor: what is known, and what a steward must still say or look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from catalog.model import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = dict[str, Any]
"""What a descriptor's YAML says, as plain values: texts, numbers, lists and mappings."""

KEYS = tuple(Dataset.model_fields)
"""A descriptor's keys, in the order in which they are written."""
NEEDED = tuple(name for name, field_ in Dataset.model_fields.items() if field_.is_required())
"""Those without which it is none."""


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
