"""The tokens by which programs say whose they are: shown once, kept as a digest, ended by a date or by hand.

A token is `dlab_<id>_<secret>`; the secret has 256 random bits, so that a plain SHA-256 of it cannot be guessed back.
Where a Hub stands before the lab, its tokens count, too, as long as the Hub says whose they are, and for which service.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from catalog.lake import stamp
from policies.document import Model
from policies.editions import Purpose
from policies.errors import LakeError, UsageError
from policies.replace import held, replace_file
from sandbox.hub.roles import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab
    from catalog.lake import Stamp
    from sandbox.hub.client import HubClient

_FORM = re.compile(r"dlab_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_PURPOSE = TypeAdapter(Purpose)

LONGEST = 100
"""No token has more characters."""


class Token(Model):
    """What is kept of a token; never the token."""

    id: str
    user: str
    purpose: str | None
    """The only purpose it is for; None: any that a request states."""
    created: dt.datetime
    until: dt.date
    """The first day on which it no longer holds."""
    digest: str


_TOKENS = TypeAdapter(tuple[Token, ...])


class Tokens:
    """A lab's tokens, at var/tokens.json."""

    def __init__(self, lab: Lab, hub: HubClient | None = None) -> None:
        """Read nothing yet."""
        self._lab = lab
        self._hub = hub
        self._path = lab.var / "tokens.json"
        self._read: tuple[Stamp, tuple[Token, ...]] | None = None

    def all(self) -> tuple[Token, ...]:
        """Every token, ended ones too, the oldest first. Raises LakeError if the file is damaged."""
        now = stamp(self._path)
        if now is None:
            return ()
        if self._read is None or self._read[0] != now:
            try:
                self._read = (now, _TOKENS.validate_json(self._path.read_bytes()))
            except (OSError, ValidationError):
                raise LakeError(f"{self._path}: is damaged; restore it, or take it away: all tokens end then") from None
        return self._read[1]

    def principals(self, token: Token) -> frozenset[str]:
        """Whoever the token's user is now. Raises UsageError once the user is gone."""
        return self._lab.people.of_user(token.user)

    def create(self, user: str, until: dt.date, purpose: str | None) -> str:
        """Make a token for `user` and return it: it is shown this once. Raises UsageError for an unknown user."""
        self._lab.people.of_user(user)
        if purpose is not None and not is_purpose(purpose):
            raise UsageError(f"{purpose!r} is no purpose: expected a word of a-z, 0-9 and -, as grants name it")
        if until <= _today():
            raise UsageError(f"{until} has begun: until is the first day on which the token no longer holds")
        name, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        made = Token(
            id=name,
            user=user,
            purpose=purpose,
            created=dt.datetime.now(dt.UTC),
            until=until,
            digest=_digest(secret),
        )
        self._change(lambda tokens: (*tokens, made))
        return f"dlab_{name}_{secret}"

    def revoke(self, name: str) -> Token:
        """End the token with that id, at once; returns what it was. Raises UsageError if there is none."""
        gone = next((token for token in self.all() if token.id == name), None)
        if gone is None:
            raise UsageError(f"there is no token {name!r}; `datalab token list` shows them")
        self._change(lambda tokens: tuple(token for token in tokens if token.id != name))
        return gone

    def of(self, said: str) -> Token | None:
        """The token that was said, if it holds today. Raises RemoteError where the Hub is asked and does not answer."""
        parts = _FORM.fullmatch(said) if len(said) <= LONGEST else None
        if parts is None:
            return self._of_hub(said)
        digest = _digest(parts[2])
        held = next((token for token in self.all() if token.id == parts[1]), None)
        if held is None or not hmac.compare_digest(held.digest, digest) or _today() >= held.until:
            return None
        return held

    def _of_hub(self, said: str) -> Token | None:
        """A token of the Hub's, as one of ours that holds for this request."""
        known = None if self._hub is None else self._hub.whose(said)
        if known is None or not known.may(GATEWAY):
            return None
        until = _today() + dt.timedelta(days=1)
        return Token(id="hub", user=known.name, purpose=None, created=dt.datetime.now(dt.UTC), until=until, digest="")

    def _change(self, change: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        with held(self._path.with_suffix(".lock")):
            text = _TOKENS.dump_json(change(self.all()), indent=1)
            replace_file(self._path, text, 0o600)


def is_purpose(said: str) -> bool:
    """Whether a grant could name it."""
    try:
        _PURPOSE.validate_python(said)
    except ValidationError:
        return False
    return True


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
