"""Whom the portal is shown to: everyone, or somebody who has signed in, for the purpose that they state."""

from __future__ import annotations

from dataclasses import dataclass, field

from catalog.entries import EVERYONE


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who looks. `name` None is everyone.

    `sign_in` is where one can sign in, None where nobody can. `purposes` are those that the visitor's grants name, and
    `places` the addresses of what else there is for them, by the word of texts.py for each.
    """

    name: str | None = None
    principals: frozenset[str] = EVERYONE
    purpose: str | None = None
    purposes: tuple[str, ...] = ()
    home: str = ""
    """Where this visitor's pages start, whatever the purpose; without a slash at the end."""
    sign_in: str | None = None
    places: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def who(self) -> str:
        """As the audit log has it."""
        return "everyone" if self.name is None else f"user:{self.name}"


PUBLIC = Visitor()
"""Everyone, where nobody can sign in."""
