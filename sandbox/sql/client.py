"""`import lab` for machines outside, as a wheel that pip installs from the gateway itself. Pure."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from importlib.metadata import version

from sandbox.profile import HERE

_MADE = (2020, 1, 1, 0, 0, 0)
"""The time of every file in it: the same sources make the same bytes."""


def wheel_name() -> str:
    """What the file must be called, by the binary distribution format (packaging.python.org)."""
    return f"datalab_lab-{version('datalab')}-py3-none-any.whl"


def wheel() -> bytes:
    """The package `lab` with what pip wants to know of it; the same bytes for the same version."""
    info = f"datalab_lab-{version('datalab')}.dist-info"
    metadata = (
        f"Metadata-Version: 2.1\nName: datalab-lab\nVersion: {version('datalab')}\n"
        "Summary: A DataLab's granted tables, asked from outside\nRequires-Python: >=3.11\n"
        "Requires-Dist: duckdb>=2\nRequires-Dist: pyarrow>=15\n"
    )
    tag = "Wheel-Version: 1.0\nGenerator: datalab\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {f"lab/{path.name}": path.read_bytes() for path in sorted((HERE / "lab").glob("*.py"))}
    files |= {f"{info}/METADATA": metadata.encode(), f"{info}/WHEEL": tag.encode()}
    record = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _MADE), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
