"""cgroup v1 on this machine, v2 as the files that are written; and what happens where there is neither."""

import os
import subprocess

import pytest
from fixtures_sandbox import profile_for, run_profile

from sandbox.limits import Cgroup, Limits, NoCgroup, create

LIMITS = Limits(memory=2**28, pids=64, cpus=1.5)


@pytest.fixture(autouse=True)
def eight(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)


def written(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_version_2_is_one_folder_with_four_limits(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    cgroup = create(LIMITS, tmp_path)
    (folder,) = cgroup.folders
    assert folder.parent == tmp_path
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    (folder / "memory.swap.max").touch()  # in a kernel that counts swap; in another it is not asked for
    cgroup.bound(LIMITS)
    assert written(folder) == {
        "memory.max": "268435456",
        "memory.swap.max": "0",
        "pids.max": "64",
        "cpu.max": "150000 100000",
    }


def test_version_1_is_a_folder_a_controller(tmp_path):
    for controller in ("memory", "pids", "cpu"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").touch()
    cgroup = create(LIMITS, tmp_path)
    assert [folder.parent for folder in cgroup.folders] == [tmp_path / name for name in ("memory", "pids", "cpu")]
    assert [written(folder) for folder in cgroup.folders] == [
        {"memory.limit_in_bytes": "268435456"},
        {"pids.max": "64"},
        {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000"},
    ]


@pytest.mark.parametrize("cpus", [8, 9.5])
def test_who_may_use_all_processors_has_no_quota_of_them(tmp_path, cpus):
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    cgroup = create(Limits(memory=2**28, pids=64, cpus=cpus), tmp_path)
    assert written(cgroup.folders[0])["cpu.max"] == "max 100000"


def test_neither_is_a_reason_not_an_error(tmp_path):
    assert create(LIMITS, tmp_path) == NoCgroup(
        f"{tmp_path} holds neither cgroup v2 nor the v1 controllers memory, pids, cpu"
    )


def test_a_controller_that_cannot_be_enabled_is_a_reason_that_names_the_file(tmp_path):
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "cgroup.subtree_control").mkdir()
    assert create(LIMITS, tmp_path) == NoCgroup(f"{tmp_path}/cgroup.subtree_control: Is a directory")


def test_groups_of_processes_that_are_gone_are_taken_away_and_others_stay(tmp_path):
    (tmp_path / "cgroup.controllers").touch()
    ended = subprocess.Popen(["true"])
    ended.wait()
    for name in (f"datalab-{ended.pid}-0", f"datalab-{os.getpid()}-99", "system.slice"):
        (tmp_path / name).mkdir()
    create(LIMITS, tmp_path)
    assert not (tmp_path / f"datalab-{ended.pid}-0").exists()
    assert (tmp_path / f"datalab-{os.getpid()}-99").exists()
    assert (tmp_path / "system.slice").exists()


@pytest.mark.parametrize(
    ("file", "text", "kills"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\n", 2),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3),
        ("cgroup.procs", "", 0),
    ],
)
def test_kills_for_memory_are_counted_in_both_versions(tmp_path, file, text, kills):
    (tmp_path / file).write_text(text)
    assert Cgroup((tmp_path,)).oom_kills() == kills


def test_a_command_that_cannot_enter_its_cgroup_does_not_run(tmp_path):
    argv = Cgroup((tmp_path / "gone",)).entering(["touch", str(tmp_path / "ran")])
    assert subprocess.run(argv, check=False, capture_output=True).returncode == 125
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def cgroup():
    made = create(LIMITS)
    if isinstance(made, NoCgroup):
        pytest.skip(made.reason)
    yield made
    made.remove()


def test_a_command_is_in_its_cgroup_from_its_first_step_and_the_group_goes_with_it(cgroup):
    done = subprocess.run(cgroup.entering(["cat", "/proc/self/cgroup"]), check=True, capture_output=True, text=True)
    for folder in cgroup.folders:
        assert f"/{folder.name}\n" in done.stdout
    cgroup.remove()
    assert not any(folder.exists() for folder in cgroup.folders)


def test_the_jail_does_not_see_the_hosts_groups(lab):
    said = run_profile(profile_for(lab, "sh", "-c", "ls /sys/fs/cgroup; cat /proc/self/cgroup"))
    assert "No such file" in said.err
    assert "datalab-" not in said.out
