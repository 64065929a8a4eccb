"""Secrets: a descriptor names the environment's variable, the environment has the value."""

from __future__ import annotations

import os

from policies.errors import SourceError


def secret(name: str) -> str:
    """The value of the environment's variable `name`. Raises SourceError, which never shows a value, if it has none."""
    value = os.environ.get(name)
    if not value:
        raise SourceError(f"the environment has no {name}, which the descriptor names; set it")
    return value
