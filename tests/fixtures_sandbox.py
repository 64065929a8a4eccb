"""A small lab with two users, real committed tables and the users' real Python; nothing of it is faked."""

import json
import os
import struct
import subprocess
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.lab import Lab
from catalog.lake import ServedColumn
from policies.editions import definition
from sandbox.command import execute
from sandbox.limits import Limits
from sandbox.process import start
from sandbox.profile import profile_of
from sandbox.settings import SandboxSettings
from sandbox.streams import exchange

REPOSITORY = Path(__file__).resolve().parent.parent
VENV = REPOSITORY / ".venv-sandbox"

TOML = """
[policies.users]
ada = ["partners"]
bob = []
eve = []

[sandbox]
venv = "{venv}"
{bounds}"""

DATALAB = """
import pathlib, sys
from catalog.lab import Lab
from policies.errors import DatalabError
from sandbox.cli import app
try:
    app(sys.argv[2:], obj=lambda: Lab.open(pathlib.Path(sys.argv[1])))
except DatalabError as error:
    sys.exit(str(error))
"""
"""`python -c DATALAB LAB exec …`: the room's commands alone, as `datalab sandbox` has them."""

DESCRIPTOR = """
title: {{fr: "{title}"}}
description: {{fr: "Un jeu d'essai."}}
publisher: {{name: "Région"}}
contact: {{name: "Données", email: "donnees@exemple.fr"}}
themes: [TRAN]
keywords: {{fr: [essai]}}
licence: LO-2.0
frequency: IRREG
spatial: {{name: "Normandie", bbox: [-2.0, 48.1, 1.8, 50.1]}}
issued: 2024-01-01
resources:
  bornes:
    title: {{fr: "Bornes"}}
    source: {{file: "bornes.csv"}}
    origin: "https://exemple.fr/bornes.csv"
"""

POLICY = """
owner: "Service <service@exemple.fr>"
editions:
  open:
    bornes: {{keep: [id]}}
grants:
{grants}
"""

OPEN_TO_ALL = '  - {to: everyone, edition: open, purposes: any, why: "open data"}'
RAW_TO_PARTNERS = (
    '  - {to: "group:partners", edition: raw, purposes: [mobility], until: 2999-01-01, why: "agreement 12"}'
)
RAW_TO_BOB = '  - {to: "user:bob", edition: raw, purposes: any, until: 2999-01-01, why: "agreement 13"}'

COLUMNS = (ServedColumn(name="id", type="VARCHAR"), ServedColumn(name="geo", type="GEOMETRY"))


def commit(lab, dataset, edition, ids, *, geometry=True):
    """Commit the resource `bornes` with these ids, and a point each."""
    table = pa.table({"id": ids})
    columns = COLUMNS[:1]
    if geometry:
        points = [struct.pack("<BIdd", 1, 1, number, 49) for number in range(len(ids))]
        table = table.append_column("geo", pa.array(points, pa.binary()))
        columns = COLUMNS
    staged = lab.lake.stage(dataset, edition, "bornes", lambda path: pq.write_table(table, path))
    receipt = {"source": "test"}
    editions = lab.policy(dataset).editions
    if edition in editions:  # as an ingest says that it was built by this policy
        receipt["definition"] = definition(editions[edition]["bornes"])
    return lab.lake.commit(dataset, edition, {"bornes": (staged, columns, receipt)})


def make_lab(root, *, venv=VENV, bounds='memory = "1GiB"\npids = 128\n'):
    """A lab: `irve` (open to all; raw to the partners for mobility) and `secret` (raw to bob alone)."""
    if not (venv / "bin" / "python").exists():
        pytest.fail(f"{venv}: the sandbox's own Python is missing; run `make setup`")
    for folder in ("datasets", "policies", "var"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "var").chmod(0o700)
    (root / "datalab.toml").write_text(TOML.format(venv=venv, bounds=bounds))
    for slug, title, grants in (
        ("irve", "Bornes de recharge", f"{OPEN_TO_ALL}\n{RAW_TO_PARTNERS}"),
        ("secret", "Secret", RAW_TO_BOB),
    ):
        (root / "datasets" / f"{slug}.yaml").write_text(DESCRIPTOR.format(title=title))
        (root / "policies" / f"{slug}.yaml").write_text(POLICY.format(grants=grants))
    lab = Lab.open(root)
    commit(lab, "irve", "open", ["a", "b"], geometry=False)
    commit(lab, "irve", "raw", ["a", "b", "c"])
    commit(lab, "secret", "raw", ["s"])
    return lab


def answered():
    """A notebook that somebody has run on rows that not everybody may see."""
    output = {"output_type": "stream", "name": "stdout", "text": ["a raw row"]}
    cell = {
        "cell_type": "code",
        "id": "one",
        "source": "lab.table('irve@raw.bornes')",
        "metadata": {"tags": ["kept"], "kept_by_some_tool": "a raw row"},
        "execution_count": 7,
        "outputs": [output],
    }
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "widgets": {"state": "a raw row"}}
    return {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def lab(tmp_path):
    return make_lab(tmp_path / "lab")


class Said:
    """What a command in the jail did: its exit code and what it wrote."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"Said({self.code}, {self.out!r}, {self.err!r})"


def read_back(file):
    file.seek(0)
    return file.read().decode(errors="replace")


def run(lab, *command, user="ada", purpose=None, stdin=b"", warn=lambda _: None):
    """Run one command in the jail of `user`, through the same function as the command line does."""
    with tempfile.TemporaryFile() as feed, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        feed.write(stdin)
        feed.seek(0)
        streams = {"stdin": feed.fileno(), "stdout": out.fileno(), "stderr": err.fileno()}
        code = execute(lab, user, command, purpose=purpose, warn=warn, **streams)
        return Said(code, read_back(out), read_back(err))


def run_profile(profile, *, stdin=b"", limits=None, keep=(), settings=None):
    """Run a profile as it is, below the functions that fill one in: for jails that differ in one thing."""
    out, err = bytearray(), bytearray()
    with tempfile.TemporaryFile() as feed:
        feed.write(stdin)
        feed.seek(0)
        bounds = limits or Limits(memory=2**30, pids=128, cpus=2)
        with start(profile, bounds, stdin=subprocess.PIPE, keep=keep) as jailed:
            exchange(jailed, feed=feed.fileno(), out=out.extend, err=err.extend, settings=settings or SandboxSettings())
            return Said(jailed.wait(), out.decode(errors="replace"), err.decode(errors="replace"))


def profile_for(lab, *command, user="ada", purpose=None, warn=lambda _: None):
    """The profile with which that command would be run."""
    settings = lab.section("sandbox", SandboxSettings)
    return profile_of(lab, user, settings, purpose=purpose, command=command, warn=warn)


def without_root(function):
    """Call `function` in a child process that is nobody, and return what it returns, or raise what it says.

    Where the tests themselves run without root, it is called as it is.
    """
    if os.geteuid() != 0:
        return function()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            answer = {"ok": function()}
        except BaseException as error:  # noqa: BLE001  it is told to the parent
            answer = {"error": f"{type(error).__name__}: {error}"}
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(child, 0)
    if "error" in answer:
        raise AssertionError(answer["error"])
    return answer["ok"]
