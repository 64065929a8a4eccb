"""What the front door's processes prove to each other who they are with: made at each start, in one private file."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from policies.replace import replace_file

if TYPE_CHECKING:
    from sandbox.hub.places import Places


@dataclass(frozen=True)
class ServiceTokens:
    """A secret each: the Hub's before the proxy, the portal's and the lookout's before the Hub."""

    proxy: str
    portal: str
    lookout: str


def made(places: Places) -> ServiceTokens:
    """New ones, which count from now on."""
    tokens = ServiceTokens(*(secrets.token_hex(32) for _ in range(3)))
    replace_file(places.tokens, json.dumps(asdict(tokens)).encode(), 0o600)
    return tokens


def read(places: Places) -> ServiceTokens:
    """Those that count."""
    return ServiceTokens(**json.loads(places.tokens.read_bytes()))
