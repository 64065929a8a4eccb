"""`datalab publish --watch`: CKAN follows the lab, and whatever fails is told once and tried again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from conftest import REPOSITORY
from fixtures_ckan import CSV

from catalog.ckan.watch import LONGEST, watch
from ingest.run import ingest
from policies.errors import RemoteError

NEVER = 2 * LONGEST


class Watched:
    """A lab of one dataset that is watched: `between` are done one after the other, one before each further look."""

    def __init__(self, folder):
        self.folder = folder
        self.published = []
        self.failed = []
        self.waits = []
        self.fail = []
        self.bring(CSV)

    def bring(self, content, slug="communes"):
        self.folder.table(slug, content, name=f"{slug}.csv")
        self.folder.grant(slug, {"open": {"t": {"keep": ["code", "nom"]}}})
        assert [outcome.error for outcome in ingest(self.folder.lab, slug, lambda _: None)] == [None]

    def publish(self, lab, readings):
        self.published.append((lab.settings, [entry.slug for entry in readings.now()]))
        if self.fail:
            raise RemoteError(self.fail.pop(0))

    def run(self, *between, every=0.0):
        todo = list(between)

        def wait(seconds):
            self.waits.append(seconds)
            if not todo:
                return True
            todo.pop(0)()
            return False

        watch(lambda: self.folder.lab, self.publish, lambda error: self.failed.append(str(error)), wait, every=every)
        return [slugs for _, slugs in self.published]


@pytest.fixture
def watched(folder):
    return Watched(folder)


def nothing():
    pass


def test_it_publishes_at_the_start_and_then_when_something_has_changed(watched):
    done = watched.run(
        nothing,
        lambda: watched.bring(CSV + "01002;Caen\n"),
        nothing,
        lambda: watched.bring(CSV, "bornes"),
        lambda: watched.folder.grant("bornes", {"open": {"t": {"keep": ["nom"]}}}),
        (watched.folder.root / "policies/communes.yaml").unlink,
        nothing,
    )
    assert done == [["communes"], ["communes"], ["bornes", "communes"], ["communes"], []]
    assert watched.failed == []


def test_what_fails_is_told_once_and_tried_again(watched):
    watched.fail = ["CKAN is away"] * 3
    assert len(watched.run(nothing, nothing, nothing, nothing, nothing)) == 4
    assert watched.failed == ["CKAN is away"]


def test_another_failure_is_told_too_and_the_same_again_after_a_success(watched):
    watched.fail = ["away", "refused"]
    again = lambda: (watched.fail.append("refused"), watched.bring(CSV, "bornes"))  # noqa: E731
    watched.run(nothing, nothing, again, nothing)
    assert watched.failed == ["away", "refused", "refused"]


def test_what_failed_waits_its_time_but_a_change_is_published_at_once(watched):
    watched.fail = ["away"]
    assert len(watched.run(nothing, nothing, every=NEVER)) == 1
    watched.published.clear()
    watched.fail = ["away"]
    assert len(watched.run(nothing, lambda: watched.bring(CSV, "bornes"), every=NEVER)) == 2


def test_a_broken_datalab_toml_is_told_and_a_new_one_counts(watched):
    write = watched.folder.write
    done = watched.run(
        lambda: write("datalab.toml", "[ckan\n"),
        nothing,
        lambda: write("datalab.toml", '[ckan]\norganisation = "region"\n'),
    )
    assert len(done) == 2
    assert [settings.get("ckan") for settings, _ in watched.published] == [None, {"organisation": "region"}]
    assert len(watched.failed) == 1
    assert "datalab.toml: not valid TOML" in watched.failed[0]


def test_a_look_that_takes_long_is_taken_less_often(watched):
    watched.run(nothing, every=0.0)
    assert all(seconds > 0 for seconds in watched.waits)


# -- the command


@pytest.fixture
def watching(published, ckan):
    """`datalab publish --watch` on the lab, and its lines as they come; it is killed if it hangs."""
    lines = []

    def until(words):
        for line in iter(process.stdout.readline, ""):
            lines.append(line)
            if words in line:
                return line
        raise AssertionError("".join(lines))

    process = subprocess.Popen(
        [sys.executable, "-m", "datalab", "--lab", str(published.folder.root), "publish", "--watch"],
        cwd=REPOSITORY,
        env={**os.environ, "DATALAB_CKAN_URL": ckan.url, "DATALAB_CKAN_TOKEN": ckan.token, "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    timer = threading.Timer(240, process.kill)
    timer.start()
    process.until, process.lines = until, lines
    yield process
    timer.cancel()
    process.kill()
    process.communicate()


def test_ckan_follows_each_ingest_waits_out_a_ckan_that_is_away_and_ends_well(published, watching, ckan):
    assert str(published.folder.root) in watching.until("(Ctrl-C stops)")
    watching.until("4 created, 0 updated, 0 unchanged, 0 deleted")
    published.folder.write("sources/communes.csv", CSV + "01002;Caen\n")
    published.bring("communes")
    watching.until("0 created, 1 updated, 3 unchanged, 0 deleted")
    assert [held["datalab_rows"] for held in published.show()["resources"]] == [2, 2]

    ckan.stop_ckan()
    published.table("neuf")
    watching.until("CKAN cannot be reached")
    ckan.start_ckan()
    watching.until("1 created, 0 updated, 4 unchanged, 0 deleted")
    assert published.show("neuf")["state"] == "active"

    published.folder.write("datasets/bornes.yaml", "titre: faux\n")
    assert "bornes.yaml" in watching.until("left as it is in CKAN")
    assert published.show("bornes")["state"] == "active"
    watching.send_signal(signal.SIGTERM)
    watching.until("stopped")
    assert watching.wait() == 0
    assert ckan.token not in "".join(watching.lines)


def test_a_missing_token_ends_it_at_once_and_what_is_for_one_run_is_refused(published, ckan, datalab):
    done = datalab("publish", "--watch", DATALAB_CKAN_URL=ckan.url, DATALAB_CKAN_TOKEN="")
    assert done.code == 1
    assert "DATALAB_CKAN_TOKEN is not set" in done.err
    for option in ("--dry-run", "--allow-deletions"):
        done = datalab("publish", "--watch", option)
        assert done.code == 2
        assert f"{option} is for one run" in done.err


def test_the_service_keeps_ckan_in_step_and_reads_the_token_from_a_file_of_its_own():
    text = (REPOSITORY / "deploy/datalab-publish.service").read_text()
    assert "ExecStart=/opt/datalab/.venv/bin/datalab --lab /srv/datalab publish --watch\n" in text
    assert "EnvironmentFile=/etc/datalab/ckan.env" in text
