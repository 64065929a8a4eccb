"""Homes of a size of their own: who fills theirs fills nobody else's, and none is ever lost on the way to it."""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fixtures_sandbox import DATALAB, make_lab, profile_for, run, run_profile

from catalog.lab import Lab
from policies.errors import SandboxError
from sandbox import moving, quota, server
from sandbox.homes import full, home_of, opened_home, states, users, using
from sandbox.limits import Limits
from sandbox.process import start
from sandbox.settings import SandboxSettings

UID = SandboxSettings().first_uid
SMALL = 'home = "64MiB"\nmemory = "1GiB"\npids = 128\n'

pytestmark = pytest.mark.skipif(quota.missing() is not None, reason=f"homes have no size here: {quota.missing()}")


@pytest.fixture
def small(tmp_path):
    return make_lab(tmp_path / "small", bounds=SMALL)


@pytest.fixture
def unsized(lab, monkeypatch):
    """A lab on a machine where homes can only be folders, until `quota.missing` is put back."""
    monkeypatch.setattr(quota, "missing", lambda: "there are no loop devices")
    return lab


def settings_of(lab):
    return lab.section("sandbox", SandboxSettings)


@contextlib.contextmanager
def running(lab, user):
    """A sandbox of the user that answers `ask(command)` until the end of the `with`."""
    profile = profile_for(lab, "sh", user=user)
    with start(profile, Limits(memory=2**30, pids=64, cpus=1), stdin=subprocess.PIPE) as jailed:

        def ask(command):
            jailed.bwrap.stdin.write(f"({command}) 2>&1; echo; echo END\n".encode())
            jailed.bwrap.stdin.flush()
            lines = iter(jailed.bwrap.stdout.readline, b"END\n")
            return b"".join(lines).decode().strip()

        yield ask


def test_a_disk_hog_fills_its_own_home_and_its_neighbour_goes_on(small):
    with running(small, "ada") as ada, running(small, "bob") as bob:
        assert "No space left on device" in ada("head -c 100000000 /dev/zero > ~/big")
        assert bob("head -c 20000000 /dev/urandom > ~/mine; stat -c %s ~/mine") == "20000000"
        assert ada("rm ~/big; echo again > ~/note; cat ~/note") == "again"


def test_an_inode_hog_fills_its_own_home_and_its_neighbour_goes_on(small):
    hog = "mkdir ~/many; cd ~/many; seq 20000 | xargs touch"
    with running(small, "ada") as ada, running(small, "bob") as bob:
        assert "No space left on device" in ada(hog)
        assert bob("cd; seq 2000 | xargs touch; ls | wc -l") == "2000"


def test_control_without_a_size_the_hog_takes_what_the_disk_has(unsized):
    said = run(unsized, "sh", "-c", "head -c 100000000 /dev/zero > ~/big; stat -c %s ~/big")
    assert said.out == "100000000\n"


def test_a_full_home_is_told_when_a_sandbox_starts_in_it_and_no_longer_once_it_is_emptied(small):
    run(small, "sh", "-c", "head -c 100000000 /dev/zero > ~/big")
    warnings = []
    assert run(small, "rm", "/home/lab/big", warn=warnings.append).code == 0
    (said,) = warnings
    assert said.startswith("the home of ada is full: 5")
    assert "bytes; nothing can be written there until" in said
    assert full(small.var / "homes" / "ada") is None


def test_a_home_that_fills_up_while_a_sandbox_is_served_is_told_once(small, monkeypatch):
    home, _ = home_of(small, "ada", settings_of(small))
    monkeypatch.setattr(server, "_LOOKS_AT_HOME", 0.01)
    warnings = asyncio.Queue()

    async def served():
        watching = asyncio.create_task(server._tell_when_full(home, warnings.put_nowait))  # noqa: SLF001
        with opened_home(home) as folder:
            await asyncio.sleep(0.05)
            assert warnings.empty()
            with contextlib.suppress(OSError), (folder / "big").open("wb") as file:
                while True:
                    file.write(bytes(2**20))
            said = await asyncio.wait_for(warnings.get(), 60)
            await asyncio.sleep(0.05)
        watching.cancel()
        return said

    assert asyncio.run(served()).startswith("the home of ada is full")
    assert warnings.empty()


def test_a_home_full_of_files_says_so(small):
    run(small, "sh", "-c", "mkdir ~/many; cd ~/many; seq 20000 | xargs touch")
    assert "16384 of 16384 files and folders" in full(small.var / "homes" / "ada")


def test_two_sandboxes_of_a_user_see_the_same_files(small):
    with running(small, "ada") as one, running(small, "ada") as other:
        one("echo seen > ~/note")
        assert other("cat ~/note") == "seen"
        with opened_home(small.var / "homes" / "ada") as home:
            assert (home / "note").read_text() == "seen\n"
            (home / "from-outside").write_text("read")
        assert one("cat ~/from-outside") == "read"


def test_homes_are_intact_after_the_machine_was_restarted(small):
    run(small, "sh", "-c", "echo mine > ~/note")
    with running(small, "bob") as bob:
        bob("echo his > ~/note; sync")
    for name in (".mount", ".locks", ".used", ".lock"):  # all that is remembered of who was there
        path = small.var / "homes" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = Lab.open(small.root)
    assert run(again, "cat", "/home/lab/note").out == "mine\n"
    assert run(again, "cat", "/home/lab/note", user="bob").out == "his\n"


def test_nothing_is_mounted_or_attached_once_the_last_sandbox_ends_or_is_killed(small):
    image = str(small.var / "homes" / "ada")

    def devices():
        told = [path.read_text().strip() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
        return [name for name in told if name == image]

    argv = ["exec", "--user", "ada", "--", "sh", "-c", "echo mine > ~/note; sync; echo ready; sleep 1000"]
    with subprocess.Popen([sys.executable, "-c", DATALAB, str(small.root), *argv], stdout=subprocess.PIPE) as datalab:
        assert datalab.stdout.readline() == b"ready\n"
        assert len(devices()) == 1
        assert image not in Path("/proc/mounts").read_text()
        jail = [os.pidfd_open(pid) for pid in children(datalab.pid)]
        datalab.send_signal(signal.SIGKILL)
    for descriptor in jail:
        os.close(descriptor)
    assert run(small, "cat", "/home/lab/note").out == "mine\n"
    assert devices() == []


def children(pid):
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def filled(folder, uid=UID):
    """A folder with all that a home may hold, the uid's own."""
    folder.mkdir(parents=True, mode=0o700)
    (folder / "note").write_text("mine\n")
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "with\nline").write_bytes(os.urandom(300_000))
    (folder / "second-name").hardlink_to(folder / "note")
    (folder / "link").symlink_to("deep/er")
    (folder / "broken").symlink_to("/nowhere")
    os.mkfifo(folder / "fifo")
    with (folder / "sparse").open("wb") as file:
        file.truncate(10**8)
    (folder / "script").write_text("#!/bin/sh\n")
    (folder / "script").chmod(0o750)
    os.setxattr(folder / "script", "user.colour", b"blue")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)
    os.utime(folder / "note", ns=(1, 1_234_567_891))
    return folder


def told(folder):
    """What is in a folder, so that two can be compared."""
    found = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        shown = (state.st_mode, state.st_uid, state.st_nlink if path.is_file() else 0, content)
        found[str(path.relative_to(folder))] = shown
    return found


def test_a_home_that_is_a_folder_becomes_an_image_and_loses_nothing(lab):
    home = filled(lab.var / "homes" / "ada")
    before = told(home)
    assert home_of(lab, "ada", SandboxSettings()) == (home, UID)
    assert home.is_file()
    with opened_home(home) as now:
        assert told(now) == before
        assert (now.stat().st_uid, now.stat().st_mode & 0o777) == (UID, 0o700)
        assert (now / "note").stat().st_mtime_ns == 1_234_567_891
        assert (now / "sparse").stat().st_blocks == 0
        assert os.getxattr(now / "script", "user.colour") == b"blue"
    assert [path.name for path in home.parent.iterdir() if path.name.endswith(".new")] == []
    assert run(lab, "cat", "/home/lab/second-name").out == "mine\n"


STEPS = ("sandbox.quota.make", "sandbox.moving._copy", "sandbox.moving._difference", "sandbox.moving._exchange")


def killed_at(lab, step, when):
    """Move the home in a child that is killed before or after one step."""
    child = os.fork()
    if child == 0:
        module, _, name = step.rpartition(".")
        owner = {"sandbox.quota": quota, "sandbox.moving": moving}[module]
        real = getattr(owner, name)

        def killing(*arguments):
            if when == "after":
                real(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, name, killing)
        home_of(lab, "ada", SandboxSettings())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_move_that_is_killed_at_any_step_loses_nothing_and_is_done_by_the_next(lab, step, when):
    home = filled(lab.var / "homes" / "ada")
    before = told(home)
    killed_at(lab, step, when)
    with opened_home(home) as found:
        assert told(found) == before
    assert home_of(lab, "ada", SandboxSettings()) == (home, UID)
    assert home.is_file()
    with opened_home(home) as now:
        assert told(now) == before
    assert not home.with_name(".ada.new").exists()


def test_a_copy_that_is_not_the_same_is_thrown_away_and_the_home_is_as_it_was(lab, monkeypatch):
    home = filled(lab.var / "homes" / "ada")
    before = told(home)
    real = moving._copy  # noqa: SLF001  one step of the whole

    def flawed(source, target):
        real(source, target)
        with (target / "script").open("r+b") as file:
            file.write(b"?")
        os.utime(target / "script", ns=((source / "script").stat().st_atime_ns, (source / "script").stat().st_mtime_ns))

    monkeypatch.setattr(moving, "_copy", flawed)
    with pytest.raises(SandboxError, match=r"homes/ada: script could not be copied .* as it was"):
        home_of(lab, "ada", SandboxSettings())
    assert told(home) == before
    assert not home.with_name(".ada.new").exists()


def test_a_home_with_more_in_it_than_it_may_hold_gets_room_and_a_warning(small):
    home = filled(small.var / "homes" / "ada")
    (home / "big").write_bytes(os.urandom(80_000_000))
    warnings = []
    home_of(small, "ada", settings_of(small), warnings.append)
    assert home.stat().st_size > 80_000_000
    assert len(warnings) == 1
    assert "held more than [sandbox] home allows" in warnings[0]
    with opened_home(home) as now:
        assert (now / "big").stat().st_size == 80_000_000


def test_a_home_grows_with_the_setting_and_never_shrinks(small):
    run(small, "sh", "-c", "echo mine > ~/note")
    home = small.var / "homes" / "ada"
    for size, becomes in (("128MiB", 128 * 1024**2), ("64MiB", 128 * 1024**2)):
        wider = dataclasses.replace(small, settings={"sandbox": {**small.settings["sandbox"], "home": size}})
        assert home_of(wider, "ada", settings_of(wider)) == (home, UID)
        assert home.stat().st_size == becomes
    assert run(small, "cat", "/home/lab/note").out == "mine\n"


def test_a_home_with_a_sandbox_in_it_stays_where_it_is(small):
    wider = dataclasses.replace(small, settings={"sandbox": {**small.settings["sandbox"], "home": "128MiB"}})
    warnings = []
    with running(small, "ada") as ask:
        home_of(wider, "ada", settings_of(wider), warnings.append)
        assert ask("echo here > ~/note; cat ~/note") == "here"
    assert len(warnings) == 1
    assert "a sandbox runs in it" in warnings[0]
    assert run(small, "cat", "/home/lab/note").out == "here\n"


def test_who_comes_while_a_home_is_moved_waits_and_gets_the_new_one(lab, monkeypatch):
    home = filled(lab.var / "homes" / "ada")
    began, go_on = threading.Event(), threading.Event()
    real = moving._copy  # noqa: SLF001  one step of the whole

    def slow(*arguments):
        began.set()
        assert go_on.wait(60)
        real(*arguments)

    monkeypatch.setattr(moving, "_copy", slow)
    mover = threading.Thread(target=home_of, args=(lab, "ada", SandboxSettings()))
    found = []

    def come():
        with using(home):
            found.append(home.is_file())

    mover.start()
    assert began.wait(60)
    comer = threading.Thread(target=come)
    comer.start()
    go_on.set()
    mover.join()
    comer.join()
    assert found == [True]


def test_where_homes_can_have_no_size_they_are_folders_and_it_is_said_why(unsized):
    warnings = []
    assert run(unsized, "sh", "-c", "echo mine > ~/note", warn=warnings.append).code == 0
    assert (unsized.var / "homes" / "ada" / "note").read_text() == "mine\n"
    assert len(warnings) == 1
    assert "homes have no size of their own here (there are no loop devices)" in warnings[0]


def test_an_image_that_cannot_be_mounted_any_more_is_an_error_and_no_empty_home(small, monkeypatch):
    run(small, "true")
    monkeypatch.setattr(quota, "missing", lambda: "there are no loop devices")
    with pytest.raises(SandboxError, match=r"homes/ada: is an image, and cannot be mounted here: there are no loop"):
        run(small, "true")


def test_a_damaged_home_is_an_error_that_says_what_to_do(small):
    run(small, "true")
    home = small.var / "homes" / "ada"
    home.write_bytes(bytes(home.stat().st_size))
    with pytest.raises(SandboxError, match=r"homes/ada: the home is damaged .*e2fsck -f"):
        run(small, "true")


def test_the_jail_does_not_see_where_homes_lie(small):
    said = run_profile(profile_for(small, "cat", "/proc/self/mountinfo"))
    assert " /home /home/lab " in said.out
    assert "var/homes" not in said.out


def test_homes_are_listed_with_what_they_hold(small):
    run(small, "sh", "-c", "head -c 10000000 /dev/urandom > ~/big; sync")
    home_of(small, "bob", settings_of(small))
    assert users(small) == ("ada", "bob")
    ada, bob = states(small)
    assert 10_000_000 < ada.used < 14_000_000
    assert ada.size < 64 * 1024**2
    assert ada.last is not None
    assert bob.last is None
    done = subprocess.run(
        [sys.executable, "-c", DATALAB, str(small.root), "homes"], capture_output=True, text=True, check=True
    )
    assert "ada" in done.stdout
    assert "never" in done.stdout
