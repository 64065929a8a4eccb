"""The filter as bytes; what it stops is in test_sandbox_attacks.py."""

import struct
import sys

import pyseccomp
import pytest

from policies.errors import SandboxError
from sandbox import seccomp

LENGTH = 8

DENIED = """
    acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init finit_module fsconfig
    fsmount fsopen fspick init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load
    kexec_load keyctl lookup_dcookie mbind memfd_secret migrate_pages modify_ldt mount mount_setattr move_mount
    move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open personality pidfd_getfd
    pivot_root process_madvise process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot request_key
    set_mempolicy set_mempolicy_home_node setns settimeofday swapoff swapon syslog umount2 unshare uselib userfaultfd
    vhangup vm86 vm86old
"""
"""The contract: most of these no attack of ours can tell from a call that the kernel refuses by itself."""


@pytest.fixture(autouse=True)
def fresh():
    seccomp.program.cache_clear()
    yield
    seccomp.program.cache_clear()


def test_the_first_steps_answer_unknown_calls_as_an_old_kernel_would():
    steps = [struct.unpack("=HBBI", seccomp.program()[at : at + LENGTH]) for at in range(0, 3 * LENGTH, LENGTH)]
    enosys = 38
    assert steps == [(0x20, 0, 0, 0), (0x25, 0, 1, seccomp.NEWEST_KNOWN), (0x06, 0, 0, 0x0005_0000 | enosys)]


def test_the_denied_calls_are_these():
    assert sorted(seccomp.DENIED) == DENIED.split()


def test_every_denied_call_is_in_the_program():
    compared = {value for _, _, _, value in struct.iter_unpack("=HBBI", seccomp.program())}
    numbers = {name: pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in seccomp.DENIED}
    assert [name for name, number in numbers.items() if number >= 0 and number not in compared] == []


def test_the_program_is_whole_and_fits_the_kernels_bound():
    program = seccomp.program()
    assert len(program) % LENGTH == 0
    assert 100 < len(program) // LENGTH < 4096


def test_no_denied_call_is_newer_than_the_newest_known():
    numbers = [pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in seccomp.DENIED]
    assert max(numbers) <= seccomp.NEWEST_KNOWN


def test_a_call_that_libseccomp_does_not_know_makes_no_filter(monkeypatch):
    monkeypatch.setattr(seccomp, "DENIED", ("no_such_call",))
    with pytest.raises(SandboxError, match=r"does not know the system call no_such_call.*upgrade libseccomp2"):
        seccomp.program()


def test_a_missing_libseccomp_says_what_to_install(monkeypatch, tmp_path):
    (tmp_path / "pyseccomp.py").write_text("raise RuntimeError('Unable to find libseccomp')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pyseccomp", raising=False)
    with pytest.raises(SandboxError, match="apt install libseccomp2"):
        seccomp.program()
