"""kill -9 at each step of the airlock: nothing leaves that nobody let out, and nothing that was said is lost.

A step is an event that Python tells its audit hooks of before it happens: a file is opened to write, renamed, deleted.
The job is a process of its own, and is killed before the n-th of them, for each n until it comes to its end.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import pytest
from fixtures_airlock import GOOD, SMALL, Airlock
from fixtures_sandbox import make_lab, without_root
from test_sandbox_airlock_machine import checked_here

from sandbox.airlock.admit import admit
from sandbox.airlock.release import put_out
from sandbox.airlock.speaker import Speaker

STEPS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.truncate"})
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
MOST = 400


def killed_before(step: int, job) -> bool:
    """Do a job in another process, and kill it before its step of that number; whether it had so many."""
    child = os.fork()
    if child == 0:
        try:
            count = 0

            def hook(event: str, told: tuple) -> None:
                nonlocal count
                if event in STEPS or (event == "open" and told[2] & WRITING):
                    count += 1
                    if count > step:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(hook)
            job()
            os._exit(0)
        except BaseException:  # noqa: BLE001  a child must not go on as pytest
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the job failed before it could be killed"
    return os.WIFSIGNALED(status)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A lab whose modules are loaded and whose audit log is begun, so that steps are those of the airlock."""
    lab = make_lab(tmp_path_factory.mktemp("killed") / "lab")
    lab.audit.sync = lambda _: None
    found = Airlock(lab)
    found.opened("ada", "irve/open")
    return found


@pytest.fixture
def airlock(begun, monkeypatch):
    monkeypatch.setattr("sandbox.airlock.checking.judge", checked_here)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a kill loses nothing that was written; a power cut would
    monkeypatch.setattr("sandbox.airlock.review._lineage", lambda *_: None)  # half a second each, and decides nothing
    return begun


def released(airlock, number: int) -> list[bytes]:
    return [path.read_bytes() for path in (airlock.store.releases / str(number)).glob("[!.]*")]


def whole(airlock) -> None:
    """What is true after every kill: exactly what a record calls released is out, whole, once all is settled."""
    for one in airlock.store.all():
        out = released(airlock, one.number)
        assert out in ([], [GOOD]), "half a file is out"
        if one.state != "released":
            assert out == [], "something left that no record lets out"
        else:
            told = [event.what for event in airlock.events() if event.number == one.number]
            assert "release" in told or "accept" in told


def each_step(begin, job, after) -> int:
    """For each n: `begin`, the job killed at its n-th step, `after`; returns how many steps there were."""
    for step in range(MOST):
        begun = begin()
        if not killed_before(step, functools.partial(job, begun)):
            return step
        after(begun)
    pytest.fail(f"the job has more than {MOST} steps")


def test_a_release_is_out_or_can_be_approved_again(airlock):
    outcomes = set()

    def begin() -> int:
        return airlock.take("ada", content=GOOD).number

    def after(number: int) -> None:
        whole(airlock)
        state, out = airlock.store.one(number).state, released(airlock, number)
        outcomes.add((state, bool(out)))
        if state == "released":
            airlock.collect()
        else:
            airlock.approve(number)
        assert airlock.store.one(number).state == "released"
        assert released(airlock, number) == [GOOD]
        assert not airlock.store.copy(number).exists()
        assert airlock.answers("ada")[-1]["state"] == "released"

    steps = each_step(begin, airlock.approve, after)
    assert steps > 10
    assert outcomes == {("checked", False), ("released", False), ("released", True)}  # killed before, at and after


def test_a_refusal_that_was_killed_lets_nothing_out_and_can_be_said_again(airlock):
    def begin() -> int:
        return airlock.take("ada", content=SMALL).number

    def after(number: int) -> None:
        assert released(airlock, number) == []
        if airlock.store.one(number).state == "refused":
            airlock.collect()
        else:
            airlock.speak(number, "refuse")
        assert not airlock.store.copy(number).exists()
        assert not (airlock.store.folder / str(number) / "sketch.json").exists()
        assert "refuse" in [event.what for event in airlock.events() if event.number == number]

    assert each_step(begin, lambda number: airlock.speak(number, "refuse"), after) > 5


def test_a_file_in_the_outbox_is_taken_once_whenever_the_job_is_killed(airlock):
    names = iter(f"t{number}.csv" for number in range(MOST))

    def begin() -> str:
        name = next(names)
        airlock.put("ada", name)
        return name

    def after(name: str) -> None:
        airlock.collect()
        (one,) = [one for one in airlock.store.all() if one.name == name]
        assert one.state == "checked"
        assert airlock.store.copy(one.number).read_bytes() == GOOD
        assert len(list(airlock.outbox("ada").glob("r*"))) == 1  # the folder of what is refused
        assert airlock.store.copies() == tuple(two.number for two in airlock.store.waiting())
        airlock.speak(one.number, "withdraw", "ada")

    (airlock.outbox("ada") / "refused").mkdir(exist_ok=True)
    assert each_step(begin, lambda _: airlock.collect(), after) > 20


def test_what_is_let_in_arrives_or_can_be_approved_again(airlock):
    source = airlock.lab.root / "own.csv"
    source.write_bytes(GOOD)
    inbox = airlock.outbox("ada").parent / "inbox"

    def begin() -> int:
        for path in inbox.glob("*") if inbox.exists() else []:
            path.unlink()
        return admit(airlock.lab, source, "ada", by=Speaker.here("carole"), why="their own").number

    def after(number: int) -> None:
        arrived = [path.read_bytes() for path in inbox.glob("[!.]*")] if inbox.exists() else []
        one = airlock.store.one(number)
        assert arrived in ([], [GOOD])
        assert one.state == "released" or arrived == []
        if one.state == "released":
            airlock.collect()
        else:
            airlock.approve(number)
        assert {path.read_bytes() for path in inbox.glob("[!.]*")} == {GOOD}
        assert "accept" in [event.what for event in airlock.events() if event.number == number]

    assert each_step(begin, airlock.approve, after) > 10


def test_a_request_to_let_in_that_was_killed_is_there_whole_or_not_at_all(airlock):
    source = airlock.lab.root / "own.csv"
    source.write_bytes(GOOD)

    def after(before: set[int]) -> None:
        made = [one for one in airlock.store.all() if one.number not in before]
        assert [(one.state, one.direction) for one in made] in ([], [("checked", "in")])
        airlock.collect()
        assert airlock.store.copies() == tuple(one.number for one in airlock.store.waiting())
        for one in made:
            assert airlock.store.copy(one.number).read_bytes() == GOOD
            airlock.speak(one.number, "refuse")

    def job(_: object) -> None:
        admit(airlock.lab, source, "ada", by=Speaker.here("carole"), why="their own")

    assert each_step(lambda: {one.number for one in airlock.store.all()}, job, after) > 5


def test_what_a_killed_job_left_is_in_nobodys_way_without_root_either(airlock):
    one = airlock.take("ada", content=GOOD)

    def put() -> str:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "copy").write_bytes(GOOD)
            (folder / "1").mkdir()
            (folder / "1/.new").write_bytes(b"half")
            (folder / "1/.new").chmod(0o444)
            put_out(folder / "copy", folder / "1" / "t.csv", one, lambda: None)
            return (folder / "1" / "t.csv").read_text()

    assert without_root(put) == GOOD.decode()


def test_the_numbers_that_the_log_has_told_are_not_given_again(airlock):
    told = [event.number for event in airlock.events() if event.what == "request"]
    assert len(told) == len(set(told))
