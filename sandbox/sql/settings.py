"""The section `[gateway]` of datalab.toml: what SQL from outside may use.

[gateway]
port = 8421
memory = "2GiB"     # of one engine
seconds = 60        # from the query to the last byte of its answer
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ByteSize, Field

from policies.document import Model

_MIB = 1024**2
_GIB = 1024**3
_TIB = 1024**4


class GatewaySettings(Model):
    """Bounds of each query, and of all of them together."""

    port: int = Field(8421, ge=1, le=65535)
    memory: Annotated[ByteSize, Field(ge=256 * _MIB, le=_TIB)] = ByteSize(2 * _GIB)
    cpus: float = Field(2.0, ge=0.1, le=1024)
    disk: Annotated[ByteSize, Field(ge=0, le=_TIB)] = ByteSize(4 * _GIB)
    """What one engine may spill to disk."""
    seconds: float = Field(60, gt=0, le=86400)
    output: Annotated[ByteSize, Field(ge=1024, le=_TIB)] = ByteSize(2 * _GIB)
    """The longest answer; a longer one is cut off, and its reader sees that it was."""
    body: Annotated[ByteSize, Field(ge=1024, le=64 * _MIB)] = ByteSize(_MIB)
    """The longest request: SQL and parameters."""
    engines: int = Field(4, ge=1, le=1000)
    """So many run at most, so many queries at a time: each may use `memory`."""
    share: int = Field(2, ge=1, le=1000)
    """So many of them for one principal at most, so that a place is left for others."""
    queue: int = Field(32, ge=1, le=10_000)
    """So many queries of one principal may wait; the next is told to come back."""
    warm: float = Field(600, ge=1, le=86400)
    """Seconds that an engine without a question is kept."""
