"""What a jail holds, as data, and what bubblewrap is told: nothing is run here."""

import dataclasses
import datetime as dt
import json
import os
from pathlib import Path

import pytest
from fixtures_sandbox import POLICY, VENV, commit, profile_for

from policies.errors import DeniedError, DocumentError, SandboxError, UsageError
from sandbox.homes import home_of
from sandbox.jail import Mount, Profile, bwrap_options, jailed_command
from sandbox.python import python_mounts
from sandbox.settings import SandboxSettings

PROFILE = Profile(
    uid=1_900_000_007,
    home=Path("/srv/lab/var/homes/ada"),
    mounts=(
        Mount(Path("/srv/venv"), "/opt/venv"),
        Mount(Path("/srv/lab/var/lake/irve/open/t/1.parquet"), "/data/irve/open/t/1.parquet"),
    ),
    files={"/etc/passwd": b"lab", "/data/datasets.json": b"[]"},
    env={"HOME": "/home/lab"},
    seccomp=b"program",
    tmp=1048576,
    file_size=2097152,
    command=("python", "-V"),
)

SYSTEM = (
    "--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib "
    "--symlink usr/lib64 /lib64 --proc /proc --dev /dev --perms 0755 --dir /etc "
    "--ro-bind-try /etc/alternatives /etc/alternatives --ro-bind-try /etc/ld.so.cache /etc/ld.so.cache "
    "--ro-bind-try /etc/localtime /etc/localtime --ro-bind-try /etc/R /etc/R"
)

REST = (
    "--hostname datalab --new-session --die-with-parent --clearenv "
    f"{SYSTEM} "
    "--size 1048576 --perms 1777 --tmpfs /tmp --size 67108864 --perms 1777 --tmpfs /dev/shm "
    "--perms 0755 --dir /data/irve/open/t --perms 0755 --dir /home --perms 0755 --dir /opt "
    "--ro-bind /srv/venv /opt/venv --ro-bind /srv/lab/var/lake/irve/open/t/1.parquet /data/irve/open/t/1.parquet "
    "--bind /srv/lab/var/homes/ada /home/lab "
    "--perms 0444 --file 11 /etc/passwd --perms 0444 --file 12 /data/datasets.json "
    "--remount-ro / --remount-ro /dev --setenv HOME /home/lab --chdir / --seccomp 13 --json-status-fd 14"
)

LIMITS = ["/usr/bin/env", "--chdir=/home/lab", "/usr/bin/prlimit", "--core=0", "--nofile=4096", "--fsize=2097152"]


def options(profile):
    return " ".join(bwrap_options(profile, files=[11, 12], seccomp=13, status=14))


def test_root_makes_a_jail_without_a_user_namespace_and_gives_up_root_inside():
    assert options(PROFILE) == (
        "--unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup-try --cap-drop ALL "
        f"--cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP {REST}"
    )
    assert jailed_command(PROFILE) == [
        *("/usr/bin/setpriv", "--reuid=1900000007", "--regid=1900000007", "--clear-groups", "--nnp"),
        *("--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"),
        *(*LIMITS, "--", "python", "-V"),
    ]


def test_others_make_a_jail_in_a_user_namespace_and_never_hold_a_capability():
    profile = dataclasses.replace(PROFILE, uid=None, disable_userns=True)
    assert options(profile) == (
        "--unshare-user --uid 1000 --gid 1000 --disable-userns --unshare-pid --unshare-net --unshare-ipc --unshare-uts "
        f"--unshare-cgroup-try --cap-drop ALL {REST}"
    )
    assert jailed_command(profile) == [
        "/usr/bin/setpriv",
        "--nnp",
        "--inh-caps=-all",
        "--",
        *LIMITS,
        "--",
        "python",
        "-V",
    ]


def test_without_a_cgroup_processes_and_their_data_are_bounded_one_by_one():
    command = jailed_command(dataclasses.replace(PROFILE, user_pids=128, process_data=2**30))
    assert command[-5:] == ["--nproc=128", "--data=1073741824", "--", "python", "-V"]


def test_a_value_of_the_environment_stays_one_word():
    profile = dataclasses.replace(PROFILE, env={"A": "-- --ro-bind / /"})
    words = bwrap_options(profile, files=[11, 12], seccomp=13, status=14)
    assert words[words.index("A") + 1] == "-- --ro-bind / /"


def data_mounts(profile):
    """The editions seen, each with the files of its one table."""
    seen = {}
    for mount in profile.mounts:
        if mount.target.startswith("/data/"):
            edition, resource, name = mount.target.removeprefix("/data/").rsplit("/", 2)
            assert (resource, name) == ("bornes", mount.source.name)
            seen.setdefault(edition, []).append(mount.source)
    return seen


def files(lab, dataset, edition):
    served = lab.lake.current(dataset, edition).resources["bornes"]
    return lab.lake.files(dataset, edition, "bornes", served)


def test_a_user_sees_the_editions_granted_for_the_purpose_and_no_others(lab):
    opened, raw, secret = (files(lab, *edition) for edition in (("irve", "open"), ("irve", "raw"), ("secret", "raw")))
    assert data_mounts(profile_for(lab, "true")) == {"irve/open": opened}
    assert data_mounts(profile_for(lab, "true", purpose="mobility")) == {"irve/open": opened, "irve/raw": raw}
    assert data_mounts(profile_for(lab, "true", user="bob")) == {"irve/open": opened, "secret/raw": secret}


def test_the_files_of_other_snapshots_lie_apart_from_the_one_that_is_served(lab):
    before = files(lab, "irve", "open")
    commit(lab, "irve", "open", ["z"], geometry=False)
    mounts = {mount.target: mount.source for mount in profile_for(lab, "true").mounts if "/data/" in mount.target}
    (served,) = files(lab, "irve", "open")
    assert mounts == {
        f"/data/irve/open/bornes/{served.name}": served,
        f"/data/.past/irve/open/bornes/0/{before[0].name}": before[0],
    }


def test_the_pointer_that_a_sandbox_sees_has_no_receipt(lab):
    pointer = json.loads(profile_for(lab, "true").files["/data/irve/open/current.json"])
    (path,) = files(lab, "irve", "open")
    committed = lab.lake.current("irve", "open").resources["bornes"].committed
    assert pointer == {
        "resources": {
            "bornes": {
                "version": 0,
                "files": {path.name: path.stat().st_size},
                "rows": 2,
                "committed": committed.isoformat().replace("+00:00", "Z"),
                "columns": [{"name": "id", "type": "VARCHAR"}],
            }
        }
    }


def test_an_unknown_user_is_told_where_users_stand(lab):
    with pytest.raises(UsageError, match=r"unknown user 'adda'; did you mean 'ada'.*\[policies\.users\]"):
        profile_for(lab, "true", user="adda")


def test_a_user_without_a_grant_is_told_what_a_steward_must_do(lab):
    (lab.root / "policies" / "irve.yaml").unlink()
    with pytest.raises(DeniedError, match=r"eve is granted nothing .*--purpose.*policies/<dataset>\.yaml.*user:eve"):
        profile_for(lab, "true", user="eve")


def test_a_grant_that_has_ended_mounts_nothing(lab):
    path = lab.root / "policies" / "secret.yaml"
    path.write_text(path.read_text().replace("2999-01-01", str(dt.date(2020, 1, 1))))
    assert list(data_mounts(profile_for(lab, "true", user="bob"))) == ["irve/open"]


def test_a_user_without_a_grant_today_is_told_why_each_of_theirs_does_not_hold(lab):
    (lab.root / "policies" / "irve.yaml").write_text(
        POLICY.format(
            grants="""
  - {to: "group:partners", edition: open, purposes: any, until: 2026-06-01, why: "a pilot"}
  - {to: "group:partners", edition: raw, purposes: [mobility], until: 2999-01-01, why: "agreement 12"}
  - {to: "user:ada", edition: raw, purposes: any, from: 2998-01-01, until: 2999-01-01, why: "later"}
  - {to: "user:bob", edition: raw, purposes: any, until: 2020-01-01, why: "nobody else's business"}"""
        )
    )
    with pytest.raises(DeniedError) as caught:
        profile_for(lab, "true")
    assert str(caught.value).splitlines()[1:] == [
        "irve/open: the grant to group:partners ended on 2026-06-01",
        "irve/raw: granted for mobility; no purpose was stated; the grant to user:ada starts on 2998-01-01",
    ]


def test_a_user_whose_edition_was_never_built_is_told_what_builds_it(lab):
    (lab.lake.edition_path("irve", "open") / "current.json").unlink()
    with pytest.raises(DeniedError) as caught:
        profile_for(lab, "true", user="eve")
    assert str(caught.value).splitlines()[1:] == [
        "irve/open: granted, but nothing of it can be served now; `datalab ingest irve` builds it"
    ]


def described(profile):
    return json.loads(profile.files["/data/datasets.json"])


def test_the_most_detailed_granted_edition_is_the_default(lab):
    entries = described(profile_for(lab, "true", purpose="mobility"))
    assert [(entry["edition"], entry["default"]) for entry in entries] == [("open", False), ("raw", True)]
    assert entries[1] == {
        "dataset": "irve",
        "edition": "raw",
        "title": "Bornes de recharge",
        "description": "Un jeu d'essai.",
        "licence": "LO-2.0",
        "licence_uri": "https://spdx.org/licenses/etalab-2.0",
        "share_alike": False,
        "publisher": "Région",
        "page": "http://127.0.0.1:8420/datasets/irve",
        "default": True,
    }


def test_a_broken_descriptor_closes_its_own_dataset_alone(lab):
    (lab.root / "datasets" / "irve.yaml").write_text("title: 3\n")
    warnings = []
    assert list(data_mounts(profile_for(lab, "true", user="bob", warn=warnings.append))) == ["secret/raw"]
    assert len(warnings) == 1
    assert "irve.yaml:1" in warnings[0]


def test_a_file_that_only_its_owner_may_read_is_refused_by_name(lab):
    if os.geteuid() != 0:
        pytest.skip("only root runs a sandbox under another uid")
    (path,) = files(lab, "irve", "open")
    path.chmod(0o600)
    with pytest.raises(SandboxError, match=rf"{path.name}: only its owner may read it.*chmod"):
        profile_for(lab, "true")


def test_nothing_starts_on_a_disk_that_is_nearly_full(lab):
    wanting = dataclasses.replace(lab, settings={**lab.settings, "sandbox": {"venv": str(VENV), "free": "1024TiB"}})
    with pytest.raises(SandboxError, match=r"var: \d+ bytes are free on its disk.*\[sandbox\] free"):
        profile_for(wanting, "true")
    assert not (lab.var / "homes").exists()


def test_the_environment_is_ours_alone(lab, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in repr(profile_for(lab, "true"))


def test_every_user_has_a_uid_of_their_own_and_keeps_it(lab):
    first = SandboxSettings().first_uid
    homes = [home_of(lab, user, SandboxSettings()) for user in ("ada", "bob", "ada", "eve")]
    assert [path.name for path, _ in homes] == ["ada", "bob", "ada", "eve"]
    assert {path.stat().st_mode & 0o077 for path, _ in homes} == {0}
    if os.geteuid() == 0:
        assert [uid for _, uid in homes] == [first, first + 1, first, first + 2]
        assert [path.stat().st_uid for path, _ in homes] == [uid for _, uid in homes]


def test_a_home_that_belongs_to_somebody_else_is_refused(lab):
    if os.geteuid() != 0:
        pytest.skip("only root runs a sandbox under another uid")
    (lab.var / "homes" / "ada").mkdir(parents=True)
    with pytest.raises(SandboxError, match=r"homes/ada: belongs to uid 0, .*chown -R"):
        home_of(lab, "ada", SandboxSettings())


def fake_python(folder, home, *, prefix=None):
    """A venv made by the interpreter in `home`; and that interpreter, where `prefix` is given."""
    if prefix is not None:
        (prefix / "lib" / "python3.11").mkdir(parents=True)
        (prefix / "lib" / "python3.11" / "os.py").touch()
        (prefix / "bin").mkdir()
        (prefix / "bin" / "python3.11").touch()
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = {home}\nversion = 3.11.7\n")
    (folder / "bin" / "python").symlink_to(f"{home}/python3.11")
    return SandboxSettings(venv=folder)


def test_a_python_outside_usr_is_mounted_where_the_venv_looks_for_it(lab, tmp_path):
    settings = fake_python(tmp_path / "venv", tmp_path / "pyenv" / "bin", prefix=tmp_path / "pyenv")
    assert python_mounts(lab, settings) == (
        Mount(tmp_path / "venv", "/opt/venv"),
        Mount(tmp_path / "pyenv" / "bin", str(tmp_path / "pyenv" / "bin")),
        Mount(tmp_path / "pyenv" / "lib", str(tmp_path / "pyenv" / "lib")),
    )


def test_a_python_named_by_a_symlinked_folder_is_mounted_under_both_names(lab, tmp_path):
    real, named = tmp_path / "cpython-3.11.7", tmp_path / "cpython-3.11"
    named.symlink_to(real)
    settings = fake_python(tmp_path / "venv", named / "bin", prefix=real)
    assert {(mount.source, mount.target) for mount in python_mounts(lab, settings)[1:]} == {
        (real / name, str(folder / name)) for name in ("bin", "lib") for folder in (real, named)
    }


@pytest.mark.parametrize("home", ["/usr/bin", "/bin", "/usr/local/bin"])
def test_the_systems_python_needs_no_mount_of_its_own(lab, tmp_path, home):
    settings = fake_python(tmp_path / "venv", home)
    (tmp_path / "venv" / "bin" / "python").unlink()
    (tmp_path / "venv" / "bin" / "python").symlink_to("/usr/bin/env")  # any program that is there
    assert python_mounts(lab, settings) == (Mount(tmp_path / "venv", "/opt/venv"),)


def test_a_folder_that_is_no_python_is_never_mounted(lab, tmp_path):
    (tmp_path / "home" / "bin").mkdir(parents=True)
    (tmp_path / "home" / "bin" / "python3.11").touch()
    settings = fake_python(tmp_path / "venv", tmp_path / "home" / "bin")
    with pytest.raises(SandboxError, match="not a Python installation"):
        python_mounts(lab, settings)


def test_a_missing_environment_is_an_error_that_says_what_to_run(lab):
    with pytest.raises(SandboxError, match=r"nowhere: there is no Python environment .*make setup"):
        python_mounts(lab, SandboxSettings(venv=Path("nowhere")))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"memory": "64MiB"}, r"\[sandbox\] 'memory'"),
        ({"pids": 1}, r"\[sandbox\] 'pids'"),
        ({"seconds": 0}, r"\[sandbox\] 'seconds'"),
        ({"memroy": "1GiB"}, r"\[sandbox\] unknown key 'memroy'; did you mean 'memory'"),
        ({"first_uid": 0}, r"\[sandbox\] 'first_uid'"),
    ],
)
def test_a_wrong_setting_is_named(lab, values, said):
    wrong = dataclasses.replace(lab, settings={**lab.settings, "sandbox": values})
    with pytest.raises(DocumentError, match=said):
        wrong.section("sandbox", SandboxSettings)


def test_what_is_damaged_is_left_out_with_a_warning(lab):
    (lab.lake.edition_path("irve", "open") / "current.json").write_text("{")
    warnings = []
    profile = profile_for(lab, "true", user="bob", warn=warnings.append)
    assert list(data_mounts(profile)) == ["secret/raw"]
    assert len(warnings) == 1
    assert "current.json: damaged" in warnings[0]


def test_an_edition_with_a_damaged_file_is_left_out_with_a_warning(lab):
    (path,) = files(lab, "irve", "raw")
    path.write_bytes(path.read_bytes()[:-1])
    warnings = []
    profile = profile_for(lab, "true", purpose="mobility", warn=warnings.append)
    assert list(data_mounts(profile)) == ["irve/open"]
    assert [entry["edition"] for entry in described(profile)] == ["open"]
    assert "/data/irve/raw/current.json" not in profile.files
    assert len(warnings) == 1
    assert f"{path.name}: the file is gone or damaged" in warnings[0]


def test_an_edition_built_by_an_older_policy_is_left_out_with_a_warning(lab):
    path = lab.root / "policies" / "irve.yaml"
    path.write_text(path.read_text().replace("keep: [id]", "keep: [id, geo]"))
    warnings = []
    with pytest.raises(DeniedError):
        profile_for(lab, "true", warn=warnings.append)
    assert "datalab ingest irve" in warnings[0]
