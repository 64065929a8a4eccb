"""The types that undeclared columns had in the last good snapshot: what is inferred once is kept.

A column is first tried in the very form it had: whole numbers in a column of decimals stay decimals, a text that
happens to be all digits stays text, and a date keeps the order of its day and month.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest import forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.forms import Form

AS_BEFORE = "text, as in the snapshot before"
_ONCE_SAID = "at most 1 decimals"
"""As receipts say it that are older, and kept for ever."""
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


@dataclass(frozen=True)
class Kept:
    """The SQL type that a column had, and why: the form it had gives the same reason.

    `marked` says that a column beside it holds its markers.
    """

    sql_type: str
    why: str
    marked: bool = False

    def form(self, measured: Callable[[str, bool], tuple[int, int]]) -> Form | None:
        """The form that the column had, if this release still has it.

        `measured` gives, for a separator and whether thousands are set apart, how many digits stand at most before and
        after it.
        """
        why = self.why.replace(_ONCE_SAID, "at most 1 decimal")
        return next((form for form in self._forms(measured) if form.why == why), None)

    def _forms(self, measured: Callable[[str, bool], tuple[int, int]]) -> Iterator[Form]:
        decimal = _DECIMAL.fullmatch(self.sql_type)
        if decimal is not None:
            precision, scale = int(decimal[1]), int(decimal[2])
            for separator, _, grouped in forms.NUMBERS:
                form = forms.number(precision - scale, scale, separator, "decimal", grouped=grouped)
                if form is not None:
                    yield form
        elif self.sql_type == forms.EXPONENT.sql_type:
            for separator, _, grouped in forms.NUMBERS:
                whole, scale = measured(separator, grouped)
                form = forms.number(whole, scale, separator, "float", grouped=grouped)
                if form is not None:
                    yield form
            yield forms.EXPONENT
            for separator in ".,":
                form = forms.number(1, 0, separator, "float")
                if form is not None:
                    yield forms.shortest(form)
        else:
            yield from (form for form in forms.FIXED if form.sql_type == self.sql_type)
