"""Local accounts: made by `datalab user`, opened by a password, of which argon2id's digest alone is kept.

The first password is made here, shown once, and opens nothing but the page where its user chooses another. RFC 9106
gives argon2's numbers; those of argon2-cffi's RFC_9106_LOW_MEMORY are taken (64 MiB, three passes).
"""

from __future__ import annotations

import datetime as dt
import secrets
from functools import cache
from typing import TYPE_CHECKING

import argon2

from policies.errors import UsageError
from policies.people import LONGEST_NAME, Account
from sandbox.hub.confusable import like

if TYPE_CHECKING:
    from catalog.lab import Lab

SHORTEST, LONGEST = 12, 200
"""Characters of a password."""

_HASHER = argon2.PasswordHasher.from_parameters(argon2.profiles.RFC_9106_LOW_MEMORY)
_FIRST_BYTES = 12


def add(lab: Lab, name: str, groups: tuple[str, ...] = ()) -> str:
    """Make an account, and return its first password: it is shown this once.

    Raises UsageError for a name that is taken, that no principal can have, or that is read as another's; and for groups
    of a user of datalab.toml, which stand there.
    """
    declared = lab.people.settings().users
    if name in declared and groups:
        raise UsageError(f"{name}: its groups stand in datalab.toml, [policies.users]; change them there")
    taken = like(name, lab.people.users())
    if taken is not None:
        raise UsageError(f"{name!r} is read as {taken!r}, who is there already; choose a name that nobody confounds")
    password = secrets.token_urlsafe(_FIRST_BYTES)
    made = Account(groups=groups, digest=_HASHER.hash(password), first=True, changed=_now())

    def put(accounts: dict[str, Account]) -> None:
        if name in accounts:
            raise UsageError(f"{name!r} has an account already; `datalab user passwd {name}` gives it a new password")
        accounts[name] = made

    lab.people.change(put)
    return password


def renew(lab: Lab, name: str) -> str:
    """Give an account a new first password, and return it; the old one opens nothing any more. Raises UsageError."""
    password = secrets.token_urlsafe(_FIRST_BYTES)
    digest = _HASHER.hash(password)

    def put(accounts: dict[str, Account]) -> None:
        known = _known(accounts, name)
        accounts[name] = known.model_copy(update={"digest": digest, "first": True, "login": "local", "changed": _now()})

    lab.people.change(put)
    return password


def remove(lab: Lab, name: str) -> None:
    """Take an account away. Its home stays, and a user of datalab.toml is still one there. Raises UsageError."""

    def put(accounts: dict[str, Account]) -> None:
        _known(accounts, name)
        del accounts[name]

    lab.people.change(put)


def choose(lab: Lab, name: str, password: str) -> None:
    """Keep the password that a user has chosen. Raises UsageError with what is wrong with it."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"a password has {SHORTEST} to {LONGEST} characters")
    if name in password.lower():
        raise UsageError("the password holds the user's name")
    digest = _HASHER.hash(password)

    def put(accounts: dict[str, Account]) -> None:
        known = _known(accounts, name)
        accounts[name] = known.model_copy(update={"digest": digest, "first": False, "changed": _now()})

    lab.people.change(put)


def verified(lab: Lab, name: str, password: str) -> Account | None:
    """The account that this password opens; None for any other, after the same work, whether the user exists or not."""
    account = lab.people.accounts().get(name) if len(name) <= LONGEST_NAME else None
    digest = None if account is None else account.digest
    if len(password) > LONGEST:
        password = ""
    try:
        _HASHER.verify(_nobodys() if digest is None else digest, password)
    except argon2.exceptions.Argon2Error:
        return None
    return account if digest is not None else None


@cache
def _nobodys() -> str:
    """A digest that no password opens, so that an unknown user takes as long as a known one."""
    return _HASHER.hash(secrets.token_urlsafe(32))


def _known(accounts: dict[str, Account], name: str) -> Account:
    if name not in accounts:
        raise UsageError(f"{name[:LONGEST_NAME]!r} has no account; `datalab user list` shows them")
    return accounts[name]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
