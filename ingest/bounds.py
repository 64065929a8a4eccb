"""The numbers that a schema compares a column's values with: exactly, as the column's own type has its values."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from ingest.typings import Check
from policies.errors import ReadingError

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT"})
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_DIGITS = 38
_TINY = 100
"""No column holds a number with a digit so far after the point."""


@dataclass(frozen=True)
class Bound:
    """A value that is `sign` (`<`, `<=`, `>`, `>=`) a number, or `NOT IN` the numbers, is rejected, for `reason`."""

    sign: str
    numbers: tuple[Decimal, ...]
    reason: str

    def check(self, name: str, sql_type: str) -> Check:
        """The check of a column of this type. Raises ReadingError, with its `name`, if it has no numbers."""
        exact = _DECIMAL.fullmatch(sql_type)
        if sql_type in _FLOATS:
            near = ", ".join(f"CAST(CAST('{float(one)!r}' AS DOUBLE) AS {sql_type})" for one in self.numbers)
            listed = f"({near})" if self.sign == "NOT IN" else near
            return Check(f"({{x}} {self.sign} {listed} OR isnan({{x}}))", self.reason)
        if exact is None and sql_type not in _INTEGERS:
            raise ReadingError(
                f"column {name!r}: the schema has a constraint of numbers, {self.reason}, but the column is declared "
                "otherwise; take the constraint out of the schema, or declare a number"
            )
        scale = 0 if exact is None else int(exact[2])
        if self.sign == "NOT IN":
            among = [one for one in (_scaled(number, scale) for number in self.numbers) if one.denominator == 1]
            listed = ", ".join(_sql(one.numerator, scale) for one in among if abs(one) < 10**_DIGITS)
            return Check(f"{{x}} NOT IN ({listed})" if listed else "{x} IS NOT NULL", self.reason)
        return Check(self._compared(_scaled(self.numbers[0], scale), scale), self.reason)

    def _compared(self, bound: Fraction, scale: int) -> str:
        """SQL for values that are whole numbers once they are `scale`d: so the bound may be rounded to the next one."""
        whole = math.ceil(bound) if self.sign in {"<", ">="} else math.floor(bound)
        if abs(whole) >= 10**_DIGITS:  # past every value
            return "{x} IS NOT NULL" if (self.sign in {"<", "<="}) == (whole > 0) else "false"
        return f"{{x}} {self.sign} {_sql(whole, scale)}"


def _scaled(number: Decimal, scale: int) -> Fraction:
    """The number of units of 1/10^scale."""
    if number.adjusted() > _DIGITS:
        number = Decimal(f"{'-' if number.is_signed() else ''}1E{_DIGITS + 1}")
    if number.adjusted() < -_TINY and number != 0:
        number = Decimal(f"{'-' if number.is_signed() else ''}1E-{_TINY}")
    return Fraction(number) * Fraction(10**scale)


def _sql(units: int, scale: int) -> str:
    """A literal of the whole number of units of 1/10^scale."""
    digits = str(abs(units)).rjust(scale + 1, "0")
    text = f"{digits[: len(digits) - scale]}.{digits[len(digits) - scale :]}" if scale else digits
    return f"CAST('{'-' if units < 0 else ''}{text}' AS DECIMAL({_DIGITS},{scale}))"
