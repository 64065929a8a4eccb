"""A request that failed in passing is made anew, after a wait."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import TYPE_CHECKING, TypeVar

from ingest.sources.guarded import FAILURES, PASSING
from ingest.sources.partial import date_in
from policies.errors import SourceError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from ingest.settings import IngestSettings

BUSY = frozenset({429, 500, 502, 503, 504})
"""The statuses of a server that may answer otherwise a little later."""
_FIRST_WAIT = 0.5  # seconds, doubled each time
_T = TypeVar("_T")


class BusyError(Exception):
    """The server cannot answer now; `wait` is how many seconds it asks to wait, None if it does not say."""

    def __init__(self, message: str, wait: float | None) -> None:  # noqa: D107
        super().__init__(message)
        self.wait = wait


def tried(
    url: str,
    once: Callable[[], _T],
    settings: IngestSettings,
    left: Callable[[], float],
    sleep: Callable[[float], None],
) -> _T:
    """What `once` gives, called anew at most `retries` times, while what hinders it may pass and time is `left`.

    Raises SourceError naming `url` for BusyError and the transport's FAILURES.
    """
    for number in itertools.count():
        wait = None
        try:
            return once()
        except BusyError as busy:
            wait, error = busy.wait, str(busy)
        except FAILURES as failure:
            said = str(failure).split(": bytearray(")[0][:200] or type(failure).__name__  # not the server's bytes
            error = f"{url}: cannot be fetched: {said}; check the address and the network"
            if not isinstance(failure, PASSING):
                raise SourceError(error) from None
        if number == settings.retries:
            raise SourceError(f"{error} (asked {count_of(number + 1, 'time')})")
        sleep(_seconds(error, wait, number, settings.max_wait, max(0, left())))
    raise AssertionError


def wait_asked(answer: httpx.Response) -> float | None:
    """The seconds of Retry-After (RFC 9110, 10.2.3), which is a number or a date."""
    said = str(answer.headers.get("retry-after", "")).strip()
    if said.isascii() and said.isdigit():
        return float(said[:12])
    until = date_in(answer, "retry-after")
    if until is None:
        return None
    return max(0.0, (until - (date_in(answer, "date") or dt.datetime.now(dt.UTC))).total_seconds())


def _seconds(error: str, asked: float | None, number: int, max_wait: float, left: float) -> float:
    """How long to wait: as the server asks, or twice as long each time. Raises the error when that is no use."""
    if asked is not None and asked > min(max_wait, left):
        most = f"max_wait is {max_wait:g}, and of timeout {left:.0f} s are left"
        raise SourceError(f"{error}; the server asks to wait {asked:.0f} s, but {most}. Try later")
    seconds = max(asked or 0, _FIRST_WAIT * 2.0**number * random.uniform(0.5, 1))  # noqa: S311  so that jobs spread
    if seconds > left:
        raise SourceError(f"{error}; no time is left to ask again, raise timeout in [ingest] of datalab.toml")
    return seconds
