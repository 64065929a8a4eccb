"""How long somebody who failed has to wait: nothing at first, then ever longer, by name and by address.

What is kept is bounded, and in memory: a restart forgets it, and costs whoever guesses more than it gives.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FREE = 5
"""So many failures cost nothing: people mistype."""

LONGEST = 300.0
"""Seconds that one waits at most."""

_FORGOTTEN = 3600.0
_MOST = 10_000


class Throttle:
    """Counts failures. Safe between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._guard = threading.Lock()
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, *whos: str) -> float:
        """Seconds until one of these may try again, the longest of them; 0 for now."""
        with self._guard:
            return max([0.0, *(self._wait(who) for who in whos)])

    def failed(self, *whos: str) -> None:
        """Note a failure of each of these."""
        now = self._clock()
        with self._guard:
            for who in whos:
                count, last = self._failed.pop(who, (0, now))
                self._failed[who] = (1 if now - last > _FORGOTTEN else count + 1, now)
            while len(self._failed) > _MOST:
                self._failed.popitem(last=False)

    def succeeded(self, *whos: str) -> None:
        """Forget their failures."""
        with self._guard:
            for who in whos:
                self._failed.pop(who, None)

    def _wait(self, who: str) -> float:
        count, last = self._failed.get(who, (0, 0.0))
        if count < FREE:
            return 0.0
        pause = min(LONGEST, 2.0 ** min(count - FREE, 20))
        return max(0.0, last + pause - self._clock())
