"""Every attack is tried in the jail, and somewhere where it must succeed: a test that cannot fail proves nothing."""

import ast
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_sandbox import make_lab, profile_for, run, run_profile, without_root

from sandbox.jail import Mount, Profile
from sandbox.seccomp import program

ATTACK = Path(__file__).with_name("attack_sandbox.py")
ALLOW_EVERYTHING = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF_0000)

SUCCEED_OUTSIDE = (
    "read_the_shadow_file",
    "read_a_file_of_the_host",
    "read_an_edition_that_was_not_granted",
    "list_the_neighbours_homes",
    "list_var_of_the_lab",
    "connect_to_a_server_on_the_hosts_loopback",
    "connect_to_an_abstract_socket_of_the_host",
    "see_a_process_of_the_host",
)
"""By root, outside of the jail; tried there by the same program."""

SUCCEED_WITHOUT_THE_FILTER = (
    "reach_the_hypervisor_by_vsock",
    "reach_the_hypervisor_by_vsock_with_garbage_in_the_upper_half",
    "use_the_kernels_cipher_sockets",
    "talk_netfilter_over_netlink",
    "load_a_network_protocol",
    "read_the_session_keyring",
    "leave_a_key_in_the_users_keyring",
    "trace_a_child",
    "set_up_io_uring",
    "handle_page_faults",
    "make_a_user_namespace",
    "clone_into_a_user_namespace",
    "clone3_into_a_user_namespace",
    "use_a_call_newer_than_the_filter",
    "type_into_a_terminal",
    "load_a_line_discipline",
)
"""In the same jail, with a filter that allows everything: unless this kernel refuses them by itself."""

NEVER_SUCCEED = (
    "read_a_file_of_the_host_through_pid_1",
    "route_to_the_network",
    "write_into_granted_data",
    "add_a_file_to_granted_data",
    "change_the_mode_of_granted_data",
    "write_into_the_python_environment",
    "write_into_the_root",
    "write_into_dev",
    "replace_lab_py",
    "become_root",
    "gain_by_a_setuid_program",
    "make_a_device",
    "mount_something",
    "set_the_hostname",
    "write_a_kernel_setting",
    "open_a_raw_socket",
)

ALL = SUCCEED_OUTSIDE + SUCCEED_WITHOUT_THE_FILTER + NEVER_SUCCEED


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    """A lab, its secrets, and servers on the host: what the attacks aim at."""
    folder = tmp_path_factory.mktemp("targets")
    lab = make_lab(folder / "lab")
    (folder / "canary").write_text("a secret")
    assert run(lab, "true", user="bob").code == 0  # the neighbour has a home now
    abstract = f"datalab-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"\0{abstract}")
        unix.listen()
        yield (
            lab,
            {
                "canary": str(folder / "canary"),
                "ungranted": str(lab.lake.edition_path("irve", "raw") / "current.json"),
                "neighbour": str(lab.var / "homes"),
                "var": str(lab.var),
                "port": tcp.getsockname()[1],
                "abstract": abstract,
                "pid": os.getpid(),
                "granted": profile_for(lab).mounts[-1].target,
            },
        )


def attacked(profile, targets):
    command = ("/usr/bin/python3", "-", json.dumps(targets))
    said = run_profile(replace(profile, command=command), stdin=ATTACK.read_bytes())
    assert said.code == 0, said
    return json.loads(said.out)


@pytest.fixture(scope="module")
def in_the_jail(targets):
    lab, aims = targets
    return attacked(profile_for(lab), aims)


@pytest.fixture(scope="module")
def in_a_jail_without_the_filter(targets):
    lab, aims = targets
    return attacked(replace(profile_for(lab), seccomp=ALLOW_EVERYTHING), aims)


@pytest.fixture(scope="module")
def outside(targets):
    _, aims = targets
    argv = [sys.executable, "-", json.dumps({**aims, "only": SUCCEED_OUTSIDE})]
    done = subprocess.run(argv, input=ATTACK.read_bytes(), capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def in_a_jail_of_nobody(targets):
    """The other way in: made by a user who is not root, through a user namespace."""
    lab, aims = targets
    granted = profile_for(lab).mounts[-1]
    folder = Path(tempfile.mkdtemp(prefix="datalab-test-"))
    try:
        shutil.copy(granted.source, folder / "granted")
        (folder / "home").mkdir()
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *((65534, 65534) if os.geteuid() == 0 else (-1, -1)))
        profile = Profile(
            uid=None,
            home=folder / "home",
            mounts=(Mount(folder / "granted", granted.target),),
            files={"/opt/datalab/lab/__init__.py": b""},
            env={"PATH": "/usr/bin"},
            seccomp=program(),
            tmp=2**20,
            file_size=2**20,
            command=(),
        )
        yield without_root(lambda: attacked(profile, aims))
    finally:
        shutil.rmtree(folder)


def test_every_attack_is_in_one_list():
    functions = [node for node in ast.parse(ATTACK.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert {function.name for function in functions if function.decorator_list} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_it_is_blocked_in_the_jail(in_the_jail, name):
    assert in_the_jail[name].startswith("blocked: "), in_the_jail[name]


@pytest.mark.parametrize("name", ALL)
def test_it_is_blocked_in_a_jail_that_was_made_without_root(in_a_jail_of_nobody, name):
    assert in_a_jail_of_nobody[name].startswith("blocked: "), in_a_jail_of_nobody[name]


@pytest.mark.parametrize("name", SUCCEED_OUTSIDE)
def test_control_it_succeeds_outside(outside, name):
    if name == "read_the_shadow_file" and os.geteuid() != 0:
        pytest.skip("only root reads the shadow file outside")
    assert outside[name].startswith("open"), outside[name]


@pytest.mark.parametrize("name", SUCCEED_WITHOUT_THE_FILTER)
def test_control_it_succeeds_without_the_filter(in_a_jail_without_the_filter, name):
    said = in_a_jail_without_the_filter[name]
    if said.startswith("blocked"):
        pytest.skip(f"this kernel refuses it by itself: {said}")
    assert said.startswith("open")


REOPEN = """
import socket, sys
kind, number, where = sys.argv[1], int(sys.argv[2]), sys.argv[3]
handed = socket.socket(fileno=number)
if kind == "tcp":
    import ctypes
    ctypes.CDLL(None).connect(number, bytes(16), 16)  # AF_UNSPEC: forget that it listens
    handed.connect(("127.0.0.1", int(where)))
else:
    handed.connect("\\0" + where)
print("connected")
"""


def test_the_socket_that_is_handed_in_cannot_be_turned_to_the_hosts_sockets(targets, tmp_path):
    lab, aims = targets
    with socket.socket(socket.AF_UNIX) as handed:
        handed.bind(str(tmp_path / "s"))
        handed.listen()
        number = handed.fileno()
        profile = profile_for(lab, "/usr/bin/python3", "-c", REOPEN, "unix", str(number), aims["abstract"])
        said = run_profile(profile, keep=(number,))
    assert said.out == "", said
    assert "OSError" in said.err or "ConnectionRefused" in said.err


def test_control_a_tcp_socket_that_is_handed_in_would_reach_the_hosts_loopback(targets):
    lab, aims = targets
    with socket.create_server(("127.0.0.1", 0)) as handed:
        number = handed.fileno()
        profile = profile_for(lab, "/usr/bin/python3", "-c", REOPEN, "tcp", str(number), str(aims["port"]))
        assert run_profile(profile, keep=(number,)).out == "connected\n"
