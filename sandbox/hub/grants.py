"""Grants that come and go in the sandboxes of the Hub: a child of `datalab serve`, which may die and begin anew.

python -m sandbox.hub.grants
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.lab import Lab
from sandbox.hub.held import Held
from sandbox.hub.order import JAIL
from sandbox.hub.places import places_of
from sandbox.hub.signals import asked_to_end
from sandbox.live.many import Running, follow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.hub.places import Places

LOG = logging.getLogger("datalab.grants")


def running(places: Places) -> Iterator[Running]:
    """The sandboxes that keepers hold now."""
    for noted in places.sandboxes.glob(f"*/{JAIL}"):
        with contextlib.suppress(OSError, ValueError):  # one that begins or ends at this moment
            told = json.loads(noted.read_text(encoding="utf-8"))
            if Held(told["pid"], told["started"]).lives:
                yield Running(told["pid"], told["user"], told["purpose"], told["origin"])


def main() -> None:
    """Follow them until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    over = asked_to_end(signal.SIGTERM, signal.SIGINT)
    lab = Lab.open(Path(os.environ["DATALAB_LAB"]))
    places = places_of(lab)
    follow(lab, lambda: running(places), lambda one, said: LOG.info("%s: %s", one.user, said), over)


if __name__ == "__main__":
    main()
