"""Keepers that are started early: what a user gets of one, when one is not given out, and that none is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_hub import REPOSITORY, hub_lab, serving

from sandbox.hub import launch
from sandbox.hub.choices import Choice
from sandbox.hub.early import Pool
from sandbox.hub.order import Early, read_early, written
from sandbox.hub.places import places_of
from sandbox.hub.settings import HubSettings
from sandbox.limits import Limits
from sandbox.profile import warm_profile
from sandbox.settings import SandboxSettings

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a running jail its home and data")
TOLD = launch.Told(env={"JUPYTER_TOKEN": "t"}, base="/", token="t", origin=None)  # noqa: S106  of nobody
SECONDS = 90


@pytest.fixture
def lab(tmp_path):
    return hub_lab(tmp_path / "lab")[0]


@pytest.fixture
def others():
    """What is there before a test starts any."""
    return keepers()


@pytest.fixture
def pool(lab, others):
    made = Pool(lab, 1)
    made.fill_soon(0)
    yield made
    made.close()


def order(lab, choice=Choice()):  # noqa: B008  it is frozen
    settings = HubSettings.model_validate({"sizes": {"small": {"memory": "512MiB", "cpus": 1}}})
    return launch.order(lab, settings, places_of(lab), "ada", choice, TOLD, warn=lambda _: None)


def until(tried):
    last = time.monotonic() + SECONDS
    while time.monotonic() < last:
        found = tried()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError


@contextlib.contextmanager
def launched(made, pool, early):
    keeper = launch.launched(made, pool, early)
    try:
        until((made.folder / "jail.json").exists)
        yield keeper, json.loads((made.folder / "jail.json").read_bytes())
    finally:
        launch.ended(keeper, 20)


def keepers():
    """The process ids of all keepers, whoever's, and of those that they are forked from."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"sandbox.hub.zygote" in path.read_bytes():
                found.add(int(path.parent.name))
    return found


def with_a_jail(processes):
    """Those of them that hold one."""
    return {pid for pid in processes if Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()}


def now():
    """This moment as /proc counts when a process was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")


def first_of(jail):
    """The process id of the first program in a jail."""
    (child,) = Path(f"/proc/{jail['pid']}/task/{jail['pid']}/children").read_text().split()
    return int(child)


@pytest.mark.parametrize("size", [None, "small"])
def test_a_keeper_that_was_started_early_gives_its_jail_to_who_asks_whatever_the_size(lab, pool, size):
    early = until(pool.take)
    asked = now()
    with launched(order(lab, Choice(size=size)), pool, early) as (keeper, jail):
        assert keeper.lives
        assert jail["user"] == "ada"
        assert jail["started"] < asked
        status = Path(f"/proc/{first_of(jail)}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        assert f"Uid:\t{(lab.var / 'homes' / 'ada').stat().st_uid}\t" in status


def test_what_the_warm_jail_cannot_become_is_started_cold_by_the_same_keeper(lab, pool):
    early = until(pool.take)
    made, asked = order(lab), now()
    with launched(replace(made, profile=replace(made.profile, tmp=2**20)), pool, early) as (keeper, jail):
        assert keeper.started < asked < jail["started"]


def test_where_the_keeper_ends_before_it_has_its_order_another_takes_it(lab, others, pool):
    early = until(pool.take)
    (waited,) = with_a_jail(keepers() - others)
    os.kill(waited, signal.SIGKILL)
    with launched(order(lab), pool, early) as (keeper, _):
        assert keeper.lives
        assert keeper.pid != waited


def test_one_that_has_ended_or_has_loaded_a_python_that_was_replaced_is_not_given_out(others, pool):
    until(lambda: pool._waiting and pool._waiting[0].is_warm())  # noqa: SLF001
    (ended,) = with_a_jail(keepers() - others)
    os.kill(ended, signal.SIGKILL)
    until(lambda: ended not in keepers())
    assert pool.take() is None
    pool._fill()  # noqa: SLF001
    (old,) = pool._waiting  # noqa: SLF001
    until(old.is_warm)
    old.venv = (1, 2)
    assert pool.take() is None
    assert pool._waiting == []  # noqa: SLF001


OWNER = """
import pathlib, signal, sys, time
from catalog.lab import Lab
from sandbox.hub.early import Pool
pool = Pool(Lab.open(pathlib.Path(sys.argv[1])), 2)
pool.fill_soon(0)
while not (len(pool._waiting) == 2 and all(one.is_warm() for one in pool._waiting)):
    time.sleep(0.05)
print("warm", flush=True)
signal.pause()
"""


def test_they_end_with_who_started_them(lab):
    before = keepers()
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(lab.root)], stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as owner:
        assert owner.stdout.readline() == b"warm\n"
        theirs = keepers() - before
        assert len(with_a_jail(theirs)) == 2
        owner.send_signal(signal.SIGKILL)
    until(lambda: not keepers() & theirs)


def test_one_whose_jail_ends_or_never_gets_warm_gives_its_place_to_another(others, pool):
    until(lambda: pool._waiting and pool._waiting[0].is_warm())  # noqa: SLF001
    (waiting,) = with_a_jail(keepers() - others)
    (jail,) = Path(f"/proc/{waiting}/task/{waiting}/children").read_text().split()
    os.kill(int(jail), signal.SIGKILL)
    until(lambda: waiting not in keepers())
    assert pool.take() is None
    pool._fill()  # noqa: SLF001
    until(pool.take).close()


def test_where_there_is_no_python_for_sandboxes_none_is_kept_and_it_is_told(lab, caplog):
    lab.settings["sandbox"]["venv"] = "nowhere"
    with contextlib.closing(Pool(lab, 1)) as pool:
        pool._fill()  # noqa: SLF001
        assert pool.take() is None
    assert "no sandbox is kept warm: " in caplog.text
    assert "nowhere" in caplog.text


def test_what_is_kept_warm_is_read_as_it_was_written_and_nothing_may_be(lab):
    profile = warm_profile(lab, lab.section("sandbox", SandboxSettings))
    early = Early(profile, Limits(memory=1, pids=2, cpus=0.5))
    assert read_early(written(early) + b"\n") == early
    assert b"\n" not in written(early)
    assert read_early(b"\n") is None


def test_the_hub_gives_out_a_warm_one_and_keeps_the_next(tmp_path):
    lab, _ = hub_lab(tmp_path / "lab", warm=1)
    before = keepers()
    with serving(lab) as served:
        ada, bob = served.login("ada"), served.login("bob")
        until(lambda: keepers() - before)

        def warmly(browser, name):
            served.start(browser, name)
            told = (served.places.logs / "hub.log").read_text().count(f"{name}: a warm jail")
            if not told:
                served.stop(browser, name)
            return told

        until(lambda: warmly(ada, "ada"))
        until(lambda: warmly(bob, "bob"))
        token = served.token(ada, "ada")
        said = served.run("ada", token, "import lab; print(lab.sql('SELECT count(*) FROM irve.bornes').fetchall())")
        assert said == "[(2,)]\n"
    until(lambda: not keepers() - before)
