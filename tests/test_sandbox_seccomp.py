"""The filter as bytes; what it stops is in test_sandbox_attacks.py."""

import struct
import sys

import pyseccomp
import pytest

from policies.errors import SandboxError
from sandbox import seccomp

LENGTH = 8


@pytest.fixture(autouse=True)
def fresh():
    seccomp.program.cache_clear()
    yield
    seccomp.program.cache_clear()


def test_the_first_steps_answer_unknown_calls_as_an_old_kernel_would():
    steps = [struct.unpack("=HBBI", seccomp.program()[at : at + LENGTH]) for at in range(0, 3 * LENGTH, LENGTH)]
    enosys = 38
    assert steps == [(0x20, 0, 0, 0), (0x25, 0, 1, seccomp.NEWEST_KNOWN), (0x06, 0, 0, 0x0005_0000 | enosys)]


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
