"""What a semantic type is: the texts that are valid, for Python and for SQL, and the names that speak for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from policies.editions import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SPACES = " \u00a0\u202f"
"""The spaces that may stand between the groups of a number."""
GAP = f"[{SPACES}]?"


@dataclass(frozen=True)
class Key:
    """A key that a pattern cannot check: the same rule for Python, and in SQL for the text that an expression gives.

    Both see only texts that the pattern has passed, without the spaces between groups.
    """

    valid: Callable[[str], bool]
    sql: Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Semantic:
    """What a column means: which texts are valid, and which names speak for it.

    `said` is one value of it, in a sentence; `title` a line for the docs. `pattern`, for a text without white space
    around it, is valid both for Python's `re` and for RE2. `names` are words of a column's name; an entry of several
    words asks for all of them. `needs_name`: the pattern alone says too little to be believed. `outranks` are the types
    that give way where both fit. A column whose `base` is float is a number, and the type only says of what.
    """

    word: str
    said: str
    title: str
    pattern: str
    key: Key | None = None
    names: frozenset[str]
    needs_name: bool = True
    outranks: frozenset[str] = frozenset()
    base: Literal["text", "float"] = "text"
    examples: tuple[str, ...]
    counterexamples: tuple[str, ...]

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern, for Python."""
        return re.compile(self.pattern)

    def valid(self, text: str) -> bool:
        """True if `text`, which has no white space around it, is a value of this type."""
        if self.regex.fullmatch(text) is None:
            return False
        return self.key is None or self.key.valid("".join(char for char in text if char not in SPACES))

    def proof_sql(self, text: str) -> str:
        """SQL: true where the expression `text`, without white space around it, is a value of this type, else false.

        The same answer as `valid`, false for NULL, and no text makes it fail. `text` is repeated: let it be a column.
        """
        matches = f"regexp_full_match({text}, {literal(self.pattern)})"
        if self.key is None:
            return f"coalesce({matches}, false)"
        dense, joined = f"regexp_full_match({text}, '[0-9A-Z]+')", f"translate({text}, '{SPACES}', '')"
        once = f"list_transform([{joined}], lambda joined: {self.key.sql('joined')})[1]"
        return (
            f"CASE WHEN NOT coalesce({matches}, false) THEN false "
            f"WHEN {dense} THEN {self.key.sql(text)} ELSE {once} END"
        )

    def named(self, words: Iterable[str]) -> str | None:
        """The entry of `names` that stands in the words of a column's name, or None."""
        there = frozenset(words)
        return min((entry for entry in self.names if there.issuperset(entry.split())), default=None)

    def broken(self, count: int, example: str) -> str:
        """Why a column that seemed to be of this type is not: `count` of its values, such as `example`, are not."""
        return f"seemed to be {self.word}, but {count} of its values {_are(count)} not {self.said}: {example[:40]!r}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
