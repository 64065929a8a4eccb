"""Days and moments, as portals write them → dates."""

from __future__ import annotations

import calendar
import datetime as dt
import re

_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:[T ].*|Z|[+-]\d\d:\d\d)?", re.DOTALL)
_FRENCH = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: .*)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")


def day(said: object, *, last: bool = False) -> dt.date | None:
    """The day of `2024-03-01`, `2024-03`, `2024`, a moment, or `01/03/2024`; None if it is none.

    Of a month or a year it is the first day, or the `last`.
    """
    text = str(said).strip() if isinstance(said, str | int) else ""
    french, compact = _FRENCH.fullmatch(text), _COMPACT.fullmatch(text)
    if french is not None:
        parts: tuple[str | None, ...] = (french[3], french[2], french[1])
    elif compact is not None:
        parts = compact.groups()
    else:
        found = _DAY.fullmatch(text)
        parts = (None,) if found is None else found.groups()
    if parts[0] is None:
        return None
    try:
        year = int(parts[0])
        month = int(parts[1]) if parts[1] else 12 if last else 1
        end = calendar.monthrange(year, month)[1] if last else 1
        return dt.date(year, month, int(parts[2]) if parts[2] else end)
    except (ValueError, IndexError, calendar.IllegalMonthError):
        return None


def moment(said: object) -> str | None:
    """A moment in ISO 8601, to the second; a day is its midnight, and no zone means UTC. None if it is none."""
    if not isinstance(said, str):
        return None
    try:
        found = dt.datetime.fromisoformat(said.strip())
    except ValueError:
        only = day(said)
        if only is None:
            return None
        found = dt.datetime.combine(only, dt.time())
    try:
        return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).replace(microsecond=0).isoformat()
    except (ValueError, OverflowError):
        return None
