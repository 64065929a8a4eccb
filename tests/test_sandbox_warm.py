"""A warm jail that was claimed, beside one that was started cold: what is equal, what each may do, and who owns it."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_sandbox import REPOSITORY, VENV, make_lab, profile_for
from test_sandbox_attacks import ALL, ATTACK
from test_sandbox_attacks import targets as targets  # noqa: PLC0414  a fixture
from test_sandbox_live import TO_ADA

from sandbox.jail import Mount
from sandbox.limits import Cgroup, Limits
from sandbox.live.helper import Order
from sandbox.live.watch import Watch
from sandbox.process import start
from sandbox.profile import warm_profile
from sandbox.python import PYTHON
from sandbox.settings import SandboxSettings
from sandbox.warm import Warm, claiming, fits, open_sandbox

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a running jail its home and data")
SCRIPT = "/opt/datalab-scripts/script.py"


def settings_of(lab):
    return lab.section("sandbox", SandboxSettings)


def limits_of(lab, **other):
    settings = settings_of(lab)
    return Limits(**{"memory": settings.memory, "pids": settings.pids, "cpus": settings.cpus, **other})


def script_profile(lab, text, *arguments):
    """A sandbox of ada's that runs a script, as `datalab sandbox lab` runs serve.py."""
    profile = profile_for(lab, PYTHON, SCRIPT, *arguments)
    return replace(profile, files={**profile.files, SCRIPT: text.encode()})


def ran(jailed):
    with jailed:
        out, err = jailed.bwrap.communicate(timeout=60)
        assert jailed.wait() == 0, err.decode()
    return out.decode()


def claimed(lab, text, *arguments):
    """What a script says in a warm jail that became ada's."""
    with Warm(warm_profile(lab, settings_of(lab)), limits_of(lab)) as warm, socket.socket(socket.AF_UNIX) as listening:
        assert warm.wait()
        jailed = warm.claim(script_profile(lab, text, *arguments), limits_of(lab), listening)
        assert jailed is not None
        return ran(jailed)


def cold(lab, text, *arguments):
    """What it says in a jail of its own."""
    return ran(start(script_profile(lab, text, *arguments), limits_of(lab), stdin=subprocess.PIPE))


TELL = """
import json, os, re, resource, stat, subprocess, sys
status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
kept = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
        "Seccomp_filters", "Umask", "SigIgn", "SigBlk")
mounts = []
for line in open("/proc/self/mountinfo"):
    before, after = line.rstrip("\\n").split(" - ")
    number, parent, device, root, target, options, *tags = before.split(" ")
    mounts.append([root, target, options, tags, re.sub(r"loop\\d+", "loopN", after)])
files = []
for place, folders, names in os.walk("/"):
    if place.startswith(("/proc", "/usr", "/opt/venv", "/sys", "/root", "/dev")):
        folders.clear()
        continue
    for name in (*folders, *names):
        state = os.lstat(os.path.join(place, name))
        size = state.st_size if stat.S_ISREG(state.st_mode) else 0
        files.append([os.path.join(place, name), oct(state.st_mode), state.st_uid, state.st_gid, size])
limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")}
print(json.dumps({
    "status": {name: status[name] for name in kept},
    "child": [line for line in subprocess.check_output(["cat", "/proc/self/status"], text=True).split("\\n")
              if line.startswith(("Uid", "Gid", "Groups", "Cap", "NoNew", "Seccomp", "Sig", "Umask"))],
    "mounts": sorted(mounts), "files": sorted(files), "limits": limits, "cwd": os.getcwd(), "argv": sys.argv,
    "env": {k: v for k, v in os.environ.items() if k != "DATALAB_LISTEN"}, "prefix": sys.prefix,
    "host": os.uname().nodename, "owner": os.stat("/proc/self/fd").st_uid,
    "interfaces": os.listdir("/sys/class/net") if os.path.exists("/sys/class/net") else None,
    "pid1": open("/proc/1/cmdline").read().count(str(os.getuid())),
}))
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The same question, asked in a jail that was warm and in one that was not."""
    lab = make_lab(tmp_path_factory.mktemp("warm") / "lab")
    policy = lab.root / "policies" / "secret.yaml"
    policy.write_text(policy.read_text() + TO_ADA)
    return json.loads(claimed(lab, TELL, "--an-option")), json.loads(cold(lab, TELL, "--an-option"))


@pytest.mark.parametrize(
    "what", ["status", "child", "mounts", "limits", "cwd", "argv", "env", "prefix", "host", "owner", "interfaces"]
)
def test_a_claimed_warm_jail_is_as_a_cold_one(pair, what):
    warm, other = pair
    assert warm[what] == other[what]


def test_a_claimed_warm_jail_has_the_files_of_a_cold_one_and_the_script_that_waited(pair):
    warm, other = ({tuple(file) for file in one["files"]} for one in pair)
    extra = {path for path, *_ in warm - other}
    scripts = ("become.py", "hubless.py", "kernels.py", "panel.py", "serve.py", "warm.py")
    assert extra == {f"/opt/datalab-scripts/{name}" for name in scripts}
    assert other - warm == set()


KERNEL = """
import json, sys
from jupyter_client.manager import start_new_kernel
km, kc = start_new_kernel()
said = []
ask = '''
import json, os, signal, subprocess, sys, lab
status = {line.split(":")[0]: line.split(":", 1)[1].split() for line in open("/proc/self/status") if ":" in line}
kept = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigIgn")
env = {k: v for k, v in os.environ.items() if k not in ("JPY_PARENT_PID", "DATALAB_LISTEN")}
print(json.dumps({
    "status": {name: status[name] for name in kept}, "env": env, "path": sys.path, "cwd": os.getcwd(),
    "leads": (os.getpid() == os.getsid(0), os.getpid() == os.getpgid(0)), "main": sys.modules["__main__"].__name__,
    "child": subprocess.call(["true"]),
    "rows": lab.sql("SELECT id FROM irve.bornes").fetchall(),
}))
'''
kc.execute_interactive(ask, timeout=60, output_hook=lambda m: said.append(m["content"].get("text", "")))
km.interrupt_kernel()
alive = km.is_alive()
km.shutdown_kernel(now=True)
print(json.dumps({"alive": alive, "after": km.is_alive(), "said": json.loads("".join(said))}))
"""


def test_a_kernel_that_was_forked_is_as_one_that_was_started(lab):
    warm, other = (json.loads(ask(lab, KERNEL).splitlines()[-1]) for ask in (claimed, cold))
    assert warm["said"]["status"] == other["said"]["status"]
    assert warm["said"]["rows"] == [["a"], ["b"]]
    for key in ("env", "path", "cwd", "leads", "main", "child"):
        assert warm["said"][key] == other["said"][key], key
    assert (warm["alive"], warm["after"]) == (other["alive"], other["after"]) == (True, False)


def test_no_capability_is_left_and_no_new_privilege_can_come(pair):
    status = pair[0]["status"]
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"].split() == ["1900000000"] * 4


@pytest.fixture(scope="module")
def attacked(targets):
    lab, aims = targets
    return json.loads(claimed(lab, ATTACK.read_text(), json.dumps(aims)).splitlines()[-1])


@pytest.mark.parametrize("name", ALL)
def test_every_attack_is_blocked_in_a_warm_jail_that_was_claimed(attacked, name):
    assert attacked[name].startswith("blocked: "), attacked[name]


@pytest.fixture
def warm(lab):
    with Warm(warm_profile(lab, settings_of(lab)), limits_of(lab)) as made:
        assert made.wait()
        yield made


def test_until_it_is_claimed_once_it_shows_nothing_of_the_lab_and_belongs_to_nobody(lab, warm):
    pid = warm._jailed.pid  # noqa: SLF001  seen from the host
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    told = Path(f"/proc/{child}/mountinfo").read_text()
    assert str(lab.root) not in told
    assert "/home/lab" not in told
    assert list(Path(f"/proc/{child}/root/data").iterdir()) == []
    assert b"TOKEN" not in Path(f"/proc/{child}/environ").read_bytes()
    profile = script_profile(lab, "print('mine')")
    with socket.socket(socket.AF_UNIX) as listening:
        first, second = (warm.claim(profile, limits_of(lab), listening) for _ in range(2))
    assert second is None
    assert ran(first) == "mine\n"
    assert not warm.wait(0)


def test_what_it_cannot_become_is_started_cold_and_it_stays_warm(lab, warm):
    profile = script_profile(lab, "import os; print(os.environ['DATALAB_LISTEN'].isdigit())")
    other = replace(profile, tmp=2**20)
    with socket.socket(socket.AF_UNIX) as listening:
        assert warm.claim(other, limits_of(lab), listening) is None
        assert ran(open_sandbox(other, limits_of(lab), listening, warm)) == "True\n"
        assert ran(open_sandbox(profile, limits_of(lab), listening, warm)) == "True\n"
        assert warm.claim(profile, limits_of(lab), listening) is None
        assert ran(open_sandbox(profile, limits_of(lab), listening, None)) == "True\n"


def test_it_takes_the_limits_of_the_size_that_was_chosen(lab, warm):
    profile = script_profile(lab, "import time; print('here', flush=True); time.sleep(60)")
    if not isinstance(warm._jailed.cgroup, Cgroup):  # noqa: SLF001
        pytest.skip("there is no cgroup here, and limits are set for each process at its start")
    for memory, pids, cpus in ((2**28, 64, 0.5), (2**31, 300, 0.7)):
        warm._bound(Limits(memory=memory, pids=pids, cpus=cpus))  # noqa: SLF001
        assert bounds(warm._jailed.cgroup) == (memory, pids, cpus)  # noqa: SLF001
    with socket.socket(socket.AF_UNIX) as listening:
        jailed = warm.claim(profile, Limits(memory=2**29, pids=100, cpus=1), listening)
    with jailed:
        assert jailed.bwrap.stdout.readline() == b"here\n"
        assert bounds(jailed.cgroup) == (2**29, 100, 1)


def test_where_it_uses_more_than_the_chosen_size_one_is_started_cold(lab, warm):
    profile = script_profile(lab, "print('cold')")
    small = Limits(memory=2**20, pids=100, cpus=1)
    with socket.socket(socket.AF_UNIX) as listening:
        assert warm.claim(profile, small, listening) is None
    assert not warm.wait(0)


def bounds(cgroup):
    """The memory, processes and processors that a cgroup allows, of either version."""
    names = ("memory.max", "memory.limit_in_bytes", "pids.max", "cpu.max", "cpu.cfs_quota_us")
    told = [folder / name for name in names for folder in cgroup.folders if (folder / name).exists()]
    memory, pids, quota = (int(path.read_text().split()[0]) for path in told)
    return memory, pids, quota / 100_000


def test_a_home_that_cannot_be_mounted_ends_it(lab, warm):
    profile = script_profile(lab, "print('never')")
    with profile.home.open("r+b") as image:
        image.write(bytes(2**20))
    with socket.socket(socket.AF_UNIX) as listening, pytest.raises(Exception, match="the home is damaged"):
        warm.claim(profile, limits_of(lab), listening)
    assert not warm.wait(0)


def test_a_mount_that_is_gone_ends_it(lab, warm):
    profile = script_profile(lab, "print('never')")
    profile = replace(profile, mounts=(*profile.mounts, Mount(lab.root / "gone", "/data/gone")))
    with socket.socket(socket.AF_UNIX) as listening, pytest.raises(Exception, match="could not be claimed: .*gone"):
        warm.claim(profile, limits_of(lab), listening)
    assert not warm.wait(0)


OWNER = """
import pathlib, signal, sys
sys.path[:0] = sys.argv[2:]
from catalog.lab import Lab
from sandbox.limits import Limits
from sandbox.profile import warm_profile
from sandbox.settings import SandboxSettings
from sandbox.warm import Warm
lab = Lab.open(pathlib.Path(sys.argv[1]))
settings = lab.section("sandbox", SandboxSettings)
warm = Warm(warm_profile(lab, settings), Limits(memory=settings.memory, pids=settings.pids, cpus=settings.cpus))
assert warm.wait()
print(warm._jailed.pid, flush=True)
signal.pause()
"""


def test_it_ends_with_its_owner(lab):
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(lab.root), str(REPOSITORY)], stdout=subprocess.PIPE
    ) as owner:
        jail = os.pidfd_open(int(owner.stdout.readline()))
        owner.send_signal(signal.SIGKILL)
    assert select.select([jail], [], [], 60)[0]
    os.close(jail)


def test_who_keeps_a_privilege_does_not_go_on():
    """In a process without no_new_privs and filter: the script itself sees that something is missing."""
    become = "import sys; sys.path[:0] = ['sandbox/inside']; from become import become; become(65534, [])"
    done = subprocess.run(
        [VENV / "bin" / "python", "-c", become], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "warm: not as it must be: NoNewPrivs, Seccomp\n")


def test_grants_come_and_go_in_it_as_in_any_other(lab, warm):
    talk = "import sys, os\nfor line in sys.stdin: print(sorted(os.listdir('/data')), flush=True)"
    with socket.socket(socket.AF_UNIX) as listening:
        jailed = warm.claim(script_profile(lab, talk), limits_of(lab), listening)
    with jailed:

        def ask():
            jailed.bwrap.stdin.write(b"\n")
            jailed.bwrap.stdin.flush()
            return jailed.bwrap.stdout.readline().decode().strip()

        watch = Watch(lab, "ada", None, jailed.ended, warn=lambda _: None, end=pytest.fail)
        assert watch.look()
        policy = lab.root / "policies" / "secret.yaml"
        before = policy.read_text()
        policy.write_text(before + TO_ADA)
        assert watch.look()
        assert ask() == "['datasets.json', 'irve', 'secret']"
        policy.write_text(before)
        assert watch.look()
        assert ask() == "['datasets.json', 'irve', 'revoked.json']"


def test_what_it_lacks_of_a_profile_is_all_that_it_is_given(lab):
    settings = settings_of(lab)
    warm = warm_profile(lab, settings)
    profile = script_profile(lab, "pass")
    shared = Mount(Path("/srv/project"), "/home/lab/project")
    order = claiming(warm, replace(profile, shared=(shared,)), ("/dev/loop7", "/var/homes/.mount"))
    assert order == Order(
        files={path: text for path, text in profile.files.items() if path != "/opt/datalab/rfc3987_syntax.py"},
        mounts=tuple((str(one.source), one.target) for one in profile.mounts if one.target.startswith("/data/")),
        shared=(("/srv/project", "/home/lab/project"),),
        base="/",
        home=("/dev/loop7", "/var/homes/.mount"),
    )


@pytest.mark.parametrize(
    "other", [{"tmp": 1}, {"uid": None}, {"seccomp": b"other"}, {"command": ("/usr/bin/sh",)}, {"mounts": ()}]
)
def test_another_kind_of_jail_cannot_be_had_of_it(lab, other):
    warm = warm_profile(lab, settings_of(lab))
    profile = script_profile(lab, "pass")
    assert fits(warm, profile)
    assert not fits(warm, replace(profile, **other))
