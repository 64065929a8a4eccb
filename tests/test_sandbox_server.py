"""JupyterLab in the real jail, through the command line, as a person starts and stops it."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fixtures_sandbox import DATALAB, answered, make_lab, run
from test_sandbox_session import descendants


@contextlib.contextmanager
def served(lab, *options):
    argv = [sys.executable, "-c", DATALAB, str(lab.root), "lab", "--user", "ada", *options]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as datalab:
        try:
            yield datalab
        finally:
            datalab.terminate()


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """One JupyterLab for all tests here that leave it as it is: the process, its address and its token."""
    lab = make_lab(tmp_path_factory.mktemp("served") / "lab")
    (lab.root / "notebooks").mkdir()
    for name in ("demo", "demo.executed"):
        (lab.root / "notebooks" / f"{name}.ipynb").write_text(json.dumps(answered()))
    with served(lab) as datalab:
        line = datalab.stdout.readline()
        if "?token=" not in line:
            datalab.kill()
            pytest.fail(f"no URL was printed: {line!r} {datalab.stderr.read()}")
        address, token = line.strip().split("/lab/tree/Bienvenue.md?token=")
        with httpx.Client(base_url=address, timeout=60) as client:
            yield datalab, client, token


def test_the_url_that_is_printed_opens_jupyterlab(jupyter):
    _, client, token = jupyter
    answer = client.get("/lab", params={"token": token})
    assert answer.status_code == 200
    assert "JupyterLab" in answer.text


def test_without_the_token_nothing_is_given(jupyter):
    _, client, _ = jupyter
    assert httpx.get(client.base_url.join("/api/contents")).status_code == 403
    assert httpx.post(client.base_url.join("/api/kernels")).status_code == 403


def test_the_token_is_in_nobodys_command_line(jupyter):
    datalab, _, token = jupyter
    for pid in (datalab.pid, *descendants(datalab.pid)):
        assert token not in Path(f"/proc/{pid}/cmdline").read_text()


def test_the_labs_notebooks_are_offered_in_the_home(jupyter):
    _, client, token = jupyter
    listed = client.get("/api/contents", headers={"Authorization": f"token {token}"}).json()
    assert {entry["name"] for entry in listed["content"]} == {"Bienvenue.md", "demo.ipynb"}


def test_an_offered_notebook_carries_no_answer_of_anybodys_run(jupyter):
    _, client, token = jupyter
    got = client.get("/api/contents/demo.ipynb", headers={"Authorization": f"token {token}"})
    assert [cell["source"] for cell in got.json()["content"]["cells"]] == ["lab.table('irve@raw.bornes')"]
    assert "a raw row" not in got.text


def test_a_kernel_starts(jupyter):
    _, client, token = jupyter
    headers = {"Authorization": f"token {token}"}
    made = client.post("/api/kernels", headers=headers, json={"name": "python3"})
    assert made.status_code == 201
    assert client.delete(f"/api/kernels/{made.json()['id']}", headers=headers).status_code == 204


def test_nothing_calls_out(jupyter):
    _, client, token = jupyter
    page = client.get("/lab", params={"token": token}).text
    assert '"newsUrl": "https' not in page
    headers = {"Authorization": f"token {token}"}
    assert client.get("/lab/api/update", headers=headers).json()["notification"] is None
    assert client.get("/lab/api/news", headers=headers).json()["news"] == []


def test_it_listens_on_the_loopback_alone(jupyter):
    datalab, client, _ = jupyter
    wanted = f"{client.base_url.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{wanted}")]
    assert listening == [f"0100007F:{wanted}"]
    assert datalab.poll() is None


def unwarned(said):
    """What was said, without the warning that a machine without a cgroup for us gives."""
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith("warning: no cgroup"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_cleanly(tmp_path, number):
    with served(make_lab(tmp_path / "lab")) as datalab:
        assert "token=" in datalab.stdout.readline()
        family = [os.pidfd_open(pid) for pid in descendants(datalab.pid)]
        datalab.send_signal(number)
        assert datalab.wait(60) == 0, datalab.stderr.read()
        assert unwarned(datalab.stderr.read()) == ""
    for descriptor in family:
        assert select.select([descriptor], [], [], 60)[0]
        os.close(descriptor)


def test_a_port_that_is_taken_is_an_error_that_names_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served(make_lab(tmp_path / "lab"), "--port", str(port)) as datalab:
            _, said = datalab.communicate(timeout=60)
    assert datalab.returncode == 1
    assert unwarned(said).startswith(f"127.0.0.1:{port}: Address already in use; choose another with --port")


def test_a_server_that_cannot_start_says_why(tmp_path):
    lab = make_lab(tmp_path / "lab")
    broken = "mkdir ~/.jupyter; echo \"raise SystemExit('broken on purpose')\" > ~/.jupyter/jupyter_server_config.py"
    assert run(lab, "sh", "-c", broken).code == 0
    with served(lab) as datalab:
        _, said = datalab.communicate(timeout=60)
    assert datalab.returncode == 1
    assert unwarned(said).startswith("JupyterLab ended by itself; it said:\n")
    assert "broken on purpose" in said
