"""How many decisions the policy makes in a second of one processor: `python bench/decisions.py`. Promised: 50,000."""

from __future__ import annotations

import datetime as dt
import time

from policies.decide import decide
from policies.model import Policy

GRANTS = 40
SECONDS = 2.0
DAY = dt.date(2026, 6, 1)


def policy() -> Policy:
    """Three editions, with grants to as many groups, half of them for two purposes."""
    grants = [
        {
            "to": f"group:g{number}",
            "edition": ("open", "partner", "raw")[number % 3],
            "purposes": ["eau", "air"] if number % 2 else "any",
            "from": "2026-01-01",
            "until": "2027-01-01",
            "why": f"convention {number}",
        }
        for number in range(GRANTS)
    ]
    return Policy.model_validate({"owner": "o", "editions": {"open": {}, "partner": {}}, "grants": grants})


def rate(*, allowed: bool) -> float:
    """Decisions a second: of those who are allowed, each by another grant, or of those who are denied, with reasons."""
    made = policy()
    asks = [
        (frozenset({"everyone", "user:ana", grant.to if allowed else "group:other"}), grant.edition)
        for grant in made.grants
    ]
    count, start = 0, time.process_time()  # of processor, so that what runs beside does not count
    while time.process_time() - start < SECONDS:
        for principals, edition in asks:
            if decide(made, edition, principals=principals, purpose="eau", on=DAY).allow != allowed:
                raise AssertionError(principals)
        count += len(asks)
    return count / (time.process_time() - start)


if __name__ == "__main__":
    for allowed in (True, False):
        print(f"{'allowed' if allowed else 'denied'}: {rate(allowed=allowed):,.0f} decisions/s, {GRANTS} grants")
