"""What a provider says of a user as a signed JWT, as ProConnect does (OpenID Connect Core 1.0, 5.3.2; RFC 7519)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt

from policies.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_PAIRS = ("RSA", "EC", "OKP")
"""Keys of two halves: with a secret that both sides know, whoever has ours could sign."""
_LEEWAY = 60
"""Seconds by which two clocks may differ."""


def claims_of(text: str, keys: Mapping[str, Any], client_id: str) -> dict[str, Any]:
    """The claims of a JWT that one of the provider's `keys` (a JWK Set, RFC 7517) has signed for this client.

    Raises UsageError for every other text.
    """
    try:
        head = jwt.get_unverified_header(text)
        if head.get("alg") not in _ALGORITHMS:
            raise jwt.InvalidAlgorithmError(f"expected one of {', '.join(_ALGORITHMS)}")
        of_two = [key for key in keys["keys"] if key.get("kty") in _PAIRS and key.get("use", "sig") == "sig"]
        named = [key for key in of_two if key.get("kid") == head["kid"]] if "kid" in head else of_two
        if len(named) != 1:
            raise jwt.InvalidKeyError(f"{len(named)} of its keys have the number that it names")
        return jwt.decode(
            text,
            jwt.PyJWK(named[0], algorithm=head["alg"]),
            algorithms=[head["alg"]],
            audience=client_id,
            leeway=_LEEWAY,
            options={"require": ["aud", "sub"]},
        )
    except (jwt.PyJWTError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"what the provider says of the user is not signed by it for this lab: {error}") from None
