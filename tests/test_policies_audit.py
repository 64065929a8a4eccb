"""Every door writes before it opens: whole, on disk, in one chain, and not at all rather than wrongly."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.audit import files
from policies.audit.event import LONGEST, Event, Opened, sha256_of
from policies.audit.files import HEAD, log_files
from policies.audit.log import AuditLog
from policies.audit.reading import told
from policies.audit.verify import verify
from policies.errors import DocumentError, LakeError
from policies.keys import AUDIT_VARIABLE, audit_key

KEY = bytes(range(32))
IRVE = Opened(dataset="irve", edition="open", resource="bornes", version=3)


def query(**changes: object) -> Event:
    known = {"what": "query", "door": "cli", "who": "user:ana", "editions": (IRVE,), "sha256": sha256_of("SELECT 1")}
    return Event.model_validate({**known, **changes})


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / "audit", lambda: KEY)


def lines(log: AuditLog) -> list[dict]:
    return [
        json.loads(line) for name in log_files(log.folder)[0] for line in (log.folder / name).read_text().splitlines()
    ]


def cut(log: AuditLog, name: str, size: int) -> bytes:
    path = log.folder / name
    whole = path.read_bytes()
    os.truncate(path, size)
    return whole


def add(path: Path, raw: bytes) -> None:
    path.write_bytes(path.read_bytes() + raw)


def test_each_line_says_who_opened_what_and_names_the_one_before(log):
    log.write(query(purpose="mobility", origin="192.0.2.7", rows=0, bytes=12))
    log.write(query(what="deny", reason="granted to group:other only"))
    first, second = lines(log)
    assert first["event"] == {
        "what": "query",
        "door": "cli",
        "who": "user:ana",
        "editions": [{"dataset": "irve", "edition": "open", "resource": "bornes", "version": 3}],
        "purpose": "mobility",
        "origin": "192.0.2.7",
        "rows": 0,
        "bytes": 12,
        "sha256": sha256_of("SELECT 1"),
    }
    assert (first["n"], second["n"]) == (1, 2)
    raw = (log.folder / log_files(log.folder)[0][0]).read_bytes().splitlines()[0]
    assert second["prev"] == hashlib.sha256(raw).hexdigest()
    assert second["at"].endswith("Z")


def test_what_was_written_is_read_again_in_its_order(log):
    events = [query(number=number) for number in range(150)]
    log.write_all(events)
    log.write_all([])
    assert [one.event for one in told(log.folder)] == events
    assert verify(log.folder, KEY).lines == 150


@given(st.text(max_size=400), st.text(max_size=400))
def test_no_text_of_a_stranger_forges_a_line(tmp_path_factory, purpose, origin):
    log = AuditLog(tmp_path_factory.mktemp("audit"), lambda: KEY, sync=lambda _: None)
    forged = json.dumps({"at": "x", "event": {}, "mac": "0", "n": 2, "prev": "0"})
    log.write(query(purpose=purpose, origin=f'{origin}"}}\n{forged}\r\n\u2028', who="user:\x00\x1b[2J\n"))
    assert [line["n"] for line in lines(log)] == [1]
    assert verify(log.folder, KEY).wrong == []
    (one,) = told(log.folder)
    assert one.event.purpose == (purpose if len(purpose) <= LONGEST else f"{purpose[: LONGEST - 1]}…")


@pytest.mark.parametrize("text", ["\udce9t\udce9", "x" * 10_000_000])
def test_what_cannot_be_written_or_is_huge_is_cut_and_not_refused(log, text):
    log.write(query(purpose=text))
    (one,) = told(log.folder)
    assert len(one.event.purpose) <= LONGEST
    assert verify(log.folder, KEY).wrong == []


def test_a_file_begins_each_month_and_the_chain_goes_on_through_all(log):
    for month in (11, 12, 11, 12):  # a clock that goes back begins none
        log.now = lambda month=month: dt.datetime(2026, month, 1, tzinfo=dt.UTC)
        log.write(query())
    assert log_files(log.folder)[0] == ["2026-11-0001.jsonl", "2026-12-0001.jsonl"]
    assert [line["n"] for line in lines(log)] == [1, 2, 3, 4]
    assert verify(log.folder, KEY).wrong == []


def test_a_file_begins_when_one_is_large(log, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 1500)
    for _ in range(6):
        log.write(query())
    names, others = log_files(log.folder)
    assert [name[8:] for name in names] == ["0001.jsonl", "0002.jsonl"]
    assert others == []
    assert verify(log.folder, KEY).wrong == []


def test_the_log_is_for_its_owner_alone(log):
    log.write_all([query() for _ in range(64)])
    for path in log.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert log.folder.stat().st_mode & 0o077 == 0


def test_threads_that_write_together_are_all_written_and_share_the_fsync(log):
    started, synced = threading.Event(), []

    def slow(descriptor: int) -> None:
        synced.append(descriptor)
        started.wait(10)

    log.write(query())
    log.sync = slow
    threads = [threading.Thread(target=log.write, args=(query(number=number),)) for number in range(40)]
    for thread in threads:
        thread.start()
    started.set()
    for thread in threads:
        thread.join()
    assert sorted(one.event.number or 0 for one in told(log.folder)) == sorted([0, *range(40)])
    assert len(synced) <= 40
    assert verify(log.folder, KEY).wrong == []


WRITER = """
import sys
from pathlib import Path
from policies.audit.event import Event
from policies.audit.log import AuditLog
log = AuditLog(Path(sys.argv[1]), lambda: bytes(range(32)))
for number in range(int(sys.argv[2])):
    log.write(Event(what="query", door="cli", who="user:p" + sys.argv[3], number=number))
    print(number, flush=True)
"""


def writer(log: AuditLog, count: int, who: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(log.folder), str(count), str(who)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_that_write_together_make_one_chain(log):
    jobs = [writer(log, 40, who) for who in range(3)]
    for job in jobs:
        job.communicate(timeout=60)
    assert verify(log.folder, KEY).wrong == []
    by = [one.event.who for one in told(log.folder)]
    assert {who: by.count(who) for who in by} == {f"user:p{who}": 40 for who in range(3)}


def test_a_killed_writer_loses_nothing_that_it_was_told_was_written(log):
    job = writer(log, 10_000, 1)
    for _ in range(70):
        job.stdout.readline()
    job.kill()
    told_of = 70 + len(job.communicate()[0].splitlines())
    assert verify(log.folder, KEY).wrong == []
    log.write(query(number=-1))
    found = verify(log.folder, KEY)
    assert (found.wrong, found.notes) == ([], [])
    numbers = [one.event.number for one in told(log.folder) if one.event.what == "query"]
    assert numbers[:told_of] == list(range(told_of))
    assert numbers[-1] == -1


@pytest.mark.parametrize("left", [1, 40, 300])
def test_a_line_that_a_crash_cut_is_told_of_by_the_next_one(log, left):
    log.write(query())
    head = (log.folder / HEAD).read_bytes()
    name = log_files(log.folder)[0][0]
    size = (log.folder / name).stat().st_size
    log.write(query(purpose="x" * 200))
    cut(log, name, size + left)
    (log.folder / HEAD).write_bytes(head)  # it is moved after the line
    found = verify(log.folder, KEY)
    assert found.wrong == []
    assert found.notes == [f"{log.folder / name}:2: was cut by a crash; the next write tells of it"]
    log.write(query(number=2))
    _, repair, last = [one.event for one in told(log.folder)]
    assert (repair.what, repair.door, repair.bytes) == ("repair", "log", left)
    assert last.number == 2
    assert verify(log.folder, KEY).wrong == []
    assert verify(log.folder, KEY).notes == []


@pytest.mark.parametrize("gone", [1, 60, 80])
def test_what_a_crash_left_between_the_lines_and_the_head_is_made_good(log, gone):
    log.now = lambda: dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    log.write_all([query() for _ in range(60)])
    head = (log.folder / HEAD).read_bytes()
    log.write_all([query() for _ in range(70)])
    log.now = lambda: dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    log.write(query())
    anchors = (log.folder / "anchors").read_bytes()
    (log.folder / HEAD).write_bytes(head)
    (log.folder / "anchors").write_bytes(anchors[:-gone])
    assert verify(log.folder, KEY).wrong == []
    log.write(query())
    found = verify(log.folder, KEY)
    assert (found.wrong, found.notes, found.lines) == ([], [], 132)
    assert (log.folder / "anchors").read_bytes() == anchors


def test_a_disk_that_refuses_shuts_the_door_and_the_log_goes_on_after_it(log):
    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    log.write(query())
    log.sync = refuse
    with pytest.raises(LakeError, match="cannot be written .Input/output error., so nothing was opened"):
        log.write(query(number=1))
    log.sync = os.fsync
    log.write(query(number=2))
    assert [one.event.number for one in told(log.folder)] == [None, 1, 2]  # that it was asked is no lie
    assert verify(log.folder, KEY).wrong == []


def test_a_folder_that_cannot_be_written_shuts_the_door(tmp_path):
    (tmp_path / "audit").write_text("a file")
    with pytest.raises(LakeError, match="cannot be written"):
        AuditLog(tmp_path / "audit", lambda: KEY).write(query())


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda log, _: (log.folder / HEAD).unlink(), "head: is gone or empty, and the log is not"),
        (lambda log, _: cut(log, HEAD, 0), "head: is gone or empty, and the log is not"),
        (lambda log, _: cut(log, HEAD, 100), "head: is no record"),
        (lambda log, name: cut(log, name, 50), "is shorter than it was"),
        (lambda log, name: (log.folder / name).unlink(), "is shorter than it was"),
        (lambda log, name: add(log.folder / name, b"{}\n"), "after line 70 is no line of the log"),
    ],
)
def test_a_log_that_was_tampered_with_opens_no_door(log, harm, said):
    log.write_all([query() for _ in range(70)])
    harm(log, log_files(log.folder)[0][-1])
    with pytest.raises(LakeError, match=said):
        log.write(query())


def test_a_log_that_was_put_back_with_its_head_is_behind_its_anchors(log):
    log.write(query())
    name = log_files(log.folder)[0][0]
    head, old = (log.folder / HEAD).read_bytes(), (log.folder / name).read_bytes()
    log.write_all([query() for _ in range(70)])
    (log.folder / HEAD).write_bytes(head)
    (log.folder / name).write_bytes(old)
    with pytest.raises(LakeError, match="lines up to 64 were written, and are gone"):
        log.write(query())
    assert verify(log.folder, KEY).wrong == [f"{log.folder / 'anchors'}:1: lines up to 64 were written, and are gone"]


def test_another_key_is_refused_before_anything_is_written(log):
    log.write(query())
    other = AuditLog(log.folder, lambda: bytes(32))
    with pytest.raises(LakeError, match="not written with this key"):
        other.write(query())
    assert len(lines(log)) == 1


def test_a_key_of_another_form_shuts_the_door_and_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.setenv(AUDIT_VARIABLE, "secret")
    log = AuditLog(tmp_path / "audit", lambda: audit_key(tmp_path / "keys" / "audit.key"))
    with pytest.raises(DocumentError, match="expected a key") as caught:
        log.write(query())
    assert "secret" not in str(caught.value)


def test_a_lab_has_its_log_and_makes_its_key_at_first_need(folder):
    lab = folder.lab
    lab.audit.write(query())
    assert lab.audit is lab.audit
    assert lab.audit_key_path.stat().st_mode & 0o077 == 0
    assert verify(folder.root / "var/audit", audit_key(lab.audit_key_path)).lines == 1


def test_a_lab_whose_key_is_gone_makes_no_other_one_for_the_log_that_is_there(folder):
    folder.lab.audit.write(query())
    key = folder.lab.audit_key_path
    whole = key.read_bytes()
    key.unlink()
    with pytest.raises(LakeError, match="audit.key: the key of the audit log is gone; restore it"):
        folder.lab.audit.write(query())
    assert not key.exists()
    key.write_bytes(whole)
    folder.lab.audit.write(query())
    assert verify(folder.root / "var/audit", folder.lab.audit_key()).lines == 2
