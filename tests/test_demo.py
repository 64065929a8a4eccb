"""`make demo`, as the README gives it, on a copy of the example lab."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest

REPOSITORY = Path(__file__).parents[1]
NEW = r"\s+ingested\s+\w+\.\w+"


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("demo") / "normandie"
    shutil.copytree(REPOSITORY / "examples/normandie", root, ignore=shutil.ignore_patterns("var"))
    settings = root / "datalab.toml"
    text = settings.read_text().replace("../../.venv-sandbox", str(REPOSITORY / ".venv-sandbox"))
    settings.write_text(text.replace("[catalog]", "[catalog]\nport = 0"))
    return root


def demo(example: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "demo", f"LAB={example}", *variables],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_demo_goes_from_source_to_sandbox_and_a_second_run_leaves_all_as_it_is(example):
    first = demo(example, "SERVE=0")
    assert first.returncode == 0, first.stderr
    assert len(re.findall(NEW, first.stderr)) == 9
    assert re.search(r"irve +bornes +9 687 +9 668 +19 +open", first.stdout)
    assert re.search(r"subventions +subventions +29 +29 +0 +open, +\d", first.stdout)
    # What the notebook said: a join of three tables, and what only partners are granted
    assert "points_pour_10000" in first.stdout
    assert re.search(r"commune de 2026 +\d", first.stdout)
    assert "idBeneficiaire" in first.stdout
    assert (example / "var/catalog.ttl").read_text().count("a dcat:Dataset") == 7
    second = demo(example, "SERVE=0")
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("unchanged") == 9
    assert re.findall(NEW, second.stderr) == []


@pytest.mark.parametrize("name", ["requetes", "carte", "tableaux_croises"])
def test_the_notebooks_that_are_offered_run_from_top_to_bottom(example, name):
    datalab = [str(REPOSITORY / ".venv/bin/datalab"), "--lab", str(example)]
    out = example / "var" / f"{name}.ipynb"
    ran = subprocess.run(
        [*datalab, "sandbox", "run", str(example / f"notebooks/{name}.ipynb"), "--user", "partner", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    if name == "tableaux_croises":  # what it asks to take out has nothing against it
        taken = subprocess.run([*datalab, "airlock", "collect"], capture_output=True, text=True, timeout=60, check=True)
        assert taken.stdout == "1: etablissements_par_filiere.csv of partner is checked\n"


def test_the_demo_serves_the_portal_until_ctrl_c_and_leaves_nothing_running(example):
    served = subprocess.Popen(
        ["make", "demo", f"LAB={example}"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        lines = iter(served.stdout.readline, "")
        url = next(found[1] for line in lines if (found := re.match(r"(http://127\.0\.0\.1:\d+/)", line)))
        started = psutil.Process(served.pid).children(recursive=True)
        assert started
        assert "Normandie" in httpx.get(url, headers={"Accept-Language": "fr"}).text
        assert httpx.get(f"{url}data/communes/open/communes.csv").text.startswith("TYPECOM,")
        os.killpg(served.pid, signal.SIGINT)
        served.communicate(timeout=30)
        _, alive = psutil.wait_procs(started, timeout=10)
        assert alive == []
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
    finally:
        if served.poll() is None:
            os.killpg(served.pid, signal.SIGKILL)
            served.communicate()
