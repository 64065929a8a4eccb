"""The airlock as a steward uses it: the commands, what is shown, and files on their way in."""

from __future__ import annotations

import os
import stat

import pytest
from fixtures_airlock import GOOD, SMALL
from fixtures_sandbox import run as in_sandbox
from typer.testing import CliRunner

import datalab as command
from policies.audit.origin import account
from policies.errors import DeniedError, LakeError, UsageError


@pytest.fixture
def said(lab):
    """What `datalab airlock …` says; raises what it raises."""

    def run(*words: str) -> str:
        ran = CliRunner().invoke(command.app, ["--lab", str(lab.root), "airlock", *words], env={"COLUMNS": "200"})
        if ran.exception is not None:
            raise ran.exception
        return ran.output

    return run


def test_a_steward_lists_reads_asks_and_decides(airlock, said):
    assert "nothing waits" in said("list")
    airlock.opened("ada", "irve/open", purpose="mobility")
    airlock.put("ada", "t.csv", SMALL, why="for report 7", editions=["irve/open"])
    assert "1: t.csv of ada is checked; found: small-cells (look)" in said("collect")
    assert "nothing new" in said("collect")
    listed = said("list")
    assert all(word in listed for word in ("ada", "t.csv", "checked", "small-cells: look", "for report 7"))
    shown = said("show", "1")
    for part in (
        "for report 7",
        "irve/open",
        "mobility",
        "cells that count fewer than 10 units: 1",
        "row 2",
        "Est | 120",
    ):
        assert part in shown
    assert "t.csv of ada is asked" in said("ask", "1", "--why", "what is n?", "--by", "anne")
    assert "answered" in said("answer", "1", "--as", "ada", "--why", "stations")
    out = said("approve", "1", "--why", "no persons", "--despite", "small-cells", "--by", "anne")
    assert "released" in out
    assert "var/releases/1/t.csv" in out.replace("\n", "")
    assert "approve by anne" in said("show", "1")
    assert "nothing waits" in said("list")
    assert '"state":"released"' in said("list", "--all", "--json")


def test_earlier_releases_stand_beside_the_file(airlock, said):
    for user in ("ada", "bob"):
        airlock.opened(user, "irve/open")
    airlock.take("ada", why="the first one")
    airlock.approve(1)
    airlock.take("bob", "u.csv", GOOD.replace(b"120", b"117"))
    shown = said("show", "2")
    assert "release 1: n est: 117 and 120" in shown
    assert "the first one" in shown
    assert any("Est | 117" in line and "Est | 120" in line for line in shown.splitlines())


def test_totals_that_give_hidden_cells_back_are_shown_and_stand_in_the_way(airlock, said):
    airlock.put("ada", "t.csv", b"region;n\nEst;s\nOuest;80\nTotal;84\n")
    assert "given-back (look)" in said("collect")
    with pytest.raises(DeniedError, match="--despite given-back"):
        said("approve", "1", "--why", "fine", "--by", "anne")
    airlock.put("bob", "t.csv", b"region;n\nEst;s\nOuest;s\nTotal;84\n")
    assert "given-back" not in said("collect")  # the control


def test_what_a_stranger_wrote_cannot_drive_the_terminal(airlock, said):
    airlock.put("ada", "t.txt", b"\x1b[2J[bold]x[/bold]", why="\x1b[31mred [link=http://x]")
    assert "\x1b" not in said("list") + said("show", "1")
    assert "[link=http://x]" in said("show", "1")


def test_a_number_that_is_not_there_is_named(said):
    for words in (["show", "7"], ["refuse", "7", "--why", "no"], ["withdraw", "7", "--as", "ada"]):
        with pytest.raises(UsageError, match="there is no submission 7"):
            said(*words)


def test_a_damaged_record_is_named_and_not_overwritten(airlock, said):
    airlock.take("ada")
    record = airlock.store.folder / "1" / "submission.json"
    record.write_text("{")
    with pytest.raises(LakeError, match="submission.json: damaged"):
        said("list")
    assert record.read_text() == "{"


def brought(airlock, said, name: str = "own.zip", *words: str) -> str:
    path = airlock.lab.root / name
    path.write_bytes(b"PK of their own")
    return said("admit", str(path), "--for", "ada", "--why", "their own survey", *(words or ("--by", "carole")))


def test_a_file_comes_in_once_another_person_lets_it(lab, airlock, said):
    assert "1: own.zip for ada is checked" in brought(airlock, said)
    assert "for ada" in said("list")
    home = airlock.outbox("ada").parent
    for by in ("carole", "ada"):
        with pytest.raises(DeniedError, match="own: somebody else"):
            said("approve", "1", "--why", "fine", "--by", by)
    assert not (home / "inbox").exists()
    assert "released" in said("approve", "1", "--why", "agreement 12", "--by", "anne")
    assert (home / "inbox" / "own.zip").read_bytes() == b"PK of their own"
    assert (home / "inbox" / "own.zip").stat().st_uid == home.stat().st_uid
    assert airlock.releases() == {}
    assert airlock.answers("ada")[-1]["means"] == "was let in: it lies in ~/inbox"
    assert [(one.what, one.who, one.number) for one in airlock.events()] == [
        ("request", "carole", 1),
        ("accept", "anne", 1),
    ]
    assert in_sandbox(lab, "cat", "inbox/own.zip").out == "PK of their own"


def test_who_asks_in_the_name_of_their_account_does_not_approve_under_another(airlock, said):
    brought(airlock, said, "own.zip", "--by", account())
    with pytest.raises(DeniedError, match="own: somebody else"):
        said("approve", "1", "--why", "fine", "--by", "anne")


def test_what_came_in_is_no_release_that_others_are_compared_with(airlock, said):
    brought(airlock, said, "own.csv")
    said("approve", "1", "--why", "fine", "--by", "anne")
    assert airlock.store.related(airlock.store.one(1)) == ()


def test_a_copy_that_is_swapped_does_not_come_in(airlock, said):
    brought(airlock, said)
    copy = airlock.store.copy(1)
    copy.chmod(0o600)
    copy.write_bytes(b"other")
    with pytest.raises(DeniedError, match="not what was taken"):
        said("approve", "1", "--why", "fine", "--by", "anne")
    assert not (airlock.outbox("ada").parent / "inbox").exists()


def test_an_inbox_that_is_a_link_is_not_written_through_and_a_file_of_the_same_name_stays(airlock, said, tmp_path):
    brought(airlock, said)
    home = airlock.outbox("ada").parent
    (home / "inbox").symlink_to(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(LakeError, match="inbox: cannot be written"):
        said("approve", "1", "--why", "fine", "--by", "anne")
    assert sorted(tmp_path.iterdir()) == before
    assert airlock.store.one(1).state == "checked"
    (home / "inbox").unlink()
    (home / "inbox").mkdir()
    (home / "inbox" / "own.zip").write_bytes(b"mine")
    said("approve", "1", "--why", "fine", "--by", "anne")
    names = {path.name: path.read_bytes() for path in (home / "inbox").iterdir()}
    assert names == {"own.zip": b"mine", "1-own.zip": b"PK of their own"}


@pytest.mark.parametrize("make", ["link", "fifo", "none", "folder"])
def test_what_is_no_plain_file_is_not_brought_in(airlock, said, tmp_path, make):
    path = tmp_path / "own.csv"
    if make == "link":
        path.symlink_to("/etc/passwd")
    elif make == "fifo":
        os.mkfifo(path)
    elif make == "folder":
        path.mkdir()
    with pytest.raises(UsageError, match="own.csv"):
        said("admit", str(path), "--for", "ada", "--why", "mine")
    with pytest.raises(UsageError, match="unknown user"):
        said("admit", str(path), "--for", "nobody", "--why", "mine")
    assert airlock.store.all() == ()
    assert make == "none" or stat.S_IFMT(path.lstat().st_mode)
