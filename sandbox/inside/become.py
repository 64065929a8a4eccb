"""Inside a warm jail that is claimed: a process of root's becomes a user, for good."""

import ctypes
import os
import resource
import sys
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_SET_DUMPABLE, _BOUNDING_DROP, _AMBIENT, _AMBIENT_CLEAR = 4, 24, 47, 4
_CAPABILITIES = 64
_VERSION_3 = 0x2008_0522


def become(uid: int, groups: list[int]) -> None:
    """Be that user, with no privilege, now or later; raises SystemExit if anything of it did not come about.

    The system-call filter and no_new_privs have held since bwrap started this.
    """
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208  a warm process imports no more than it must
        sys.exit("warm: there are other threads, whose capabilities would stay")
    for number in range(_CAPABILITIES):
        _LIBC.prctl(_BOUNDING_DROP, number, 0, 0, 0)  # fails for those that this kernel does not have
    _LIBC.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    os.setgroups(groups)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    header, nothing = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _LIBC.capset(header, nothing)
    _LIBC.prctl(_SET_DUMPABLE, 1, 0, 0, 0)  # as after the exec of a cold start: /proc/self is the user's own
    with open("/proc/self/status", encoding="utf-8") as file:  # noqa: PTH123
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    expected = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16)
    expected |= {"NoNewPrivs": "1", "Seccomp": "2"}
    expected |= {name: "\t".join([str(uid)] * 4) for name in ("Uid", "Gid")}
    wrong = [name for name, value in expected.items() if fields.get(name) != value]
    if wrong or sorted(map(int, fields["Groups"].split())) != sorted(groups):
        sys.exit(f"warm: not as it must be: {', '.join(wrong) or 'Groups'}")


def obey(told: dict[str, Any]) -> None:
    """Become what a claim says, with its bound on files, its environment and its home."""
    become(told["uid"], told["groups"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (told["file_size"], told["file_size"]))
    os.environ.clear()
    os.environ.update({**told["env"], "PWD": "/"})  # as bwrap sets it
    os.chdir(told["env"]["HOME"])
    sys.path_importer_cache.clear()  # what was not there when it was looked for is there now
