"""What is known of the texts of a table's columns before they are typed: a sample, and what broke earlier guesses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest import forms

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from ingest.forms import Form

_SAMPLE = 5_000
_CELLS = 1_000_000
"""No sample has more cells, however many columns there are."""
AT_ONCE = 250
"""A wider table is given to the engine some columns at a time: it takes up to 1 MB for each column of texts."""


@dataclass
class Texts:
    """Texts of one column: the distinct values, bare, none blank, those that broke a guess first.

    `padded` says that some has white space around it, `broken` holds the patterns that some text passed whose value the
    cast refused, or that earlier guesses were broken by. `whole`: these are all that there are.
    """

    values: dict[str, None] = field(default_factory=dict)
    padded: bool = False
    broken: set[str] = field(default_factory=set)
    whole: bool = False

    def add(self, texts: Iterable[str | None]) -> None:
        """Add texts; None and blanks say nothing."""
        for text in texts:
            if text is not None and (bare := text.strip(forms.PADDING)):
                self.values[bare] = None
                self.padded |= bare != text

    def broke(self, form: Form | None, texts: list[str]) -> None:
        """Add the texts that `form` did not prove, before all others."""
        known, self.values = self.values, {}
        self.add(texts)
        self.values.update(known)
        if form is not None:
            self.broken.add(form.pattern)


def sample(con: duckdb.DuckDBPyConnection, source: str, names: list[str]) -> dict[str, Texts]:
    """The texts of these columns in the first rows of `source`, by name."""
    if not names:
        return {}
    rows = max(100, min(_SAMPLE, _CELLS // len(names)))
    seen: dict[str, Texts] = {}
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in some)
        found = con.execute(f"SELECT {listed} FROM {source} LIMIT {rows}").fetchall()  # noqa: S608
        for number, name in enumerate(some):
            seen[name] = Texts(whole=len(found) < rows)
            seen[name].add(row[number] for row in found)
    return seen
