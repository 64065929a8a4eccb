r"""A pattern of a TableSchema → the same in RE2, which the engine has.

The specification means those of XML Schema; what is written are those of Python and JavaScript. In all of them a text
is matched as a whole here, as in XML Schema. `\w` and `\s` mean the letters and spaces of all languages there, and of
ASCII alone in RE2; `\u00e9` is `\x{00e9}`.
"""

from __future__ import annotations

import re

import duckdb

from policies.errors import DocumentError

_ESCAPE = r"\\u(?P<code>[0-9A-Fa-f]{4})|\\(?P<sign>.)"
_SET = r"(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])"
_TOKEN = re.compile(f"{_SET}|{_ESCAPE}", re.DOTALL)
_CLASSES = {"w": r"\p{L}\p{N}\p{M}_", "s": r"\s\x0b\p{Z}"}


def translated(place: str, pattern: str) -> str:
    """The pattern as RE2 reads it. Raises DocumentError, which names `place`, for what it cannot say."""

    def told(found: re.Match[str]) -> str:
        some = found["set"]
        if some is None:
            return _escaped(found, inside=False)
        if "-[" in some:  # such as [a-z-[aeiou]], which RE2 would read otherwise
            message = "a class of signs without those of another is not there"
            raise ValueError(message)
        return re.sub(_ESCAPE, lambda one: _escaped(one, inside=True), some, flags=re.DOTALL)

    try:
        made = _TOKEN.sub(told, pattern)
        duckdb.cursor().execute("SELECT regexp_full_match('', ?)", [made]).fetchall()
    except (ValueError, duckdb.Error) as error:
        reason = str(error).splitlines()[0]
        raise DocumentError(
            f"{place}: the pattern {pattern!r} cannot be checked here: {reason}; look-ahead, look-behind and "
            "references back are not there: write it otherwise, or take it out"
        ) from None
    return made


def _escaped(found: re.Match[str], *, inside: bool) -> str:
    code, sign = found["code"], found["sign"]
    if code is not None:
        return f"\\x{{{code}}}"
    if sign in _CLASSES:
        return _CLASSES[sign] if inside else f"[{_CLASSES[sign]}]"
    if sign.lower() in _CLASSES and not inside:
        return f"[^{_CLASSES[sign.lower()]}]"
    if sign in "icICWS":
        message = f"\\{sign} is not read here{' in a class of signs' if inside else ''}"
        raise ValueError(message)
    return r"\z" if sign == "Z" else f"\\{sign}"
