"""The type of an undeclared column: the first form that fits every text that was seen of it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from ingest import forms
from ingest.codes import looks_like_code
from ingest.markers import is_marker
from ingest.semantics import doubt, recognise
from ingest.typings import Typing

if TYPE_CHECKING:
    from ingest.evidence import Texts
    from ingest.forms import Form
    from ingest.table import SourceColumn

_NAMING = 200
"""So many values are looked at for what they mean."""
_GLANCE = 20
"""So many values show what a column would be, but for some others."""
_NUMBERS = tuple((separator, re.compile(pattern), grouped) for separator, pattern, grouped in forms.NUMBERS)
_KINDS = (*(pattern for _, pattern, _ in _NUMBERS), *(form.regex for form in forms.FIXED))
_AMBIGUOUS = re.compile(forms.AMBIGUOUS_THOUSANDS)
_LETTERED = re.compile(r"[0-9]+([eE][0-9]+)?")
_UNGROUPED = {forms.POINT, forms.COMMA}
_SPACES = str.maketrans(dict.fromkeys(" \u00a0\u202f"))


def guess(column: SourceColumn, texts: Texts, markers: tuple[str, ...] | None) -> Typing:
    """The typing of a column of texts. `markers` are those declared; None takes the known ones."""
    values = [value for value in texts.values if not is_marker(value, markers)]
    if not values:
        return Typing(column, None, "no value but markers" if texts.values else "no value", empty=not texts.values)
    some = values[:_NAMING]
    form = _fixed(values, texts.broken)
    if form is not None and form.word == "integer" and _are_codes(column, some):
        return text(column, some)
    if form is None:
        form = number(values, None)
        if form is not None and (_are_thousands(values) or looks_like_code(column.name, []) is not None):
            return text(column, some)
        if form is not None and form.plain in _UNGROUPED and all(map(_is_double, values)) and _is_long(values):
            form = forms.shortest(form)
        meant = None if form is None else recognise(column.name, some)
        if form is not None and meant is not None and meant.semantic.base == "float":
            form = number(values, "float")
        if form is None or form.pattern in texts.broken:
            form = forms.EXPONENT if _fits(forms.EXPONENT, values, texts.broken) and not _bare(column, values) else None
    return text(column, some, _odd(values)) if form is None else typed(column, texts, form, markers)


def typed(column: SourceColumn, texts: Texts, form: Form, markers: tuple[str, ...] | None) -> Typing:
    """The typing of a column whose texts have this form, but for those that are markers."""
    marking = tuple(value for value in texts.values if is_marker(value, markers))
    meant = recognise(column.name, list(texts.values)[:_NAMING]) if form.sql_type == "DOUBLE" else None
    return Typing(
        column,
        form.with_padding() if texts.padded else form,
        form.why,
        marker="" if marking else None,
        markers=marking,
        markers_declared=markers is not None,
        semantic=None if meant is None or meant.semantic.base == "text" else meant.semantic,
    )


def number(values: list[str], word: str | None) -> Form | None:
    """The form of numbers with decimals that all these are, as wide as the widest; None if they are not."""
    for separator, pattern, grouped in _NUMBERS:
        texts = [value.translate(_SPACES) for value in values] if grouped else values
        if all(map(pattern.fullmatch, texts)):
            whole, scale, least = widths(texts, separator)
            if scale > 0:
                return forms.number(whole, scale, separator, word, grouped=grouped, exact=least == scale)
    return None


def as_number(value: str, separator: str, *, grouped: bool) -> str | None:
    """The number without spaces between thousands, if it is one with this separator."""
    text = value.translate(_SPACES) if grouped else value
    return text if re.fullmatch(forms.POINT_NUMBER if separator == "." else forms.COMMA_NUMBER, text) else None


def widths(texts: list[str], separator: str) -> tuple[int, int, int]:
    """The most digits before the separator, and the most and the fewest after it."""
    parts = [text.lstrip("-").partition(separator) for text in texts]
    scales = [len(fraction) for _, _, fraction in parts]
    return max(len(whole) for whole, _, _ in parts), max(scales), min(scales)


def _fixed(values: list[str], broken: set[str]) -> Form | None:
    """The first of the fixed forms that fits; whole numbers come before all."""
    return next((form for form in forms.FIXED if _fits(form, values, broken)), None)


def _fits(form: Form, values: list[str], broken: set[str]) -> bool:
    return form.pattern not in broken and all(map(form.regex.fullmatch, values))


def _are_codes(column: SourceColumn, values: list[str]) -> bool:
    return column.digits_are_text or looks_like_code(column.name, values) is not None


def _bare(column: SourceColumn, values: list[str]) -> bool:
    """Whether exponents may be letters of codes: no value has a point or a sign, or the name says codes."""
    return all(map(_LETTERED.fullmatch, values)) or looks_like_code(column.name, []) is not None


def _is_long(values: list[str]) -> bool:
    """Whether some value has more digits than every float keeps."""
    return any(sum(map(str.isdigit, value)) > forms.DOUBLE_DIGITS for value in values)


def _is_double(value: str) -> bool:
    """Whether the float that is nearest to a number is written as that number: computed values are."""
    plain = value.replace(",", ".")
    return Decimal(repr(float(plain))) == Decimal(plain)


def _are_thousands(values: list[str]) -> bool:
    """Whether all that have a separator look like `1.234`, which may be a thousand or a decimal."""
    separated = [value for value in values if "." in value or "," in value]
    return all(map(_AMBIGUOUS.fullmatch, separated))


def _odd(values: list[str]) -> str:
    """The first value that is not what most at the beginning are; the first of all where there is none."""
    most = max(_KINDS, key=lambda kind: sum(kind.fullmatch(value) is not None for value in values[:_GLANCE]))
    return next((value for value in values if most.fullmatch(value) is None), values[0])


def text(column: SourceColumn, values: list[str], odd: str | None = None) -> Typing:
    """A text, and why: what it means, or what keeps it from being something else, such as the value `odd`."""
    meant = recognise(column.name, values)
    if meant is not None and meant.semantic.base == "text":
        return Typing(column, None, meant.why, semantic=meant.semantic)
    if all(re.fullmatch(r"-?[0-9]+", value) for value in values):
        why = doubt(column.name, values) or looks_like_code(column.name, values)
        why = why or ("digits written as text in the file itself" if column.digits_are_text else None)
        if why is not None:
            return Typing(column, None, why)
    elif number(values, None) is not None:
        if _are_thousands(values):
            return Typing(column, None, "numbers like 1.234: a thousand or a decimal? declare the type")
        if looks_like_code(column.name, []) is not None:
            return Typing(column, None, "numbers, but the name says that they are codes")
    odd = _odd(values) if odd is None else odd
    return Typing(column, None, doubt(column.name, values) or f"no other type fits every value, {odd[:40]!r} for one")
