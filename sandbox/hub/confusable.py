"""Names that are read as another's: with them somebody could pass for whom a steward or a colleague knows.

Letters beyond a-z are refused before, with every name of a principal (policies/settings.py), so what is left is what
looks alike within it, as in the confusables of Unicode Technical Standard 39.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEEN_AS = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", ".": "", "_": "", "-": ""})
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


def seen_as(name: str) -> str:
    """How a name looks at a glance: two that look alike give the same."""
    seen = name.translate(_SEEN_AS)
    for pair, one in _PAIRS:
        seen = seen.replace(pair, one)
    return seen


def like(name: str, others: Iterable[str]) -> str | None:
    """One of `others` that is taken for `name`, and is not it; None if there is none."""
    return next((other for other in others if other != name and seen_as(other) == seen_as(name)), None)
