"""The outboxes of the Hub's sandboxes, emptied and checked every few seconds: a child of `datalab serve`.

python -m sandbox.hub.outboxes
"""

from __future__ import annotations

import logging
import os
import select
import signal
from pathlib import Path

from catalog.lab import Lab
from policies.errors import DatalabError
from sandbox.airlock.collect import collect
from sandbox.homes import users
from sandbox.hub.grants import running
from sandbox.hub.places import places_of
from sandbox.hub.signals import asked_to_end

LOG = logging.getLogger("datalab.outboxes")
_EACH = 10


def main() -> None:
    """Empty them until SIGTERM: all of them first, then those of sandboxes that run or did a moment ago."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    over = asked_to_end(signal.SIGTERM, signal.SIGINT)
    lab = Lab.open(Path(os.environ["DATALAB_LAB"]))
    places = places_of(lab)
    before = earlier = set(users(lab))
    while not select.select([over], [], [], _EACH)[0]:
        now = {one.user for one in running(places)}
        try:
            for made in collect(lab, lambda said: LOG.warning("%s", said), of=now | before | earlier):
                LOG.info("%d, of %s: %s", made.number, made.user, made.state)
            before, earlier = now, before  # one that was being written when its sandbox ended is taken the next time
        except (DatalabError, OSError) as error:  # no jail for the checks, a full disk: it is tried again
            LOG.warning("%s", error)
            earlier |= before | now


if __name__ == "__main__":
    main()
