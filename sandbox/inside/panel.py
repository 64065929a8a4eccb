"""Inside the jail: what our panel of JupyterLab shows (labextension/), as JSON at `datalab/told` for the user.

All of it is read from what the jail shows anyway, at each question: grants come and go while it runs.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web

DATA = Path("/data")
NOTICE = Path("/run/datalab/notice.json")


class Told(APIHandler):
    """To be asked is no use of the sandbox."""

    _track_activity = False

    @web.authenticated
    def get(self) -> None:
        """Answer."""
        self.finish(json.dumps(told(DATA, Path.home(), NOTICE)))


def answer_on(server: ServerApp) -> None:
    """Have a server answer it."""
    server.web_app.add_handlers(".*$", [(url_path_join(server.base_url, "datalab/told"), Told)])  # type: ignore[no-untyped-call]


def told(data: Path, home: Path, notice: Path) -> dict[str, Any]:
    """What there is to say; a file that is being changed at this moment is left out until the next time."""
    room = os.statvfs(home)
    return {
        "datasets": [{**one, "tables": _tables(data, one)} for one in _read(data / "datasets.json", [])],
        "home": {"used": (room.f_blocks - room.f_bfree) * room.f_frsize, "size": room.f_blocks * room.f_frsize},
        "stops": _read(notice, {}).get("stops"),
        "idle": float(os.environ.get("DATALAB_IDLE", "0")) or None,
    }


def _tables(data: Path, one: dict[str, Any]) -> list[dict[str, Any]]:
    schema = one["dataset"] if one["default"] else f'"{one["dataset"]}@{one["edition"]}"'
    found = _read(data / one["dataset"] / one["edition"] / "current.json", {"resources": {}})["resources"]
    kept = ("name", "type", "title")
    return [
        {
            "name": f"{schema}.{name}",
            "rows": served["rows"],
            "columns": [{key: column[key] for key in kept if column.get(key)} for column in served["columns"]],
        }
        for name, served in found.items()
    ]


def _read(path: Path, otherwise: Any) -> Any:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_bytes())
    return otherwise
