"""The CKAN of `make ckan` and of the tests is a real one, can be emptied and killed, and leaves nothing behind."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ckanapi import RemoteCKAN

from deploy.ckan.server import Server, StackError, fetch
from deploy.ckan.stack import CkanStack

ROOT = Path(__file__).resolve().parents[1]
DAILY = "http://publications.europa.eu/resource/authority/frequency/DAILY"

Call = Callable[..., Any]


@pytest.fixture
def call(ckan: CkanStack) -> Call:
    """Calls an action of an empty CKAN as its sysadmin."""
    ckan.reset()
    remote = RemoteCKAN(ckan.url, apikey=ckan.token)
    return lambda action, **data: remote.call_action(action, data, requests_kwargs={"timeout": 60})


def publish(call: Call) -> None:
    call("organization_create", name="region", title="Région")
    call(
        "package_create",
        name="bornes",
        title="Bornes de recharge",
        owner_org="region",
        extras=[{"key": "frequency", "value": DAILY}],
        resources=[{"url": "https://example.org/bornes.csv", "format": "CSV"}],
    )


def test_it_is_the_ckan_that_is_locked(call: Call) -> None:
    status = call("status_show")
    assert status["ckan_version"] == "2.12.0"
    assert status["extensions"] == ["activity", "datastore", "dcat", "structured_data"]


def test_a_dataset_is_found_by_another_form_of_its_words(call: Call) -> None:
    publish(call)
    found = call("package_search", q="borne recharges")
    assert [dataset["name"] for dataset in found["results"]] == ["bornes"]


def test_a_dataset_is_served_as_dcat_with_what_its_extras_say(ckan: CkanStack, call: Call) -> None:
    publish(call)
    turtle = fetch(f"{ckan.url}/dataset/bornes.ttl").decode()
    assert f"dct:accrualPeriodicity <{DAILY}>" in turtle


def test_a_table_can_be_put_into_the_datastore(call: Call) -> None:
    publish(call)
    resource = call("package_show", id="bornes")["resources"][0]["id"]
    text = [{"id": "commune", "type": "text"}]  # undeclared, CKAN makes it the number 1001
    call("datastore_create", resource_id=resource, fields=text, records=[{"commune": "01001"}], force=True)
    assert call("datastore_search", resource_id=resource)["records"][0]["commune"] == "01001"


def test_reset_gives_an_empty_catalogue_and_keeps_the_token(ckan: CkanStack, call: Call) -> None:
    publish(call)
    ckan.reset()
    assert call("package_list") == []
    assert call("organization_list") == []
    assert call("package_search")["count"] == 0
    assert call("user_show")["sysadmin"] is True
    publish(call)  # its database connections have survived, and no name is still taken


def test_a_ckan_that_was_killed_comes_back_with_its_data(ckan: CkanStack, call: Call) -> None:
    publish(call)
    url = ckan.url
    ckan.stop_ckan()
    try:
        with pytest.raises(OSError, match="refused"):
            fetch(f"{url}/api/3/action/status_show")
    finally:
        ckan.start_ckan()
    assert ckan.url == url
    assert call("package_search")["count"] == 1


def test_killing_the_parent_leaves_no_process(ckan: CkanStack) -> None:
    script = """
import time
from deploy.ckan.stack import CkanStack
stack = CkanStack()
stack.start()
print(stack.directory.parent, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    folder = parent.stdout.readline().strip()
    before = processes_of(folder)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 30
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    shutil.rmtree(folder)
    assert {"java", "redis-server", "postgres", "gunicorn"} <= set(before)
    assert left == []
    ckan.check()  # another stack on the same machine is not touched


def processes_of(folder: str) -> list[str]:
    """Names of the processes that work in `folder`, or were started with it in their arguments or environment."""
    names = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            traces = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if folder in str((process / "cwd").readlink()) or folder.encode() in traces:
                names.append((process / "comm").read_text().strip())
        except OSError:
            continue  # it has just ended, or is not ours
    return names


def test_a_server_that_ends_is_named_with_what_it_said_last(tmp_path: Path) -> None:
    server = Server("Solr", ["sh", "-c", "echo port taken; exit 3"], tmp_path / "solr.log", {"PATH": os.defpath})
    server.start()
    with pytest.raises(StackError, match=r"(?s)Solr ended with code 3.*port taken"):
        server.wait(lambda: False)
    server.kill()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A copy of deploy/ckan in a repository where nothing is installed."""
    shutil.copytree(ROOT / "deploy" / "ckan", tmp_path / "deploy" / "ckan")
    return tmp_path


def test_what_is_missing_is_said_in_one_line_with_the_remedy(elsewhere: Path) -> None:
    ask = "from deploy.ckan.stack import missing; print(missing())"
    said = subprocess.check_output([sys.executable, "-c", ask], cwd=elsewhere, text=True)
    assert said == "CKAN is not in .cache/ckan/venv: run `make ckan-setup`, which needs PyPI\n"


@pytest.mark.usefixtures("ckan")  # else it would install Debian's packages
def test_set_up_without_maven_central_says_so_and_succeeds(elsewhere: Path) -> None:
    venv = elsewhere / ".cache" / "ckan" / "venv"
    venv.mkdir(parents=True)
    lock = (elsewhere / "deploy" / "ckan" / "requirements.txt").read_bytes()
    (venv / ".made-of").write_text(hashlib.sha256(lock).hexdigest())  # CKAN is there; only Solr is wanted
    offline = elsewhere / "bin" / "mvn"
    offline.parent.mkdir()
    offline.write_text("#!/bin/sh\nexit 1\n")
    offline.chmod(0o755)
    done = subprocess.run(
        ["bash", "deploy/ckan/setup.sh"],
        cwd=elsewhere,
        env=os.environ | {"PATH": f"{offline.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.startswith("Solr could not be had from Maven Central")
    assert done.stderr.count("\n") == 1
    assert not (elsewhere / ".cache" / "ckan" / "solr").exists()


@pytest.mark.usefixtures("ckan")
def test_set_up_again_does_nothing() -> None:
    done = subprocess.run(["bash", "deploy/ckan/setup.sh"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
