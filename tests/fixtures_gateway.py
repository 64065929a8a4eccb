"""A lab's SQL gateway as it runs: uvicorn on a free port of loopback, real tokens, real jails."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
from fixtures_sandbox import make_lab

from policies.audit.reading import told
from sandbox.sql.app import create_app
from sandbox.sql.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.lab import Lab

LATER = dt.date(2999, 1, 1)


@dataclass
class Gateway:
    """The gateway of `lab`, and whom its users are by their tokens."""

    lab: Lab
    url: str
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, user: str) -> str:
        if user not in self.tokens:
            self.tokens[user] = Tokens(self.lab).create(user, LATER, None)
        return self.tokens[user]

    def headers(self, user: str | None, **more: str) -> dict[str, str]:
        said = {} if user is None else {"Authorization": f"Bearer {self.token(user)}"}
        return {**said, **more}

    def sql(self, sql: str, user: str | None = "ada", *, accept: str = "application/json", **asked) -> httpx.Response:
        return httpx.post(
            f"{self.url}/sql", json={"sql": sql, **asked}, headers=self.headers(user, Accept=accept), timeout=120
        )

    def get(self, path: str, user: str | None = None, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=self.headers(user, **headers), timeout=120)

    def audit(self) -> list[dict]:
        """The events of this door, oldest first, once each query that was let has its answer's."""
        deadline = time.monotonic() + 30
        while True:
            found = [one.event for one in told(self.lab.audit.folder) if one.event.door == "gateway"]
            if sum({"query": 1, "answer": -1}.get(event.what, 0) for event in found) <= 0:
                return [json.loads(event.model_dump_json()) for event in found]
            assert time.monotonic() < deadline


@contextlib.contextmanager
def served(lab: Lab) -> Iterator[Gateway]:
    """The gateway of a lab, until the `with` is left; then no engine is left either."""
    config = uvicorn.Config(create_app(lab), host="127.0.0.1", port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.02)
            assert thread.is_alive()
        yield Gateway(lab, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def with_bounds(root, bounds: str) -> Lab:
    """The lab of `make_lab` with a section [gateway]."""
    return make_lab(root, bounds=f'memory = "1GiB"\npids = 128\n\n[gateway]\n{bounds}\n')


@pytest.fixture(scope="module")
def gateway(tmp_path_factory) -> Iterator[Gateway]:
    """One for all tests of a file that leave its lab as it is: `irve` and `secret`, as in fixtures_sandbox."""
    with served(with_bounds(tmp_path_factory.mktemp("gateway") / "lab", 'memory = "512MiB"\nseconds = 20')) as gateway:
        yield gateway
