"""Signals that ask a process to end, as a descriptor: one `select` waits for them beside all else."""

from __future__ import annotations

import os
import signal


def asked_to_end(*numbers: signal.Signals) -> int:
    """A descriptor that becomes readable when one of these signals has come; they end nothing by themselves then."""
    asked, ending = os.pipe()
    os.set_blocking(ending, False)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(ending)
    return asked
