"""Inside a warm jail: what JupyterLab imports is loaded before the sandbox is anybody's; then it waits.

It runs as root with what it takes to stop being root, sees no home and no data, and runs nobody's code. When it is
claimed, home and data stand in its view already; its socket (the number in DATALAB_CLAIM) tells it who to be, and
brings the listening socket. It gives up all privileges, looks whether it has, and only then runs the script it is told.
"""

import ctypes
import json
import os
import resource
import runpy
import socket
import sys

import ipykernel.kernelspec  # noqa: F401  these are what a server loads as it starts
import jupyter_lsp  # type: ignore[import-untyped]  # noqa: F401
import jupyter_server.services.contents.largefilemanager
import jupyter_server.services.kernels.connection.channels
import jupyter_server.services.kernels.kernelmanager  # noqa: F401
import jupyter_server_terminals  # noqa: F401
import jupyterlab.labapp  # type: ignore[import-untyped]  # noqa: F401
import jupyterlab_server  # noqa: F401
import nbconvert.exporters  # noqa: F401
import notebook_shim.shim  # type: ignore[import-untyped]  # noqa: F401

_LIBC = ctypes.CDLL(None, use_errno=True)
_SET_DUMPABLE, _BOUNDING_DROP, _AMBIENT, _AMBIENT_CLEAR = 4, 24, 47, 4
_CAPABILITIES = 64
_VERSION_3 = 0x2008_0522
_MOST = 1 << 20


def main() -> None:
    """Wait to be claimed; become who that is; run what they would have started."""
    with socket.socket(fileno=int(os.environ.pop("DATALAB_CLAIM"))) as asked:
        asked.send(b"warm")
        told, listening = _told(asked)
        become(told["uid"], told["groups"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (told["file_size"], told["file_size"]))
        os.chdir(told["env"]["HOME"])
        asked.send(b"claimed")
    os.environ.clear()
    os.environ.update(told["env"], DATALAB_LISTEN=str(listening))
    sys.argv = told["argv"]
    runpy.run_path(sys.argv[0], run_name="__main__")


def become(uid: int, groups: list[int]) -> None:
    """Be that user, with no privilege, now or later; raises SystemExit if anything of it did not come about.

    The system-call filter and no_new_privs have held since bwrap started this.
    """
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208  no pathlib is needed here
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


def _told(asked: socket.socket) -> tuple[dict, int]:  # type: ignore[type-arg]
    """What the claim says, and the listening socket that comes with it; ends where the owner has ended."""
    text, descriptors, _, _ = socket.recv_fds(asked, _MOST, 1)
    if not text:
        sys.exit(0)
    return json.loads(text), descriptors[0]


if __name__ == "__main__":
    main()
