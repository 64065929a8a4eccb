"""What is due by its descriptor's schedule is brought in, and what fails is asked again later and later."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingest.jobs import Done, Task
from ingest.outcome import Outcome
from ingest.schedule import Attempt, due_at, due_tasks, planned, record

PARIS = ZoneInfo("Europe/Paris")
REPOSITORY = Path(__file__).parents[1]


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("refresh", "asked", "due"),
    [
        ("hourly", "2026-01-05 10:20", "2026-01-05 11:00"),
        ("daily", "2026-01-05 10:20", "2026-01-06 03:00"),
        ("daily", "2026-07-05 10:20", "2026-07-06 02:00"),
        ("weekly", "2026-01-05 10:20", "2026-01-12 03:00"),
        ("monthly", "2026-01-05 10:20", "2026-02-01 03:00"),
        ("30 6 * * 1-5", "2026-01-09 10:00", "2026-01-12 05:30"),
    ],
)
def test_a_schedule_goes_by_the_clock_of_the_lab(refresh, asked, due):
    now = utc("2026-12-01 00:00")
    assert due_at(refresh, Attempt(when=utc(asked)), PARIS, now) == utc(due)


def test_what_was_never_asked_is_due_and_so_is_what_a_wrong_clock_asked_tomorrow():
    now = utc("2026-01-05 10:00")
    assert due_at("daily", None, PARIS, now) == now
    assert due_at("daily", Attempt(when=utc("2026-01-06 10:00")), PARIS, now) == now


def test_what_fails_is_asked_again_later_and_later():
    now, asked = utc("2026-12-01 00:00"), utc("2026-01-05 10:00")
    waits = [due_at("weekly", Attempt(when=asked, failures=n), PARIS, now) - asked for n in (1, 2, 3, 9, 10, 10**6)]
    assert [wait.total_seconds() / 60 for wait in waits] == [5, 10, 20, 1280, 1440, 1440]


@pytest.mark.parametrize("wrong", ["dayly", "0 0 30 2 *", "* * * * * *", "61 * * * *"])
def test_a_wrong_schedule_is_named_with_its_line(folder, wrong, datalab):
    folder.table("jeu", "n;a\n1;x\n", refresh=wrong)
    ran = datalab("ingest")
    assert ran.code == 1
    assert f"{wrong!r} is no schedule" in ran.err
    assert "jeu.yaml:" in ran.err


def two(folder, **of_t):
    """A dataset of two resources that is refreshed daily; `t` may say otherwise."""
    folder.write("sources/t.csv", "n;a\n1;x\n")
    source = {"source": {"file": "sources/t.csv"}}
    folder.describe("jeu", {"t": {**source, **of_t}, "u": source}, refresh="daily")


def test_the_resources_of_a_dataset_that_are_due_are_one_task(folder):
    two(folder, refresh="hourly")
    folder.table("never", "n;a\n1;x\n")
    now = utc("2026-01-05 10:20")
    plan, _ = planned(folder.lab, now)
    assert due_tasks(plan, now) == [Task("jeu", ("t", "u"))]
    outcomes = [
        Outcome(dataset="jeu", resource=name, status=status, seconds=0, error=error)
        for name, status, error in (("t", "unchanged", None), ("u", "failed", "down"))
    ]
    record(folder.lab, Done(Task("jeu", ("t", "u")), tuple(outcomes)), now)
    plan, _ = planned(folder.lab, now)
    assert [(one.resource, one.due) for one in plan] == [
        ("u", utc("2026-01-05 10:25")),
        ("t", utc("2026-01-05 11:00")),
    ]
    assert due_tasks(plan, now) == []
    later = utc("2026-01-05 11:00")
    assert due_tasks(planned(folder.lab, later)[0], later) == [Task("jeu", ("u", "t"))]
    record(folder.lab, Done(Task("jeu", ("u",)), (), "another job holds it"), later)
    (of_u,) = (one for one in planned(folder.lab, later)[0] if one.resource == "u")
    assert of_u.last == Attempt(when=later, failures=2)


def test_the_command_runs_what_is_due_once_and_only_that(folder, datalab):
    two(folder)
    folder.describe("other", {"t": {"source": {"file": "sources/t.csv"}}})
    listed = datalab("schedule", "--list")
    assert (listed.code, listed.out.count("never"), listed.out.count("now")) == (0, 2, 2)
    first = datalab("schedule")
    assert first.code == 0
    assert first.err.count("ingested") == 2
    second = datalab("schedule")
    assert (second.code, second.out, second.err) == (0, "", "")
    assert folder.lab.lake.current("other", "raw") is None
    told = json.loads((folder.root / "var/schedule.json").read_text())
    assert {key: one["failures"] for key, one in told["attempts"].items()} == {"jeu.t": 0, "jeu.u": 0}
    assert "never" not in datalab("schedule", "--list").out


def test_a_wrong_descriptor_and_a_failing_source_stop_nothing_that_is_due(folder, datalab):
    two(folder)
    (folder.root / "sources/t.csv").unlink()
    folder.write("sources/u.csv", "n;a\n1;x\n")
    folder.describe("late", {"t": {"source": {"file": "sources/u.csv"}}}, refresh="hourly")
    folder.write("datasets/wrong.yaml", "title: [\n")
    ran = datalab("schedule", "--jobs", "2")
    assert ran.code == 1
    assert "wrong.yaml:2: not valid YAML" in ran.err
    assert "t.csv: no such file" in ran.err
    assert "ingested  late.t" in ran.err
    listed = datalab("schedule", "--list")
    assert "failures: 1" in listed.out
    assert "due (Europe/Paris)" in listed.out
    assert (listed.code, "wrong.yaml:2: not valid YAML" in listed.err) == (1, True)


def test_a_lab_without_schedules_says_what_makes_one(folder, datalab):
    folder.describe("jeu", {"t": {"source": {"file": "sources/t.csv"}}})
    listed = datalab("schedule", "--list")
    assert (listed.code, listed.out.startswith("no resource has a schedule: `refresh`")) == (0, True)


def test_a_damaged_memory_makes_everything_due(folder):
    two(folder)
    folder.lab.var.joinpath("schedule.json").write_text("{")
    now = utc("2026-01-05 10:20")
    assert due_tasks(planned(folder.lab, now)[0], now) == [Task("jeu", ("t", "u"))]


HOLDER = """
import sys
from pathlib import Path
from catalog.lab import Lab
from ingest.schedule import alone
with alone(Lab.open(Path(sys.argv[1]))) as free:
    print(free, flush=True)
    sys.stdin.read()
"""


def test_two_schedulers_never_run_on_one_lab(folder, datalab):
    two(folder)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.root)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"True\n"
    ran = datalab("schedule")
    holder.communicate()
    assert ran.code == 0
    assert "another `datalab schedule` runs on this lab" in ran.err
    assert folder.lab.lake.current("jeu", "raw") is None


def test_an_unknown_time_zone_is_named(folder, datalab):
    two(folder)
    folder.write("datalab.toml", (folder.root / "datalab.toml").read_text() + '[ingest]\ntimezone = "Paris"\n')
    ran = datalab("schedule", "--list")
    assert ran.code == 1
    assert "unknown time zone 'Paris'; expected a name such as Europe/Paris" in ran.err


def test_the_units_of_systemd_call_the_command():
    text = (REPOSITORY / "deploy/datalab-schedule.service").read_text()
    assert "/datalab --lab " in text
    assert " schedule\n" in text
    assert "OnCalendar=" in (REPOSITORY / "deploy/datalab-schedule.timer").read_text()
