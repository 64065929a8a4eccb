"""The section `[packages]` of datalab.toml: what sandboxes may install, and from where. Without it they are offline.

[packages]
allow = ["humanize", "scipy"]     # each by its name; what it needs, too
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ByteSize, Field, HttpUrl

from policies.document import Model
from sandbox.packages.names import NAME, normalised

_MIB = 1024**2


def _name(written: str) -> str:
    if not NAME.fullmatch(written):
        raise ValueError(f"expected the name of a package, such as 'scipy', and no pattern; got {written!r}")
    return normalised(written)


class PackagesSettings(Model):
    """An index as of PEP 503, and what of it is passed through."""

    allow: tuple[Annotated[str, AfterValidator(_name)], ...] = ()
    """None: no index at all."""
    index: HttpUrl = HttpUrl("https://pypi.org/simple/")
    files: tuple[str, ...] = ("files.pythonhosted.org",)
    """The hosts that its files lie on, beside its own."""
    allow_hosts: tuple[str, ...] = ()
    """Of these hosts, those that may have an inner address: a mirror of one's own."""
    size: Annotated[ByteSize, Field(ge=1024, le=8192 * _MIB)] = ByteSize(256 * _MIB)
    """The largest file."""
    seconds: float = Field(300, gt=0, le=3600)
    """How long one file may take."""
