"""The system-call filter, as the BPF program that bwrap loads.

Namespaces hide the machine; this keeps the kernel's rarely walked corners shut: AF_VSOCK reaches the hypervisor past
any network namespace, keyrings belong to a uid and not to a jail, io_uring does work that no filter sees, and nested
user namespaces open half of the kernel's known holes. A call that is not allowed fails with EPERM; nothing is killed.

Every comparison of an argument looks at its low 32 bits only, as the kernel does: libseccomp compares 64, and a caller
may set the upper half to what it likes.
"""

from __future__ import annotations

import errno
import os
import struct
from functools import cache
from typing import TYPE_CHECKING, Any

from policies.errors import SandboxError

if TYPE_CHECKING:
    from types import ModuleType

DENIED = (
    *("add_key", "keyctl", "request_key"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp"),
    *("mount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick"),
    *("mount_setattr", "unshare", "setns", "chroot"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot"),
    *("swapon", "swapoff", "acct", "quotactl", "quotactl_fd"),
    *("open_by_handle_at", "name_to_handle_at", "lookup_dcookie", "fanotify_init"),
    *("settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "syslog", "personality", "vhangup"),
    *("iopl", "ioperm", "modify_ldt", "vm86", "vm86old", "uselib", "nfsservctl"),
    *("mbind", "migrate_pages", "move_pages", "set_mempolicy", "set_mempolicy_home_node", "memfd_secret"),
)

NEWEST_KNOWN = 452
"""fchmodat2, Linux 6.6. A call that came later is answered as by a kernel that does not have it (ENOSYS), until
somebody has looked at it and raised this number. Numbers from 424 on are the same on every architecture."""

_NEW_NAMESPACE = (0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000)
"""clone's CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""

_IOCTLS = (0x5412, 0x541C, 0x5423)
"""TIOCSTI and TIOCLINUX type into the terminal that started us; TIOCSETD loads line disciplines."""

_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16

_SOCKETS: tuple[tuple[int, dict[int, int]], ...] = (
    *((errno.EAFNOSUPPORT, {0: family}) for family in range(64) if family not in {_UNIX, _INET, _INET6, _NETLINK}),
    *((errno.EPROTONOSUPPORT, {0: _NETLINK, 2: protocol}) for protocol in range(1, 32)),
    *(
        (errno.EPROTONOSUPPORT, {0: family, 2: protocol})
        for family in (_INET, _INET6)
        for protocol in (33, 115, 132, 136, 256, 262)
    ),
)
"""socket() calls that fail: the errno, and argument → value. What is left of netlink is NETLINK_ROUTE, which lists
interfaces; the last are DCCP, L2TP, SCTP, UDP-Lite, SMC and MPTCP: kernel modules that any socket() would load."""

_LOW_HALF = 0xFFFF_FFFF


@cache
def program() -> bytes:
    """The filter for this machine's architecture. Raises SandboxError if libseccomp is missing or too old."""
    try:
        import pyseccomp  # noqa: PLC0415  its import fails where libseccomp is not installed
    except RuntimeError:
        message = "libseccomp is not installed, so no sandbox can be made: apt install libseccomp2"
        raise SandboxError(message) from None

    return _unknown_calls_do_not_exist() + _exported(_rules(pyseccomp))


def _rules(pyseccomp: ModuleType) -> Any:
    """The deny list as libseccomp rules."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    refuse = pyseccomp.ERRNO(errno.EPERM)

    def equals(argument: int, value: int) -> Any:
        return pyseccomp.Arg(argument, pyseccomp.MASKED_EQ, _LOW_HALF, value)

    for name in DENIED:
        try:
            rules.add_rule(refuse, name)
        except OSError:
            message = f"libseccomp does not know the system call {name}, so no sandbox can be made; upgrade libseccomp2"
            raise SandboxError(message) from None
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags lie in memory; libc falls back to clone
    for flag in _NEW_NAMESPACE:
        rules.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    for request in _IOCTLS:
        rules.add_rule(refuse, "ioctl", equals(1, request))
    for number, arguments in _SOCKETS:
        rules.add_rule(pyseccomp.ERRNO(number), "socket", *(equals(*argument) for argument in arguments.items()))
    return rules


def _unknown_calls_do_not_exist() -> bytes:
    """`if nr > NEWEST_KNOWN: return ENOSYS`, to go before the rest: libseccomp has no such rule.

    A 32-bit ABI's calls that pass here meet libseccomp's own check of the architecture, and die.
    """
    load, jump_if_greater, give = 0x20, 0x25, 0x06
    return b"".join(
        struct.pack("=HBBI", *step)
        for step in ((load, 0, 0, 0), (jump_if_greater, 0, 1, NEWEST_KNOWN), (give, 0, 0, 0x0005_0000 | errno.ENOSYS))
    )


def _exported(rules: Any) -> bytes:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source:
        with os.fdopen(write, "wb") as sink:
            rules.export_bpf(sink)
        return source.read()
