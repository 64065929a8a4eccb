"""Fixtures that many tests share: a small lab in a temporary folder, and the command run as a person would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from catalog.lab import Lab
from catalog.query import connect
from ingest.run import ingest
from policies.model import RAW

REPOSITORY = Path(__file__).resolve().parents[1]

pytest_plugins = [
    *("fixtures_airlock", "fixtures_api", "fixtures_ckan", "fixtures_portal", "fixtures_sandbox", "fixtures_servers"),
    *("fixtures_gateway", "fixtures_hub"),  # after the sandbox's, which they import
]

DESCRIPTOR = {
    "title": {"fr": "Un jeu", "en": "A dataset"},
    "description": {"fr": "Pour les essais."},
    "publisher": {"name": "Région"},
    "contact": {"name": "DataLab", "email": "datalab@example.org"},
    "themes": ["REGI"],
    "keywords": {"fr": ["essai"]},
    "licence": "LO-2.0",
    "frequency": "ANNUAL",
    "spatial": {"name": "Normandie", "bbox": [-2.0, 48.2, 1.9, 50.1]},
    "issued": "2026-01-01",
}
STEWARD = frozenset({"everyone", "user:steward", "group:stewards"})
SETTINGS = """
[policies.users]
partner = ["partners"]
steward = ["stewards"]
"""


@dataclass(frozen=True)
class LabFolder:
    """A lab's folder that a test fills."""

    root: Path

    @property
    def lab(self) -> Lab:
        return Lab.open(self.root)

    def describe(self, slug: str, resources: dict, **changes: object) -> None:
        """Write a descriptor; a resource is its `source` and whatever differs from the usual."""
        full = {name: {"title": {"fr": name}, "origin": "essai", **resource} for name, resource in resources.items()}
        self.write(f"datasets/{slug}.yaml", yaml.safe_dump({**DESCRIPTOR, "resources": full, **changes}))

    def grant(self, slug: str, editions: dict, *grants: dict) -> None:
        """Write a policy; without grants, everyone gets the edition `open`."""
        given = grants or ({"to": "everyone", "edition": "open"},)
        full = [{"purposes": "any", "why": "essai", **grant} for grant in given]
        self.write(
            f"policies/{slug}.yaml",
            yaml.safe_dump({"owner": "o", "editions": editions, "grants": full}, sort_keys=False),
        )

    def write(self, path: str, content: str | bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def table(self, slug: str, content: str | bytes, *, name: str = "data.csv", **resource: object) -> None:
        """One dataset of one resource `t` from a file with this content."""
        self.write(f"sources/{name}", content)
        self.describe(slug, {"t": {"source": {"file": f"sources/{name}"}, **resource}})

    def bring(
        self, content: str | bytes, *, name: str = "data.csv", refresh: bool = False, **resource: object
    ) -> dict | str:
        """Ingest one table `jeu.t` with this content, granted to the stewards; its receipt, or the error.

        It is the first of its table unless it is a `refresh`: that may be held for what differs.
        """
        if not refresh:
            shutil.rmtree(self.root / "var/lake/jeu", ignore_errors=True)
        self.table("jeu", content, name=name, **resource)
        self.grant("jeu", {}, {"to": "user:steward", "edition": RAW, "until": "2999-01-01"})
        (outcome,) = ingest(self.lab, "jeu", lambda _: None)
        return outcome.error or self.lab.lake.current("jeu", RAW).resources["t"].receipt

    def rows(self, table: str = "jeu.t", columns: str = "*") -> list[tuple]:
        """What a steward sees."""
        return connect(self.lab, STEWARD).execute(f"SELECT {columns} FROM {table}").fetchall()


@pytest.fixture
def folder(tmp_path: Path) -> LabFolder:
    made = LabFolder(tmp_path / "lab")
    made.write("datalab.toml", SETTINGS)
    return made


@dataclass(frozen=True)
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str


@pytest.fixture
def datalab(folder: LabFolder):
    """Run `datalab` on the test's lab, in a process of its own."""

    def run(*arguments: str, lab: Path | None = None, **environment: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "datalab", "--lab", str(lab or folder.root), *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "COLUMNS": "120", **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
