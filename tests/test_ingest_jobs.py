"""Datasets side by side, in processes and on a Dask cluster: none stops another, and no host is asked by too many."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

import ingest.run
from catalog.sources import FileSource, HttpSource, MqttSource, PostgresSource
from ingest.before import opened
from ingest.board import board
from ingest.desk import open_desk
from ingest.jobs import Task, processes, run_all, run_job, waves
from ingest.polite import host_of
from ingest.settings import IngestSettings

REPOSITORY = Path(__file__).parents[1]


@dataclass
class Portal:
    """A server of CSV files. Each answer waits until `together` requests are in flight, for at most `patience` s."""

    address: str = ""
    together: int = 1
    patience: float = 0.3
    most: int = 0
    asked: list[str] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    _now: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, path: str, port: int) -> bytes:
        with self._changed:
            self.asked.append(path)
            self._now += 1
            self.most = max(self.most, self._now)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= self.together, self.patience)
        if path == "/deadly.csv":
            self.kill(port)
        with self._changed:
            self._now -= 1
        return b"n;a\n1;x\n2;y\n"

    def kill(self, port: int) -> None:
        """Kill the process that asks from this port."""
        for process in psutil.Process().children(recursive=True):
            if any(connection.laddr.port == port for connection in process.net_connections("tcp")):
                self.killed.append(process.pid)
                process.send_signal(signal.SIGKILL)
                process.wait(10)


@pytest.fixture
def portal():
    made = Portal()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = made.answer(self.path, self.client_address[1])
            try:
                self.send_response(200)
                self.send_header("Content-Type", "text/csv")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.address = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def lab_of(folder, portal, *names: str, **settings: object):
    lines = {"allow_hosts": '["127.0.0.1"]', **settings}
    folder.write(
        "datalab.toml",
        (folder.root / "datalab.toml").read_text()
        + "[ingest]\n"
        + "".join(f"{key} = {value}\n" for key, value in lines.items()),
    )
    for name in names:
        folder.describe(name, {"t": {"source": {"url": f"{portal.address}/{name}.csv"}}})


def test_datasets_come_in_side_by_side_and_one_that_fails_stops_no_other(folder, portal, datalab):
    lab_of(folder, portal, "a", "b", per_host=2)
    portal.together, portal.patience = 2, 60
    folder.describe("gone", {"t": {"source": {"file": "sources/gone.csv"}}})
    folder.write("datasets/wrong.yaml", "title: [\n")
    ran = datalab("ingest", "--all", "--jobs", "3")
    assert ran.code == 1
    assert portal.most == 2
    assert "ingested  a.t" in ran.err
    assert "ingested  b.t" in ran.err
    assert "gone.t: " in ran.err
    assert "wrong.yaml:2: not valid YAML" in ran.err
    assert [line.split()[0] for line in ran.out.splitlines()[2:]] == ["a", "b", "gone"]
    assert datalab("ingest", "a", "b", "--jobs", "2").out.count("unchanged") == 2
    assert list((folder.root / "var/jobs").iterdir()) == []


def test_no_host_is_asked_by_more_processes_than_the_lab_allows(folder, portal, datalab):
    lab_of(folder, portal, "a", "b", "c", per_host=1)
    portal.together = 2
    assert datalab("ingest", "--jobs", "3").code == 0
    assert (portal.most, len(portal.asked)) == (1, 3)


def test_a_job_whose_process_dies_is_named_and_the_others_come_in(folder, portal):
    lab_of(folder, portal, "deadly", "a", "b")
    steps = []
    tasks = [Task(slug) for slug in ("deadly", "a", "b")]
    over = {done.task.slug: done for done in run_all(folder.lab, tasks, processes(2), steps.append)}
    assert over["deadly"].error == "deadly: its process died, killed or out of memory; what was served before still is"
    assert [over[name].outcomes[0].rows_out for name in ("a", "b")] == [2, 2]
    assert len(portal.killed) == 2
    assert any("deadly" in step for step in steps)


class Here(Executor):
    """Runs each job at once, in this process, and keeps what it was given beside its task."""

    def __init__(self) -> None:
        self.given: list[tuple] = []

    def submit(self, work, root, task, *more):
        self.given.append(more)
        done = Future()
        done.set_result(work(root, task, *more))
        return done


def test_a_job_is_told_how_many_run_beside_it(folder):
    folder.table("a", "n;a\n1;x\n")
    executor = Here()
    (done,) = run_all(folder.lab, [Task("a")], executor, lambda _: None, 3)
    assert (done.error, done.outcomes[0].status, executor.given) == (None, "ingested", [(None, 3)])


def test_jobs_side_by_side_share_the_memory_and_each_has_enough(folder):
    folder.table("a", "n;a\n1;x\n")
    said = {}
    for beside in (1, 2, 4):
        with opened(folder.lab, "a", lambda _: None, beside) as (job, _), open_desk(folder.root, job.settings) as desk:
            said[beside] = desk.con.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    assert said == {1: "381.4 MiB", 2: "190.7 MiB", 4: "190.7 MiB"}
    assert [IngestSettings(memory_mb=3000).shared(jobs).memory_mb for jobs in (1, 4, 64)] == [3000, 750, 200]
    assert IngestSettings(memory_mb=150).shared(4).memory_mb == 150


def test_an_error_of_our_own_is_told_with_its_trace_and_stops_no_other(folder):
    folder.table("a", "n;a\n1;x\n")
    # No task but a wrong one can be sent through a pool's pipe to break the job itself
    over = list(run_all(folder.lab, [Task(3), Task("a")], processes(1), lambda _: None))
    assert {done.error is None for done in over} == {True, False}
    (broken,) = (done for done in over if done.error is not None)
    assert "an error of the DataLab's own" in broken.error
    assert "Traceback" in broken.error


def test_a_lab_that_a_worker_does_not_see_is_an_error_and_no_crash(tmp_path):
    assert "datalab.toml: no such file" in run_job(tmp_path, Task("a")).error


def test_names_and_all_do_not_go_together(folder, datalab):
    folder.table("a", "n;a\n1;x\n")
    ran = datalab("ingest", "--all", "a")
    assert ran.code == 2
    assert "name a, or say --all" in ran.err


def test_the_host_of_a_source_is_what_its_first_key_names():
    database = {"host": "db.example.org", "database": "d", "user": "u"}
    assert host_of(HttpSource.model_validate({"url": "https://data.example.org/x.csv"})) == "data.example.org"
    assert host_of(PostgresSource.model_validate({"postgresql": database, "query": "SELECT 1"})) == "db.example.org"
    assert host_of(MqttSource.model_validate({"mqtt": "broker", "topic": "t", "seconds": 1})) == "broker"
    assert host_of(FileSource(file="x.csv")) is None


@pytest.fixture
def dask_cluster(tmp_path):
    """A scheduler and two workers of one thread each, in processes of their own; the scheduler's address."""
    file = tmp_path / "scheduler.json"
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(REPOSITORY)}
    started = []

    def start(module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments, "--scheduler-file", str(file)]
        log = (tmp_path / f"{module}-{len(started)}.log").open("w")
        with log:
            started.append(
                subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )

    start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    for _ in range(2):
        start("dask_worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard")
    # A worker waits for the file; a client of a test waits for both workers
    ready = (
        "import sys, distributed\n"
        "with distributed.Client(scheduler_file=sys.argv[1], timeout=60) as client:\n"
        "    client.wait_for_workers(2, timeout=60)\n"
    )
    subprocess.run([sys.executable, "-c", ready, str(file)], env=environment, check=True, timeout=120)
    yield json.loads(file.read_text())["address"]
    for process in started:
        process.kill()
        process.wait(30)


def test_two_dask_workers_bring_in_datasets_at_the_same_time(folder, portal, datalab, dask_cluster):
    lab_of(folder, portal, "a", "b", per_host=2)
    portal.together, portal.patience = 2, 60
    folder.describe("gone", {"t": {"source": {"file": "sources/gone.csv"}}})
    ran = datalab("ingest", "--dask", dask_cluster)
    assert portal.most == 2
    assert ran.code == 1
    assert "gone.csv: no such file" in ran.err
    assert [line.split()[0] for line in ran.out.splitlines()[2:]] == ["a", "b", "gone"]
    assert folder.lab.lake.current("a", "raw").resources["t"].rows == 2
    assert datalab("ingest", "a", "b", "--dask", dask_cluster).out.count("unchanged") == 2


def test_a_scheduler_that_is_not_there_is_named(folder, datalab):
    folder.table("a", "n;a\n1;x\n")
    ran = datalab("ingest", "--dask", "tcp://127.0.0.1:1", DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1s")
    assert ran.code == 1
    assert "tcp://127.0.0.1:1: no Dask scheduler answers there" in ran.err
    assert "Traceback" not in ran.err


def test_without_the_extra_the_option_says_how_to_install_it(folder):
    folder.table("a", "n;a\n1;x\n")
    script = (
        "import sys\nsys.modules['distributed'] = None\nimport datalab\n"
        "sys.argv = ['datalab', '--lab', sys.argv[1], 'ingest', '--dask', 'tcp://127.0.0.1:1']\ndatalab.main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(folder.root)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert "--dask needs the package distributed: pip install 'datalab[dask]'" in ran.stderr


def test_the_board_has_a_line_for_what_is_under_way_and_for_nothing_else():
    with board(2, "datasets") as shown:
        shown.at({"a": "a.t: fetch", "b": "b.t: read"})
        shown.at({"b": "b.t: type"})
        shown.advance()
        assert [task.description for task in shown.progress.tasks] == ["1/2 datasets", "b.t: type"]


def test_an_error_of_our_own_stops_neither_the_next_resource_nor_the_next_dataset(folder, datalab, monkeypatch):
    for slug in ("a", "b"):
        folder.write(f"sources/{slug}.csv", "n;a\n1;x\n")
        folder.describe(slug, {name: {"source": {"file": f"sources/{slug}.csv"}} for name in ("one", "two")})
    work = ingest.run.fetch

    def breaks(source, root, cache, settings):
        if (cache.parent.name, cache.name) == ("a", "one"):
            raise IndexError("of our own")
        return work(source, root, cache, settings)

    monkeypatch.setattr(ingest.run, "fetch", breaks)
    over = [run_job(folder.root, Task(slug)) for slug in ("a", "b")]
    said = {(one.dataset, one.resource): one.status for done in over for one in done.outcomes}
    assert said == {
        ("a", "one"): "failed",
        ("a", "two"): "ingested",
        ("b", "one"): "ingested",
        ("b", "two"): "ingested",
    }
    assert "IndexError: of our own" in over[0].outcomes[0].error


def test_tables_that_zones_are_taken_from_come_before_all_others(folder):
    tasks = [Task("a"), Task("communes"), Task("z")]
    assert waves(folder.lab, tasks) == [tasks]
    zones = '[policies.zones]\nepci = {table = "communes.t", commune = "insee", code = "siren"}\n'
    settings = folder.root / "datalab.toml"
    settings.write_text(settings.read_text() + zones)
    assert waves(folder.lab, tasks) == [[Task("communes")], [Task("a"), Task("z")]]
    assert waves(folder.lab, [Task("a")]) == [[Task("a")]]
