"""Of what kind the cells of a column are, by how they are written: so names are told from values, rows from notes."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from ingest import forms
from ingest.markers import is_marker

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBERS = "number 0"
"""The kind of numbers."""
_TYPICAL = 0.9
_ENOUGH = 60
_NUMBER = re.compile(rf"[-+]?[0-9][0-9 \u00a0\u202f]*([.,][0-9]+)?([eE][-+]?[0-9]+)?|{forms.COMMA_NUMBER}")

_DIGITS, _LETTERS = re.compile(r"[0-9]+"), re.compile(r"[^\W\d_]+")


def kinds_of(rows: Sequence[tuple[str, ...]], width: int) -> list[str | None]:
    """The shape of each column's values, where it has one."""
    some = rows[:_ENOUGH]
    return [kind_of([row[place] for row in some if place < len(row)]) for place in range(width)]


def kind_of(cells: Sequence[str]) -> str | None:
    """The shape that nearly all the cells of a column have that say something, if a name would not have it."""
    shapes = Counter(shape_of(text) for cell in cells if (text := cell.strip()) and not is_marker(text, None))
    if not shapes:
        return None
    shape, count = shapes.most_common(1)[0]
    return shape if count >= _TYPICAL * shapes.total() and any(sign in shape for sign in "0@") else None


def shape_of(value: str) -> str:
    """`number` for numbers; else the text with letters as `a` and digits as `0`, each run as one."""
    if _NUMBER.fullmatch(value):
        return NUMBERS
    return _DIGITS.sub("0", _LETTERS.sub("a", value))
