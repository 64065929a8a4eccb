"""What stands against a sandbox is said where it was asked for, and one that nobody uses is stopped, its files kept."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import json
import logging
import os
import socket
import threading
import time
from types import SimpleNamespace

import pytest
from fixtures_hub import hub_lab, serving
from fixtures_sandbox import profile_for

from policies.errors import SandboxError
from sandbox.hub import launch
from sandbox.hub.choices import Choice
from sandbox.hub.early import Pool
from sandbox.hub.keeper import started
from sandbox.hub.order import Order
from sandbox.hub.places import places_of
from sandbox.hub.settings import HubSettings
from sandbox.hub.spawner import LabSpawner
from sandbox.hub.use import last_use, noted
from sandbox.limits import Limits

TOLD = launch.Told(env={}, base="/user/ada/", token="t", origin=None)  # noqa: S106  of nobody


@pytest.fixture(scope="module")
def tight(tmp_path_factory):
    section = '[hub]\nask = "la cellule"\nsandboxes = 1\nidle = 20\nnotice = 18\ngrace = 2\n'
    lab, _ = hub_lab(tmp_path_factory.mktemp("tight") / "lab", section)
    with serving(lab) as served:
        yield served


def order(lab, user="ada", choice=Choice()):  # noqa: B008  it is frozen
    return launch.order(lab, HubSettings(), places_of(lab), user, choice, TOLD, warn=lambda _: None)


def test_no_grant_and_one_that_has_ended_are_told_apart_and_whom_to_ask(tight):
    policy = tight.lab.root / "policies" / "irve.yaml"
    before = policy.read_text()
    ada = tight.login("ada")
    try:
        policy.write_text(before.replace('  - {to: everyone, edition: open, purposes: any, why: "open data"}\n', ""))
        refused = tight.ask(ada)
        assert refused.status_code == 403
        assert "granted for mobility; no purpose was stated" in refused.text
        assert "la cellule" in refused.text
        policy.write_text(policy.read_text().replace("2999-01-01", "2020-01-01"))
        refused = tight.ask(ada)
        assert refused.status_code == 403
        assert "ended on 2020-01-01" in refused.text
    finally:
        policy.write_text(before)
    denied = tight.audit("deny")[-1]
    assert (denied["who"], denied["origin"]) == ("user:ada", "127.0.0.1")
    assert tight.keeper("ada") is None


def test_one_too_many_is_refused_and_one_that_nobody_uses_is_stopped_after_a_notice_with_its_files(tight):
    bob, ada = tight.login("bob"), tight.login("ada")
    tight.start(bob, "bob")
    token = tight.token(bob, "bob")
    tight.run("bob", token, "open('/home/lab/kept', 'w').write('kept')")
    refused = tight.ask(ada)
    assert refused.status_code == 503
    assert "1 sandboxes run already" in refused.text
    notice = tight.places.sandbox("bob") / "told" / "notice.json"
    told = tight.until(lambda: notice.exists() and json.loads(notice.read_text()))
    assert told["why"] == "nobody has used it"
    tight.until(lambda: tight.keeper("bob") is None)
    tight.start(ada, "ada")  # there is room again
    tight.stop(ada, "ada")
    tight.start(bob, "bob")
    assert tight.run("bob", token, "print(open('/home/lab/kept').read())").strip() == "kept"


def test_a_busy_kernel_is_a_use_that_spares_a_sandbox_and_to_be_asked_is_none(tight):
    bob = tight.login("bob")
    if tight.keeper("bob") is None:
        tight.start(bob, "bob")
    token = tight.token(bob, "bob")
    folder = tight.places.sandbox("bob")
    socket = folder / "lab.sock"
    began = last_use(socket, "/user/bob/", token)
    assert last_use(socket, "/user/bob/", token) == began <= time.time()
    with tight.working("bob", token, "import time; time.sleep(600)"):
        tight.until(lambda: noted(folder).exists() and noted(folder).stat().st_mtime > began + 20 + 10)
        assert tight.keeper("bob") is not None
    assert last_use(socket, "/user/bob/", "wrong") is None
    assert last_use(socket.with_name("none"), "/", token) is None


@contextlib.contextmanager
def answering(path, parts):
    """Somebody's own program in the place of JupyterLab: it says the parts for as long as anybody listens."""

    def answer():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    for part in parts:
                        connection.sendall(part)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        threading.Thread(target=answer, daemon=True).start()
        yield
        listening.shutdown(socket.SHUT_RDWR)


OK = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
        [OK, b"[" * 60_000],
        [OK, b'[{"":{}},' * 100_000],
        [OK, b'[{"execution_state": 7}, 3]'],
        [OK, b"\xff\x00"],
        [b"HTTP/1.0 302 Found\r\n\r\n[]"],
        [OK],
        [],
    ],
)
def test_whatever_answers_in_the_place_of_jupyterlab_is_not_listened_to_for_long_and_is_no_use(tmp_path, parts):
    with answering(tmp_path / "s", parts):
        assert last_use(tmp_path / "s", "/", "t") is None


@pytest.mark.parametrize(("known", "stopped"), [(0, True), (time.time(), False)])
def test_a_hub_that_was_away_for_long_stops_no_sandbox_that_could_not_say_that_it_is_used(tmp_path, known, stopped):
    stops = []

    async def stop(name):
        stops.append(name)

    async def cull():
        sandbox = SimpleNamespace(
            orm_spawner=SimpleNamespace(started=dt.datetime(2026, 1, 1)),  # noqa: DTZ001  as the Hub keeps it
            _known=known,
            places=SimpleNamespace(sandbox=lambda _: tmp_path),
            user=SimpleNamespace(name="ada", stop=stop),
            front=HubSettings(idle=3600),
            log=logging.getLogger("test"),
            name="",
            _log_name="ada",
        )
        await LabSpawner._cull(sandbox)  # noqa: SLF001
        await asyncio.sleep(0)  # what it began may run

    asyncio.run(cull())
    assert bool(stops) == stopped


def test_a_disk_that_is_nearly_full_is_told(tmp_path):
    lab, _ = hub_lab(tmp_path / "lab")
    settings = lab.root / "datalab.toml"
    settings.write_text(settings.read_text().replace("[sandbox]", '[sandbox]\nfree = "1000TiB"'))
    with pytest.raises(SandboxError, match=r"bytes are free on its disk, and no sandbox starts below .*make room"):
        order(type(lab).open(lab.root))


def test_a_missing_bubblewrap_is_told(tmp_path, monkeypatch):
    lab, _ = hub_lab(tmp_path / "lab")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="bubblewrap is not installed"):
        order(lab)


@pytest.mark.skipif(os.geteuid() != 0, reason="without root there is a bound for each process alone, and a warning")
def test_missing_cgroups_are_told_and_leave_nothing_running(tmp_path, monkeypatch):
    lab, _ = hub_lab(tmp_path / "lab")
    made = Order(
        profile=profile_for(lab, "/bin/sleep", "600"),
        limits=Limits(memory=2**28, pids=64, cpus=1),
        user="ada",
        folder=places_of(lab).sandbox("ada"),
        hub=tmp_path / "hub",
        base="/",
        token="t",  # noqa: S106  of nobody
        log=tmp_path / "log",
        grace=1,
        lab=lab.root,
        purpose=None,
    )
    made.folder.mkdir()
    monkeypatch.setattr("sandbox.limits.MOUNT", tmp_path)
    with contextlib.ExitStack() as stack, pytest.raises(SandboxError, match="no cgroup bounds its memory"):
        started(made, None, stack)
    assert list(made.folder.glob("*.sock")) == []


def test_a_keeper_that_a_killed_hub_forgot_is_ended_by_the_next_start(tmp_path):
    lab, _ = hub_lab(tmp_path / "lab")
    with contextlib.closing(Pool(lab, 0)) as pool:
        first = launch.launched(order(lab), pool)
        began = time.monotonic()
        second = launch.launched(order(lab), pool)
    try:
        assert not first.lives
        assert second.lives
        assert time.monotonic() - began < 60
    finally:
        launch.ended(second, 10)
