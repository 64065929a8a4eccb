"""From where a command is run: the account at the terminal."""

from __future__ import annotations

import os
import pwd


def account() -> str:
    """The name of the account that runs the command, as the system knows it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def terminal() -> str:
    """The same as the `origin` of an event: `account:NAME`."""
    return f"account:{account()}"
