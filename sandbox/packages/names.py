"""Names of packages, and what is said in the names of their files. Pure.

packaging.python.org: names and normalised names (PEP 503, 508), wheels' names (PEP 427), sdists' names (PEP 625).
"""

from __future__ import annotations

import re

NAME = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]{0,98}[A-Za-z0-9]")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,250}")
_SDISTS = (".tar.gz", ".zip")
_WHEEL_PARTS = (5, 6)


def normalised(name: str) -> str:
    """A name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def version_of(file: str, project: str) -> str | None:
    """The version of a wheel or sdist of a project, by the file's name; None for any other file."""
    if not _FILE.fullmatch(file):
        return None
    if file.endswith(".whl"):
        parts = file.removesuffix(".whl").split("-")
        return parts[1] if len(parts) in _WHEEL_PARTS and normalised(parts[0]) == project else None
    for ending in _SDISTS:
        name, dash, version = file.removesuffix(ending).rpartition("-")
        if file.endswith(ending) and dash and normalised(name) == project:
            return version or None
    return None
