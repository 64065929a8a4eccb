"""What a hostile notebook tries. Runs on standard input of a Python: `python - '{"port": 1, …}'` → one JSON object.

Each attack answers "open …" when it succeeds, and "blocked: …" when the system refuses it. Only the standard library.
"""

# It has no pathlib at hand, prints its answer, and means harm.
# ruff: noqa: PLW1510, PTH101, PTH102, PTH120, PTH123, PTH208, S103, T201

import ctypes
import errno
import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys

TARGETS = json.loads(sys.argv[1])
LIBC = ctypes.CDLL(None, use_errno=True)
ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__] = function
    return function


def call(number, *arguments):
    """One system call by its number on x86-64; raises OSError."""
    answer = LIBC.syscall(number, *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def first_byte(path):
    with open(path, "rb") as file:
        return f"open: read {len(file.read(1))}"


@attack
def read_the_shadow_file():
    return first_byte("/etc/shadow")


@attack
def read_a_file_of_the_host():
    return first_byte(TARGETS["canary"])


@attack
def read_a_file_of_the_host_through_pid_1():
    return first_byte("/proc/1/root" + TARGETS["canary"])


@attack
def read_an_edition_that_was_not_granted():
    return first_byte(TARGETS["ungranted"])


@attack
def list_the_neighbours_homes():
    return f"open: {os.listdir(TARGETS['neighbour'])}"


@attack
def list_var_of_the_lab():
    return f"open: {os.listdir(TARGETS['var'])}"


@attack
def connect_to_a_server_on_the_hosts_loopback():
    with socket.create_connection(("127.0.0.1", TARGETS["port"]), timeout=5):
        return "open: connected"


@attack
def connect_to_an_abstract_socket_of_the_host():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + TARGETS["abstract"])
        return "open: connected"


@attack
def see_a_process_of_the_host():
    os.kill(TARGETS["pid"], 0)
    with open(f"/proc/{TARGETS['pid']}/cmdline", "rb") as file:
        return f"open: {file.read(20)}"


@attack
def route_to_the_network():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("192.0.2.1", 9))
        return f"open: from {client.getsockname()}"


@attack
def write_into_granted_data():
    with open(TARGETS["granted"], "r+b"):
        return "open: opened for writing"


@attack
def add_a_file_to_granted_data():
    with open(os.path.dirname(TARGETS["granted"]) + "/more", "wb"):
        return "open: created"


@attack
def change_the_mode_of_granted_data():
    os.chmod(TARGETS["granted"], 0o666)
    return "open"


@attack
def write_into_the_python_environment():
    with open("/opt/venv/bin/planted", "wb"):
        return "open: created"


@attack
def write_into_the_root():
    os.mkdir("/planted")
    return "open: created"


@attack
def write_into_dev():
    os.mkdir("/dev/planted")
    return "open: created"


@attack
def replace_lab_py():
    with open("/opt/datalab/lab/__init__.py", "wb"):
        return "open: opened for writing"


@attack
def become_root():
    os.setuid(0)
    return "open"


@attack
def gain_by_a_setuid_program():
    answer = subprocess.run(["/usr/bin/su", "-c", "id -u"], stdin=subprocess.DEVNULL, capture_output=True)
    if answer.returncode != 0:
        raise PermissionError(errno.EPERM, answer.stderr.decode())
    return f"open: {answer.stdout}"


@attack
def make_a_device():
    os.mknod("/tmp/device", 0o600 | 0o060000, os.makedev(254, 0))
    return "open"


@attack
def mount_something():
    call(165, b"none", b"/tmp", b"tmpfs", 0, 0)
    return "open"


@attack
def set_the_hostname():
    socket.sethostname("other")
    return "open"


@attack
def write_a_kernel_setting():
    with open("/proc/sys/kernel/core_pattern", "w") as file:
        file.write("|/tmp/x")
    return "open"


@attack
def open_a_raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return "open"


@attack
def reach_the_hypervisor_by_vsock():
    socket.socket(40, socket.SOCK_STREAM).close()
    return "open"


@attack
def reach_the_hypervisor_by_vsock_with_garbage_in_the_upper_half():
    os.close(call(41, (1 << 32) | 40, 1, 0))
    return "open"


@attack
def use_the_kernels_cipher_sockets():
    socket.socket(38, socket.SOCK_SEQPACKET).close()
    return "open"


@attack
def talk_netfilter_over_netlink():
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12).close()
    return "open"


@attack
def load_a_network_protocol():
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
    return "open"


@attack
def read_the_session_keyring():
    return f"open: {call(250, 0, -3, 0)}"


@attack
def leave_a_key_in_the_users_keyring():
    return f"open: {call(248, b'user', b'name', b'secret', 6, -4)}"


@attack
def trace_a_child():
    child = subprocess.Popen(["sleep", "60"])
    try:
        call(101, 0x4206, child.pid, 0, 0)
    finally:
        child.kill()
        child.wait()
    return "open"


@attack
def set_up_io_uring():
    os.close(call(425, 1, ctypes.create_string_buffer(120)))
    return "open"


@attack
def handle_page_faults():
    os.close(call(323, 1))
    return "open"


@attack
def make_a_user_namespace():
    child = os.fork()
    if child == 0:
        os._exit(0 if LIBC.unshare(0x10000000) == 0 else 1)
    if os.waitpid(child, 0)[1] != 0:
        raise PermissionError(errno.EPERM, "unshare")
    return "open"


@attack
def clone_into_a_user_namespace():
    answer = call(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if answer == 0:
        os._exit(0)
    os.waitpid(answer, 0)
    return "open"


@attack
def clone3_into_a_user_namespace():
    arguments = struct.pack("8Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    answer = call(435, arguments, len(arguments))
    if answer == 0:
        os._exit(0)
    os.waitpid(answer, 0)
    return "open"


@attack
def use_a_call_newer_than_the_filter():
    try:
        call(454, 0, 0, 0, 0)  # futex_wake, Linux 6.7
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise
    return "open: the kernel knows it"


@attack
def type_into_a_terminal():
    child, master = pty.fork()
    if child == 0:
        try:
            fcntl.ioctl(0, 0x5412, b"x")
        except OSError:
            os._exit(1)
        os._exit(0)
    failed = os.waitpid(child, 0)[1]
    os.close(master)
    if failed:
        raise PermissionError(errno.EPERM, "TIOCSTI")
    return "open"


@attack
def load_a_line_discipline():
    master, slave = os.openpty()
    try:
        fcntl.ioctl(slave, 0x5423, struct.pack("i", 0))
    finally:
        os.close(master)
        os.close(slave)
    return "open"


def tried(function):
    try:
        return function()
    except OSError as error:
        return f"blocked: {errno.errorcode.get(error.errno, error)} {error}"


names = TARGETS.get("only") or list(ATTACKS)
print(json.dumps({name: tried(ATTACKS[name]) for name in names}))
