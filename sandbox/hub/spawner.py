"""A sandbox for a user of the Hub: what `datalab sandbox lab` starts, held by a keeper (keeper.py).

The Hub may die and come back meanwhile: it kept the keeper's process and finds it again. What cannot be started is said
on the page where it was asked for, with whom to ask.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from typing import TYPE_CHECKING, Any, ClassVar, cast

from jupyterhub import orm  # type: ignore[import-untyped]
from jupyterhub.spawner import Spawner  # type: ignore[import-untyped]
from tornado import web
from traitlets import Any as AnyTrait

from policies.errors import DatalabError, DeniedError, SandboxError, UsageError
from sandbox.hub import choices, launch
from sandbox.hub.form import form
from sandbox.hub.held import Held
from sandbox.hub.places import address
from sandbox.hub.use import noted

if TYPE_CHECKING:
    from catalog.lab import Lab
    from sandbox.hub.early import Pool
    from sandbox.hub.order import Order
    from sandbox.hub.places import Places
    from sandbox.hub.settings import HubSettings

_GONE = 0
"""What `poll` answers for a sandbox that has ended: why is in the audit log, and no number says it."""

_SLACK = 5
_STEP = 0.05


class LabSpawner(Spawner):  # type: ignore[misc]
    """One user's sandbox. `lab`, `places` and `front` are given by the configuration."""

    lab = cast("Lab", AnyTrait(config=True))
    places = cast("Places", AnyTrait(config=True))
    front = cast("HubSettings", AnyTrait(config=True))
    pool: ClassVar[Pool]
    """Of all users together; no option, for options are copied."""

    _held: Held | None = None
    _known: float = 0
    """Since when this Hub knows it, if another had started it: without a Hub no sandbox can say that it is used."""

    @property
    def server(self) -> Any:
        """Where the sandbox answers. The Hub puts `:80` behind a socket's path, which is then another path."""
        server = Spawner.server.fget(self)
        if server is not None and server.proto == "http+unix":
            server.connect_url = f"{server.proto}://{server.ip}{server.base_url}"
        return server

    @server.setter
    def server(self, server: Any) -> None:
        Spawner.server.fset(self, server)

    async def get_options_form(self) -> str:
        """The questions before the start."""
        accept = "" if self.handler is None else self.handler.request.headers.get("Accept-Language", "")
        try:
            offer = await asyncio.to_thread(choices.offer, self.lab, self.front, self.user.name)
        except DatalabError as error:
            raise self._refused(error) from None
        return form(offer, self.front, accept)

    def options_from_form(self, formdata: dict[str, list[str]]) -> dict[str, str]:
        """What was answered; it is checked at the start, since programs send no form."""
        return {name: values[0] for name, values in formdata.items() if name in choices.NAMES and len(values) == 1}

    async def start(self) -> str:
        """Start it, and return its address. Raises web.HTTPError with what to say to the user."""
        try:
            running = self.db.query(orm.Spawner).filter(orm.Spawner.server_id.isnot(None)).count()  # this one, too
            if running > self.front.sandboxes:
                raise SandboxError(
                    f"{self.front.sandboxes} sandboxes run already, and no more are let: try again when one has been "
                    "stopped; the bound is [hub] sandboxes"
                )
            order = await asyncio.to_thread(self._order, self._told())
            early = self.pool.take()
            self.log.info("%s: %s", self._log_name, "a warm jail" if early else "a cold start")
            self._held = await asyncio.to_thread(launch.launched, order, self.pool, early)
        except DatalabError as error:
            self.log.warning("%s: no sandbox: %s", self._log_name, " ".join(str(error).split()))
            raise self._refused(error) from None
        return address(order.folder / "lab.sock")

    async def stop(self, now: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  as the Hub calls it
        """End it in order, and by force after the grace; its files stay."""
        if self._held is not None:
            await asyncio.to_thread(launch.ended, self._held, self.front.grace + _SLACK)
            self._held = None

    async def poll(self) -> int | None:
        """None while it runs, 0 when it has ended. One that nobody has used for long is stopped, after a notice."""
        if self._held is None or not self._held.lives:
            return _GONE
        if self.ready and self.front.idle > 0:
            await self._cull()
        return None

    async def _cull(self) -> None:
        """Stop it if its time is over, or tell it that it will be; a busy kernel counts as somebody."""
        folder = self.places.sandbox(self.user.name)
        started = self.orm_spawner.started  # the proxy's last_activity has pings, too
        used = time.time() if started is None else started.replace(tzinfo=dt.UTC).timestamp()
        used = max(used, self._known)
        if noted(folder).exists():
            used = max(used, noted(folder).stat().st_mtime)
        left = used + self.front.idle - time.time()
        notice = folder / "told" / "notice.json"
        if left > self.front.notice:
            notice.unlink(missing_ok=True)
        elif left > 0:
            ends = dt.datetime.fromtimestamp(time.time() + left, dt.UTC).isoformat(timespec="seconds")
            notice.write_text(json.dumps({"stops": ends, "why": "nobody has used it"}), encoding="utf-8")
            notice.chmod(0o644)
        else:
            self.log.info("%s: stopped, nobody has used it for %d s", self._log_name, self.front.idle)
            asyncio.ensure_future(self.user.stop(self.name))  # noqa: RUF006  the Hub keeps it, as one that stops

    def get_state(self) -> dict[str, Any]:
        """What finds the keeper again."""
        state: dict[str, Any] = super().get_state()
        if self._held is not None:
            state["keeper"] = {"pid": self._held.pid, "started": self._held.started}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Find the keeper again."""
        super().load_state(state)
        self._known = time.time()
        self._held = Held(**state["keeper"]) if "keeper" in state else None

    def clear_state(self) -> None:
        """Forget it."""
        super().clear_state()
        self._held = None

    def _told(self) -> launch.Told:
        """What the Hub knows, as the jail has to be told it."""
        env = {name: value for name, value in self.get_env().items() if name.startswith("JUPYTERHUB_")}
        env["JUPYTERHUB_SERVICE_URL"] = f"http://127.0.0.1:8888{self.server.base_url}"  # the port is not opened
        env["JUPYTERHUB_DISABLE_USER_CONFIG"] = "1"
        asked = None if self.handler is None else self.handler.request.remote_ip
        return launch.Told(env=env, base=self.server.base_url, token=self.api_token, origin=asked or None)

    def _order(self, told: launch.Told) -> Order:
        choice = choices.chosen(choices.offer(self.lab, self.front, self.user.name), self.user_options)
        warn = lambda said: self.log.warning("%s", said)  # noqa: E731  a method more would say less
        return launch.order(self.lab, self.front, self.places, self.user.name, choice, told, warn=warn)

    def _refused(self, error: DatalabError) -> web.HTTPError:
        """What the page says. What is wrong with the machine is told in full: who asks is known to the lab."""
        status = 403 if isinstance(error, DeniedError) else 400 if isinstance(error, UsageError) else 503
        refused = web.HTTPError(status, "%s", error)
        refused.jupyterhub_message = f"{error}. — Demandez à / ask: {self.front.ask}"  # type: ignore[attr-defined]
        return refused
