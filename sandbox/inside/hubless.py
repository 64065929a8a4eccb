"""Inside a jail: stand-ins for what only a Hub itself needs of JupyterHub, so that a sandbox of a Hub's loads its
client and not its database: 40 MB and a second less for each.

Its client imports modules that import the Hub's tables and pages (jupyterhub/scopes.py, utils.py, log.py, 6.1). What is
missing here is an AttributeError where it is asked for, and whoever comes is then not let in.
"""

import sys
import types
from typing import Any


class _Never(Exception):  # noqa: N818  the name is not theirs
    """No database, no error of it."""


class _NoHandler:
    """No page of the Hub is answered here."""


def _nothing(*_: Any) -> None:
    """Nobody reads metrics here."""


def stand_in() -> None:
    """Put them where Python looks first; those that are loaded already stay."""
    standing: dict[str, dict[str, Any]] = {
        "sqlalchemy": {},
        "sqlalchemy.exc": {"SQLAlchemyError": _Never},
        "jupyterhub.orm": {},
        "jupyterhub.roles": {},
        "jupyterhub.handlers": {},
        "jupyterhub.handlers.pages": {"HealthCheckHandler": _NoHandler},
        "jupyterhub.metrics": {"prometheus_log_method": _nothing},
    }
    for name, has in standing.items():
        if name not in sys.modules:
            module = types.ModuleType(name)
            vars(module).update(has)
            sys.modules[name] = module
