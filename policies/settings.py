"""The section `[policies]` of datalab.toml: who exists.

[policies.users]
partner = ["partners"]      # a user, and the groups it belongs to

[policies.zones]            # which tables tell the EPCI or the region of a commune, for editions that generalise to it
epci = {table = "intercommunalites.membres", commune = "insee", code = "siren"}
"""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from policies.document import Model, suggest
from policies.errors import UsageError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,62}$")]


class ZoneTable(Model):
    """A table of the lab, `dataset.resource`, with a commune's INSEE code in one column and its zone's in another."""

    table: Annotated[str, StringConstraints(pattern=r"^[^.]+\.[^.]+$")]
    commune: str
    code: str

    def __str__(self) -> str:
        """`intercommunalites.membres: insee, siren`."""
        return f"{self.table}: {self.commune}, {self.code}"


class PolicySettings(Model):
    """Users and their groups (people.py has those who stand elsewhere), and the tables that zones are taken of."""

    users: dict[Name, tuple[Name, ...]] = {}
    zones: dict[Annotated[str, StringConstraints(pattern=r"^(epci|region)$")], ZoneTable] = {}

    def of_user(self, name: str) -> frozenset[str]:
        """The principals that user `name` is: itself, its groups and everyone. Raises UsageError if unknown."""
        if name not in self.users:
            known = suggest(name, list(self.users))
            message = f"unknown user {name!r}; {known} (those of datalab.toml, [policies.users])"
            raise UsageError(message)
        return frozenset({"everyone", f"user:{name}", *(f"group:{group}" for group in self.users[name])})

    def resolve(self, principal: str) -> frozenset[str]:
        """The principals that `everyone`, `user:NAME`, `group:NAME` or a bare user NAME stands for."""
        kind, _, name = principal.rpartition(":")
        if principal == "everyone":
            return frozenset({"everyone"})
        if kind == "group":
            groups = sorted({group for groups in self.users.values() for group in groups})
            if name not in groups:
                known = suggest(name, groups)
                message = f"unknown group {name!r}; {known} (those of datalab.toml, [policies.users])"
                raise UsageError(message)
            return frozenset({"everyone", principal})
        if kind in {"", "user"}:
            return self.of_user(name)
        message = f"{principal!r} is no principal; expected everyone, user:NAME, group:NAME or a user's NAME"
        raise UsageError(message)
