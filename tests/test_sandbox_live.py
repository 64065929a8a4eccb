"""Grants that come and go in a running sandbox: the real jail, the real helper, the real audit log."""

import contextlib
import datetime as dt
import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from fixtures_sandbox import commit, profile_for, without_root

from policies.audit.reading import told
from policies.errors import LakeError
from policies.replace import replace_file
from sandbox.jail import Profile
from sandbox.limits import Limits
from sandbox.live import watch as watch_module
from sandbox.live.helper import Order, run
from sandbox.live.signs import Signs
from sandbox.live.standing import standing
from sandbox.live.watch import Watch
from sandbox.process import start
from sandbox.seccomp import program

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes what a running jail sees")
TO_ADA = '  - {to: "user:ada", edition: raw, purposes: any, until: 2999-01-01, why: "agreement 14"}\n'


class Box:
    """A running sandbox of ada's that answers, and a watch on it."""

    def __init__(self, lab, jailed, *, talks=True):
        self.lab, self.jailed = lab, jailed
        self.warned, self.ended = [], []
        self.watch = self.another_watch()
        if talks:
            self.ask("true")

    def another_watch(self):
        """As after the watcher was killed: nothing is remembered."""
        return Watch(self.lab, "ada", None, self.jailed.ended, warn=self.warned.append, end=self.ended.append)

    def ask(self, command):
        self.jailed.bwrap.stdin.write(f"({command}) 2>&1; echo; echo END\n".encode())
        self.jailed.bwrap.stdin.flush()
        return b"".join(iter(self.jailed.bwrap.stdout.readline, b"END\n")).decode().strip()

    def tables(self):
        """The editions whose files can be read, and those that are listed."""
        files = self.ask("cd /data; ls -d */*/bornes/*.parquet").split()
        listed = json.loads(self.ask("cat /data/datasets.json"))
        read = [file for file in files if self.ask(f"head -c 4 /data/{file}") == "PAR1"]
        assert read == [file for file in files if "/" in file and file.endswith(".parquet")]
        editions = sorted({"/".join(file.split("/")[:2]) for file in read})
        assert sorted(f"{one['dataset']}/{one['edition']}" for one in listed) == editions
        return editions

    def events(self):
        lines = [one.event for one in told(self.lab.var / "audit") if one.event.door == "sandbox"]
        return [(one.what, sorted({str(x).split(".")[0] for x in one.editions}), one.reason) for one in lines]


@contextlib.contextmanager
def running(lab, *command):
    profile = profile_for(lab, *(command or ("sh",)))
    with start(profile, Limits(memory=2**30, pids=128, cpus=2), stdin=subprocess.PIPE) as jailed:
        yield jailed


@pytest.fixture
def box(lab):
    with running(lab) as jailed:
        yield Box(lab, jailed)


def grant(lab, line=TO_ADA, slug="secret"):
    path = lab.root / "policies" / f"{slug}.yaml"
    replace_file(path, (path.read_text() + line).encode(), 0o644)  # in one step: half a policy is told, too


def revoke(lab, line=TO_ADA, slug="secret"):
    path = lab.root / "policies" / f"{slug}.yaml"
    replace_file(path, path.read_text().replace(line, "").encode(), 0o644)


@as_root
def test_a_grant_appears_in_a_running_sandbox_and_goes_when_it_is_revoked(box):
    assert box.watch.look()
    assert box.tables() == ["irve/open"]
    grant(box.lab)
    assert box.watch.look()
    assert box.tables() == ["irve/open", "secret/raw"]
    revoke(box.lab)
    assert box.watch.look()
    assert box.tables() == ["irve/open"]
    assert list(json.loads(box.ask("cat /data/revoked.json"))) == ["secret/raw"]
    assert box.ask("ls -A /data") == "datasets.json\nirve\nrevoked.json"
    grant(box.lab)
    assert box.watch.look()
    assert box.tables() == ["irve/open", "secret/raw"]
    assert "No such file" in box.ask("cat /data/revoked.json")
    assert box.events() == [
        ("open", ["irve/open"], None),
        ("open", ["secret/raw"], "granted while it ran"),
        ("deny", ["secret/raw"], "no longer granted: taken out of a running sandbox"),
        ("open", ["secret/raw"], "granted while it ran"),
    ]
    assert box.ended == []


@as_root
def test_what_came_can_be_read_and_neither_written_nor_changed_nor_run(box):
    box.watch.look()
    grant(box.lab)
    box.watch.look()
    for attempt in ("touch more", "rm *", "chmod 777 *", "mkdir x", "mv bornes b", "echo x >> bornes/*.parquet"):
        said = box.ask(f"cd /data/secret/raw && {attempt}")
        assert "Read-only file system" in said or "Permission denied" in said, (attempt, said)
    (mount,) = [line for line in box.ask("cat /proc/self/mountinfo").splitlines() if " /data/secret/" in line]
    assert mount.split(" ")[5].startswith("ro,nosuid,nodev,noexec")
    assert "shared" not in mount


@as_root
def test_the_jails_table_of_mounts_tells_no_more_of_the_host_than_that_of_one_that_started_so(box):
    def roots(said):
        return sorted(line.split(" ")[3] for line in said.splitlines())

    box.watch.look()
    grant(box.lab)
    box.watch.look()
    with running(box.lab) as fresh:
        other = Box(box.lab, fresh)
        expected = roots(other.ask("cat /proc/self/mountinfo"))
        assert roots(box.ask("cat /proc/self/mountinfo")) == expected


HOLD = """
import os, sys
folder = os.open("/data/secret/raw/bornes", os.O_RDONLY)
(name,) = os.listdir(folder)
file = os.open(name, os.O_RDONLY, dir_fd=folder)
os.chdir("/data/secret/raw/bornes")
print("held", flush=True)
sys.stdin.readline()
print(os.pread(file, 4, 0))
for way in (lambda: os.open(name, os.O_RDONLY, dir_fd=folder), lambda: os.open(name, os.O_RDONLY),
            lambda: os.open(f"/data/secret/raw/bornes/{name}", os.O_RDONLY),
            lambda: os.open(f"/proc/self/cwd/{name}", os.O_RDONLY),
            lambda: os.open(f"/proc/self/fd/{folder}/{name}", os.O_RDONLY)):
    try:
        print(os.read(way(), 4))
    except OSError as error:
        print(type(error).__name__)
"""


@as_root
def test_what_was_revoked_is_opened_by_no_way_and_a_file_that_was_open_may_be_read(lab):
    grant(lab)
    with running(lab, "/usr/bin/python3", "-c", HOLD) as jailed:
        box = Box(lab, jailed, talks=False)
        assert jailed.bwrap.stdout.readline() == b"held\n"
        box.watch.look()
        revoke(lab)
        box.watch.look()
        out, _ = jailed.bwrap.communicate(b"go\n", timeout=60)
    assert out.decode().splitlines() == ["b'PAR1'", *["FileNotFoundError"] * 5]


@as_root
def test_an_edition_that_stays_granted_keeps_the_snapshot_it_was_given(box):
    box.watch.look()
    before = box.ask("cat /data/irve/open/current.json; ls /data/irve/open/bornes")
    commit(box.lab, "irve", "open", ["later"], geometry=False)
    grant(box.lab)
    box.watch.look()
    box.another_watch().look()
    assert box.ask("cat /data/irve/open/current.json; ls /data/irve/open/bornes") == before
    assert box.ended == []


@as_root
def test_an_edition_goes_with_its_definition_and_comes_again_once_it_is_built_by_the_new_one(box):
    box.watch.look()
    path = box.lab.root / "policies" / "irve.yaml"
    path.write_text(path.read_text().replace("keep: [id]", "keep: [id, geo]"))
    box.watch.look()
    assert box.tables() == []
    commit(box.lab, "irve", "open", ["a", "b", "c"])
    box.watch.look()
    assert box.tables() == ["irve/open"]
    assert '"rows": 3' in box.ask("cat /data/irve/open/current.json")


@as_root
def test_a_watcher_that_was_killed_is_replaced_by_one_that_knows_nothing(box):
    box.watch.look()
    grant(box.lab)
    box.watch.look()
    again = box.another_watch()
    again.look()
    assert box.tables() == ["irve/open", "secret/raw"]
    assert len(box.events()) == 2  # nothing happened again
    revoke(box.lab)
    box.another_watch().look()
    assert box.tables() == ["irve/open"]


@as_root
def test_a_grant_ends_on_its_day_without_any_file_changing(lab, monkeypatch):
    grant(lab, TO_ADA.replace("2999-01-01", "2030-01-02"))
    with running(lab) as jailed:
        box = Box(lab, jailed)

        def on(day):
            class Frozen(dt.datetime):
                @classmethod
                def now(cls, tz=None):
                    return cls.combine(day, dt.time(23, 59), tz)

            for module in ("catalog.lab", "sandbox.live.signs", "sandbox.live.watch"):
                monkeypatch.setattr(f"{module}.dt.datetime", Frozen)

        with Signs(lab) as signs:
            on(dt.date(2030, 1, 1))
            assert signs.changed()
            box.watch.look()
            assert box.tables() == ["irve/open", "secret/raw"]
            signs.changed()
            assert not signs.changed()
            on(dt.date(2030, 1, 2))
            assert signs.changed()
            box.watch.look()
        assert box.tables() == ["irve/open"]


@as_root
@pytest.mark.parametrize("broken", ["the policy", "the user", "datalab.toml"])
def test_what_cannot_be_read_grants_nothing(box, broken):
    box.watch.look()
    if broken == "the policy":
        (box.lab.root / "policies" / "irve.yaml").write_text("grants: [")
    elif broken == "the user":
        toml = box.lab.root / "datalab.toml"
        toml.write_text(toml.read_text().replace('ada = ["partners"]\n', ""))
    else:
        (box.lab.root / "datalab.toml").write_text("[[[")
    box.watch.look()
    assert box.tables() == []
    assert box.ended == []


@as_root
def test_a_policy_that_is_just_being_saved_takes_nothing_away(box, monkeypatch):
    box.watch.look()
    path = box.lab.root / "policies" / "irve.yaml"
    whole = path.read_text()
    path.write_text("")
    monkeypatch.setattr(watch_module.time, "sleep", lambda _: path.write_text(whole))
    assert box.watch.look()
    assert box.tables() == ["irve/open"]
    assert [what for what, *_ in box.events()] == ["open"]
    assert box.warned == []


@as_root
def test_without_an_audit_log_nothing_appears_and_what_was_revoked_goes_all_the_same(lab, monkeypatch):
    grant(lab)
    with running(lab) as jailed:
        box = Box(lab, jailed)
        box.watch.look()
        assert box.tables() == ["irve/open", "secret/raw"]

        def full(*_):
            raise LakeError("var/audit: No space left on device")

        monkeypatch.setattr(type(lab.audit), "write", full)
        monkeypatch.setattr(type(lab.audit), "write_all", full)
        revoke(lab)
        grant(lab, '  - {to: "user:ada", edition: raw, purposes: any, until: 2999-01-01, why: "x"}\n', "irve")
        assert not box.watch.look()
        assert box.tables() == ["irve/open"]
        assert any("nothing new is shown to ada until the audit log can be written" in said for said in box.warned)
        monkeypatch.undo()
        assert box.watch.look()
        assert box.tables() == ["irve/open", "irve/raw"]
        assert box.ended == []


@as_root
def test_a_sandbox_that_keeps_what_it_must_lose_is_ended(box, monkeypatch):
    box.watch.look()
    monkeypatch.setattr(watch_module, "run", lambda *_: "no such call")
    (box.lab.root / "policies" / "irve.yaml").unlink()
    box.watch.look()
    assert box.ended == [
        "the sandbox of ada was stopped: irve/open could not be taken out of it (no such call)",
    ]


@as_root
def test_an_edition_that_cannot_be_put_in_whole_is_not_there_at_all(box, monkeypatch):
    box.watch.look()
    grant(box.lab)
    real = run
    tries = []

    def flawed(process, order):
        if order.mounts and not tries:
            tries.append(order)
            return real(process, Order(files=order.files, mounts=(*order.mounts, ("/nowhere", "/data/secret/raw/x"))))
        return real(process, order)

    monkeypatch.setattr(watch_module, "run", flawed)
    box.watch.look()
    assert tries
    assert box.tables() == ["irve/open"]
    assert box.ask("ls -A /data/secret") == "ls: cannot access '/data/secret': No such file or directory"
    assert box.ended == []
    assert any("could not be shown in the sandbox of ada" in said for said in box.warned)


@as_root
def test_the_helper_touches_nothing_outside_data(box):
    said = run(box.jailed.ended, Order(last={"/etc/passwd": b"root::0:0::/:/bin/sh\n"}))
    assert "not in /data" in said
    assert "lab:x:" in box.ask("cat /etc/passwd")


@as_root
def test_our_own_process_sees_what_it_saw(box):
    before = Path("/").stat().st_ino, Path("/proc/self/ns/mnt").readlink()
    box.watch.look()
    grant(box.lab)
    box.watch.look()
    assert (Path("/").stat().st_ino, Path("/proc/self/ns/mnt").readlink()) == before


def test_without_root_a_sandbox_whose_grant_has_ended_is_stopped_and_one_that_gains_is_told(lab, monkeypatch):
    monkeypatch.setattr(watch_module.os, "geteuid", lambda: 1000)
    with running(lab) as jailed:
        box = Box(lab, jailed)
        box.watch.look()
        grant(lab)
        box.watch.look()
        box.watch.look()
        assert box.warned == ["secret/raw: granted to ada now; without root only their next sandbox shows it"]
        (lab.root / "policies" / "irve.yaml").unlink()
        box.watch.look()
        assert box.ended == ["the sandbox of ada was stopped: no longer granted: irve/open"]
        assert box.events()[-1] == ("deny", ["irve/open"], "no longer granted: its sandbox was ended")


def seen_from_outside(home):
    """What is read of a jail that this process starts by itself, once it is made."""
    files = {"/data/datasets.json": b"[]", "/data/revoked.json": b'{"irve/raw": "then"}'}
    profile = Profile(
        uid=None if os.geteuid() != 0 else 65534,
        home=home,
        mounts=(),
        files=files,
        env={"PATH": "/usr/bin"},
        seccomp=program(),
        tmp=2**20,
        file_size=2**20,
        command=("sh", "-c", "echo made; cat"),
    )
    with start(profile, Limits(memory=2**28, pids=64, cpus=1), stdin=subprocess.PIPE) as jailed:
        assert jailed.bwrap.stdout.readline() == b"made\n"
        return standing(None, jailed.ended, ())


def test_what_a_sandbox_shows_can_be_read_without_root_too():
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        assert without_root(lambda: seen_from_outside(Path(folder))) == [{}, {"irve/raw": "then"}]


def test_nothing_is_touched_before_the_jail_has_left_the_hosts_root():
    process = os.pidfd_open(os.getpid())
    try:
        assert standing(None, process, ()) is None
        if os.geteuid() == 0:
            assert run(process, Order(last={"/data/x": b"x"})) == "RuntimeError: the jail is still being made"
    finally:
        os.close(process)
