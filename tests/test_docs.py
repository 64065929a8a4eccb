"""The docs are kept true: links, schemas, the README's own commands, and the example lab."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.lab import Lab
from catalog.schema import Document, json_schema
from policies.editions import EditionTable

REPOSITORY = Path(__file__).parents[1]
EXAMPLE = REPOSITORY / "examples" / "normandie"
PAGES = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
WAITS_FOR_CTRL_C = {"serve", "portal", "lab", "gateway"}


def readme_commands() -> list[str]:
    """Every `datalab …` line of the README's shell blocks that ends by itself and needs no server."""
    blocks = re.findall(r"```sh\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    found = [line for line in lines if line.startswith("datalab ")]
    return [line for line in found if WAITS_FOR_CTRL_C.isdisjoint(line.split()[1:3]) and "publish" not in line]


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Path:
    """A fresh copy of the example lab."""
    root = tmp_path_factory.mktemp("example") / "normandie"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("var"))
    settings = root / "datalab.toml"
    settings.write_text(settings.read_text().replace("../../.venv-sandbox", str(REPOSITORY / ".venv-sandbox")))
    return root


def test_the_readme_is_short_enough_to_be_read():
    assert 70 <= len((REPOSITORY / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_of_a_page_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("what", list(Document))
def test_the_json_schema_in_the_docs_is_todays(what):
    path = REPOSITORY / "docs" / "schema" / f"{what}.json"
    assert json.loads(path.read_text()) == json_schema(what), f"run: datalab schema {what} > docs/schema/{what}.json"


def test_every_make_target_that_the_docs_name_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"`?make ([a-z-]+)", page.read_text()):
            assert target in targets or not re.search(rf"(`|^)make {target}", page.read_text(), re.MULTILINE), target


def test_the_readmes_commands_run_as_written(example):
    commands = readme_commands()
    assert len(commands) >= 7
    for command in commands:
        words = shlex.split(command.replace(" /tmp/", f" {example}/").replace("examples/normandie", str(example)))
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=REPOSITORY,
            env={**os.environ, "DATALAB_LAB": str(example)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert done.stdout, command


def test_every_dataset_of_the_example_has_a_licence_and_each_resource_an_origin():
    datasets, broken = Lab.open(EXAMPLE).datasets()
    assert broken == []
    assert set(datasets) == {
        "communes",
        "contours",
        "intercommunalites",
        "irve",
        "populations",
        "subventions",
        "tourisme",
    }
    for described in datasets.values():
        assert described.licence in {"LO-2.0", "Unlicense"}
        assert all(len(resource.origin) > 20 for resource in described.resources.values())


def test_the_example_is_small_and_every_source_file_is_described():
    files = list((EXAMPLE / "sources").iterdir())
    assert sum(path.stat().st_size for path in files) < 20 * 2**20
    descriptors = "".join(path.read_text() for path in (EXAMPLE / "datasets").glob("*.yaml"))
    for path in files:
        assert f"sources/{path.name}" in descriptors


def test_the_example_has_an_open_and_a_partner_edition_that_differ():
    editions = Lab.open(EXAMPLE).policy("subventions").editions
    opened, partner = editions["open"]["subventions"], editions["partner"]["subventions"]
    assert isinstance(opened, EditionTable)
    assert opened.where is not None
    assert partner.pseudonymise == ("idBeneficiaire",)
    assert set(opened.keep) != set(partner.keep)


def test_every_column_of_the_example_reaches_somebody_as_proven(example):
    lab = Lab.open(example)
    seen = {granted.dataset: granted.current.resources for granted in lab.granted(lab.principals("everyone"))}
    types = {column.name: column.type for column in seen["communes"]["communes"].columns}
    assert types["COM"] == types["REG"] == "VARCHAR"
    assert {column.name: column.type for column in seen["irve"]["bornes"].columns}["date_maj"] == "DATE"
    assert seen["communes"]["communes"].rows == 37_496
    assert seen["irve"]["bornes"].rows + 19 == 9_687
