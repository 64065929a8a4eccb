"""JupyterLab three ways, each on a unix socket: as it is, in a jail started cold, in a jail that was kept warm."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from websocket import create_connection

from bench.measure import REPOSITORY
from sandbox.hub import launch
from sandbox.hub.choices import Choice
from sandbox.hub.places import places_of
from sandbox.hub.settings import HubSettings
from sandbox.limits import Limits
from sandbox.profile import SERVE, profile_of, serving
from sandbox.python import PYTHON
from sandbox.server import OPTIONS
from sandbox.settings import SandboxSettings
from sandbox.warm import Warm, open_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.lab import Lab
    from sandbox.hub.early import Pool

TOKEN = "bench"  # noqa: S105  nobody else reaches the socket
_ENDS = 60


@dataclass(frozen=True, kw_only=True)
class Box:
    """A JupyterLab that answers: its socket, the seconds to its first answer, and its first process id."""

    path: str
    seconds: float
    pid: int

    def get(self, url: str) -> int:
        """The status of one request."""
        return _request(self.path, "GET", url)[0]

    def first_cell(self, code: str) -> tuple[float, str]:
        """Seconds from asking for a kernel to the end of its first cell, and what that printed."""
        begun = time.perf_counter()
        _, made = _request(self.path, "POST", "/api/kernels", {"name": "python3"})
        with _connected(self.path) as stream:
            talk = create_connection(
                f"ws://localhost/api/kernels/{made['id']}/channels",
                socket=stream,
                header=[f"Authorization: token {TOKEN}"],
                timeout=_ENDS,
            )
            number = uuid.uuid4().hex
            head = {"msg_id": number, "username": "u", "session": "s", "msg_type": "execute_request", "version": "5.3"}
            content = {"code": code, "silent": False, "user_expressions": {}, "allow_stdin": False}
            parts = {"parent_header": {}, "metadata": {}, "channel": "shell", "content": content}
            talk.send(json.dumps({"header": {**head, "date": ""}, **parts}))
            said = ""
            while True:
                told = json.loads(talk.recv())
                if told["parent_header"].get("msg_id") != number:
                    continue
                if told["msg_type"] in ("stream", "error"):
                    said += told["content"].get("text") or "\n".join(told["content"].get("traceback", ()))
                if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                    return time.perf_counter() - begun, said


@contextlib.contextmanager
def plain(folder: Path) -> Iterator[Box]:
    """`jupyter lab` of the same Python, as a user starts it, without a jail."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    path = str(folder / "s")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "JUPYTER_TOKEN": TOKEN, "LANG": "C.UTF-8"}
    command = [str(REPOSITORY / ".venv-sandbox" / "bin" / "python"), "-m", "jupyterlab", "--allow-root", "--no-browser"]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, f"--ServerApp.sock={path}", f"--ServerApp.root_dir={home}"],
        env=environment,
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Box(path=path, seconds=_answers(path, begun), pid=process.pid)
    finally:
        process.terminate()
        process.wait(_ENDS)


@contextlib.contextmanager
def jailed(lab: Lab, user: str, warm: Warm | None = None) -> Iterator[Box]:
    """The sandbox of a user, cold or warm; its seconds hold all that `datalab sandbox lab` does to start one."""
    settings = lab.section("sandbox", SandboxSettings)
    limits = Limits(memory=settings.memory, pids=settings.pids, cpus=settings.cpus)
    begun = time.perf_counter()
    profile = profile_of(lab, user, settings, purpose=None, command=(PYTHON, SERVE, *OPTIONS), warn=lambda _: None)
    profile = replace(profile, files={**profile.files, **serving()}, env={**profile.env, "JUPYTER_TOKEN": TOKEN})
    path = f"{lab.var}/{uuid.uuid4().hex[:8]}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        box = open_sandbox(profile, limits, listening, warm)
    with box:
        drain = subprocess.Popen(["/usr/bin/cat"], stdin=box.bwrap.stderr, stdout=subprocess.DEVNULL)
        yield Box(path=path, seconds=_answers(path, begun), pid=box.pid)
    drain.wait(_ENDS)


@contextlib.contextmanager
def kept(lab: Lab, pool: Pool, user: str) -> Iterator[Box]:
    """The sandbox of a user as the Hub starts it, held by a keeper, which counts as its first process."""
    begun = time.perf_counter()
    told = launch.Told(env={"JUPYTER_TOKEN": TOKEN}, base="/", token=TOKEN, origin=None)
    order = launch.order(lab, HubSettings(), places_of(lab), user, Choice(), told, warn=lambda _: None)
    keeper = launch.launched(order, pool)
    try:
        path = str(order.folder / "lab.sock")
        yield Box(path=path, seconds=_answers(path, begun), pid=keeper.pid)
    finally:
        launch.ended(keeper, _ENDS)


def memory(pid: int) -> float:
    """MB that a process and all below it take, shared pages counted by their share (PSS)."""
    total = 0.0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1024
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(memory(int(child)) for child in path.read_text(encoding="ascii").split())
    return total


def _answers(path: str, begun: float) -> float:
    deadline = begun + _ENDS
    while time.perf_counter() < deadline:
        with contextlib.suppress(OSError):
            if _request(path, "GET", "/api")[0] == http.client.OK:
                return time.perf_counter() - begun
        time.sleep(0.005)
    raise TimeoutError(path)


def _request(path: str, verb: str, url: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = _connected(path)
    try:
        head = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
        connection.request(verb, url, None if body is None else json.dumps(body), head)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def _connected(path: str) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(_ENDS)
    stream.connect(path)
    return stream
