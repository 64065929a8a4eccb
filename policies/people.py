"""Who exists: the users of datalab.toml, and those of the register that `datalab user` and logins write.

A user's groups stand in one place. Whoever stands in datalab.toml has the groups that stand there, and the register
adds at most a password; of everybody else, the register says both.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

from pydantic import Field, TypeAdapter, ValidationError

from policies.document import Model, check_section, read_toml
from policies.errors import LakeError, UsageError
from policies.replace import held, replace_file
from policies.settings import Name, PolicySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LONGEST_NAME = 63
"""No user's name, and no group's, has more characters."""

NAMES = f"expected at most {LONGEST_NAME} of a-z, 0-9, '.', '_' and '-', a letter first"


class Account(Model):
    """What the register knows of one user."""

    groups: tuple[Name, ...] = ()
    """Not heeded for a user of datalab.toml."""
    login: Literal["local", "oidc"] = "local"
    digest: str | None = Field(None, repr=False)
    """The password, by argon2id; None: no password opens this account."""
    subject: str | None = None
    """Whom the provider means, by the claim `sub`: another who comes under the same name is refused."""
    first: bool = True
    """The password was made by somebody else, and opens nothing until its user has changed it."""
    changed: dt.datetime
    """When the password, or what the provider says of the user, was last changed (UTC)."""


_REGISTER = TypeAdapter(dict[Name, Account])


class People:
    """The users of a lab, as the two files say it now. Safe between threads."""

    def __init__(self, settings: Path, register: Path) -> None:
        """`settings` is datalab.toml; `register` need not be there. Nothing is read yet."""
        self._settings = settings
        self._register = register
        self._told: tuple[object, PolicySettings] | None = None
        self._kept: tuple[object, Mapping[str, Account]] | None = None

    def settings(self) -> PolicySettings:
        """The section [policies] of datalab.toml alone. Raises DocumentError."""
        now = _stamp(self._settings)
        held_ = self._told
        if held_ is None or held_[0] != now:
            section = read_toml(self._settings).get("policies", {})
            held_ = self._told = (now, check_section(self._settings, "policies", section, PolicySettings))
        return held_[1]

    def accounts(self) -> Mapping[str, Account]:
        """The register. Raises LakeError if it is damaged: then nobody of it is known."""
        now = _stamp(self._register)
        if now is None:
            return {}
        held_ = self._kept
        if held_ is None or held_[0] != now:
            try:
                held_ = self._kept = (now, _REGISTER.validate_json(self._register.read_bytes()))
            except (OSError, ValidationError):
                raise LakeError(
                    f"{self._register}: is damaged; restore it from its backup, or take it away and add its users again"
                ) from None
        return held_[1]

    def users(self) -> dict[str, tuple[str, ...]]:
        """Every user, and the groups it belongs to."""
        return {name: account.groups for name, account in self.accounts().items()} | self.settings().users

    def of_user(self, name: str) -> frozenset[str]:
        """The principals that user `name` is: itself, its groups and everyone. Raises UsageError if unknown."""
        return self._all().of_user(name)

    def resolve(self, principal: str) -> frozenset[str]:
        """The principals that `everyone`, `user:NAME`, `group:NAME` or a bare NAME stands for. Raises UsageError."""
        return self._all().resolve(principal)

    def change(self, change: Callable[[dict[str, Account]], None]) -> None:
        """Let `change` alter the register; what it leaves is on disk, its owner's alone, when this returns.

        Raises UsageError, and changes nothing, if a name or a group is none that a principal can have.
        """
        with held(self._register.with_suffix(".lock")):
            accounts = dict(self.accounts())
            change(accounts)
            try:
                text = _REGISTER.dump_json(dict(sorted(accounts.items())), indent=1)
                _REGISTER.validate_json(text)
            except ValidationError as error:
                given = str(error.errors()[0].get("input"))[: LONGEST_NAME + 1]
                raise UsageError(f"{given!r} is no name of a user or a group: {NAMES}") from None
            replace_file(self._register, text, 0o600)

    def _all(self) -> PolicySettings:
        return self.settings().model_copy(update={"users": self.users()})


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size, known.st_ino
