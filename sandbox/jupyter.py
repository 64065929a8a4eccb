"""What Jupyter finds in a jail beside its own: the SQL kernel, our panel of JupyterLab, and its settings.

The host's own kernels lie in /usr/share/jupyter, which a jail sees as the host does: so R is there where Debian's
r-cran-irkernel is, and else not.
"""

from __future__ import annotations

import json
from pathlib import Path

from sandbox.python import PYTHON

DATA = "/opt/datalab-jupyter"
CONFIG = "/opt/datalab-config"
ENVIRONMENT = {"JUPYTER_PATH": DATA, "JUPYTER_CONFIG_PATH": CONFIG}
"""Where a jail's Jupyter looks before anything else."""

_HERE = Path(__file__).parent / "inside" / "labextension"
_PANEL = f"{DATA}/labextensions/datalab-panel"
_SQL = {
    "argv": [PYTHON, "-m", "sqlkernel", "-f", "{connection_file}"],
    "display_name": "SQL (lab)",
    "language": "sql",
    "interrupt_mode": "signal",
}
_SETTINGS = {
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
}
"""The start page is to be read, not edited; and nobody is asked whether to fetch news where there is no network."""


def jupyter_files() -> dict[str, bytes]:
    """By where a jail sees them; the kernel's own package is handed in beside."""
    return {
        f"{DATA}/kernels/sql/kernel.json": json.dumps(_SQL).encode(),
        f"{_PANEL}/package.json": (_HERE / "package.json").read_bytes(),
        f"{_PANEL}/static/remoteEntry.js": (_HERE / "remoteEntry.js").read_bytes(),
        f"{CONFIG}/labconfig/default_setting_overrides.json": json.dumps(_SETTINGS).encode(),
    }
