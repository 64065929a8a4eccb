"""Commands in the real jail: what they see, what bounds them, and what is left when they are over."""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_sandbox import DATALAB, commit, make_lab, profile_for, run, run_profile, without_root

from policies.errors import SandboxError
from sandbox.command import execute
from sandbox.jail import Mount
from sandbox.limits import Cgroup, Limits, NoCgroup, create
from sandbox.process import start, unusable

PYTHON = "/usr/bin/python3"


def test_a_command_has_its_streams_and_its_exit_code(lab):
    said = run(lab, "sh", "-c", "tr a-z A-Z; echo no >&2; exit 7", stdin=b"hello")
    assert (said.code, said.out, said.err) == (7, "HELLO", "no\n")


def test_a_command_killed_by_a_signal_gives_128_and_its_number(lab):
    assert run(lab, "sh", "-c", "kill -9 $$").code == 137


def test_a_command_that_does_not_exist_gives_127(lab):
    said = run(lab, "no-such-command")
    assert said.code == 127
    assert "no-such-command: No such file or directory" in said.err


def test_large_streams_pass_unchanged(lab):
    data = os.urandom(3_000_000)
    said = run(lab, "sha256sum", stdin=data)
    assert said.out == subprocess.run(["sha256sum"], input=data, capture_output=True, check=True).stdout.decode()


def test_granted_tables_are_there_and_nothing_else_is(lab):
    (name,) = lab.lake.current("irve", "open").resources["bornes"].files
    said = run(lab, "sh", "-c", "find /data -mindepth 1 | sort; ls /")
    assert said.out.split() == [
        *("/data/datasets.json", "/data/irve", "/data/irve/open", "/data/irve/open/bornes"),
        *(f"/data/irve/open/bornes/{name}", "/data/irve/open/current.json"),
        *("bin", "data", "dev", "etc", "home", "lib", "lib64", "opt", "proc", *rooted(lab), "sbin", "tmp", "usr"),
    ]


READ = """
import duckdb
print(duckdb.sql("SELECT list(id ORDER BY id) FROM read_parquet('/data/irve/open/bornes/*.parquet')").fetchall()[0][0])
import lab
print(lab.sql("SELECT list(id ORDER BY id) FROM irve.bornes").fetchall()[0][0])
"""


def test_all_parquet_files_of_a_table_are_exactly_its_snapshot(lab):
    commit(lab, "irve", "open", ["later"], geometry=False)
    assert run(lab, "python", "-c", READ).out == "['later']\n" * 2


def test_a_running_sandbox_keeps_to_the_snapshot_it_was_started_on(lab):
    limits = Limits(memory=2**30, pids=128, cpus=1)
    command = ("sh", "-c", 'echo ready; read line; exec python -c "$0"', READ)
    with start(profile_for(lab, *command), limits, stdin=subprocess.PIPE) as jailed:
        assert jailed.bwrap.stdout.readline() == b"ready\n"
        before = list((lab.lake.edition_path("irve", "open") / "bornes").glob("*.parquet"))
        commit(lab, "irve", "open", ["later"], geometry=False)
        for path in before:  # as an ingest does with what is superseded
            path.unlink()
        said, _ = jailed.bwrap.communicate(b"go\n", timeout=60)
    assert said.decode() == "['a', 'b']\n" * 2
    assert run(lab, "python", "-c", READ).out == "['later']\n" * 2


def test_nothing_tells_of_the_raw_table_behind_an_edition(lab):
    said = run(lab, "sh", "-c", "cat /data/datasets.json $(find /data -name '*.json'); find /data -name '_delta_log'")
    assert '"rows": 2' in said.out
    assert "receipt" not in said.out
    assert "definition" not in said.out
    assert "_delta_log" not in said.out


def test_a_sandbox_of_hundreds_of_files_starts(lab):
    profile = profile_for(lab, "sh", "-c", "ls /data/many | wc -l")
    source = profile.mounts[-1].source
    many = tuple(Mount(source, f"/data/many/{number}.parquet") for number in range(800))
    assert run_profile(replace(profile, mounts=(*profile.mounts, *many))).out == "800\n"


def test_more_files_than_bubblewrap_takes_are_refused_before_anything_starts(lab):
    profile = profile_for(lab, "true")
    many = tuple(Mount(profile.mounts[-1].source, f"/data/many/{number}.parquet") for number in range(3000))
    with pytest.raises(SandboxError, match=r"30\d\d mounts and \d+ files are more than bubblewrap puts"):
        run_profile(replace(profile, mounts=many + profile.mounts))


def rooted(lab):
    """Where the interpreter of the sandbox's Python lies, if that is not /usr."""
    targets = [
        mount.target for mount in profile_for(lab, "true").mounts if not mount.target.startswith(("/opt", "/data"))
    ]
    return sorted({Path(target).parts[1] for target in targets})


def test_the_users_python_starts_with_its_packages(lab):
    said = run(lab, "python", "-c", "import sys, duckdb; print(sys.prefix, sys.version_info >= (3, 11))")
    assert said.out == "/opt/venv True\n", said


def test_the_rooms_of_the_datalab_are_not_in_the_users_python(lab):
    tried = (
        "import importlib.util as u; print([n for n in ('catalog', 'ingest', 'policies', 'sandbox') if u.find_spec(n)])"
    )
    assert run(lab, "python", "-c", tried).out == "[]\n"


def test_no_capability_is_left_and_no_new_privilege_can_come(lab):
    status = run(lab, "cat", "/proc/self/status").out
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert fields["CapBnd"] == "0" * 16 or os.geteuid() != 0
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    if os.geteuid() == 0:
        assert fields["Uid"].split() == ["1900000000"] * 4
        assert fields["Groups"].split() in ([], ["1900000000"])


def test_the_hosts_environment_stays_outside(lab, monkeypatch):
    monkeypatch.setenv("DATALAB_CKAN_TOKEN", "hunter2")
    said = run(lab, "sh", "-c", "env; cat /proc/1/environ; tr '\\0' '\\n' </proc/self/environ")
    assert "PATH=/opt/venv/bin" in said.out
    assert "hunter2" not in said.out
    assert "DATALAB_CKAN_TOKEN" not in said.out


def test_the_first_processs_command_line_shows_no_path_of_the_host(lab):
    said = run(lab, "sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '")
    assert "bwrap --args" in said.out
    assert str(lab.root) not in said.out
    assert "irve" not in said.out


def test_no_descriptor_of_ours_comes_in(lab, tmp_path):
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        listed = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')))"
        assert json.loads(run(lab, PYTHON, "-c", listed).out) == [0, 1, 2, 3]  # 3 is the listing's own


def test_only_the_jails_own_processes_are_seen(lab):
    said = run(lab, "sh", "-c", "echo /proc/[0-9]*")
    assert all(int(path.removeprefix("/proc/")) < 20 for path in said.out.split())


def test_the_home_is_kept_between_commands_and_is_the_users_own(lab):
    run(lab, "sh", "-c", "echo mine > ~/note")
    assert run(lab, "cat", "/home/lab/note").out == "mine\n"
    assert run(lab, "ls", "/home/lab", user="bob").out == ""


def test_tmp_is_gone_after_each_command(lab):
    assert run(lab, "sh", "-c", "ls /tmp; touch /tmp/x").out == ""
    assert run(lab, "sh", "-c", "ls /tmp").out == ""


def test_a_background_process_ends_with_the_command(lab):
    assert run(lab, "sh", "-c", "sleep 1000 & echo started").out == "started\n"


def limited(tmp_path, **settings):
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    return make_lab(tmp_path / "limited", bounds=lines)


def test_a_command_that_runs_too_long_is_killed(tmp_path):
    lab = limited(tmp_path, seconds=0.5)
    with pytest.raises(SandboxError, match=r"ran for more than 0\.5 seconds.*\[sandbox\] seconds"):
        run(lab, "sleep", "1000")


def test_a_command_that_closes_its_streams_is_killed_too(tmp_path):
    lab = limited(tmp_path, seconds=0.5)
    with pytest.raises(SandboxError, match="more than"):
        run(lab, "sh", "-c", "exec >&- 2>&- <&-; sleep 1000")


def test_a_flood_is_cut_at_the_bound(tmp_path):
    lab = limited(tmp_path, output="64KiB")
    read, write = os.pipe()
    received = bytearray()

    def drain():
        while chunk := os.read(read, 65536):
            received.extend(chunk)

    reader = threading.Thread(target=drain)
    reader.start()
    with pytest.raises(SandboxError, match=r"wrote more than 65536 bytes.*\[sandbox\] output"):
        execute(lab, "ada", ("yes",), stdin=None, stdout=write, stderr=write)
    os.close(write)
    reader.join()
    os.close(read)
    assert len(received) == 65536


FORK = """
import os, signal
children = []
try:
    for _ in range(1000):
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
except OSError as error:
    print(error.errno, end=" ")
print(len(children))
"""


def test_a_fork_bomb_meets_the_limit_of_its_own_jail(lab):
    profile = profile_for(lab, PYTHON, "-c", FORK)
    few = run_profile(profile, limits=Limits(memory=2**30, pids=40, cpus=2)).out.split()
    more = run_profile(profile, limits=Limits(memory=2**30, pids=120, cpus=2)).out.split()  # the control
    assert few[0] == more[0] == "11"  # EAGAIN
    assert int(few[1]) < 40 <= int(more[1]) < 120


def test_a_memory_hog_kills_itself_and_no_neighbour(lab):
    hog = profile_for(lab, PYTHON, "-c", "print(len(b'x' * (600 << 20)))")
    assert run_profile(hog).out == f"{600 << 20}\n"  # the control: enough memory
    tight = Limits(memory=200 << 20, pids=64, cpus=1)
    with start(profile_for(lab, "cat", user="bob"), tight, stdin=subprocess.PIPE) as neighbour:
        said = run_profile(hog, limits=tight)
        out, _ = neighbour.bwrap.communicate(b"still here", timeout=60)
        assert said.code != 0
        assert said.out == ""
        assert (out, neighbour.wait()) == (b"still here", 0)


def test_a_process_killed_for_its_memory_is_told_so(tmp_path):
    if isinstance(limits := create(Limits(memory=2**28, pids=64, cpus=1)), NoCgroup):
        pytest.skip(limits.reason)
    limits.remove()
    lab = limited(tmp_path, memory="256MiB")
    with pytest.raises(SandboxError, match=r"used more than 256\.0MiB.*\[sandbox\] memory"):
        run(lab, PYTHON, "-c", "b'x' * (600 << 20)")


def test_a_file_and_tmp_are_bounded(tmp_path):
    lab = limited(tmp_path, file_size="1MiB", tmp="1MiB")
    said = run(
        lab, "sh", "-c", "head -c 3000000 /dev/zero > ~/big; stat -c %s ~/big; head -c 3000000 /dev/zero > /tmp/a"
    )
    assert said.out == "1048576\n"
    assert "No space left" in said.err or said.code != 0


def test_a_jail_has_no_terminal_even_when_we_have_one(lab):
    master, slave = os.openpty()
    try:
        argv = [sys.executable, "-c", DATALAB, str(lab.root), "exec", "--user", "ada", "--", "tty"]
        done = subprocess.run(argv, stdin=slave, stdout=subprocess.PIPE, check=False, timeout=60)
    finally:
        os.close(master)
        os.close(slave)
    assert (done.returncode, done.stdout) == (1, b"not a tty\n")


def descendants(pid):
    """Every process below `pid`, as descriptors that become readable when it is gone."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def test_when_we_are_killed_the_whole_jail_dies_with_us(lab):
    argv = [sys.executable, "-c", DATALAB, str(lab.root), "exec", "--user", "ada", "--"]
    argv += ["sh", "-c", "sleep 1000 & echo ready; sleep 1000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as datalab:
        assert datalab.stdout.readline() == b"ready\n"
        family = [os.pidfd_open(pid) for pid in descendants(datalab.pid)]
        assert len(family) >= 4  # bwrap, the jail's first process, the shell, and two sleeps at most
        datalab.kill()
    for descriptor in family:
        assert ended(descriptor)
        os.close(descriptor)
    swept = create(Limits(memory=2**28, pids=64, cpus=1))
    if isinstance(swept, Cgroup):
        swept.remove()
        assert not any(list(folder.parent.glob(f"datalab-{datalab.pid}-*")) for folder in swept.folders)


def ended(descriptor):
    return bool(select.select([descriptor], [], [], 60)[0])


def test_leaving_the_with_ends_everything_and_removes_the_cgroup(lab):
    with start(profile_for(lab, "sleep", "1000"), Limits(memory=2**28, pids=64, cpus=1)) as jailed:
        first = os.dup(jailed.ended)
        cgroup = jailed.cgroup
    assert ended(first)
    os.close(first)
    if isinstance(cgroup, Cgroup):
        assert not any(folder.exists() for folder in cgroup.folders)


def on_path(tmp_path, monkeypatch, script):
    """Put a `bwrap` of ours before the real one; None puts none at all."""
    folder = tmp_path / "path"
    folder.mkdir()
    if script is not None:
        (folder / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_without_bubblewrap_nothing_runs_and_the_remedy_is_named(lab, tmp_path, monkeypatch):
    marker = lab.var / "homes" / "ada" / "ran"
    on_path(tmp_path, monkeypatch, None)
    with pytest.raises(SandboxError, match="apt install bubblewrap"):
        run(lab, "touch", "/home/lab/ran")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("says", "remedy"),
    [
        ("bwrap: No permissions to create a new namespace", "apparmor_restrict_unprivileged_userns"),
        ("bwrap: setting up uid map: Permission denied", "unprivileged_userns_clone"),
        ("bwrap: Unknown option --seccomp", "Nothing is ever run without a jail"),
    ],
)
def test_a_bubblewrap_that_does_not_work_is_no_reason_to_run_without(lab, tmp_path, monkeypatch, says, remedy):
    on_path(tmp_path, monkeypatch, f"echo '{says}' >&2; exit 1")
    with pytest.raises(SandboxError, match=f"{says}.*{remedy}"):
        run(lab, "touch", "/home/lab/ran")
    assert not (lab.var / "homes" / "ada" / "ran").exists()


def test_this_machine_can_make_jails():
    assert unusable() is None


def test_this_machine_can_make_jails_without_root():
    assert without_root(unusable) is None


def test_without_a_cgroup_it_runs_and_warns(lab, monkeypatch):
    monkeypatch.setattr("sandbox.limits.MOUNT", lab.root)
    warnings = []
    assert (
        run(lab, PYTHON, "-c", "import resource as r; print(r.getrlimit(r.RLIMIT_NPROC))", warn=warnings.append).code
        == 0
    )
    assert len(warnings) == 1
    assert "memory is limited for each process alone" in warnings[0]


def test_a_mount_that_cannot_be_made_is_an_error_of_the_jail_not_of_the_command(lab):
    profile = profile_for(lab, "true")
    with pytest.raises(SandboxError, match="could not make the jail"):
        run_profile(replace(profile, mounts=(Mount(lab.root / "gone", "/data/gone"),)))


@pytest.mark.parametrize(
    "command", [("exec", "--user", "zoe", "--", "id"), ("run", "x.ipynb", "--user", "zoe"), ("lab", "--user", "zoe")]
)
def test_every_command_refuses_an_unknown_user(lab, command):
    argv = [sys.executable, "-c", DATALAB, str(lab.root), *command]
    done = subprocess.run(argv, capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(("unknown user 'zoe'", "x.ipynb: cannot be read"))
    assert "Traceback" not in done.stderr


def test_two_users_at_once_do_not_see_each_other(lab):
    limits = Limits(memory=2**28, pids=64, cpus=1)
    with contextlib.ExitStack() as stack:
        ada, bob = (
            stack.enter_context(
                start(profile_for(lab, "sh", "-c", "touch ~/x; cat", user=user), limits, stdin=subprocess.PIPE)
            )
            for user in ("ada", "bob")
        )
        assert ada.bwrap.communicate(b"a", timeout=60)[0] == b"a"
        assert not bob.has_ended
        assert bob.bwrap.communicate(b"b", timeout=60)[0] == b"b"
