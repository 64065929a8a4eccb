"""The ways in which numbers are written, and the form of those of one column: as wide as its widest.

`forms.py` has the numbers with spaces between their thousands; other signs there, and a unit beside, must be declared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ingest import forms
from policies.editions import literal

if TYPE_CHECKING:
    import duckdb

    from ingest.forms import Form

SPACE = " "
"""As the sign between thousands: any of the spaces."""
_SPACES = "[ \u00a0\u202f]"
_UNIT = "[^0-9+\\-\u2212\u2013\u2014.,()<>=~\u2248\u2264\u2265]*"
"""What may be a unit: nothing of it makes another value of the number, as a sign, brackets or `<` would."""


@dataclass(frozen=True)
class Writing:
    """One way to write numbers: the decimal sign, and what sets thousands apart ("" nothing).

    With a `unit`, the one that most numbers of the column have, before or after them, may stand beside each.
    """

    point: str
    group: str = ""
    unit: bool = False

    def forms(self, con: duckdb.DuckDBPyConnection, source: str, raw: str, word: str) -> list[Form]:
        """The forms of the column `raw` of `source`, as a type: "integer", "decimal", "float", or "number" for both."""
        before, after = self._affixes(con, source, raw) if self.unit else ("", "")
        bare = _without_sql(forms.bare(raw), before, after)
        if word == "integer":
            found = [forms.INTEGERS[1] if self.group else forms.INTEGERS[0]]
        else:
            whole, scale = self._widths(con, source, bare)
            form = forms.number(whole, scale, self.point, None if word == "number" else word, grouped=self.group != "")
            found = [] if form is None else [form]
            if self.point == "." and word != "decimal" and not self.group and not self.unit:
                found.append(forms.EXPONENT)
        return [_with_unit(self._grouped(form), before, after).with_padding() for form in found]

    def _grouped(self, form: Form) -> Form:
        """The form, its thousands set apart by this sign instead of spaces."""
        if self.group in {"", SPACE}:
            return form
        return replace(
            form,
            pattern=form.pattern.replace(_SPACES, f"[{re.escape(self.group)}]"),
            plain=form.plain.replace("{x}", f"replace({{x}}, {literal(self.group)}, '')"),
            why=form.why.replace("set apart by spaces", f"set apart by {self.group!r}"),
        )

    def _widths(self, con: duckdb.DuckDBPyConnection, source: str, bare: str) -> tuple[int, int]:
        """The most digits before and after the decimal sign, of the texts that are such numbers."""
        text = forms.ungrouped(bare) if self.group == SPACE else bare
        text = f"replace({text}, {literal(self.group)}, '')" if self.group not in {"", SPACE} else text
        pattern = forms.POINT_NUMBER if self.point == "." else forms.COMMA_NUMBER
        whole, scale = _row(
            con,
            f"SELECT max(length(ltrim(split_part({text}, '{self.point}', 1), '-'))), "  # noqa: S608
            f"max(length(split_part({text}, '{self.point}', 2))) "
            f"FROM {source} WHERE regexp_full_match({text}, '{pattern}')",
        )
        return whole or 1, scale or 0

    def _affixes(self, con: duckdb.DuckDBPyConnection, source: str, raw: str) -> tuple[str, str]:
        """The unit that most of the numbers have, before and after them; none is two empty texts."""
        text = forms.bare(raw)
        found = con.execute(
            f"SELECT trim(regexp_extract({text}, '^({_UNIT})', 1), '{forms.PADDING}') AS b, "  # noqa: S608
            f"trim(regexp_extract({text}, '[0-9]({_UNIT})$', 1), '{forms.PADDING}') AS a FROM {source} "
            f"WHERE regexp_matches({text}, '[0-9]') AND (b <> '' OR a <> '') "
            "GROUP BY b, a ORDER BY count(*) DESC, b, a LIMIT 1"
        ).fetchall()
        return (found[0][0], found[0][1]) if found else ("", "")


def _with_unit(form: Form, before: str, after: str) -> Form:
    if not before and not after:
        return form
    blank = f"[{forms.PADDING}]*"
    first = f"({re.escape(before)}{blank})?" if before else ""
    last = f"({blank}{re.escape(after)})?" if after else ""
    return replace(
        form,
        pattern=f"{first}({form.pattern}){last}",
        plain=form.plain.replace("{x}", _braced(_without_sql("\x00", before, after)).replace("\x00", "{x}")),
        quick=None,
        why=f"{form.why}, {before or after!r} beside it",
        standard=False,
    )


def _without_sql(text: str, before: str, after: str) -> str:
    """SQL: the number in `text`, without the unit."""
    for unit, side in ((before, "^{}"), (after, "{}$")):
        if unit:
            text = f"trim(regexp_replace({text}, {literal(side.format(re.escape(unit)))}, ''), '{forms.PADDING}')"
    return text


def _braced(sql: str) -> str:
    """Braces doubled, because a form's SQL goes through str.format."""
    return sql.replace("{", "{{").replace("}", "}}")


def _row(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """The one row of an aggregate; fetchall ends the query, which fetchone leaves open on DuckDB 2."""
    return con.execute(sql).fetchall()[0]


WRITINGS = tuple(Writing(point, SPACE if grouped else "") for point, _, grouped in forms.NUMBERS)
"""The ways that are looked for where none is declared."""
