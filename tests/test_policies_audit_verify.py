"""Any change of the log is found, whatever it is and wherever."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.audit.event import Event
from policies.audit.log import AuditLog
from policies.audit.verify import verify

KEY = bytes(range(32))
FIRST, SECOND, LAST = "2026-10-0001.jsonl", "2026-11-0001.jsonl", "2026-12-0001.jsonl"


def filled(folder: Path, months: dict[int, int]) -> AuditLog:
    log = AuditLog(folder, lambda: KEY, sync=lambda _: None)
    for month, count in months.items():
        log.now = lambda month=month: dt.datetime(2026, month, 5, tzinfo=dt.UTC)
        for number in range(count):
            log.write(Event(what="query", door="cli", who="user:ana", number=number))
    return log


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """A log of 150 lines in three files: anchors at 64, 70, 128 and 140."""
    folder = tmp_path_factory.mktemp("good") / "audit"
    filled(folder, {10: 70, 11: 70, 12: 10})
    found = verify(folder, KEY)
    assert (found.wrong, found.notes, found.lines, found.files) == ([], [], 150, 3)
    return folder


@pytest.fixture
def audit(good, tmp_path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "audit"))


def wrong(folder: Path, *kept: str) -> list[str]:
    return [one.removeprefix(f"{folder}/").removeprefix(f"{folder}") for one in verify(folder, KEY, kept).wrong]


def changed(path: Path, change) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def test_an_edit_is_named_by_file_and_line(audit):
    path = audit / SECOND
    path.write_bytes(path.read_bytes().replace(b'"number":7,', b'"number":8,'))
    assert wrong(audit) == [f"{SECOND}:8: was changed, or was not written with this key"]


def test_a_deleted_line_is_named_by_the_next_one(audit):
    changed(audit / SECOND, lambda lines: lines[:4] + lines[6:])
    assert wrong(audit) == [f"{SECOND}:5: lines 75 to 76 are gone before this one, which is line 77"]


def test_lines_in_another_order_are_named(audit):
    changed(audit / FIRST, lambda lines: [lines[1], lines[0], *lines[2:]])
    assert wrong(audit) == [
        f"{FIRST}:1: line 1 is gone before this one, which is line 2",
        f"{FIRST}:2: is line 1, and stands after line 2",
    ]


def test_a_line_that_was_put_in_is_named(audit):
    changed(audit / LAST, lambda lines: [*lines, lines[3]])
    assert wrong(audit) == [f"{LAST}:11: is line 144, and stands after line 150"]


def test_a_line_from_another_file_is_named(audit):
    changed(audit / LAST, lambda lines: [*lines, (audit / FIRST).read_bytes().splitlines(keepends=True)[0]])
    assert wrong(audit) == [f"{LAST}:11: was changed, or was not written with this key"]


@pytest.mark.parametrize(
    ("kept", "said"), [(9, "line 150 is"), (5, "lines 146 to 150 are"), (0, "lines 141 to 150 are")]
)
def test_last_lines_that_are_gone_are_named(audit, kept, said):
    changed(audit / LAST, lambda lines: lines[:kept])
    assert f"{LAST}: {said} gone from the end" in wrong(audit)


def test_a_file_that_is_gone_is_named_by_what_is_missing(audit):
    (audit / SECOND).unlink()
    assert f"{LAST}:1: lines 71 to 140 are gone before this one, which is line 141" in wrong(audit)
    (audit / LAST).unlink()
    assert f"{LAST}: lines 71 to 150 are gone from the end" in wrong(audit)


def test_a_file_that_has_no_business_there_is_named(audit):
    shutil.copy(audit / FIRST, audit / "2026-10-0001.jsonl.bak")
    (audit / "2025-01-0001.jsonl").touch()
    assert wrong(audit) == ["2026-10-0001.jsonl.bak: does not belong to the log", "2025-01-0001.jsonl: is empty"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "anchors: the anchor of line 140 is gone"),
        (lambda lines: lines[1:], "anchors: the anchor of line 64 is gone"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "anchors:2: is of line 64, and stands after that of line 70"),
        (lambda lines: [*lines, b"200-" + b"0" * 64 + b"\n"], "anchors:5: lines up to 200 were written, and are gone"),
        (lambda lines: [*lines, b"150-" + b"0" * 64 + b"\n"], "anchors:5: is not the anchor of line 150"),
        (lambda lines: [*lines, b"15"], "anchors:5: is cut, or was added to"),
        (lambda lines: lines[:0], "anchors: the anchor of line 64 is gone"),
    ],
)
def test_a_change_of_the_anchors_is_named(audit, change, said):
    changed(audit / "anchors", change)
    assert said in wrong(audit)


def test_a_log_that_was_put_back_whole_is_found_by_an_anchor_that_was_kept(tmp_path):
    log = filled(tmp_path / "audit", {10: 70})
    shutil.copytree(log.folder, tmp_path / "old")
    filled(log.folder, {11: 3})
    kept = verify(log.folder, KEY).anchor
    assert kept.startswith("73-")
    assert wrong(log.folder, kept) == []
    shutil.rmtree(log.folder)
    shutil.move(tmp_path / "old", log.folder)
    assert wrong(log.folder) == []  # what only an anchor from elsewhere shows
    assert wrong(log.folder, kept) == [": lines up to 73 are gone: the anchor that was kept names them"]
    filled(log.folder, {12: 4})
    assert wrong(log.folder) == []
    assert wrong(log.folder, kept) == [
        f"{LAST}:3: is not the line of the anchor that was kept: the log was written anew"
    ]


def test_a_log_that_is_gone_altogether_is_found_by_an_anchor_that_was_kept(tmp_path):
    assert wrong(tmp_path / "none", "1-" + "0" * 64) == [": there is no log"]
    assert wrong(tmp_path / "none") == []


def test_another_key_finds_nothing_genuine(audit):
    assert verify(audit, bytes(32)).wrong[0].endswith("head: was changed, or was not written with this key")


def changes(data, before: bytes) -> bytes | None:
    """The file's bytes after one change; None where the file itself is to be taken away."""
    lines = before.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(before) - 1))
    line, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    swapped = list(lines)
    swapped[line], swapped[other] = lines[other], lines[line]
    flipped = bytes([before[at] ^ data.draw(st.integers(1, 255))])
    put_in = data.draw(st.binary(min_size=1, max_size=20))
    return data.draw(
        st.sampled_from(
            [
                before[:at] + flipped + before[at + 1 :],
                before[:at] + before[at + data.draw(st.integers(1, 300)) :],
                before[:at] + put_in + before[at:],
                before[:at],
                b"".join(lines[:line] + lines[line + 1 :]),
                b"".join([*lines[:other], lines[line], *lines[other:]]),
                b"".join(swapped),
                b"",
                None,
            ]
        )
    )


@given(st.data())
def test_any_single_change_is_found(good, tmp_path_factory, data):
    folder = Path(shutil.copytree(good, tmp_path_factory.mktemp("changed") / "audit"))
    path = folder / data.draw(st.sampled_from(sorted(one.name for one in folder.iterdir())))
    before = path.read_bytes()
    after = changes(data, before)
    assume(after != before)
    path.unlink()
    if after is not None:
        path.write_bytes(after)
    assert verify(folder, KEY).wrong != []
    shutil.rmtree(folder.parent)


@pytest.mark.parametrize("old", [FIRST, SECOND, LAST, "head", "anchors"])
@pytest.mark.parametrize("new", ["2026-09-0001.jsonl", "2026-11-0002.jsonl", "2026-12-0002.jsonl", "x"])
def test_a_file_of_another_name_is_found(audit, old, new):
    (audit / old).rename(audit / new)
    assert verify(audit, KEY).wrong != []
