"""The section `[airlock]` of datalab.toml: what may leave a sandbox, and who must look.

[airlock]
size = "50MiB"
two_reviewers = ["subventions/partner"]     # whose readers' releases need two different stewards
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ByteSize, Field, StringConstraints

from policies.document import Model

_MIB = 1024**2
_GIB = 1024**3


class AirlockSettings(Model):
    """Bounds of one file, and what the checks go by."""

    size: Annotated[ByteSize, Field(ge=1024, le=_GIB)] = ByteSize(50 * _MIB)
    """The largest file that is taken."""
    waiting: int = Field(50, ge=1, le=10_000)
    """So many files of one user may wait for a steward; the next stay in the outbox."""
    at_least: int = Field(10, ge=2)
    """The fewest units that a cell may count, where no edition that the requester could read asks for more."""
    dominance: float = Field(0.85, gt=0, le=1)
    """The largest share of one contributor in a sum."""
    seconds: float = Field(120, gt=0, le=3600)
    memory: Annotated[ByteSize, Field(ge=256 * _MIB, le=64 * _GIB)] = ByteSize(2 * _GIB)
    """Of the jail in which one file is checked, with all that was released before."""
    two_reviewers: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+/[a-z0-9_]+$")], ...] = ()
    """`dataset/edition`: what comes of a user who could read one of them needs two different reviewers."""
