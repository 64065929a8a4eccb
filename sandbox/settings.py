"""The section `[sandbox]` of datalab.toml: what one sandbox may use.

    [sandbox]
    venv = "../../.venv-sandbox"    # the users' own Python, relative to the lab; never the product's
    memory = "4GiB"

Every bound has a default; a name that is not below is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ByteSize, Field

from policies.document import Model

_MIB = 1024**2
_GIB = 1024**3
_TIB = 1024**4


class SandboxSettings(Model):
    """Limits of each sandbox, and where its Python comes from."""

    venv: Path = Path(".venv-sandbox")
    memory: Annotated[ByteSize, Field(ge=256 * _MIB, le=_TIB)] = ByteSize(2 * _GIB)
    cpus: float = Field(2.0, ge=0.1, le=1024)
    pids: int = Field(512, ge=32, le=32768, description="processes and threads together")
    tmp: Annotated[ByteSize, Field(ge=_MIB, le=_TIB)] = ByteSize(256 * _MIB)
    file_size: Annotated[ByteSize, Field(ge=_MIB, le=_TIB)] = ByteSize(4 * _GIB)
    seconds: float = Field(600, gt=0, le=7 * 86400, description="deadline of `exec` and `run`; `lab` has none")
    output: Annotated[ByteSize, Field(ge=1024, le=_GIB)] = ByteSize(32 * _MIB)
    free: Annotated[ByteSize, Field(ge=0, le=1024 * _TIB)] = ByteSize(_GIB)
    """No sandbox starts when less is left on the disk of `var/`: homes take of it what they need."""
    home: Annotated[ByteSize, Field(ge=64 * _MIB, le=_TIB)] = ByteSize(4 * _GIB)
    """A home's size, with what its filesystem needs itself; as root alone. Homes grow with it, and never shrink."""
    first_uid: int = Field(1_900_000_000, ge=100_000, le=2_147_000_000)
    """Users get this uid and those after it when the lab runs as root. The default lies in a range that neither
    useradd, nor its subordinate ids, nor systemd's containers give away (systemd.io/UIDS-GIDS)."""
